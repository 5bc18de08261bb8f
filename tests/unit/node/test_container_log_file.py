import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from traderx_embedded.kubernetes.node import container_log
from traderx_embedded.kubernetes.node.container_log import ContainerLog
from traderx_embedded.kubernetes.node.log_reader import Question, _shown


def written(pieces: list[bytes]) -> bytes:
    """Write the pieces and read the log as a client would."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "0.log"
        log = ContainerLog(path)
        for piece in pieces:
            log.write("stdout", piece)
        log.close()
        with path.open("rb") as file:
            return b"".join(_shown(file, Question()))


@settings(deadline=None)
@given(st.lists(st.binary(max_size=50)))
def test_read_as_written(pieces: list[bytes]) -> None:
    """However output is cut into pieces, it is read as it was written, and ends with a newline."""
    output = b"".join(pieces)
    expected = output if output.endswith(b"\n") or not output else output + b"\n"
    assert written(pieces) == expected


def test_very_long_line() -> None:
    """A line longer than the log's own limit is read in one piece."""
    line = b"x" * (3 * container_log.MAX_LINE + 5) + b"\n"
    assert written([line[:20_000], line[20_000:]]) == line


def test_log_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that writes without end fills two files of the limit, not the disk."""
    monkeypatch.setattr(container_log, "MAX_BYTES", 10_000)
    log = ContainerLog(tmp_path / "0.log")
    for number in range(2_000):
        log.write("stdout", b"line %d\n" % number)
    log.close()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 21_000
