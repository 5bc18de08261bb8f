import pytest

from bench.measurement import Measurement, Target, table


def measured(*values: float, target: Target | None = None) -> Measurement:
    return Measurement(what="deploy", unit="s", values=values, target=target)


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target(bound=2), True),
        (Target(bound=1.9), False),
        (Target(bound=2, at_least=True), True),
        (Target(bound=2.1, at_least=True), False),
        (None, None),
    ],
)
def test_median_is_what_meets_a_target(target: Target | None, met: object) -> None:
    """The median decides, on either side of a target; without one nothing is met or missed."""
    assert measured(1, 2, 9, target=target).is_met is met


def test_table_says_missed_in_words() -> None:
    """A row has number, minimum, median and maximum, its target, and whether it is met."""
    head, row = table([measured(1, 2, 9000, target=Target(bound=1.5))]).splitlines()
    assert head.split() == ["what", "n", "min", "median", "max", "target"]
    assert row.split() == ["deploy", "(s)", "3", "1.00", "2.00", "9,000", "≤", "1.5", "MISSED"]
    assert head.index("target") == row.index("≤")


def test_json_keeps_every_value() -> None:
    """Whoever reads the JSON can make his own statistics."""
    body = measured(3, 1, 2).to_json()
    assert (body["values"], body["n"], body["min"], body["median"]) == ([3, 1, 2], 3, 1, 2)
    assert (body["target"], body["met"]) == (None, None)
