from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from traderx_embedded.confighub.merge import UnmergeableError, merge

UNITS = Path(__file__).parents[3] / "src/traderx_gate/application/units/base"
DEPLOYMENT = (UNITS / "trade-service-deployment.yaml").read_text()
INGRESS = (UNITS / "ingress.yaml").read_text()


def merged(base: str, theirs: str, ours: str) -> tuple[str, list[tuple[str | int, ...]]]:
    """Return the merged text and the paths of the conflicts."""
    found = merge(base=base.encode(), theirs=theirs.encode(), ours=ours.encode())
    return found.data.decode(), [conflict.clash.path for conflict in found.conflicts]


def dump(value: Any, *, flow: bool = False, indent: int = 2) -> str:
    return str(yaml.safe_dump(value, default_flow_style=flow, indent=indent, sort_keys=False))


# Every place has its own leaf, so that each can be set, changed and removed on either side.
PLACES = [("a",), ("b",), ("m", "a"), ("m", "b"), ("m", "n", "a"), ("m", "n", "b")]
leaf = st.none() | st.integers(0, 3) | st.sampled_from(["yes", "1", "#", "it's", ": ", "é"])
sides = st.tuples(*[st.just("absent") | leaf for _ in PLACES])
styles = st.tuples(st.booleans(), st.integers(2, 4))


def document(side: tuple[Any, ...]) -> dict[str, Any]:
    root: dict[str, Any] = {"keep": 1, "m": {"keep": 1, "n": {"keep": 1}}}
    for place, value in zip(PLACES, side, strict=True):
        if value != "absent":
            holder = root
            for key in place[:-1]:
                holder = holder[key]
            holder[place[-1]] = value
    return root


def differ(one: Any, other: Any) -> bool:
    return type(one) is not type(other) or one != other


@settings(max_examples=300, deadline=None)
@given(sides, sides, sides, styles)
def test_each_path_is_merged_by_itself(
    base: tuple[Any, ...],
    theirs: tuple[Any, ...],
    ours: tuple[Any, ...],
    style: tuple[bool, int],
) -> None:
    """What upstream alone changed is taken; what changed here stays, told if it is contested."""
    expected, contested = [], []
    for place, one, its, mine in zip(PLACES, base, theirs, ours, strict=True):
        expected.append(its if differ(its, one) and not differ(mine, one) else mine)
        if differ(its, one) and differ(mine, one) and differ(its, mine):
            contested.append(place)
    flow, indent = style
    texts = [dump(document(side), flow=flow, indent=indent) for side in (base, theirs, ours)]
    text, conflicts = merged(*texts)
    assert yaml.safe_load(text) == document(tuple(expected))
    assert sorted(conflicts) == sorted(contested)
    again, _ = merged(texts[0], texts[1], text)  # a change that is there already is none
    assert yaml.safe_load(again) == document(tuple(expected))


values = st.recursive(
    leaf,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "a", "b"]), inner, max_size=3)
        | st.lists(st.fixed_dictionaries({"name": st.sampled_from("xyz"), "v": inner}), max_size=3)
    ),
    max_leaves=8,
)
roots = st.dictionaries(st.sampled_from(["a", "b", "c"]), values, max_size=3)
texts = st.builds(lambda value, style: dump(value, flow=style[0], indent=style[1]), roots, styles)


@settings(max_examples=400, deadline=None)
@given(texts, texts, texts)
def test_same_change_again_changes_nothing(base: str, theirs: str, ours: str) -> None:
    """Merging what was merged already leaves every byte, whatever the documents hold."""
    once, _ = merged(base, theirs, ours)
    assert isinstance(yaml.safe_load(once), dict)
    assert merged(theirs, theirs, once) == (once, [])


@settings(max_examples=200, deadline=None)
@given(roots, texts, styles)
def test_disjoint_changes_both_stay(common: dict[str, Any], ours: str, style: Any) -> None:
    """Changes in different places never meet in a conflict, whatever they are."""
    mine = yaml.safe_load(ours)
    base = dump({"up": 0, "down": 0, **common}, flow=style[0])
    theirs = dump({"up": mine, "down": 0, **common}, flow=style[0])
    changed = dump({"up": 0, "down": mine, **common}, flow=style[0])
    text, conflicts = merged(base, theirs, changed)
    assert yaml.safe_load(text) == {"up": mine, "down": mine, **common}
    assert conflicts == []


