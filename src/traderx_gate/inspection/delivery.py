"""What a delivery did: its exit code, its words, and what it left of units and objects."""

from collections.abc import Iterable, Mapping

from traderx_gate.confighub import Unit
from traderx_gate.verdict import Observation

LONGEST = 300


def ended(command: str, *, code: int, said: str, expected: int) -> Observation:
    """Return whether a command ended as it has to; with its last words where it did not."""
    seen = f"exit code {code}"
    if code != expected:
        seen += f": {' '.join(said.split())[-LONGEST:]}"
    return Observation(
        subject=f"`{command}`", expected=f"exit code {expected}", seen=seen, met=code == expected
    )


def told(command: str, *, said: str, words: str) -> Observation:
    """Return whether a command said something that its user needs."""
    return Observation(
        subject=f"what `{command}` says",
        expected=f"something with {words!r}",
        seen=words if words in said else " ".join(said.split())[-LONGEST:],
        met=words in said,
    )


def same(subject: str, *, expected: object, seen: object) -> Observation:
    """Return whether two values are the same."""
    return Observation(
        subject=subject, expected=str(expected), seen=str(seen), met=expected == seen
    )


def unchanged(where: str, before: Mapping[str, Unit], after: Mapping[str, Unit]) -> Observation:
    """Return whether the data of all units is, byte for byte, what it was."""
    moved = [
        slug
        for slug in sorted({*before, *after})
        if slug not in before or slug not in after or before[slug].data != after[slug].data
    ]
    return Observation(
        subject=f"units of {where}",
        expected="byte for byte as before",
        seen=f"changed: {', '.join(moved)}" if moved else "byte for byte as before",
        met=not moved,
    )


def live(where: str, units: Iterable[Unit]) -> Observation:
    """Return whether of every unit the head is what is live."""
    behind = [
        f"{u.slug} head {u.head_revision} live {u.live_revision}"
        for u in units
        if u.head_revision != u.live_revision
    ]
    return Observation(
        subject=f"units of {where}",
        expected="every head is live",
        seen="; ".join(behind) or "every head is live",
        met=not behind,
    )
