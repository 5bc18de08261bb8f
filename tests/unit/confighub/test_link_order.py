from collections.abc import Mapping

from hypothesis import example, given
from hypothesis import strategies as st

from traderx_embedded.confighub import links
from traderx_embedded.confighub.entities import Unit

names = st.integers(0, 7).map(str)
# needs of larger numbers only cannot close a circle
acyclic = st.dictionaries(names, st.lists(names, max_size=3)).map(
    lambda needs: {start: [end for end in ends if end > start] for start, ends in needs.items()}
)


def ordered(chosen: list[str], needs: Mapping[str, list[str]]) -> list[str]:
    moment = "2026-01-01T00:00:00.000000Z"
    units = [
        Unit(
            id=name,
            slug=name,
            space_id="s",
            organization_id="o",
            created_at=moment,
            updated_at=moment,
        )
        for name in chosen
    ]
    return [unit.id for unit in links.ordered(units, needs)]


def reached(start: str, needs: Mapping[str, list[str]]) -> set[str]:
    found: set[str] = set()
    todo = [start]
    while todo:
        for need in needs.get(todo.pop(), []):
            if need not in found:
                found.add(need)
                todo.append(need)
    return found


@given(st.lists(names, unique=True), acyclic)
@example(["0", "2"], {"0": ["1"], "1": ["2"]})
def test_what_is_needed_comes_first(chosen: list[str], needs: dict[str, list[str]]) -> None:
    """Each unit comes once, and after all that it needs, also by way of units that do not come."""
    order = ordered(chosen, needs)
    assert sorted(order) == sorted(chosen)
    for position, name in enumerate(order):
        assert not reached(name, needs) & set(order[position + 1 :])


@given(st.lists(names, unique=True), st.dictionaries(names, st.lists(names, max_size=3)))
def test_circle_ends(chosen: list[str], needs: dict[str, list[str]]) -> None:
    """Even a circle, which no link may close, leaves every unit in the order once."""
    assert sorted(ordered(chosen, needs)) == sorted(chosen)


@given(st.lists(names, unique=True))
def test_units_without_links_keep_their_order(chosen: list[str]) -> None:
    """What needs nothing stays in the order in which it was made."""
    assert ordered(chosen, {}) == chosen
