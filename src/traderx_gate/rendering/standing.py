"""How each claim stands after a decision; the decision made it so, this only sorts by claim."""

from collections.abc import Iterator
from dataclasses import dataclass

from traderx_gate.verdict import ClaimResult, Decision, Evidence, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One claim's part of a decision.

    Attributes:
        key: The claim's key; empty for the run as a whole.
        proven: Whether the decision counts it as proven.
        accepted: The accepted risk that covers its failure, in words; empty where none does.
        reasons: What the decision has against it.
        result: What its check said last; None where it has none.
    """

    key: str
    proven: bool
    accepted: str
    reasons: tuple[Reason, ...]
    result: ClaimResult | None


def standings(evidence: Evidence, decision: Decision) -> Iterator[Standing]:
    """Yield every claim that the decision or the evidence speaks of, then the run if it is void."""
    results = {result.key: result for result in evidence.results}
    accepted = {text.partition(": ")[0]: text for text in decision.accepted}
    against: dict[str, list[Reason]] = {}
    for reason in decision.reasons:
        against.setdefault(reason.claim, []).append(reason)
    proven = set(decision.proven)
    keys = sorted({*results, *accepted, *against, *proven} - {""})
    for key in [*keys, ""] if "" in against else keys:
        yield Standing(
            key=key,
            proven=key in proven,
            accepted=accepted.get(key, ""),
            reasons=tuple(against.get(key, ())),
            result=results.get(key),
        )
