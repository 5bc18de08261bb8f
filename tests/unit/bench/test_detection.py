"""The rates of the campaign: what counts as a trial, and how sure a rate is."""

import json
from pathlib import Path

import pytest

from bench.detection import bounds, counts, left
from tests.integration.gate.damages.table import ALL


@pytest.mark.parametrize("asked", [1, 20, 87])
def test_bounds_of_all_and_of_none(asked: int) -> None:
    """Of n in n the rate is at least 0.025 ** (1 / n); of none in n it is the mirror image."""
    lowest = 0.025 ** (1 / asked)
    assert bounds(asked, asked) == pytest.approx((lowest, 1.0))
    assert bounds(0, asked) == pytest.approx((0.0, 1 - lowest))


def test_bounds_between() -> None:
    """Bounds in between are those of the published tables: 5 of 10 is 18.71 % to 81.29 %."""
    assert bounds(5, 10) == pytest.approx((0.18709, 0.81291), abs=1e-5)


def test_nothing_asked_tells_nothing() -> None:
    """Without a trial the rate may be anything."""
    assert bounds(0, 0) == (0.0, 1.0)


def trial(**facts: object) -> dict[str, object]:
    """A damage that was detected and named, and a clean validation after its repair."""
    right = {"detected": True, "named": True, "claims_as_declared": True}
    return {**right, "exit_code": 1, "repaired_exit_code": 0, **facts}


def test_what_did_not_happen_is_no_trial() -> None:
    """A damage that was not done is no detection, a validation that was not made no false alarm."""
    trials = [
        trial(),
        trial(named=False, repaired_exit_code=1),
        trial(exit_code=None, detected=False, repaired_exit_code=None),
    ]
    assert counts(trials) == {
        "detected": (2, 2),
        "named": (1, 2),
        "claims as declared": (2, 2),
        "false alarms": (1, 2),
    }


def test_resumed_campaign_makes_what_is_left(tmp_path: Path) -> None:
    """Damages with a complete trial are left out; one that could not be repaired is made again."""
    out = tmp_path / "detection.json"
    assert left(ALL, out) == list(ALL)
    made, broken, *others = ALL
    trials = [
        {**trial(), "damage": made.name},
        {**trial(repaired_exit_code=None), "damage": broken.name},
    ]
    out.write_text(json.dumps({"trials": trials}))
    assert left(ALL, out) == [broken, *others]
