"""Whatever is changed in a signed file, in its envelope or in the key: it is not believed."""

import random
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as s

from tests.unit.runs.test_signed_files import _decision, _evidence
from traderx_gate import runs, signing
from traderx_gate.errors import ConfigurationError, EvidenceError

SEED = 20261129
CHANGES = 1000


@pytest.fixture(name="run")
def _run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> runs.Run:
    monkeypatch.setenv("TRADERX_GATE_KEY", str(tmp_path / "key.pem"))
    made = runs.create(tmp_path / "reports", "r1")
    made.write_evidence(_evidence("r1"))
    made.write_decision(_decision("r1"))
    return made


def test_untouched_files_are_verified(run: runs.Run, tmp_path: Path) -> None:
    """A run's folder, its files and their envelopes verify, wherever they were moved to."""
    moved = tmp_path / "downloaded"
    run.path.rename(moved)
    key = tmp_path / "key.pem"
    for path in (moved, moved / runs.EVIDENCE, moved / runs.SIGNATURE, moved / runs.DECISION):
        found = runs.verify(path, key=key)
        assert (found.run, found.path.parent) == ("r1", moved)


def _changed(content: bytes, draw: random.Random) -> bytes:
    """Return a file with a byte changed, left out, doubled, or with its end cut off."""
    at = draw.randrange(len(content))
    ways = (
        content[:at] + bytes([content[at] ^ draw.randint(1, 255)]) + content[at + 1 :],
        content[:at] + content[at + 1 :],
        content[:at] + content[at : at + 1] * 2 + content[at + 1 :],
        content[:at],
    )
    return draw.choice([way for way in ways if way != content])


def test_every_random_change_is_rejected(run: runs.Run, tmp_path: Path) -> None:
    """1,000 of 1,000 random changes to evidence and to its signature are rejected."""
    draw = random.Random(SEED)  # noqa: S311 - changes, no secrets
    key = tmp_path / "key.pem"
    rejected = 0
    for _ in range(CHANGES):
        path = run.path / draw.choice([runs.EVIDENCE, runs.SIGNATURE])
        before = path.read_bytes()
        path.write_bytes(_changed(before, draw))
        try:
            runs.verify(run.path, key=key)
        except EvidenceError:
            rejected += 1
        path.write_bytes(before)
    assert rejected == CHANGES
    assert runs.verify(run.path, key=key).run == "r1"


def test_another_key_verifies_nothing(run: runs.Run, tmp_path: Path) -> None:
    """Evidence is not believed by another key than the one that signed it."""
    other = tmp_path / "other.pem"
    signing.load_signer(other)  # makes one
    with pytest.raises(EvidenceError, match="not by this key"):
        runs.verify(run.path, key=other)


def test_public_key_is_enough(run: runs.Run, tmp_path: Path) -> None:
    """Who verifies needs the public key alone, and no key is made for it."""
    private = (tmp_path / "key.pem").read_bytes()
    public = s.load_pem_private_key(private, password=None).public_key()
    path = tmp_path / "public.pem"
    path.write_bytes(public.public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo))
    assert runs.verify(run.path, key=path).run == "r1"
    with pytest.raises(ConfigurationError, match=r"nosuch\.pem"):
        signing.load_key(tmp_path / "nosuch.pem")
    assert not (tmp_path / "nosuch.pem").exists()


def test_renamed_evidence_is_rejected(run: runs.Run, tmp_path: Path) -> None:
    """A decision put where evidence lies, with its good envelope, is no evidence."""
    (run.path / runs.EVIDENCE).write_bytes((run.path / runs.DECISION).read_bytes())
    (run.path / runs.SIGNATURE).write_bytes((run.path / runs.DECISION_SIGNATURE).read_bytes())
    with pytest.raises(EvidenceError, match="under another name"):
        runs.verify(run.path, key=tmp_path / "key.pem")


def test_other_files_are_not_signed(run: runs.Run, tmp_path: Path) -> None:
    """A file that nobody signs is refused with the names of those that are."""
    report = run.path / "report.html"
    report.write_text("")
    with pytest.raises(ConfigurationError, match=r"evidence\.json"):
        runs.verify(report, key=tmp_path / "key.pem")
