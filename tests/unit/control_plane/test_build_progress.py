"""The estimate of a build against builds that were measured."""

import pytest

from traderx_embedded.kubernetes.build_progress import Progress, seconds_left

# Seconds and packages of a cold build on two busy cores with Go 1.26.8; it took 426 s.
MEASURED = (
    (30, 391), (60, 764), (91, 992), (122, 1116), (153, 1327), (185, 1432), (215, 1646),
    (246, 1833), (277, 2049), (309, 2212), (339, 2420), (371, 2454), (402, 2540),
)  # fmt: skip
PACKAGES, TOOK_S = 2550, 426


@pytest.mark.parametrize(("elapsed_s", "done"), MEASURED)
def test_estimate_of_a_measured_build_was_right(elapsed_s: int, done: int) -> None:
    """At every moment of a measured build the estimated end is within a fifth of the real one."""
    assert elapsed_s + seconds_left(done, PACKAGES, elapsed_s) == pytest.approx(TOOK_S, rel=0.2)


def test_linking_is_part_of_the_estimate() -> None:
    """When every package is compiled, time is still left, and the words say for what."""
    progress = Progress(total=2)
    words = [progress.package(line, 100.0) for line in ("a/b", "a/c", "")]
    assert words[0].startswith("1 of 2 packages, 100 s, about ")
    assert words[1:] == ["all packages compiled, linking, 100 s, about 6 s left"] * 2


def test_messages_are_no_packages() -> None:
    """Lines of Go that are not names of packages are not counted."""
    progress = Progress(total=3)
    progress.package("# a/b", 1.0)
    progress.package("a/b: warning", 1.0)
    progress.package("go: downloading x v1", 1.0)
    assert progress.package("a/b", 1.0).startswith("1 of 3")


def test_nothing_compiled_yet_is_guessed_from_the_number_of_packages() -> None:
    """Before the first package the estimate grows with their number and is never zero."""
    assert seconds_left(0, 2550, 0.0) > seconds_left(0, 100, 0.0) > 0
