"""Progress on a terminal and elsewhere."""

import io

import pytest
from rich.console import Console

from traderx_gate import progress
from traderx_gate.progress import Steps


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock of which a test sets the time."""
    times = [0.0]
    monkeypatch.setattr("traderx_gate.progress.time.monotonic", lambda: times[0])
    return times


def test_plain_lines_come_now_and_then(clock: list[float]) -> None:
    """Where no bar can be drawn a line comes every five seconds, with brackets as they are."""
    out = io.StringIO()
    with Steps("validate dev", total=9, console=Console(file=out, width=80)) as steps:
        for number, at in enumerate((1.0, 5.0, 6.0, 9.9, 10.0), start=1):
            clock[0] = at
            steps.done(number, f"a.b[{number}] passed")
    assert out.getvalue().splitlines() == [
        "validate dev: 2 of 9, last a.b[2] passed",
        "validate dev: 5 of 9, last a.b[5] passed",
    ]


@pytest.mark.usefixtures("clock")
def test_bar_on_a_terminal() -> None:
    """On a terminal a bar shows how many are done and the last one, and no plain line comes."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120)
    with Steps("validate dev", total=9, console=console) as steps:
        steps.done(3, "a.b passed")
        steps._bar.refresh()
    assert "3/9" in out.getvalue()
    assert "a.b passed" in out.getvalue()
    assert "3 of 9" not in out.getvalue()


def test_standard_output_stays_for_programs(
    capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    """Progress goes to standard error."""
    with Steps("validate dev", total=9) as steps:
        clock[0] = progress.PLAIN_EVERY_S
        steps.done(1, "x")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "validate dev: 1 of 9, last x\n")
