"""Damages from outside of a validated environment: each is seen, and named, by its claims alone."""

from contextlib import ExitStack

import pytest

from tests.integration.gate.damages import GROUPS, Damage
from tests.integration.gate.gate_command import Gate
from traderx_gate.application import load
from traderx_gate.policies import load_catalogue
from traderx_gate.verdict.claims import Claim

FLOWS = ("dependencies.", "ingress.", "routes.", "trade.", "web_page.")
"""Claims about what services do together: what breaks one of them may break these as well."""


TIMED = frozenset({"events.warn_of_nothing"})


@pytest.mark.parametrize("damages", GROUPS.values(), ids=GROUPS)
def test_damage_is_seen_by_its_claims(gate: Gate, damages: tuple[Damage, ...]) -> None:
    """Each damage makes exactly its claims false and is named; repaired, all is proven again."""
    with ExitStack() as stack:
        stack.callback(gate.deploy)
        for damage in damages:
            stack.enter_context(damage.inflict(gate))
        done = gate.run("validate", "dev")
    assert done.returncode == 1, done.stdout + done.stderr
    reasons = gate.decision()["reasons"]
    # whether a pod that is missing was warned of already is the scheduler's affair
    loose = frozenset().union(*(d.claims & TIMED for d in damages if len(d.claims) > 1))
    expected = {damage.name: damage.claims - loose for damage in damages}
    seen = {r["claim"] for r in reasons if not r["claim"].startswith(FLOWS)} - loose
    assert {
        **{name: claims & seen for name, claims in expected.items()},
        "nothing else": seen - frozenset().union(*expected.values()),
    } == {**expected, "nothing else": frozenset()}, done.stdout
    said = "\n".join(f"{reason['text']} {reason['seen']}" for reason in reasons)
    assert [damage.says for damage in damages if damage.says not in said] == [], said
    again = gate.run("validate", "dev")
    assert again.returncode == 0, again.stdout + again.stderr


ALL = tuple(damage for damages in GROUPS.values() for damage in damages)
ONLY_WITH_OTHERS = {
    "images.running_image_is_the_units": "an image differs with its Deployment, or with its unit",
    "pods.configured_as_the_unit_says": "a pod differs with its Deployment",
    "endpoints.lead_to_the_ready_pods": "a Service leads elsewhere when it or its pods changed",
    "rollout.replicas_are_complete": "a replica that lacks is a pod astray",
    "pods.none_is_astray": "a pod astray is a replica that lacks",
    "singletons.are_single": "a second replica of it is drift",
}
"""Claims that nothing makes false alone, and why; they name the cause better than the others."""


@pytest.mark.parametrize("claim", load_catalogue(load().slugs).claims, ids=lambda claim: claim.name)
def test_every_claim_has_its_damage(claim: Claim) -> None:
    """Of every claim about one thing there is a damage that only it sees, or why there is none."""
    sights = [d.claims for d in ALL if claim.name in {key.partition("[")[0] for key in d.claims}]
    alone = any(len(claims) == 1 for claims in sights)
    assert (bool(sights), alone) == (True, claim.name not in ONLY_WITH_OTHERS) or (
        claim.name.startswith(FLOWS) and not sights
    )


@pytest.mark.parametrize("damages", GROUPS.values(), ids=GROUPS)
def test_damages_of_a_group_are_told_apart(damages: tuple[Damage, ...]) -> None:
    """No two damages that are done together are expected to make the same claim false."""
    expected = [claim for damage in damages for claim in damage.claims]
    assert sorted(set(expected)) == sorted(expected)
