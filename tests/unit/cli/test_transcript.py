"""What a command says is kept, also where it fails."""

from pathlib import Path

import pytest

from traderx_gate.cli import transcript
from traderx_gate.errors import (
    ConfigurationError,
    DeliveryError,
    GateError,
    RefusedError,
    UnreachableError,
)


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for logs, which does not exist yet."""
    monkeypatch.setenv("TRADERX_GATE_LOGS", str(tmp_path / "logs"))
    monkeypatch.setattr("sys.argv", ["traderx-gate", "deploy", "dev"])
    monkeypatch.chdir(tmp_path)
    return tmp_path / "logs"


def kept(logs: Path) -> list[str]:
    """What the one log keeps, without its times."""
    (log,) = logs.glob("deploy-dev-*.log")
    return [line.partition("Z ")[2] for line in log.read_text().splitlines()]


@pytest.mark.parametrize("quiet", [False, True])
def test_lines_are_said_and_kept(
    logs: Path,
    capsys: pytest.CaptureFixture[str],
    quiet: bool,  # noqa: FBT001
) -> None:
    """A line goes to the terminal and to the log; to standard error where that is for a program."""
    with transcript.kept("deploy", "dev", quiet=quiet) as say:
        say("database: ready")
        assert kept(logs)[-1] == "database: ready"  # at once, should we be killed
    said = capsys.readouterr()
    line = "database: ready\n"
    assert (said.out, said.err) == (("", line) if quiet else (line, ""))
    assert kept(logs) == ["traderx-gate deploy dev", "database: ready", "done"]


def test_failure_is_kept(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A failure is kept and goes on; the terminal is told where the log is."""
    with pytest.raises(DeliveryError, match="no"), transcript.kept("deploy", "dev"):
        raise DeliveryError("no")
    (log,) = logs.glob("*.log")
    assert kept(logs)[1:] == ["failed: no"]
    assert capsys.readouterr().err == f"log: logs/{log.name}\n"


def test_log_elsewhere_is_shown_in_full(
    logs: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """A log that does not lie below the working directory is shown with its whole path."""
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    with pytest.raises(DeliveryError), transcript.kept("deploy", "dev"):
        raise DeliveryError("no")
    assert capsys.readouterr().err.startswith(f"log: {logs}/deploy-dev-")


def test_interruption_is_kept(logs: Path) -> None:
    """Ctrl-C is kept and goes on."""
    with pytest.raises(KeyboardInterrupt), transcript.kept("deploy", "dev"):
        raise KeyboardInterrupt
    assert kept(logs)[1:] == ["interrupted"]


def test_log_that_cannot_be_written(logs: Path) -> None:
    """Where no log can be written nothing is begun."""
    logs.write_text("a file where the folder belongs")
    with pytest.raises(RefusedError, match="cannot write"), transcript.kept("deploy", "dev"):
        raise AssertionError


@pytest.mark.parametrize("error", [ConfigurationError, RefusedError, UnreachableError])
def test_refused_command_leaves_no_log(
    logs: Path, capsys: pytest.CaptureFixture[str], error: type[GateError]
) -> None:
    """A command that is refused before it said anything has done nothing worth keeping."""
    with pytest.raises(error), transcript.kept("deploy", "dev"):
        raise error("no")
    assert (list(logs.iterdir()), capsys.readouterr().err) == ([], "")


def test_what_fails_half_way_is_no_refusal(logs: Path) -> None:
    """Something that cannot be reached after something was done is a failure, and kept."""
    with pytest.raises(DeliveryError, match="gone; what was done"):  # noqa: PT012, SIM117
        with transcript.kept("deploy", "dev") as say:
            say("base: made")
            raise UnreachableError("gone")
    assert kept(logs)[1:] == ["base: made", "failed: gone"]
