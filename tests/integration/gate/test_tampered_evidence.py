"""Evidence that is not as it was signed: refused in one line, whatever was done to it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.gate.gate_command import Gate

EVIDENCE = "evidence.json"
SIGNATURE = "evidence.dsse.json"


def edited(run: Path, _: Path) -> None:
    """Change one thing that was seen."""
    text = (run / EVIDENCE).read_text()
    assert '"met": true' in text
    (run / EVIDENCE).write_text(text.replace('"met": true', '"met": false', 1))


def truncated(run: Path, _: Path) -> None:
    """Cut the file."""
    (run / EVIDENCE).write_bytes((run / EVIDENCE).read_bytes()[:700])


def emptied(run: Path, _: Path) -> None:
    """Leave nothing of the file."""
    (run / EVIDENCE).write_bytes(b"")


def removed(run: Path, _: Path) -> None:
    """Remove the file."""
    (run / EVIDENCE).unlink()


def swapped(run: Path, other: Path) -> None:
    """Put another run's evidence there, with its own good signature."""
    for name in (EVIDENCE, SIGNATURE):
        shutil.copyfile(other / name, run / name)


def swapped_without_signature(run: Path, other: Path) -> None:
    """Put another run's evidence there, below the old signature."""
    shutil.copyfile(other / EVIDENCE, run / EVIDENCE)


def signature_gone(run: Path, _: Path) -> None:
    """Remove the signature."""
    (run / SIGNATURE).unlink()


def signature_truncated(run: Path, _: Path) -> None:
    """Cut the signature."""
    (run / SIGNATURE).write_bytes((run / SIGNATURE).read_bytes()[:100])


def signature_of_nobody(run: Path, _: Path) -> None:
    """Take the signatures out of the envelope."""
    envelope = json.loads((run / SIGNATURE).read_text())
    (run / SIGNATURE).write_text(json.dumps({**envelope, "signatures": []}))


TAMPERINGS: tuple[Callable[[Path, Path], None], ...] = (
    edited,
    truncated,
    emptied,
    removed,
    swapped,
    swapped_without_signature,
    signature_gone,
    signature_truncated,
    signature_of_nobody,
)


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda tamper: tamper.__name__)
def test_tampered_evidence_is_void(
    deployed: Gate, two_runs: tuple[Path, Path], tmp_path: Path, tamper: Callable[..., None]
) -> None:
    """Evidence that was tampered with is refused with exit code 3 and one line that names it."""
    run = tmp_path / two_runs[0].name
    shutil.copytree(two_runs[0], run)
    tamper(run, two_runs[1])
    done = deployed.run("verdict", run.name, TRADERX_GATE_REPORTS=str(tmp_path))
    assert (done.returncode, done.stdout) == (3, "")
    assert run.name in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_key_of_somebody_else_is_not_ours(
    deployed: Gate, two_runs: tuple[Path, Path], tmp_path: Path
) -> None:
    """Evidence that another key signed is refused with exit code 3 in one line."""
    done = deployed.run(
        "verdict",
        two_runs[0].name,
        TRADERX_GATE_REPORTS=str(two_runs[0].parent),
        TRADERX_GATE_KEY=str(tmp_path / "other.pem"),
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert "its signature is not by this key" in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_untouched_evidence_is_judged_again(
    deployed: Gate, two_runs: tuple[Path, Path], tmp_path: Path
) -> None:
    """The same evidence, moved but untouched, is the PASS that it was."""
    shutil.copytree(two_runs[0], tmp_path / two_runs[0].name)
    done = deployed.run("verdict", two_runs[0].name, TRADERX_GATE_REPORTS=str(tmp_path))
    assert (done.returncode, done.stdout.partition(":")[0]) == (0, "PASS")
