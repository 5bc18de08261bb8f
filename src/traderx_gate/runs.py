"""Run directories, `reports/out/<run>/`: evidence and decision on disk, signed and checked."""

import datetime as dt
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from traderx_gate import signing
from traderx_gate.errors import EvidenceError, RefusedError
from traderx_gate.verdict import Decision, Evidence

EVIDENCE = "evidence.json"
SIGNATURE = "evidence.dsse.json"
DECISION = "decision.json"
REPORT = "report.html"
PYTEST_REPORT = "pytest.html"


def new_run_name(kind: str, environment: str, at: dt.datetime) -> str:
    """Return a name that sorts by time and tells what the run was."""
    return f"{at:%Y%m%dT%H%M%S}-{kind}-{environment}-{secrets.token_hex(2)}"


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old or the new one, never a part.

    Raises:
        RefusedError: The disk is full or not writable; the old file stays.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise RefusedError(f"cannot write {path}: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Run:
    """One run's directory.

    Attributes:
        path: The directory; its name is the run's name.
    """

    path: Path

    @property
    def name(self) -> str:
        """The run's name."""
        return self.path.name

    def remove(self) -> None:
        """Remove the directory of a run that could not begin."""
        shutil.rmtree(self.path)

    def write_evidence(self, evidence: Evidence) -> None:
        """Write and sign `evidence.json`."""
        content = _to_bytes(evidence.to_json())
        predicate = {
            "result": "PASSED" if _all_passed(evidence) else "FAILED",
            "configuration": [
                {"name": f"unit/{slug}", "digest": {"sha256": unit.sha256}}
                for slug, unit in sorted(evidence.units_after.items())
            ],
            "url": self.name,
        }
        signer = signing.load_signer(signing.key_file())
        envelope = signing.sign(f"{self.name}/{EVIDENCE}", content, predicate, signer)
        write_atomically(self.path / EVIDENCE, content)
        write_atomically(self.path / SIGNATURE, envelope)

    def read_evidence(self) -> Evidence:
        """Read `evidence.json` after checking its signature.

        Raises:
            EvidenceError: Missing, truncated, edited, exchanged, or of another run.
        """
        content = self._read(EVIDENCE)
        signer = signing.load_signer(signing.key_file())
        signing.verify(f"{self.name}/{EVIDENCE}", content, self._read(SIGNATURE), signer)
        try:
            evidence = Evidence.from_json(json.loads(content))
        except (ValueError, RecursionError) as error:
            raise EvidenceError(f"{self.name}/{EVIDENCE} is not JSON: {error}") from error
        if evidence.run != self.name:
            raise EvidenceError(f"{self.name}/{EVIDENCE} is of run {evidence.run}")
        return evidence

    def write_decision(self, decision: Decision) -> None:
        """Write `decision.json`."""
        write_atomically(self.path / DECISION, _to_bytes(decision.to_json()))

    def _read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise EvidenceError(f"{self.path / name}: {error.strerror}") from error


def create(reports: Path, name: str) -> Run:
    """Make a run's directory.

    Raises:
        RefusedError: It cannot be made.
    """
    path = reports / name
    try:
        path.mkdir(parents=True)
    except OSError as error:
        raise RefusedError(f"cannot make {path}: {error.strerror}") from error
    return Run(path)


def past(reports: Path) -> Iterator[Run]:
    """Yield the runs of a reports folder, newest first."""
    if reports.is_dir():
        for path in sorted(reports.iterdir(), reverse=True):
            if (path / EVIDENCE).is_file():
                yield Run(path)


def _to_bytes(body: Any) -> bytes:
    return (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode()


def _all_passed(evidence: Evidence) -> bool:
    return bool(evidence.results) and all(
        result.outcome.value == "passed" for result in evidence.results
    )