@given(st.binary(max_size=50), st.binary(max_size=50))
@example(b"\xff", b"{")
def test_unchanged_side_costs_nothing(one: bytes, other: bytes) -> None:
    """Without a change upstream every byte stays; without one here upstream's bytes come."""
    assert merge(base=one, theirs=one, ours=other).data == other
    assert merge(base=one, theirs=other, ours=one).data == other


@pytest.mark.parametrize("bad", [b"\xff", b"{", b"a: &x 1\nb: *x\n", b"a: 1\na: 2\n"])
def test_unreadable_side_is_refused(bad: bytes) -> None:
    """What cannot be merged by path is refused in words, and nothing is guessed."""
    with pytest.raises(UnmergeableError, match=r"\w"):
        merge(base=b"a: 1\n", theirs=b"a: 2\n", ours=bad)


def test_clone_keeps_namespace_and_host() -> None:
    """An upgrade leaves a clone its namespace and host, and takes the image from upstream."""
    ours = INGRESS.replace("traderx-base", "traderx-dev")
    theirs = INGRESS.replace("number: 18092", "number: 18093").replace("/$2", "/$1")
    text, conflicts = merged(INGRESS, theirs, ours)
    assert text == theirs.replace("traderx-base", "traderx-dev")
    assert conflicts == []


def test_comments_and_order_stay() -> None:
    """Comments, quotes and order of both sides stay; only what changed is another text."""
    ours = DEPLOYMENT.replace("replicas: 2", "replicas: 5 # for the exercise")
    theirs = DEPLOYMENT.replace("v1.2.3", "v1.2.4").replace("# The API", "# Now the API")
    text, conflicts = merged(DEPLOYMENT, theirs, ours)
    assert text == theirs.replace("replicas: 2", "replicas: 5 # for the exercise")
    assert conflicts == []


def test_contested_neighbours_stay_readable() -> None:
    """Where both change one line and its neighbour, only upstream's own change is written."""
    ours = DEPLOYMENT.replace("cpu: 25m", "cpu: 30m   # ours")
    theirs = DEPLOYMENT.replace("cpu: 25m", "cpu: 40m").replace("64Mi", "96Mi")
    text, conflicts = merged(DEPLOYMENT, theirs, ours)
    assert text == ours.replace("64Mi", "96Mi")
    requests = "spec.template.spec.containers.0.resources.requests.cpu"
    assert [".".join(map(str, path)) for path in conflicts] == [requests]


def listed(*items: str) -> str:
    """Return a document with a list of flow items, as it is easily read in a table."""
    return "list:\n" + "".join(f"  - {item}\n" for item in items) if items else "list: []\n"


A, B, C = "{name: A, v: 1}", "{name: B, v: 1}", "{name: C, v: 1}"
B2, B3, D = "{name: B, v: 2}", "{name: B, v: 3}", "{name: D, v: 1}"
LISTS = {
    "inserted-above-an-override": ([A, B], [A, C, B], [A, B2], [A, C, B2], 0),
    "removed-above-an-override": ([A, B], [B], [A, B2], [B2], 0),
    "moved-above-an-override": ([A, B], [B, A], [A, B2], [B2, A], 0),
    "removed-with-an-override": ([A, B], [A], [A, B2], [A, B2], 1),
    "removed-here-and-left": ([A, B], [A, B, C], [A], [A, C], 0),
    "removed-here-and-changed": ([A, B], [A, B2], [A], [A], 1),
    "changed-on-both-sides": ([A, B], [A, B2], [A, B3], [A, B3], 1),
    "renamed-here": ([A, B], [A, B2], [A, "{name: D, v: 1}"], [A, "{name: D, v: 2}"], 0),
    "renamed-upstream": ([A, B], [A, D], [A, B], [A, D], 0),
    "renamed-upstream-under-an-override": ([A, B], [A, D], [A, B2], [A, B2], 1),
    "added-on-both-sides": ([A], [A, B], [A, C], [A, B, C], 0),
    "same-added-on-both-sides": ([A], [A, B], [A, B2], [A, B2], 1),
    "added-here-and-moved-upstream": ([A, B], [B, A], [A, B, C], [A, B, C], 0),
    "plain-appended": (["x"], ["x", "y"], ["z"], ["z", "y"], 0),
    "plain-by-position": (["x", "y"], ["x2", "y"], ["x", "y2"], ["x2", "y2"], 0),
    "plain-inserted-under-an-override": (["x", "y"], ["n", "x", "y"], ["x", "z"], ["x", "z"], 1),
    "plain-cut": (["x", "y"], ["x"], ["z", "y"], ["z"], 0),
    "emptied-under-an-override": ([A, B], [], [A, B2], [B2], 1),
}


