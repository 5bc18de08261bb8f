"""Run directories, `reports/out/<run>/`: evidence and decision on disk, signed and checked."""

import datetime as dt
import json
import logging
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from traderx_gate import schemas, signing
from traderx_gate.errors import ConfigurationError, EvidenceError, RefusedError
from traderx_gate.verdict import (
    Decision,
    Environment,
    Evidence,
    Rollout,
    UnitRevision,
    Verdict,
)
from traderx_gate.verdict.decision import VERSION as DECISION_VERSION
from traderx_gate.verdict.evidence import ROLLOUT_VERSION, VERSION

log = logging.getLogger(__name__)

DEPLOY = "deploy"
"""The kind of a run that deployed, in its name."""
EVIDENCE = "evidence.json"
SIGNATURE = "evidence.dsse.json"
DECISION = "decision.json"
DECISION_SIGNATURE = "decision.dsse.json"
ROLLOUT = "rollout.json"
ROLLOUT_SIGNATURE = "rollout.dsse.json"
REPORT = "report.html"
PYTEST_REPORT = "pytest.html"
SUMMARY = "summary.md"
JUNIT = "junit.xml"


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
        predicate = {
            "result": "PASSED" if _all_passed(evidence) else "FAILED",
            "configuration": [
                {"name": f"unit/{slug}", "digest": {"sha256": unit.sha256}}
                for slug, unit in sorted(evidence.units_after.items())
            ],
            "url": self.name,
        }
        self._write_signed(EVIDENCE, SIGNATURE, evidence.to_json(), predicate)

    def read_evidence(self) -> Evidence:
        """Read `evidence.json` after checking its signature and its form.

        Raises:
            EvidenceError: Missing, truncated, edited, exchanged, or of another run.
        """
        evidence = Evidence.from_json(self._read_signed(EVIDENCE, SIGNATURE, VERSION))
        if evidence.run != self.name:
            raise EvidenceError(f"{self.name}/{EVIDENCE} is of run {evidence.run}")
        return evidence

    def write_decision(self, decision: Decision) -> None:
        """Write and sign `decision.json`."""
        predicate = {
            "result": "PASSED" if decision.verdict is Verdict.PASS else "FAILED",
            "configuration": [
                {
                    "name": f"policy/{decision.policy}",
                    "digest": {"sha256": decision.policy_sha256},
                }
            ],
            "url": self.name,
        }
        self._write_signed(DECISION, DECISION_SIGNATURE, decision.to_json(), predicate)

    @property
    def is_decided(self) -> bool:
        """Whether a decision was written when the run ended."""
        return (self.path / DECISION).is_file()

    def read_decision(self) -> Decision:
        """Read `decision.json`, as made when the run ended, after checking its signature and form.

        Raises:
            EvidenceError: Missing, edited or exchanged.
        """
        body = self._read_signed(DECISION, DECISION_SIGNATURE, DECISION_VERSION)
        return Decision.from_json(body)

    def write_rollout(self, rollout: Rollout) -> None:
        """Write and sign `rollout.json`."""
        predicate = {
            "result": "PASSED",
            "configuration": [
                {"name": f"unit/{slug}", "digest": {"sha256": sha256}}
                for slug, sha256 in sorted(rollout.units.items())
            ],
            "url": self.name,
        }
        self._write_signed(ROLLOUT, ROLLOUT_SIGNATURE, rollout.to_json(), predicate)

    def read_rollout(self) -> Rollout:
        """Read `rollout.json` after checking its signature and its form.

        Raises:
            EvidenceError: Missing, edited or exchanged.
        """
        return Rollout.from_json(self._read_signed(ROLLOUT, ROLLOUT_SIGNATURE, ROLLOUT_VERSION))

    def _write_signed(
        self, name: str, signature: str, body: Mapping[str, Any], predicate: Mapping[str, Any]
    ) -> None:
        content = (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode()
        signer = signing.load_signer(signing.key_file())
        envelope = signing.sign(f"{self.name}/{name}", content, predicate, signer)
        write_atomically(self.path / name, content)
        write_atomically(self.path / signature, envelope)

    def _read_signed(self, name: str, signature: str, version: int) -> Any:
        content = self.read(name)
        signer = signing.load_signer(signing.key_file())
        source = f"{self.name}/{name}"
        signing.verify(source, content, self.read(signature), signer.public_key)
        return _parsed(name, version, content, source=source)

    def read(self, name: str) -> bytes:
        """Return a file as it is, whatever it is.

        Raises:
            EvidenceError: It cannot be read.
        """
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


def newest_rollout(reports: Path, *, space: str) -> Rollout | None:
    """Return the newest deployment to a space that is on record here; None if there is none."""
    for path in sorted(reports.glob(f"*-{DEPLOY}-*"), reverse=True):
        try:
            rollout = Run(path).read_rollout()
        except EvidenceError as error:  # a damaged record tells nothing, and decides nothing
            log.warning("%s", error)
            continue
        if rollout.space == space:
            return rollout
    return None


def past(reports: Path) -> Iterator[Run]:
    """Yield the runs of a reports folder, newest first."""
    if reports.is_dir():
        for path in sorted(reports.iterdir(), reverse=True):
            if (path / EVIDENCE).is_file():
                yield Run(path)


SIGNED = {
    EVIDENCE: (SIGNATURE, VERSION),
    DECISION: (DECISION_SIGNATURE, DECISION_VERSION),
    ROLLOUT: (ROLLOUT_SIGNATURE, ROLLOUT_VERSION),
}
"""Each signed file's envelope, and the version of its schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A file that is what was signed.

    Attributes:
        key_id: Of the key that signed it.
        body: Its content, which its schema has checked.
    """

    path: Path
    run: str
    key_id: str
    body: Mapping[str, Any]


def verify(path: Path, *, key: Path) -> Verified:
    """Check the signature and the form of a file of a run, or of all its evidence by its folder.

    Needs nothing but the folder and the key: no cluster, no ConfigHub.

    Raises:
        ConfigurationError: The key cannot be read, or the file is none that is signed.
        EvidenceError: It is missing, edited, exchanged, or signed by another key.
    """
    path = path.absolute()
    file = path / EVIDENCE if path.is_dir() else path
    envelopes = {envelope: name for name, (envelope, _) in SIGNED.items()}
    file = file.with_name(envelopes.get(file.name, file.name))
    if file.name not in SIGNED:
        raise ConfigurationError(
            f"{path}: signed are {', '.join(SIGNED)}, each beside its envelope; name one of them, "
            "or a run's folder"
        )
    known = signing.load_key(key)
    envelope, version = SIGNED[file.name]
    run = Run(file.parent)
    content = run.read(file.name)
    name = signing.covered(str(file), content, run.read(envelope), known)
    if name.rpartition("/")[2] != file.name:
        raise EvidenceError(f"{file}: is {name}, under another name")
    body = _parsed(file.name, version, content, source=str(file))
    return Verified(path=file, run=name.rpartition("/")[0], key_id=known.keyid, body=body)


def _parsed(name: str, version: int, content: bytes, *, source: str) -> Any:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"{source} is not JSON: {error}") from error
    schemas.check(name.removesuffix(".json"), version, body, source=source)
    return body


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """A state of an environment that passed: a run, and the revisions that were live in it."""

    run: str
    ended_at: dt.datetime
    units: Mapping[str, UnitRevision]


def proven(reports: Path, environment: Environment, *, kind: str) -> Iterator[Proven]:
    """Yield the states of an environment that passed, newest first; what is damaged tells nothing.

    Args:
        reports: Where the runs lie.
        environment: Exactly this one: project, space and namespace too.
        kind: Of the evidence.
    """
    for run in named(reports, kind, environment.name):
        try:
            evidence = run.read_evidence()
            decision = run.read_decision() if run.is_decided else None
        except EvidenceError as error:
            log.info("%s", error)
            continue
        if (
            decision is not None
            and decision.verdict is Verdict.PASS
            and evidence.environment == environment
            and evidence.ended_at is not None
            and all(unit.head == unit.live for unit in evidence.units_after.values())
        ):
            yield Proven(run=run.name, ended_at=evidence.ended_at, units=evidence.units_after)


def named(reports: Path, kind: str, environment: str) -> Iterator[Run]:
    """Yield the runs whose names say this kind and environment, newest first."""
    for path in sorted(reports.glob(f"*-{kind}-{environment}-*"), reverse=True):
        if path.is_dir():
            yield Run(path)


def _all_passed(evidence: Evidence) -> bool:
    return bool(evidence.results) and all(
        result.outcome.value == "passed" for result in evidence.results
    )
