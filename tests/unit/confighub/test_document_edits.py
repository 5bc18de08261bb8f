import re
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from traderx_embedded.confighub.functions import nodes, values
from traderx_embedded.confighub.functions.document import Document
from traderx_embedded.confighub.functions.errors import FunctionError
from traderx_embedded.confighub.functions.values import Path

MANIFEST = """\
# two documents, one unit
apiVersion: apps/v1
kind: Deployment   # aligned
metadata: {name: web, namespace: demo}
spec:
  replicas:   2 # two
  empty:
  nothing: ~
  list:
  - a: 1   # one
    s: |
      x
      y

  - {n: 1, m: [2, 3]}
  resources:
    requests:
      cpu: 25m
    # limits below
    limits: {}
  quoted: 'it''s'
  long: "LONG"
---
kind: Service
""".replace("LONG", "a long line " * 20)


def edited(change: Any) -> str:
    """Return the text of the first document after a change."""
    document = Document(nodes.documents(MANIFEST)[0])
    change(document)
    return document.text


def lines_changed(change: Any) -> list[str]:
    """Return what a change takes away (-) and adds (+), line by line."""
    before, after = nodes.documents(MANIFEST)[0].splitlines(), edited(change).splitlines()
    taken = [f"-{line}" for line in before if line not in after]
    return taken + [f"+{line}" for line in after if line not in before]


def test_documents_make_up_the_text() -> None:
    """The texts of the documents, put together, are the text."""
    assert nodes.documents(MANIFEST)[1] == "---\nkind: Service\n"
    assert "".join(nodes.documents(MANIFEST)) == MANIFEST


@pytest.mark.parametrize(
    ("path", "value", "changes"),
    [
        (("spec", "replicas"), 3, ["-  replicas:   2 # two", "+  replicas:   3 # two"]),
        (("spec", "replicas"), 2, []),
        (("spec", "empty"), "v", ["-  empty:", "+  empty: v"]),
        (("spec", "nothing"), "v", ["-  nothing: ~", "+  nothing: v"]),
        (("spec", "quoted"), "that's", ["-  quoted: 'it''s'", "+  quoted: 'that''s'"]),
        (("spec", "list", 0, "a"), "yes", ["-  - a: 1   # one", '+  - a: "yes"   # one']),
        (("spec", "list", 0, "z"), "new", ["+    z: new"]),
        (("spec", "list", 1, "m", 0), 5, ["-  - {n: 1, m: [2, 3]}", "+  - {n: 1, m: [5, 3]}"]),
        (
            ("metadata", "labels", "a.b/c"),
            "x",
            [
                "-metadata: {name: web, namespace: demo}",
                "+metadata: {name: web, namespace: demo, labels: {a.b/c: x}}",
            ],
        ),
        (("spec", "empty", "a", "b"), 1, ["+    a:", "+      b: 1"]),
        (
            ("spec", "resources", "limits", "cpu"),
            "1",
            ["-    limits: {}", "+    limits:", '+      cpu: "1"'],
        ),
    ],
    ids=lambda value: values.dotted(value) if isinstance(value, tuple) else None,
)
def test_set_changes_only_its_line(path: Path, value: Any, changes: list[str]) -> None:
    """A value is replaced or added in the style around it, and every other line stays."""
    assert lines_changed(lambda document: document.set(path, value)) == changes


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        (("spec", "list"), ["+  - name: X", '+    value: "1"']),
        (("spec", "empty"), ["+  - name: X", '+    value: "1"']),
        (("spec", "env"), ["+  env:", "+  - name: X", '+    value: "1"']),
        (
            ("spec", "list", 1, "m"),
            ["-  - {n: 1, m: [2, 3]}", '+  - {n: 1, m: [2, 3, {name: X, value: "1"}]}'],
        ),
    ],
    ids=lambda value: values.dotted(value) if isinstance(value, tuple) else None,
)
def test_append_indents_as_the_document_does(path: Path, changes: list[str]) -> None:
    """An item is added to a list in the list's own style and indentation."""
    item = {"name": "X", "value": "1"}
    assert lines_changed(lambda document: document.append(path, item)) == changes


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        (("spec", "resources", "limits"), ["-    limits: {}"]),
        (
            ("spec", "resources", "requests", "cpu"),
            ["-    requests:", "-      cpu: 25m", "+    requests: {}"],
        ),
        (("spec", "list", 1), ["-  - {n: 1, m: [2, 3]}"]),
        (
            ("spec", "list", 1, "n"),
            ["-  - {n: 1, m: [2, 3]}", "+  - {m: [2, 3]}"],
        ),
        (("spec", "absent"), []),
    ],
    ids=lambda value: values.dotted(value) if isinstance(value, tuple) else None,
)
def test_delete_takes_only_its_lines(path: Path, changes: list[str]) -> None:
    """What is deleted goes with its lines; the comments of others stay."""
    assert lines_changed(lambda document: document.delete(path)) == changes


