"""Promotion: only the newest evidence of exactly what is live promotes, and only if it passes."""

import dataclasses
import datetime as dt
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.verdict.test_evaluate import DAMAGES, DEV, END, GOOD, NOW, POLICY, START, UNITS
from traderx_gate.errors import ConfigurationError
from traderx_gate.verdict import (
    Candidate,
    Evidence,
    EvidenceState,
    PromotionDecision,
    PromotionPolicy,
    Subject,
    UnitRevision,
    Verdict,
    evaluate_promotion,
)

TEXT = """
schema = 1
name = "promote"
[[evidence]]
kind = "validate"
max_age_s = 600
"""
PROMOTION = PromotionPolicy.from_toml(TEXT, source="promote.toml")
OTHER = {"database-deployment": UnitRevision(sha256="cc", head=3, applied=3, live=3)}


def of(evidence: Evidence | None, run: str = "r1", kind: str = "validate") -> Candidate:
    return Candidate(run=run, kind=kind, evidence=evidence, problem="" if evidence else "edited")


def decide(
    *candidates: Candidate,
    subject: Subject = NOW,
    promotion: PromotionPolicy = PROMOTION,
    own_policy: str = "validate",
    target: str = "stand-ins",
) -> PromotionDecision:
    return evaluate_promotion(
        promotion,
        {"validate": POLICY},
        candidates,
        subject,
        own_policy=own_policy,
        target_provenance=target,
    )


def test_newest_proof_of_what_is_live_promotes() -> None:
    """Evidence that passes, of exactly the live revisions, promotes; the decision names it."""
    decision = decide(of(GOOD))
    assert (decision.verdict, dict(decision.runs)) == (Verdict.PASS, {"validate": "r1"})
    assert decision.summary() == "PASS: proven by validate r1"
    assert decision.units == UNITS


def test_nothing_promotes_without_evidence() -> None:
    """No evidence at all, or none of the kind that is asked for, does not promote."""
    soak = dataclasses.replace(GOOD, kind="soak")
    for candidates in ((), (of(soak, kind="soak"),)):
        assert decide(*candidates).verdict is Verdict.INCONCLUSIVE


@given(st.sampled_from(sorted(DAMAGES)), st.integers(0, 5))
def test_damaged_evidence_never_promotes(name: str, index: int) -> None:
    """Whatever makes evidence no proof for a verdict makes it none for a promotion."""
    damaged = DAMAGES[name](GOOD, index)
    assert decide(of(damaged)).verdict is not Verdict.PASS


@given(
    st.dictionaries(
        st.sampled_from(["database-deployment", "other"]),
        st.builds(
            UnitRevision,
            sha256=st.sampled_from(["aa", "bb"]),
            head=st.integers(0, 2),
            applied=st.integers(0, 2),
            live=st.integers(0, 2),
        ),
        max_size=2,
    )
)
def test_only_what_was_tested_is_promoted(units: dict[str, UnitRevision]) -> None:
    """Any other unit, hash or revision than the evidence speaks of is not promoted."""
    decision = decide(of(GOOD), subject=dataclasses.replace(NOW, units=units))
    assert (decision.verdict is Verdict.PASS) == (units == UNITS)


def _failed(evidence: Evidence) -> Evidence:
    return DAMAGES["failed"](evidence, 0)


LATER = dataclasses.replace(GOOD, run="r2")


def test_what_cannot_be_read_is_not_looked_past() -> None:
    """While the newest evidence cannot be read, an older failure is no proof either way."""
    decision = decide(of(None, "r2"), of(_failed(GOOD)))
    assert (decision.verdict, len(decision.reasons)) == (Verdict.INCONCLUSIVE, 1)


