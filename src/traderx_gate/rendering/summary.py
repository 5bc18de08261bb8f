"""The summary of a run in Markdown, for a CI job's page: decision first, then reasons."""

import re

from traderx_gate.rendering.line import one_line
from traderx_gate.verdict import Decision, Evidence, Reason, Verdict

SPECIAL = re.compile(r"([\\`*_\[\]<>|&~$!#])")
"""What Markdown gives a meaning, tables and HTML included."""
LONGEST = 900_000
"""Bytes. GitHub drops a step's whole summary above 1 MiB, and another step may write too."""
CELL = 400
MEANING = {
    Verdict.PASS: "Exit code 0: every required claim has positive proof. Only this promotes.",
    Verdict.FAIL: "Exit code 1: a claim is false. Mend the environment, not the gate.",
    Verdict.INCONCLUSIVE: (
        "Exit code 3: nothing is shown to be wrong, but proof is missing. It does not promote."
    ),
}


def summary(evidence: Evidence, decision: Decision) -> str:
    """Return `summary.md`."""
    ended = evidence.ended_at
    facts = {
        "Environment": f"{evidence.environment}, project {evidence.environment.project}",
        "Cluster": str(evidence.cluster),
        "Tested": evidence.provenance,
        "Run": f"{evidence.run}, seed {evidence.seed}",
        "Time": f"{evidence.started_at:%Y-%m-%d %H:%M:%S} to "
        + (f"{ended:%H:%M:%S %Z}" if ended else "nobody knows: it never ended"),
        "Policy": f"{decision.policy}, {decision.policy_sha256[:12]}",
    }
    if evidence.break_glass:
        facts["Break-glass"] = evidence.break_glass
    lines = [
        f"## TraderX gate: {escaped(evidence.kind)} of {escaped(evidence.environment.name)}",
        "",
        f"**{escaped(decision.summary())}**",
        "",
        MEANING[decision.verdict],
        "",
        "| | |",
        "| --- | --- |",
        *(f"| {name} | {escaped(value)} |" for name, value in facts.items()),
    ]
    if decision.reasons:
        lines += ["", "### Reasons", "", *_reasons(decision)]
    if decision.accepted:
        lines += ["", "### Accepted risks", ""]
        lines += [f"- {escaped(text)}" for text in decision.accepted]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is, on one line, also within a table."""
    return SPECIAL.sub(r"\\\1", one_line(text, longest=CELL))


def _reasons(decision: Decision) -> list[str]:
    lines = ["| Verdict | Claim | What | Expected | Seen | Look at |", "|" + " --- |" * 6]
    size = 0
    for number, reason in enumerate(decision.reasons):
        row = _row(reason)
        size += len(row.encode()) + 1
        if size > LONGEST:
            return [*lines, "", f"{len(decision.reasons) - number} more are in the report."]
        lines.append(row)
    return lines


def _row(reason: Reason) -> str:
    claim = escaped(reason.claim) or "the run"
    cells = (reason.text, reason.expected, reason.seen, reason.where)
    return f"| {reason.verdict.value} | {claim} | " + " | ".join(map(escaped, cells)) + " |"
