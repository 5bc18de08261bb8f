"""Damages from outside of a validated environment: each is seen, and named, by its claims alone."""

from contextlib import ExitStack

import pytest

from tests.integration.gate.damages.damage import Damage
from tests.integration.gate.damages.groups import GROUPS
from tests.integration.gate.damages.table import ALL
from tests.integration.gate.gate_command import Gate
from traderx_gate.application import load
from traderx_gate.policies import load_catalogue
from traderx_gate.verdict.claims import Claim


@pytest.mark.parametrize("damages", GROUPS.values(), ids=GROUPS)
def test_damage_is_seen_by_its_claims(gate: Gate, damages: tuple[Damage, ...]) -> None:
    """Damages make exactly their claims false and are named; repaired, all is proven again."""
    with ExitStack() as stack:
        stack.callback(gate.deploy)
        for damage in damages:
            stack.enter_context(damage.inflict(gate))
        done = gate.run("validate", "dev")
    assert done.returncode == 1, done.stdout + done.stderr
    reasons = gate.decision()["reasons"]
    seen = {reason["claim"] for reason in reasons if reason["claim"]}
    expected = frozenset().union(*(damage.claims for damage in damages))
    possible = expected.union(*(damage.races for damage in damages))
    assert (sorted(seen - possible), sorted(expected - seen)) == ([], []), done.stdout
    said = "\n".join(f"{reason['text']} {reason['seen']}" for reason in reasons)
    assert [damage.says for damage in damages if damage.says not in said] == [], said
    again = gate.run("validate", "dev")
    assert again.returncode == 0, again.stdout + again.stderr


FLOWS = ("dependencies.", "ingress.", "routes.", "trade.", "web_page.")
"""Claims about what services do together: what breaks one of them may break these as well."""
ONLY_WITH_OTHERS = {
    "images.running_image_is_the_units": "an image differs with its Deployment, or with its unit",
    "pods.configured_as_the_unit_says": "a pod differs with its Deployment",
    "endpoints.lead_to_the_ready_pods": "a Service leads elsewhere when it or its pods changed",
    "rollout.replicas_are_complete": "a replica that lacks is a pod astray",
    "pods.none_is_astray": "a pod astray is a replica that lacks",
    "singletons.are_single": "a second replica of it is drift",
    "application.right_application_answers": "what answers wrongly breaks the flows through it",
    "trade.is_settled_exactly_once": "a trade that is lost moves nothing and is not told of",
    "trade.moves_the_position_by_its_quantity": "a position that is wrong is told of wrongly",
    "trade.positions_equal_their_trades": "books that are wrong were made so by a round trip",
    "trade.invalid_quantity_is_refused": "it fails anyhow; otherwise only where nothing answers",
    "dependencies.are_reached_from_inside": "what cannot be reached is not there, or elsewhere",
    "ingress.routes_lead_to_services": "a route that leads nowhere does not answer either",
    "ingress.routes_answer": "a route answers as the service behind it does",
}
"""Claims that nothing makes false alone, and why; they name the cause better than the others."""


CLAIMS = [c for c in load_catalogue(load().slugs).claims if c.suite == "validate_deployment"]
"""Those about an environment as it is; what `delivery` claims is about commands."""


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.name)
def test_every_claim_has_its_damage(claim: Claim) -> None:
    """Of every claim there is a damage that only it sees, or it is said why there is none."""
    sights = [d.claims for d in ALL if claim.name in {key.partition("[")[0] for key in d.claims}]
    alone = any(len(claims) == 1 for claims in sights)
    assert (bool(sights), alone) == (True, claim.name not in ONLY_WITH_OTHERS)


@pytest.mark.parametrize("damages", GROUPS.values(), ids=GROUPS)
def test_damages_of_a_group_are_told_apart(damages: tuple[Damage, ...]) -> None:
    """No two damages that are done together make the same claim about one thing false."""
    expected = [c for damage in damages for c in damage.claims if not c.startswith(FLOWS)]
    assert sorted(set(expected)) == sorted(expected)


def test_damages_are_told_apart() -> None:
    """Every damage has a name of its own, and words that have to be said of it."""
    assert len({damage.name for damage in ALL}) == len(ALL)
    assert [damage.name for damage in ALL if not damage.says] == []
