"""One YAML document whose edits change the text where they must and nowhere else.

An edit is a cut in the text at the marks of the tree, so comments, order, quotes and line lengths
of everything else stay by construction. After each edit the text is read again, and must say what
it said before but for what was asked; otherwise the edit is taken back and refused.
"""

import contextlib
import copy
import re
from collections.abc import Iterator
from typing import Any

import yaml

from traderx_embedded.confighub.functions import nodes, scalars, values
from traderx_embedded.confighub.functions.errors import FunctionError

# Each edit reads the document again: this many characters take some seconds.
_WORK_LIMIT = 4 * 2**20
_REST_OF_LINE = re.compile(r"[^\r\n]*")
_LINE_BREAK = re.compile(r"\r?\n|\r")


class Document:
    """The text of one document, and its tree."""

    def __init__(self, text: str) -> None:
        self._work = 0
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self.read(text)

    def read(self, text: str) -> None:
        """Take a text in place of the one that is there."""
        self.text = text
        self.root = nodes.compose(text)

    def node(self, path: values.Path = ()) -> yaml.Node | None:
        """Return the node at a path; None if there is none."""
        node = self.root
        for segment in path:
            node = None if node is None else nodes.child(node, segment)
        return node

    def value(self, path: values.Path = ()) -> Any:
        """Return the value at a path; None if there is none."""
        return nodes.plain(self.node(path))

    def set(self, path: values.Path, value: Any) -> None:
        """Put a value at a path, with the mappings that lead there; the same value changes nothing.

        Raises:
            FunctionError: Something else than a mapping is in the way.
        """
        node = self.node(path)
        if node is not None and values.same(nodes.plain(node), value):
            return
        with self._checked(path) as expected:
            values.put(expected, path, value)
            if node is not None:
                self._replace(path, node, value)
            else:
                self._add(path, value)

    def append(self, path: values.Path, value: Any) -> None:
        """Add an item to the list at a path, which is made where it is missing.

        Raises:
            FunctionError: Something else than a list is there.
        """
        node = self.node(path)
        if node is None or nodes.plain(node) in (None, []):
            self.set(path, [value])
            return
        if not isinstance(node, yaml.SequenceNode):
            raise FunctionError(f"{values.dotted(path)}: not a list")
        with self._checked(path) as expected:
            values.at(expected, path).append(value)
            self._insert(node, value)

    def delete(self, path: values.Path) -> None:
        """Take away what is at a path; a collection left empty is written as `{}` or `[]`.

        Raises:
            FunctionError: It is written in a form that cannot be cut out.
        """
        parent, last = self.node(path[:-1]), path[-1]
        if self.node(path) is None or not isinstance(parent, yaml.CollectionNode):
            return
        with self._checked(path) as expected:
            del values.at(expected, path[:-1])[last]
            if len(parent.value) == 1:
                self._replace(path[:-1], parent, type(nodes.plain(parent))())
            else:
                self._cut(parent, path)

    @contextlib.contextmanager
    def _checked(self, path: values.Path) -> Iterator[Any]:
        """Yield what the document says, to be changed along with its text."""
        before = self.text
        # in a list, because the whole document may be replaced
        expected = [copy.deepcopy(nodes.plain(self.root))]
        try:
            yield expected
            if nodes.plain(self.root) != expected[0]:
                raise FunctionError("what is written there cannot be changed in its place")
        except FunctionError as error:
            self.read(before)
            raise FunctionError(f"{values.dotted(path)}: {error}") from error

    def _splice(self, start: int, end: int, text: str) -> None:
        self._work += len(self.text)
        if self._work > _WORK_LIMIT:
            raise FunctionError("so many edits in so long a document would hold up all others")
        self.read(self.text[:start] + text + self.text[end:])

    def _add(self, path: values.Path, value: Any) -> None:
        if not path:
            raise FunctionError("the document is empty")
        parent, last = self.node(path[:-1]), path[-1]
        if not isinstance(last, str):
            raise FunctionError("the list has no such item")
        if parent is None:
            self._add(path[:-1], {last: value})
        elif isinstance(parent, yaml.MappingNode) and parent.value:
            self._insert(parent, value, key=last)
        elif nodes.plain(parent) in (None, {}):
            self._replace(path[:-1], parent, {last: value})
        else:
            raise FunctionError(f"there is no mapping to put {last!r} into")

    def _replace(self, path: values.Path, node: yaml.Node, value: Any) -> None:
        start, end = int(node.start_mark.index), nodes.end_of(node)
        end = start + len(self.text[start:end].rstrip())  # a block scalar ends with its line
        on_its_line = self._behind_key(path, start)
        below = isinstance(value, dict | list) and value and not self._in_flow(path)
        if below and on_its_line is not None and not self._rest_of_line(end).strip():
            self._splice(on_its_line, end, self._lines_below(path, value))
            return
        style = node.style if isinstance(node, yaml.ScalarNode) else None
        written = scalars.flow(value, style=style)
        if on_its_line is not None and "\n" in self.text[on_its_line:start]:
            start = on_its_line
        if self.text[start - 1 : start] in {":", "-"}:
            written = f" {written}"
        self._splice(start, end, written)

    def _behind_key(self, path: values.Path, start: int) -> int | None:
        """Return where a value's key ends, colon included; None if more than space lies between."""
        parent = self.node(path[:-1]) if path else None
        if not isinstance(parent, yaml.MappingNode):
            return None
        key = next(key for key, _ in parent.value if key.value == path[-1])
        between = re.compile(r"[ \t]*:").match(self.text, int(key.end_mark.index))
        if between is None or self.text[between.end() : start].strip():
            return None
        return between.end()

    def _lines_below(self, path: values.Path, value: Any) -> str:
        parent = self.node(path[:-1])
        keys = parent.value if isinstance(parent, yaml.MappingNode) else []
        indent = next(int(k.start_mark.column) for k, _ in keys if k.value == path[-1])
        offset = self._list_offset()
        inner = indent + (2 if isinstance(value, dict) else offset)
        lines = scalars.block(value, indent=inner, offset=offset)
        return "".join(self._newline + line for line in lines)

    def _list_offset(self) -> int:
        """Return how far this document indents lists below their keys; 2 where it has none."""
        todo = [self.root]
        while todo:
            node = todo.pop()
            if isinstance(node, yaml.MappingNode):
                for key, value in node.value:
                    if isinstance(value, yaml.SequenceNode) and not value.flow_style:
                        return max(0, int(value.start_mark.column - key.start_mark.column))
                    todo.append(value)
            elif isinstance(node, yaml.SequenceNode):
                todo += node.value
        return 2

    def _in_flow(self, path: values.Path) -> bool:
        return any(
            isinstance(node := self.node(path[:length]), yaml.CollectionNode) and node.flow_style
            for length in range(len(path))
        )

    def _insert(self, parent: yaml.CollectionNode, value: Any, *, key: str | None = None) -> None:
        first, end = parent.value[0], _span(parent.value[-1])[1]
        if parent.flow_style:
            written = scalars.flow(value if key is None else {key: value})
            self._splice(end, end, ", " + (written if key is None else written[1:-1]))
            return
        column = int((parent if key is None else first[0]).start_mark.column)
        lines = scalars.block(
            [value] if key is None else {key: value}, indent=column, offset=self._list_offset()
        )
        at = self._next_line(end)
        written = self._newline.join(lines)
        if at and self.text[at - 1] not in "\r\n":
            self._splice(at, at, self._newline + written)
        else:
            self._splice(at, at, written + self._newline)

    def _cut(self, parent: yaml.CollectionNode, path: values.Path) -> None:
        keys: list[str | int] = (
            [key for key, _ in nodes.pairs(parent)]
            if isinstance(parent, yaml.MappingNode)
            else list(range(len(parent.value)))
        )
        position = keys.index(path[-1])
        spans = [_span(entry) for entry in parent.value]
        start, end = spans[position]
        if parent.flow_style:
            if position:
                self._splice(spans[position - 1][1], end, "")
            else:
                self._splice(start, spans[1][0], "")
            return
        line_start = max(self.text.rfind("\n", 0, start), self.text.rfind("\r", 0, start)) + 1
        marker = r"[ \t]*" if isinstance(parent, yaml.MappingNode) else r"[ \t]*-[ \t]+"
        if not re.fullmatch(marker, self.text[line_start:start]):
            raise FunctionError("does not begin its line, and cannot be cut out")
        self._splice(line_start, self._next_line(end), "")

    def _rest_of_line(self, at: int) -> str:
        match = _REST_OF_LINE.match(self.text, at)
        return match.group() if match is not None else ""

    def _next_line(self, at: int) -> int:
        """Return where the line after the one with the end of a value begins."""
        if at and self.text[at - 1] in "\r\n":
            return at  # a block scalar ends with its line
        rest = self._rest_of_line(at)
        if rest.strip() and not re.match(r"[ \t]+#", rest):
            raise FunctionError(f"cannot write behind {rest.strip()[:40]!r}")
        match = _LINE_BREAK.match(self.text, at + len(rest))
        return at + len(rest) if match is None else match.end()


def _span(entry: Any) -> tuple[int, int]:
    if isinstance(entry, tuple):
        return int(entry[0].start_mark.index), nodes.end_of(entry[1])
    return int(entry.start_mark.index), nodes.end_of(entry)
