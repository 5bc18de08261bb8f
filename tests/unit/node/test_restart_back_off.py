from hypothesis import given, settings
from hypothesis import strategies as st

from traderx_embedded.kubernetes.node.back_off import BackOff
from traderx_embedded.kubernetes.node.keeper import _go_duration


def delays(base_s: float, runs_s: list[float]) -> list[float]:
    """Return the delay after each run of a container that ran so long each time."""
    back_off, now_s, found = BackOff(base_s=base_s), 0.0, []
    for run_s in runs_s:
        now_s += run_s
        found.append(back_off.ended(at_s=now_s))
        now_s += found[-1]
        back_off.next(now_s=now_s)
    return found


def test_doubles_up_to_five_minutes() -> None:
    """The first restart is immediate, the next after 10 s, then doubled up to 300 s."""
    assert delays(10, [1] * 9) == [0, 10, 20, 40, 80, 160, 300, 300, 300]


def test_forgotten_after_ten_minutes_of_calm() -> None:
    """A container that ran for more than ten minutes is restarted at once again."""
    assert delays(10, [1, 1, 1, 601, 1, 1]) == [0, 10, 20, 0, 10, 20]


@settings(deadline=None)
@given(st.lists(st.floats(min_value=0, max_value=599), min_size=2, max_size=12))
def test_never_shorter_without_calm(runs_s: list[float]) -> None:
    """As long as no run lasts over ten minutes, no delay is shorter than the one before."""
    found = delays(10, runs_s)
    assert found == sorted(found)


def test_written_as_go_writes_it() -> None:
    """Delays are written as a kubelet writes them."""
    assert [_go_duration(value) for value in (0.5, 10, 80, 300)] == ["0.5s", "10s", "1m20s", "5m0s"]
