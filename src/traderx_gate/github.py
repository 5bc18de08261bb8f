"""Tells GitHub Actions of a decision, where we run there: job summary and annotations."""

import os
from collections.abc import Callable
from pathlib import Path

from traderx_gate import rendering
from traderx_gate.operations.claim_sources import claim_sources
from traderx_gate.verdict import Decision, Evidence

Say = Callable[[str], None]
"""Prints one line; GitHub reads both standard output and standard error."""


def is_listening() -> bool:
    """Return whether GitHub Actions reads what this process prints."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def tell(evidence: Evidence, decision: Decision, *, say: Say) -> None:
    """Append to the job's summary, and say an annotation for each reason; nothing elsewhere.

    A summary that cannot be written is said, and changes no verdict: the decision is on disk.
    """
    target = os.environ.get("GITHUB_STEP_SUMMARY")
    if target:
        try:
            with Path(target).open("a", encoding="utf-8") as file:
                file.write(rendering.summary(evidence, decision))
        except OSError as error:
            say(rendering.refusal(f"cannot write the job summary {target}: {error.strerror}"))
    if is_listening():
        for line in rendering.annotations(decision, claim_sources()):
            say(line)
