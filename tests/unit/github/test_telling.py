from pathlib import Path

import pytest

from tests.unit.rendering.samples import decision, evidence, failure, gap
from traderx_gate import github
from traderx_gate.application import load
from traderx_gate.operations.claim_sources import claim_sources
from traderx_gate.policies import load_catalogue

ROOT = Path(__file__).resolve().parents[3]
CLAIM = "images.running_image_is_the_units"


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was said, in a process that GitHub does not listen to."""
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    return []


def test_elsewhere_nothing_is_told(said: list[str]) -> None:
    """Outside of GitHub Actions there are no annotations."""
    github.tell(evidence(), decision(failure()), say=said.append)
    assert said == []


def test_every_reason_is_annotated(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """In GitHub Actions a false claim is an error at its check, and a gap is a warning."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    github.tell(evidence(), decision(failure(f"{CLAIM}[database]"), gap()), say=said.append)
    assert said[0].startswith("::error file=suites/validate_deployment/test_images.py,line=")
    assert said[1].startswith("::warning title=INCONCLUSIVE a.b::")


def test_summary_is_appended(
    said: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The job's summary keeps what other steps wrote to it."""
    target = tmp_path / "summary"
    target.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(target))
    github.tell(evidence(), decision(failure()), say=said.append)
    assert target.read_text().startswith("before\n## TraderX gate: validate of dev\n")


def test_summary_that_cannot_be_written_is_said(
    said: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A lost summary is an annotation, not silence; the verdict stands."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "no" / "folder"))
    github.tell(evidence(), decision(), say=said.append)
    assert [line.startswith("::error title=traderx-gate::cannot write") for line in said] == [True]


def test_every_claim_has_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each claim of the catalogue is found at the line of the function that proves it."""
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    found = claim_sources()
    names = {claim.name for claim in load_catalogue(load().slugs).claims}
    assert names <= set(found)
    for name in names:
        line = (ROOT / found[name].path).read_text().splitlines()[found[name].line - 1]
        assert line.startswith(f"def test_{name.partition('.')[2]}(")


def test_source_is_named_as_the_repository_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where CI checks us out into a folder of its workspace, annotations name that folder too."""
    monkeypatch.setenv("GITHUB_WORKSPACE", str(ROOT.parent))
    assert claim_sources()[CLAIM].path == f"{ROOT.name}/suites/validate_deployment/test_images.py"
