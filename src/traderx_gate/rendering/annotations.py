"""Annotations: the lines by which a program tells GitHub Actions what to show beside the code.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from collections.abc import Mapping
from dataclasses import dataclass

from traderx_gate.rendering.line import one_line
from traderx_gate.verdict import Decision, Reason, Verdict

SHOWN = 10
"""GitHub shows so many of a level for one step, and drops the rest without a word."""
LEVELS = {Verdict.FAIL: "error", Verdict.INCONCLUSIVE: "warning"}
"""Two levels: missing proof must not crowd out what is false. Neither is exit code 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the check of a claim is written: a path as the repository has it, and a line."""

    path: str
    line: int


def annotations(decision: Decision, sources: Mapping[str, Source]) -> list[str]:
    """Return a line for each reason, at most as many as are shown; the last one counts the rest.

    Args:
        decision: What to tell.
        sources: Where each claim is checked, by `module.function`.
    """
    lines = []
    for verdict, level in LEVELS.items():
        reasons = [reason for reason in decision.reasons if reason.verdict is verdict]
        shown = reasons if len(reasons) <= SHOWN else reasons[: SHOWN - 1]
        lines += [_annotation(level, reason, sources) for reason in shown]
        if len(shown) < len(reasons):
            more = f"{len(reasons) - len(shown)} more; all of them are in the job summary"
            lines.append(command(level, {"title": verdict.value}, more))
    return lines


def refusal(text: str) -> str:
    """Return the line for a command that was refused or that failed, by its message."""
    return command("error", {"title": "traderx-gate"}, one_line(text))


def command(level: str, properties: Mapping[str, str], text: str) -> str:
    """Return a workflow command, escaped as the runner reads it."""
    given = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{level} {given}::{_data(text)}"


def _annotation(level: str, reason: Reason, sources: Mapping[str, Source]) -> str:
    properties = {"title": one_line(f"{reason.verdict.value} {reason.claim}".rstrip())}
    source = sources.get(reason.claim.partition("[")[0])
    if source is not None:
        properties = {"file": source.path, "line": str(source.line), **properties}
    said = {"expected": reason.expected, "seen": reason.seen, "look at": reason.where}
    text = [one_line(reason.text)]
    text += [f"{word}: {one_line(value)}" for word, value in said.items() if value]
    return command(level, properties, "\n".join(text))


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