@pytest.mark.parametrize(("base", "theirs", "ours", "expected", "count"), LISTS.values(), ids=LISTS)
def test_lists(
    base: list[str], theirs: list[str], ours: list[str], expected: list[str], count: int
) -> None:
    """Items are known by name, else by position; an override never moves to another item."""
    text, conflicts = merged(listed(*base), listed(*theirs), listed(*ours))
    assert yaml.safe_load(text) == yaml.safe_load(listed(*expected))
    assert len(conflicts) == count


def resource(name: str, namespace: str = "base", value: int = 1) -> str:
    metadata = f"metadata: {{name: {name}, namespace: {namespace}}}"
    return f"apiVersion: v1\nkind: ConfigMap\n{metadata}\ndata: {{v: '{value}'}}\n"


def joined(*parts: str) -> str:
    return "---\n".join(parts)


RESOURCES = {
    "moved": (
        joined(resource("a"), resource("b")),
        joined(resource("b", value=2), resource("a")),
        joined(resource("a", "dev"), resource("b", "dev")),
        joined(resource("a", "dev"), resource("b", "dev", 2)),
    ),
    "new-takes-the-namespace": (
        resource("a"),
        joined(resource("a"), resource("b")),
        resource("a", "dev"),
        joined(resource("a", "dev"), resource("b", "dev")),
    ),
    "removed": (
        joined(resource("a"), resource("b")),
        resource("b"),
        joined(resource("a", "dev"), resource("b", "dev")),
        "---\n" + resource("b", "dev"),
    ),
    "removed-here": (
        joined(resource("a"), resource("b")),
        joined(resource("a", value=2), resource("b")),
        resource("a", "dev"),
        resource("a", "dev", 2),
    ),
    "one-name-in-two-namespaces": (
        joined(resource("a", "x"), resource("a", "y")),
        joined(resource("a", "y", 2), resource("a", "x")),
        joined(resource("a", "x", 3), resource("a", "y")),
        joined(resource("a", "y", 2), resource("a", "x", 3)),
    ),
    "comment-alone": (
        f"# one\n{resource('a')}",
        f"# two\n{resource('a')}",
        f"# one\n{resource('a', 'dev')}",
        f"# two\n{resource('a', 'dev')}",
    ),
}


@pytest.mark.parametrize(("base", "theirs", "ours", "expected"), RESOURCES.values(), ids=RESOURCES)
def test_resources(base: str, theirs: str, ours: str, expected: str) -> None:
    """Resources are known by type and name; a namespace of its own is no local change."""
    assert merged(base, theirs, ours) == (expected, [])


def test_changed_resource_outlives_its_removal() -> None:
    """A resource removed upstream and changed here stays, and is told."""
    both = joined(resource("a"), resource("b"))
    ours = joined(resource("a", value=7), resource("b"))
    text, conflicts = merged(both, resource("b"), ours)
    assert text == ours
    assert conflicts == [()]


def test_many_changes_are_written_anew() -> None:
    """A document with more changes than are cut in one by one still says what it should."""
    base = {f"k{number}": number for number in range(3000)}
    theirs = {**base, **dict.fromkeys(list(base)[::2], 0)}
    ours = {**base, "k1": "mine"}
    text, conflicts = merged(dump(base), dump(theirs), dump(ours, flow=True))
    assert yaml.safe_load(text) == {**theirs, "k1": "mine"}
    assert conflicts == []
