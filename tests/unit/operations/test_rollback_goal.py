"""What a rollback goes back to, of the states that passed."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traderx_gate.confighub import Unit
from traderx_gate.operations import rollback
from traderx_gate.verdict import UnitRevision

SLUG = "web-gui-deployment"


def unit(data: str, *, pending: bool = False) -> dict[str, Unit]:
    """Return the units of an environment of which the one head has this data."""
    body = {
        "UnitID": "u",
        "SpaceID": "s",
        "Slug": SLUG,
        "Data": base64.b64encode(data.encode()).decode(),
        "HeadRevisionNum": 9,
        "LiveRevisionNum": 8 if pending else 9,
    }
    return {SLUG: Unit.from_json(body)}


def states(history: str) -> list[rollback._State]:
    """Return what passed, the newest first: a letter for the data of each."""
    return [
        rollback._State(
            run=f"run-{number}",
            units={
                SLUG: UnitRevision(
                    sha256=hashlib.sha256(letter.encode()).hexdigest(), head=1, applied=1, live=1
                )
            },
        )
        for number, letter in enumerate(history)
    ]


@pytest.mark.parametrize(
    ("history", "desired", "pending", "goal"),
    [
        ("", "a", False, None),
        ("a", "a", False, None),
        ("a", "b", False, "run-0"),
        ("ba", "b", False, "run-1"),
        ("aba", "a", False, None),
        ("abac", "a", False, "run-3"),
        ("bbaa", "b", False, "run-2"),
        ("babac", "b", False, "run-1"),
        ("bac", "a", False, "run-2"),
        ("ab", "b", True, "run-1"),
        ("ba", "a", True, "run-1"),
        ("ba", "c", True, "run-0"),
    ],
    ids=[
        "nothing ever passed",
        "only what is there passed",
        "what is there never passed",
        "what passed before",
        "back already, and nothing older",
        "back already, and something older",
        "what is there passed twice",
        "back, and forward again",
        "what is there passed, and another one after it",
        "what had passed earlier, half way",
        "a rollback that was killed is gone on with",
        "a rollout that is stuck",
    ],
)
def test_goal(history: str, desired: str, goal: str | None, *, pending: bool) -> None:
    """The goal is the state that passed before what is desired; what was undone does not count."""
    found = rollback._state(states(history), unit(desired, pending=pending), [SLUG])
    assert (found.run if found else None) == goal


@given(st.text("abc", max_size=8), st.sampled_from("abc"))
def test_rollbacks_come_to_an_end(history: str, desired: str) -> None:
    """Rolling back again and again goes on to older states, never back to what it came from."""
    known = states(history)
    seen = [desired]
    while (found := rollback._state(known, unit(seen[-1]), [SLUG])) is not None:
        seen.append(history[known.index(found)])
        known = [found, *known]  # it passes again where it was rolled back to
        history = seen[-1] + history
    assert len(seen) == len(set(seen))
