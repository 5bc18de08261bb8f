"""Evidence and decisions of any content, for the tests of what is made of them."""

import dataclasses
import datetime as dt

from hypothesis import strategies as st

from traderx_gate.verdict import (
    ClaimResult,
    Cluster,
    Decision,
    Environment,
    Evidence,
    EvidenceState,
    Outcome,
    Reason,
    UnitRevision,
    Verdict,
)

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
UNITS = {"database-deployment": UnitRevision(sha256="a" * 64, head=1, applied=1, live=1)}
ANY_TEXT = st.text(st.characters(), max_size=60) | st.text("|\\`*_[]<>&~$!#\n\r%:,x", max_size=20)
REASONS = st.builds(
    Reason,
    verdict=st.sampled_from([Verdict.FAIL, Verdict.INCONCLUSIVE]),
    claim=st.sampled_from(["", "a.b", "a.c[database]"]),
    text=ANY_TEXT,
    expected=ANY_TEXT,
    seen=ANY_TEXT,
    where=ANY_TEXT,
)
"""Reasons as they may come: their words are of whatever was looked at."""


def result(key: str, outcome: Outcome = Outcome.PASSED) -> ClaimResult:
    """Return a result of a claim."""
    return ClaimResult(
        key=key, outcome=outcome, at=NOW, duration_s=0.25, samples=1, observations=()
    )


def evidence(*results: ClaimResult) -> Evidence:
    """Return closed evidence with these results."""
    return Evidence(
        run="r1",
        kind="validate",
        state=EvidenceState.CLOSED,
        environment=Environment(project="p", name="dev", space="p-dev", namespace="n"),
        cluster=Cluster(kind="embedded", context="c", version="v1"),
        provenance="stand-ins",
        units_before=UNITS,
        units_after=UNITS,
        pods_before={},
        pods_after={},
        seed=1,
        policy="validate",
        policy_sha256="b" * 64,
        tool_version="0",
        started_at=NOW,
        ended_at=NOW + dt.timedelta(seconds=7.5),
        required=(),
        results=results,
        timeline=(),
        exit_status=0,
    )


def started() -> Evidence:
    """Return the evidence of a run that was killed."""
    return dataclasses.replace(
        evidence(),
        state=EvidenceState.STARTED,
        units_after={},
        ended_at=None,
        exit_status=None,
    )


def decision(
    *reasons: Reason, proven: tuple[str, ...] = (), accepted: tuple[str, ...] = ()
) -> Decision:
    """Return a decision with these reasons."""
    failed = any(reason.verdict is Verdict.FAIL for reason in reasons)
    bad = Verdict.FAIL if failed else Verdict.INCONCLUSIVE
    return Decision(
        verdict=bad if reasons else Verdict.PASS,
        reasons=reasons,
        proven=proven,
        accepted=accepted,
        required=len(proven) + len(accepted) + len(reasons),
        run="r1",
        policy="validate",
        policy_sha256="b" * 64,
        at=NOW,
    )


def failure(claim: str = "a.b", text: str = "no answer", seen: str = "") -> Reason:
    """Return a reason for FAIL."""
    return Reason(verdict=Verdict.FAIL, claim=claim, text=text, seen=seen)


def gap(claim: str = "a.b", text: str = "was skipped") -> Reason:
    """Return a reason for INCONCLUSIVE."""
    return Reason(verdict=Verdict.INCONCLUSIVE, claim=claim, text=text)
