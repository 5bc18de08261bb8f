"""May this environment be promoted? Decided from the evidence there is, and what is live now."""

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from traderx_gate.errors import ConfigurationError
from traderx_gate.tables import Fields, read_toml
from traderx_gate.verdict.decision import Reason, Verdict
from traderx_gate.verdict.evaluate import Subject, evaluate
from traderx_gate.verdict.evidence import Evidence, UnitRevision
from traderx_gate.verdict.policy import KINDS, Policy

SCHEMA = "traderx-gate/promotion-decision"
VERSION = 1
PROVENANCES = ("stand-ins", "containers")
"""What was tested, the weakest proof first (design 4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One kind of evidence that promotion asks for.

    Attributes:
        max_age: How old it may be.
        policy: The policy that it has to be gathered under; empty for the environment's own.
    """

    kind: str
    max_age: dt.timedelta
    policy: str

    @classmethod
    def from_table(cls, table: object, *, where: str) -> Self:
        """Read `[[evidence]]`."""
        take = Fields(table, where=where)
        need = cls(
            kind=take.choice("kind", KINDS),
            max_age=dt.timedelta(seconds=take.number("max_age_s", at_least=1)),
            policy=take.optional("policy", str, ""),
        )
        take.nothing_else()
        return need


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionPolicy:
    """What evidence an environment needs before the next one may have its revisions.

    Attributes:
        sha256: The hash of the policy's text, hexadecimal.
    """

    name: str
    needs: tuple[Need, ...]
    sha256: str

    @classmethod
    def from_toml(cls, text: str, *, source: str) -> Self:
        """Read a promotion policy.

        Raises:
            ConfigurationError: Malformed, or it asks for nothing.
        """
        take = Fields(read_toml(text, source=source), where=source)
        if take.number("schema", at_least=1) != 1:
            raise ConfigurationError(f"{source}: schema: this version reads schema 1")
        policy = cls(
            name=take.text("name"),
            needs=tuple(
                Need.from_table(table, where=f"{source}: evidence {number}")
                for number, table in enumerate(take.tables("evidence"), start=1)
            ),
            sha256=hashlib.sha256(text.encode()).hexdigest(),
        )
        take.nothing_else()
        if not policy.needs:
            raise ConfigurationError(f"{source}: evidence: a promotion needs at least one kind")
        return policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A past run that may speak for the environment.

    Attributes:
        run: Its name, which begins with its time.
        kind: The kind of evidence that its name says it gathered.
        evidence: None where it cannot be read.
        problem: Why it cannot be.
    """

    run: str
    kind: str
    evidence: Evidence | None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionDecision:
    """Whether an environment may be promoted, and what speaks against it.

    Attributes:
        runs: The run that counted, by kind of evidence.
        accepted: Failures that an accepted risk covers, in words.
        units: What was live when it was decided: exactly this may be promoted.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...]
    runs: Mapping[str, str]
    accepted: tuple[str, ...]
    policy: str
    policy_sha256: str
    units: Mapping[str, UnitRevision]
    at: dt.datetime

    def summary(self) -> str:
        """Return the verdict in one sentence."""
        if self.verdict is Verdict.PASS:
            told = ", ".join(f"{kind} {run}" for kind, run in sorted(self.runs.items()))
            return f"PASS: proven by {told}"
        first = self.reasons[0]
        claim = f"{first.claim}: " if first.claim else ""
        more = f" (and {len(self.reasons) - 1} more)" if len(self.reasons) > 1 else ""
        return f"{self.verdict.value}: {claim}{first.text}{more}"

    def to_json(self) -> Mapping[str, Any]:
        """Return the decision as JSON."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "verdict": self.verdict.value,
            "exit_code": self.verdict.exit_code,
            "summary": self.summary(),
            "reasons": [reason.to_json() for reason in self.reasons],
            "runs": dict(self.runs),
            "accepted": list(self.accepted),
            "policy": {"name": self.policy, "sha256": self.policy_sha256},
            "at": self.at.isoformat(),
        }


def evaluate_promotion(
    promotion: PromotionPolicy,
    policies: Mapping[str, Policy],
    candidates: Sequence[Candidate],
    subject: Subject,
    *,
    own_policy: str,
    target_provenance: str,
) -> PromotionDecision:
    """Decide. Total: whatever the candidates are, there is a decision.

    Args:
        promotion: What is asked for.
        policies: The policies of this version, by name.
        candidates: Past runs of the environment, the newest first.
        subject: The environment with what is live in it now, and the time.
        own_policy: The environment's policy, for needs that name none.
        target_provenance: What runs where it would be promoted to.
    """
    units = subject.units or {}
    reasons = list(_about_units(units))
    runs: dict[str, str] = {}
    accepted: list[str] = []
    for need in promotion.needs:
        chosen, against = _newest(need, candidates, subject)
        reasons += against
        if chosen is None or chosen.evidence is None:
            continue
        runs[need.kind] = chosen.run
        reasons += _about_evidence(
            need, chosen.evidence, subject, need.policy or own_policy, target_provenance
        )
        policy = policies.get(chosen.evidence.policy)
        if policy is None:
            text = f"no policy {chosen.evidence.policy!r} in this version"
            reasons.append(_unproven(chosen.run, text))
            continue
        decision = evaluate(policy, chosen.evidence, subject)
        reasons += decision.reasons
        accepted += decision.accepted
    failed = any(reason.verdict is Verdict.FAIL for reason in reasons)
    reasons.sort(key=lambda reason: reason.verdict is not Verdict.FAIL)
    return PromotionDecision(
        verdict=Verdict.FAIL if failed else Verdict.INCONCLUSIVE if reasons else Verdict.PASS,
        reasons=tuple(reasons),
        runs=runs,
        accepted=tuple(accepted),
        policy=promotion.name,
        policy_sha256=promotion.sha256,
        units=dict(units),
        at=subject.at,
    )


def is_of(evidence: Evidence, units: Mapping[str, UnitRevision]) -> bool:
    """Whether evidence speaks of exactly these revisions; a run that did not end, of its first."""
    return bool(units) and (evidence.units_after or evidence.units_before) == units


def _about_units(units: Mapping[str, UnitRevision]) -> Iterator[Reason]:
    if not units:
        yield _unproven("", "the environment has no units")
    for slug, unit in sorted(units.items()):
        if not unit.head == unit.applied == unit.live:
            yield _unproven(
                "",
                f"unit {slug}: what is desired is not what is live",
                expected="head, applied and live are one revision",
                seen=str(unit),
            )


def _newest(
    need: Need, candidates: Sequence[Candidate], subject: Subject
) -> tuple[Candidate | None, list[Reason]]:
    """Return the newest evidence for exactly these revisions, or why there is none.

    One that cannot be read is not looked past: nobody knows what it said.
    """
    other: Candidate | None = None
    for candidate in candidates:
        evidence = candidate.evidence
        if evidence is None:
            if candidate.kind == need.kind:
                return None, [_unproven(candidate.run, f"cannot be read: {candidate.problem}")]
        elif evidence.kind == need.kind and evidence.environment == subject.environment:
            if is_of(evidence, subject.units or {}):
                return candidate, []
            other = other or candidate
    seen = "none at all"
    if other is not None and other.evidence is not None:
        then = other.evidence.units_after or other.evidence.units_before
        now = subject.units or {}
        moved = [slug for slug in sorted({*then, *now}) if then.get(slug) != now.get(slug)]
        was, has = then.get(moved[0], "absent"), now.get(moved[0], "absent")
        seen = f"{other.run} is of other revisions; {moved[0]} then: {was}; now: {has}"
    text = (
        f"there is no evidence of kind {need.kind} for what is live in {subject.environment.name}"
    )
    expected = "evidence of exactly the live revisions"
    return None, [_unproven("", text, expected=expected, seen=seen)]


def _about_evidence(
    need: Need, evidence: Evidence, subject: Subject, policy: str, target_provenance: str
) -> Iterator[Reason]:
    if evidence.policy != policy:
        yield _unproven(
            evidence.run, "was gathered under another policy", expected=policy, seen=evidence.policy
        )
    if evidence.ended_at is not None and subject.at - evidence.ended_at > need.max_age:
        yield _unproven(
            evidence.run,
            "is too old for a promotion",
            expected=f"at most {need.max_age} old",
            seen=f"ended {subject.at - evidence.ended_at} ago",
        )
    if _rank(evidence.provenance) < _rank(target_provenance):
        yield _unproven(
            evidence.run,
            "was gathered from weaker workloads than the target runs",
            expected=target_provenance,
            seen=evidence.provenance,
        )


def _rank(provenance: str) -> int:
    """Return how much a provenance proves; one that is not known proves nothing."""
    return PROVENANCES.index(provenance) if provenance in PROVENANCES else -1


def _unproven(claim: str, text: str, *, expected: str = "", seen: str = "") -> Reason:
    return Reason(
        verdict=Verdict.INCONCLUSIVE, claim=claim, text=text, expected=expected, seen=seen
    )
