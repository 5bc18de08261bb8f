"""The end of a log file, and what comes after it."""

from itertools import islice
from pathlib import Path

import pytest

from traderx_gate.cli.log_tail import followed, last_lines
from traderx_gate.errors import RefusedError


@pytest.fixture(name="log")
def _log(tmp_path: Path) -> Path:
    path = tmp_path / "worker.log"
    path.write_text("one\ntwo\nthree\n")
    return path


@pytest.mark.parametrize(
    ("count", "lines"), [(1, ("three",)), (2, ("two", "three")), (9, ("one", "two", "three"))]
)
def test_last_lines(log: Path, count: int, lines: tuple[str, ...]) -> None:
    """As many as were asked for, or all there are."""
    assert last_lines(log, count) == lines


def test_absent_log_is_refused(tmp_path: Path) -> None:
    """A log that is not there is named."""
    with pytest.raises(RefusedError, match=r"worker\.log: No such file"):
        last_lines(tmp_path / "worker.log", 1)


def test_lines_come_as_they_are_written(log: Path) -> None:
    """A line is shown once it is whole, though its bytes, even a letter's, came one by one."""
    words = "fo\xfcr\nfive\n".encode()
    with log.open("ab") as file:
        file.write(words[:3])
    lines = followed(log, 1)
    assert next(lines) == "three"
    with log.open("ab") as file:
        file.write(words[3:])
    assert list(islice(lines, 2)) == ["fo\xfcr", "five"]


def test_emptied_log_goes_on_from_its_start(log: Path) -> None:
    """A log that was emptied, as the supervisor does, is followed from its new start."""
    lines = followed(log, 1)
    assert next(lines) == "three"
    log.write_text("new\n")
    assert next(lines) == "new"
