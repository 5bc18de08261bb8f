import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.rendering import samples
from tests.unit.rendering.samples import NOW
from traderx_gate import runs
from traderx_gate.errors import EvidenceError
from traderx_gate.verdict import (
    Decision,
    Evidence,
    Reason,
    ServiceTimeline,
    Verdict,
)
from traderx_gate.verdict.evidence import VERSION


def _evidence(run: str) -> Evidence:
    pod = ServiceTimeline(
        service="database",
        pod="database-1",
        image="i",
        created_s=0,
        started_s=1.5,
        ready_s=None,
        restarts=0,
    )
    return replace(samples.evidence(), run=run, ended_at=NOW, timeline=(pod,))


def _decision(run: str) -> Decision:
    return Decision(
        verdict=Verdict.FAIL,
        reasons=(Reason(verdict=Verdict.FAIL, claim="a.b", text="t", seen="s"),),
        proven=("a.c",),
        accepted=("x",),
        required=2,
        run=run,
        policy="validate",
        policy_sha256="b" * 64,
        at=NOW,
    )


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> runs.Run:
    """A run with evidence and a decision."""
    monkeypatch.setenv("TRADERX_GATE_KEY", str(tmp_path / "key.pem"))
    made = runs.create(tmp_path / "reports", "r1")
    made.write_evidence(_evidence("r1"))
    made.write_decision(_decision("r1"))
    return made


def test_what_was_written_is_read_back(run: runs.Run) -> None:
    """Evidence and decision come back from disk as they were, and fit their published schemas."""
    assert (run.read_evidence(), run.read_decision()) == (_evidence("r1"), _decision("r1"))


def _edit(path: Path) -> None:
    path.write_text(path.read_text().replace("FAIL", "PASS"))


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize("damage", [_edit, _truncate, Path.unlink])
def test_damaged_decision_is_void(run: runs.Run, damage: Callable[[Path], None]) -> None:
    """A decision that was edited, cut or removed after it was made is not read."""
    damage(run.path / runs.DECISION)
    with pytest.raises(EvidenceError, match=r"decision\.json"):
        run.read_decision()


@pytest.mark.parametrize("name", [runs.DECISION_SIGNATURE, runs.SIGNATURE])
def test_signature_of_another_file_is_void(run: runs.Run, name: str) -> None:
    """The signature of one file does not cover the other."""
    other = {runs.DECISION_SIGNATURE: runs.SIGNATURE, runs.SIGNATURE: runs.DECISION_SIGNATURE}
    (run.path / name).write_bytes((run.path / other[name]).read_bytes())
    with pytest.raises(EvidenceError, match="changed or exchanged"):
        _ = run.read_decision() if name == runs.DECISION_SIGNATURE else run.read_evidence()


@pytest.mark.parametrize(
    ("key", "value", "place"),
    [
        ("kind", "party", "kind"),
        ("policy_sha256", "b", "policy_sha256"),
        ("extra", 1, "the whole file"),
        ("timeline", [{}], "timeline.0"),
    ],
)
def test_evidence_of_another_form_is_refused_by_place(
    run: runs.Run, key: str, value: object, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Evidence that is signed but not of its schema's form is refused, with the place named."""
    plain = Evidence.to_json
    monkeypatch.setattr(Evidence, "to_json", lambda self: {**plain(self), key: value})
    run.write_evidence(_evidence("r1"))
    with pytest.raises(EvidenceError, match=f"r1/evidence.json: {place}: "):
        run.read_evidence()


def test_version_of_the_future_is_refused(run: runs.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evidence of a schema version that this one does not know is refused."""
    plain = Evidence.to_json
    monkeypatch.setattr(Evidence, "to_json", lambda self: {**plain(self), "version": VERSION + 1})
    run.write_evidence(_evidence("r1"))
    with pytest.raises(EvidenceError, match="version"):
        run.read_evidence()
    assert json.loads((run.path / runs.EVIDENCE).read_text())["version"] == VERSION + 1
