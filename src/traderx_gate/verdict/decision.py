"""A decision: the verdict with its reasons."""

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

SCHEMA = "traderx-gate/decision"
VERSION = 1


class Verdict(enum.Enum):
    """PASS needs proof of everything; INCONCLUSIVE does not promote."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"

    @property
    def exit_code(self) -> int:
        """The exit code of a command that ends with this verdict (design 4)."""
        return {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.INCONCLUSIVE: 3}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason against a PASS.

    Attributes:
        verdict: FAIL or INCONCLUSIVE: what this reason alone would make of it.
        claim: The claim's key; empty when it concerns the run as a whole.
        text: The reason in words.
        expected: What should have been seen; empty where it does not apply.
        seen: What was seen.
        where: Where to look next: an object, an address, a command.
    """

    verdict: Verdict
    claim: str
    text: str
    expected: str = ""
    seen: str = ""
    where: str = ""

    def to_json(self) -> Mapping[str, str]:
        """Return it as it stands in files about decisions."""
        return {
            "verdict": self.verdict.value,
            "claim": self.claim,
            "text": self.text,
            "expected": self.expected,
            "seen": self.seen,
            "where": self.where,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What follows from a policy and evidence.

    Attributes:
        proven: Keys of the required claims with positive proof.
        accepted: Failures that a policy's accepted risk covers, in words.
        required: How many claims needed proof.
        at: The time for which it was evaluated.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...]
    proven: tuple[str, ...]
    accepted: tuple[str, ...]
    required: int
    run: str
    policy: str
    policy_sha256: str
    at: dt.datetime

    def summary(self) -> str:
        """Return the verdict in one sentence."""
        if self.verdict is Verdict.PASS:
            count = len(self.accepted)
            risks = f", {count} accepted risk{'' if count == 1 else 's'}" if count else ""
            return f"PASS: all {self.required} required claims proven{risks}"
        failed = sum(reason.verdict is Verdict.FAIL for reason in self.reasons)
        unproven = len(self.reasons) - failed
        parts = [
            f"{failed} failed" if failed else "",
            f"{unproven} without proof" if unproven else "",
        ]
        return (
            f"{self.verdict.value}: {' and '.join(part for part in parts if part)}; "
            f"{len(self.proven)} of {self.required} required claims proven"
        )

    def to_json(self) -> Mapping[str, Any]:
        """Return `decision.json`."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "verdict": self.verdict.value,
            "exit_code": self.verdict.exit_code,
            "summary": self.summary(),
            "reasons": [reason.to_json() for reason in self.reasons],
            "proven": list(self.proven),
            "accepted": list(self.accepted),
            "required": self.required,
            "run": self.run,
            "policy": {"name": self.policy, "sha256": self.policy_sha256},
            "at": self.at.isoformat(),
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read `decision.json`, which its schema has checked."""
        return cls(
            verdict=Verdict(body["verdict"]),
            reasons=tuple(
                Reason(**{**reason, "verdict": Verdict(reason["verdict"])})
                for reason in body["reasons"]
            ),
            proven=tuple(body["proven"]),
            accepted=tuple(body["accepted"]),
            required=body["required"],
            run=body["run"],
            policy=body["policy"]["name"],
            policy_sha256=body["policy"]["sha256"],
            at=dt.datetime.fromisoformat(body["at"]),
        )
