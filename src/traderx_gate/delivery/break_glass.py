"""Break-glass: what was done to an environment without proof, why and by whom.

It is kept with the environment's space in ConfigHub, and shown in every report until the next PASS.
"""

import datetime as dt
import getpass
import json
from dataclasses import dataclass

from traderx_gate.confighub import ConfigHub, Space
from traderx_gate.errors import ConfigurationError

ANNOTATION = "traderx-gate/break-glass"
LONGEST_REASON = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlass:
    """One use of it."""

    command: str
    reason: str
    by: str
    at: dt.datetime

    def __str__(self) -> str:
        """Return all of it in one line."""
        return (
            f"{self.command} without proof, {self.at:%Y-%m-%d %H:%M UTC}, {self.by}: {self.reason}"
        )


def given(*, unverified: bool, reason: str | None, command: str) -> BreakGlass | None:
    """Return what a user asked for with `--unverified --reason TEXT`; None for nothing.

    Raises:
        ConfigurationError: One without the other, or no real reason.
    """
    if not unverified and reason is None:
        return None
    if not unverified or not (reason or "").strip():
        raise ConfigurationError("--unverified and --reason TEXT go together: why without proof?")
    text = " ".join((reason or "").split())
    if len(text) > LONGEST_REASON:
        raise ConfigurationError(f"--reason: {len(text)} characters; use at most {LONGEST_REASON}")
    return BreakGlass(
        command=command, reason=text, by=getpass.getuser(), at=dt.datetime.now(dt.UTC)
    )


def record(hub: ConfigHub, space: Space, used: BreakGlass) -> None:
    """Keep it with the space, before what it allows is done."""
    body = {
        "command": used.command,
        "reason": used.reason,
        "by": used.by,
        "at": used.at.isoformat(),
    }
    hub.space_annotate(space, {ANNOTATION: json.dumps(body)})


def last(hub: ConfigHub, space: Space) -> str:
    """Return the last use since the last PASS, in one line; empty for none."""
    found = hub.space_find(space.slug)
    text = found.annotations.get(ANNOTATION, "") if found else ""
    if not text:
        return ""
    try:
        body = json.loads(text)
        return str(
            BreakGlass(
                command=str(body["command"]),
                reason=str(body["reason"]),
                by=str(body["by"]),
                at=dt.datetime.fromisoformat(body["at"]),
            )
        )
    except (ValueError, KeyError, TypeError):  # written by somebody else: still told
        return f"something without proof: {' '.join(text.split())[:LONGEST_REASON]}"


def forget(hub: ConfigHub, space: Space) -> None:
    """Forget it: there is proof again."""
    found = hub.space_find(space.slug)
    if found is not None and ANNOTATION in found.annotations:
        hub.space_annotate(space, {ANNOTATION: None})
