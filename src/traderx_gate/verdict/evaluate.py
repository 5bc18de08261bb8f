"""The one function that decides. PASS has to be earned claim by claim; nothing absent is good."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from traderx_gate.verdict.claims import Claim
from traderx_gate.verdict.decision import Decision, Reason, Verdict
from traderx_gate.verdict.evidence import (
    ClaimResult,
    Environment,
    Evidence,
    EvidenceState,
    Outcome,
    PodIdentity,
    UnitRevision,
)
from traderx_gate.verdict.policy import AcceptedRisk, Policy

COMPLETE_EXITS = (0, 1)
"""pytest's exit statuses of a session that ran to its end; 2 to 5: interrupted, broken, empty."""

NOT_PROOF = {
    Outcome.ERRORED: "could not be checked",
    Outcome.SKIPPED: "was skipped",
    Outcome.XFAILED: "was expected to fail",
    Outcome.XPASSED: "passed though it was expected to fail",
    Outcome.CRASHED: "the process that checked it died",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is asked: is this environment good, now, with these revisions?

    Attributes:
        units: What is live now, by slug; None when only the evidence itself is judged.
        at: The time of the question, with a time zone.
    """

    environment: Environment
    at: dt.datetime
    units: Mapping[str, UnitRevision] | None = None


def evaluate(policy: Policy, evidence: Evidence, subject: Subject) -> Decision:
    """Decide. Total: every evidence has a decision, none raises."""
    reasons = list(_about_the_run(policy, evidence, subject))
    proven: list[str] = []
    accepted: list[str] = []
    by_key = Counter(result.key for result in evidence.results)
    results = {result.key: result for result in evidence.results}
    for key, claim in sorted(policy.required.items(), key=lambda item: str(item[0])):
        result = results.get(str(key))
        if _is_beyond(claim, evidence) and (result is None or result.outcome is not Outcome.FAILED):
            reasons.append(_unproven(str(key), f"the cluster lacks the capability {claim.needs}"))
        elif result is None:
            reasons.append(_unproven(str(key), "no result: it never ran, or was not selected"))
        elif by_key[str(key)] > 1:
            reasons.append(_unproven(str(key), f"has {by_key[str(key)]} results; one was expected"))
        elif (found := _against(result, claim, evidence)) is None:
            proven.append(str(key))
        elif _gap(result, claim, evidence) is None and (
            risk := _accepted(policy, result, subject.at)
        ):
            accepted.append(f"{key}: {risk.reason} ({risk.owner}, until {risk.expires})")
        else:
            reasons.append(found)
    required = {str(key) for key in policy.required}
    reasons += [
        _failed(result)
        for result in evidence.results
        if result.key not in required and result.outcome is Outcome.FAILED
    ]
    reasons.sort(key=lambda reason: (reason.verdict is not Verdict.FAIL, reason.claim, reason.text))
    return Decision(
        verdict=_worst(reasons),
        reasons=tuple(reasons),
        proven=tuple(proven),
        accepted=tuple(accepted),
        required=len(policy.required),
        run=evidence.run,
        policy=policy.name,
        policy_sha256=policy.sha256,
        at=subject.at,
    )


def _is_beyond(claim: Claim, evidence: Evidence) -> bool:
    """Whether the cluster was found unable to do what the claim's check needs."""
    return bool(claim.needs) and evidence.cluster.capabilities.get(claim.needs) is False


def _worst(reasons: list[Reason]) -> Verdict:
    if any(reason.verdict is Verdict.FAIL for reason in reasons):
        return Verdict.FAIL
    return Verdict.INCONCLUSIVE if reasons else Verdict.PASS


def _about_the_run(policy: Policy, evidence: Evidence, subject: Subject) -> Iterator[Reason]:
    """Yield what makes the evidence as a whole no proof of the subject."""
    if not policy.required:
        yield _unproven("", f"policy {policy.name} requires no claim")
    if evidence.kind != policy.kind:
        yield _unproven("", f"evidence is of kind {evidence.kind}, policy asks for {policy.kind}")
    if evidence.policy_sha256 != policy.sha256:
        yield _unproven("", "evidence was gathered under another policy or catalogue; run it again")
    if evidence.environment != subject.environment:
        yield _unproven(
            "",
            "evidence is of another environment",
            expected=str(subject.environment),
            seen=str(evidence.environment),
        )
    if evidence.state is not EvidenceState.CLOSED:
        yield _unproven(
            "", f"the run did not end cleanly: its evidence is still {evidence.state.value}"
        )
    elif evidence.exit_status not in COMPLETE_EXITS:
        yield _unproven(
            "", f"the test session was not complete: exit status {evidence.exit_status}"
        )
    yield from _about_time(policy, evidence, subject.at)
    yield from _about_units(evidence, subject)
    yield from _about_pods(evidence)


def _about_time(policy: Policy, evidence: Evidence, at: dt.datetime) -> Iterator[Reason]:
    ended = evidence.ended_at
    if ended is None:
        if evidence.state is EvidenceState.CLOSED:
            yield _unproven("", "evidence has no end time")
        return
    if not evidence.started_at <= ended <= at:
        yield _unproven("", f"evidence's times are impossible: {evidence.started_at} to {ended}")
    elif at - ended > policy.max_age:
        yield _unproven(
            "",
            "evidence is stale",
            expected=f"at most {policy.max_age} old",
            seen=f"ended {at - ended} ago",
        )


def _about_units(evidence: Evidence, subject: Subject) -> Iterator[Reason]:
    if not evidence.units_before or not evidence.units_after:
        yield _unproven("", "evidence is not bound to any unit's revision")
        return
    if evidence.units_before != evidence.units_after:
        yield _unproven(
            "",
            "units changed while the checks ran",
            seen=_difference(evidence.units_before, evidence.units_after),
        )
    if subject.units is not None and subject.units != evidence.units_after:
        yield _unproven(
            "",
            "evidence is of other revisions than those live now",
            seen=_difference(evidence.units_after, subject.units),
        )


def _about_pods(evidence: Evidence) -> Iterator[Reason]:
    if evidence.state is not EvidenceState.CLOSED:
        return  # what ran in the end is not known, and that it did not end is said already
    if not evidence.pods_before or not evidence.pods_after:
        yield _unproven("", "evidence is not bound to any pod")
    elif evidence.pods_before != evidence.pods_after:
        yield _unproven(
            "",
            "pods were replaced or restarted while the checks ran",
            seen=_difference(evidence.pods_before, evidence.pods_after),
        )


def _difference(
    before: Mapping[str, UnitRevision | PodIdentity],
    after: Mapping[str, UnitRevision | PodIdentity],
) -> str:
    changed = [slug for slug in sorted({*before, *after}) if before.get(slug) != after.get(slug)]
    return ", ".join(f"{s}: {before.get(s, 'absent')} -> {after.get(s, 'absent')}" for s in changed)


def _against(result: ClaimResult, claim: Claim, evidence: Evidence) -> Reason | None:
    """Return what speaks against taking this result as proof; None for nothing."""
    if result.outcome is Outcome.FAILED or result.unmet():
        return _failed(result)
    return _gap(result, claim, evidence)


def _gap(result: ClaimResult, claim: Claim, evidence: Evidence) -> Reason | None:
    """Return what keeps a result from telling anything, good or bad; None for nothing."""
    if result.outcome in NOT_PROOF:
        return _unproven(result.key, NOT_PROOF[result.outcome], seen=result.message)
    if result.samples < claim.min_samples or not result.observations:
        return _unproven(
            result.key,
            f"{result.outcome.value} without having looked at enough",
            expected=f"at least {claim.min_samples} samples and an observation",
            seen=f"{result.samples} samples, {len(result.observations)} observations",
        )
    ended = evidence.ended_at
    if not evidence.started_at <= result.at or (ended is not None and result.at > ended):
        return _unproven(result.key, f"was measured at {result.at}, outside of this run")
    return None


def _accepted(policy: Policy, result: ClaimResult, at: dt.datetime) -> AcceptedRisk | None:
    """Return the risk that covers all of this failure, if one does and has not expired."""
    unmet = result.unmet()
    for risk in policy.accepted_risks:
        if (
            str(risk.claim) == result.key
            and result.outcome is Outcome.FAILED
            and at.astimezone(dt.UTC).date() <= risk.expires
            and unmet
            and all(risk.signature.fullmatch(observation.seen) for observation in unmet)
        ):
            return risk
    return None


def _failed(result: ClaimResult) -> Reason:
    unmet = result.unmet()
    if not unmet:
        return Reason(
            verdict=Verdict.FAIL, claim=result.key, text="the claim failed", seen=result.message
        )
    first = unmet[0]
    more = f" (and {len(unmet) - 1} more)" if len(unmet) > 1 else ""
    return Reason(
        verdict=Verdict.FAIL,
        claim=result.key,
        text=f"{first.subject}{more}",
        expected=first.expected,
        seen=first.seen,
        where=first.where,
    )


def _unproven(claim: str, text: str, *, expected: str = "", seen: str = "") -> Reason:
    return Reason(
        verdict=Verdict.INCONCLUSIVE, claim=claim, text=text, expected=expected, seen=seen
    )
