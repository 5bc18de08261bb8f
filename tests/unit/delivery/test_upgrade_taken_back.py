"""Whether the last upgrade of a unit was taken back, so that a promotion has to bring it again."""

import base64
from collections.abc import Sequence

import pytest

from traderx_gate.confighub import Revision, Unit
from traderx_gate.delivery import promotion
from traderx_gate.errors import RefusedError


class History:
    """A ConfigHub that knows the history of one unit: `source data` of each revision."""

    def __init__(self, told: Sequence[str]) -> None:
        self._told = told

    def revision_list(self, _unit: Unit) -> tuple[Revision, ...]:
        """Return its revisions, oldest first."""
        words = (text.split() for text in self._told)
        return tuple(
            Revision(
                id=str(number), number=number, data=data.encode(), description="", source=source
            )
            for number, (source, data) in enumerate(words, start=1)
        )


def taken_back(*history: str) -> int | None:
    """Return the number of the upgrade that was taken back."""
    body = {"UnitID": "u", "SpaceID": "s", "Slug": "u", "Data": base64.b64encode(b"").decode()}
    hub = History(history)
    found = promotion._upgrade_taken_back(hub, Unit.from_json(body))  # type: ignore[arg-type]
    return found.number if found else None


@pytest.mark.parametrize(
    ("history", "number"),
    [
        (["Clone a"], None),
        (["Clone a", "Upgrade b"], None),
        (["Clone a", "Upgrade b", "Update c"], None),
        (["Clone a", "Upgrade b", "Update a"], None),
        (["Clone a", "Upgrade b", "Restore a"], 2),
        (["Clone a", "Upgrade b", "Restore a", "Restore b"], None),
        (["Clone a", "Upgrade b", "Restore a", "Update c", "Update a"], 2),
        (["Clone a", "Upgrade b", "Restore a", "Upgrade c"], None),
        (["Clone a", "Update b", "Upgrade c", "Restore a"], 3),
        (["Clone a", "Upgrade b", "Update c", "Restore b"], None),
    ],
    ids=lambda value: " ".join(value).replace(" ", "") if isinstance(value, list) else None,
)
def test_taken_back(history: list[str], number: int | None) -> None:
    """An upgrade is taken back where the head is, byte for byte, what it was restored to."""
    assert taken_back(*history) == number


def test_edit_after_it_is_not_lost() -> None:
    """A unit that was edited after its upgrade was taken back is refused, with the revision."""
    with pytest.raises(RefusedError, match="from revision 2"):
        taken_back("Clone a", "Upgrade b", "Restore a", "Update c")