@pytest.mark.parametrize(
    "path",
    [
        ("spec", "replicas", "x"),
        ("spec", "list", 7),
        ("spec", "list", "x"),
        ("metadata", "name", 0),
    ],
    ids=values.dotted,
)
def test_refused_edit_leaves_the_text(path: Path) -> None:
    """A value for which there is no place is refused, and nothing has changed."""
    document = Document(nodes.documents(MANIFEST)[0])
    with pytest.raises(FunctionError, match=re.escape(values.dotted(path))):
        document.set(path, "x")
    assert document.text == nodes.documents(MANIFEST)[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: &x 1\nb: *x\n", "aliases"),
        ("a: [" * 200, "deeper than 100"),
        ("a: 1\na: 2\n", "appears twice"),
        ("? [a]\n: 1\n", "no scalar"),
        ("a: [1\n", "not YAML"),
    ],
)
def test_what_cannot_be_edited_is_refused(text: str, told: str) -> None:
    """Aliases, excessive depth, doubled or complex keys and broken YAML are refused in words."""
    with pytest.raises(FunctionError, match=told):
        Document(nodes.documents(text)[0])


def test_windows_line_ends_stay() -> None:
    """A document with carriage returns gets its new lines with carriage returns."""
    document = Document("a:\r\n  b: 1\r\n")
    document.set(("a", "c"), 2)
    assert document.text == "a:\r\n  b: 1\r\n  c: 2\r\n"


# Texts in every style: the value first, then a way to write it.


@dataclass(frozen=True, slots=True)
class Written:
    """A value and one of the many texts that say it."""

    value: Any
    text: str


words = st.sampled_from(
    ["a", "web", "x-y", "nginx:1.25", "yes", "1e3", "it's", 'say "hi"', " ", ""]
)
keys = st.sampled_from(["name", "image", "a.b/c", "spec", "env", "on"])
gaps = st.sampled_from(["", "   # why", "\n# a comment", "\n"])
leaves = st.one_of(words, st.integers(-5, 10**6), st.booleans(), st.none())
trees = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)


@st.composite
def written(draw: st.DrawFn) -> Written:
    """Draw a mapping, and write it in block and flow style with comments and odd spaces."""
    value = draw(st.dictionaries(keys, trees, min_size=1, max_size=4))
    return Written(value, "# first\n" + "\n".join(_block(draw, value, 0)) + "\n# last\n")


def _block(draw: st.DrawFn, value: Any, indent: int) -> list[str]:
    pad = " " * indent
    lines = []
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in entries:
        head = f"{pad}{_leaf(draw, key)}:" if isinstance(value, dict) else f"{pad}-"
        if item and isinstance(item, dict | list) and draw(st.booleans()):
            inner = _block(draw, item, indent + draw(st.sampled_from([2, 3])))
            lines += [head, *inner]
        else:
            space = " " * draw(st.integers(1, 3))
            lines += f"{head}{space}{_flow(draw, item)}{draw(gaps)}".split("\n")
    return lines


def _flow(draw: st.DrawFn, value: Any) -> str:
    space = " " * draw(st.integers(0, 2))
    if isinstance(value, dict):
        inner = f",{space} ".join(f"{_leaf(draw, k)}: {_flow(draw, v)}" for k, v in value.items())
        return "{" + space + inner + space + "}"
    if isinstance(value, list):
        return "[" + space + f" ,{space}".join(_flow(draw, item) for item in value) + "]"
    return _leaf(draw, value)


def _leaf(draw: st.DrawFn, value: Any) -> str:
    if value is None:
        return draw(st.sampled_from(["~", "null"]))
    if not isinstance(value, str):
        return str(value).lower()
    forms = ["'" + value.replace("'", "''") + "'", '"' + value.replace('"', '\\"') + '"']
    if re.fullmatch(r"[a-z][a-z-]*(:[0-9.]+)?", value) and value not in {"yes", "on"}:
        forms.append(value)
    return draw(st.sampled_from(forms))


def _paths(value: Any, path: Path = ()) -> list[Path]:
    found = [path]
    if isinstance(value, dict):
        found += [inner for key, item in value.items() for inner in _paths(item, (*path, key))]
    elif isinstance(value, list):
        found += [inner for at, item in enumerate(value) for inner in _paths(item, (*path, at))]
    return found


new_values = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=12), words, st.integers(), st.booleans()
)


@settings(max_examples=400, deadline=None)
@given(written(), st.data())
def test_edit_keeps_every_other_byte(case: Written, data: st.DataObject) -> None:
    """Setting any scalar changes the text at its place alone, and reads back as meant."""
    assert yaml.safe_load(case.text) == case.value
    scalars = [p for p in _paths(case.value) if p and not isinstance(_at(case, p), dict | list)]
    path = data.draw(st.sampled_from(scalars or [("brand-new",)]))
    value = data.draw(new_values)
    document = Document(case.text)
    node = document.node(path)
    expected: Any = [case.value]
    values.put(expected, path, value)
    document.set(path, value)
    assert yaml.safe_load(document.text) == expected[0]
    if node is not None:
        head, tail = case.text[: node.start_mark.index], case.text[node.end_mark.index :]
        assert document.text.startswith(head)
        assert document.text.endswith(tail)


@settings(max_examples=400, deadline=None)
@given(written(), st.data())
def test_added_and_deleted_leave_the_rest(case: Written, data: st.DataObject) -> None:
    """What is added and taken away again leaves every line that was there, or is refused whole."""
    holders = [p for p in _paths(case.value) if isinstance(_at(case, p), dict)]
    path = (*data.draw(st.sampled_from(holders)), "brand-new")
    document = Document(case.text)
    document.set(path, {"name": "x", "list": [1, {"a": "b"}]})
    kept = [line for line in document.text.splitlines() if line.strip().startswith("#")]
    assert kept == [line for line in case.text.splitlines() if line.strip().startswith("#")]
    document.delete(path)
    assert yaml.safe_load(document.text) == case.value


def _at(case: Written, path: Path) -> Any:
    return values.at([case.value], path)
