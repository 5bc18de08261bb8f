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

MEASURED = ("drift",)
"""The groups whose flow claims were seen as declared; the others are inflicted by the campaign."""


@pytest.mark.parametrize("damages", [GROUPS[name] for name in MEASURED], ids=MEASURED)
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


@pytest.mark.parametrize("claim", load_catalogue(load().slugs).claims, ids=lambda claim: claim.name)
def test_every_claim_has_its_damage(claim: Claim) -> None:
    """Of every claim of the catalogue there is a damage that makes it false."""
    assert [d.name for d in ALL if claim.name in {key.partition("[")[0] for key in d.claims}]


def test_damages_are_told_apart() -> None:
    """Every damage has a name of its own, and words that have to be said of it."""
    assert len({damage.name for damage in ALL}) == len(ALL)
    assert [damage.name for damage in ALL if not damage.says] == []