@pytest.mark.parametrize(
    ("newer", "verdict"),
    [
        (of(_failed(GOOD), "r2"), Verdict.FAIL),
        (of(dataclasses.replace(GOOD, state=EvidenceState.STARTED), "r2"), Verdict.INCONCLUSIVE),
        (of(None, "r2"), Verdict.INCONCLUSIVE),
        (of(dataclasses.replace(GOOD, units_before=OTHER, units_after=OTHER), "r2"), Verdict.PASS),
        (of(None, "r2", kind="soak"), Verdict.PASS),
    ],
    ids=["failed", "killed", "unreadable", "of other revisions", "of another kind"],
)
def test_newest_counts(newer: Candidate, verdict: Verdict) -> None:
    """Of evidence for the same revisions the newest counts; one in doubt is not looked past."""
    assert decide(newer, of(GOOD)).verdict is verdict


def test_what_is_not_live_is_not_promoted() -> None:
    """While a unit's head is not what is live, nothing is promoted, and the unit is named."""
    ahead = {"database-deployment": UnitRevision(sha256="aa", head=2, applied=1, live=1)}
    evidence = dataclasses.replace(GOOD, units_before=ahead, units_after=ahead)
    decision = decide(of(evidence), subject=dataclasses.replace(NOW, units=ahead))
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert "unit database-deployment" in decision.reasons[0].text


@pytest.mark.parametrize(
    ("tested", "target", "promotes"),
    [
        ("stand-ins", "stand-ins", True),
        ("containers", "stand-ins", True),
        ("containers", "containers", True),
        ("stand-ins", "containers", False),
        ("hearsay", "stand-ins", False),
    ],
)
def test_proof_is_no_weaker_than_its_target(tested: str, target: str, *, promotes: bool) -> None:
    """What stand-ins proved is promoted to stand-ins only; an unknown origin proves nothing."""
    evidence = dataclasses.replace(GOOD, provenance=tested)
    assert (decide(of(evidence), target=target).verdict is Verdict.PASS) is promotes


@pytest.mark.parametrize("age_s", [0, 599, 601])
def test_old_proof_does_not_promote(age_s: int) -> None:
    """Evidence counts until it is as old as the promotion's policy allows."""
    subject = dataclasses.replace(NOW, at=END + dt.timedelta(seconds=age_s))
    assert (decide(of(GOOD), subject=subject).verdict is Verdict.PASS) is (age_s <= 600)


def test_another_policy_proves_nothing() -> None:
    """Evidence of an easier policy than the environment's own does not promote."""
    assert decide(of(GOOD), own_policy="validate-prod").verdict is Verdict.INCONCLUSIVE


def test_another_environment_proves_nothing() -> None:
    """Evidence of another project's environment of the same name does not promote."""
    theirs = dataclasses.replace(GOOD, environment=dataclasses.replace(DEV, project="q"))
    assert decide(of(theirs)).verdict is Verdict.INCONCLUSIVE


def test_unknown_policy_proves_nothing() -> None:
    """Evidence of a policy that this version does not have does not promote."""
    decision = decide(of(dataclasses.replace(GOOD, policy="gone")), own_policy="gone")
    assert decision.verdict is Verdict.INCONCLUSIVE


def test_every_kind_is_needed() -> None:
    """A policy that asks for two kinds is not content with one."""
    both = TEXT + '[[evidence]]\nkind = "soak"\nmax_age_s = 600\n'
    promotion = PromotionPolicy.from_toml(both, source="promote.toml")
    decision = decide(of(GOOD), promotion=promotion)
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert "kind soak" in decision.summary()


def test_future_evidence_proves_nothing() -> None:
    """Evidence that ends after the question does not promote."""
    assert decide(of(GOOD), subject=dataclasses.replace(NOW, at=START)).verdict is not Verdict.PASS


BAD: dict[str, Callable[[str], str]] = {
    "schema = 1": lambda text: text.replace("schema = 1", "schema = 2"),
    "kind": lambda text: text.replace('"validate"', '"hearsay"'),
    "max_age_s": lambda text: text.replace("600", "0"),
    "unknown key": lambda text: text + "more = 1\n",
    "needs at least one kind": lambda text: text.partition("[[")[0],
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_malformed_policy_is_refused(name: str) -> None:
    """A promotion policy that asks for nothing, or for what there is not, is refused."""
    with pytest.raises(ConfigurationError, match=r"promote\.toml"):
        PromotionPolicy.from_toml(BAD[name](TEXT), source="promote.toml")
