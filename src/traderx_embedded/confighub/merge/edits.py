"""Turning the text of one YAML document into one that says something else, by the fewest edits."""

from typing import Any

from traderx_embedded.confighub.functions import scalars
from traderx_embedded.confighub.functions.document import Document
from traderx_embedded.confighub.functions.errors import FunctionError
from traderx_embedded.confighub.merge.values import Path, differences, same

# Each edit reads the document again: characters read in all, beyond which it is written anew.
_READING_LIMIT = 2 * 2**20


def rewritten(text: str, value: Any) -> str:
    """Return the text of a document with another value; what did not change stays as it is written.

    Where an edit is beyond what can be cut into the text, the document is written anew, without its
    comments.
    """
    document = Document(text)
    old = document.value()
    if same(old, value):
        return text
    reading = len(text) * sum(1 for _ in differences(old, value))
    if not (isinstance(old, dict) and isinstance(value, dict)) or reading > _READING_LIMIT:
        return _anew(text, value)
    try:
        _edit(document, (), old, value)
    except FunctionError:
        return _anew(text, value)
    return document.text if same(document.value(), value) else _anew(text, value)


def _edit(document: Document, path: Path, old: Any, new: Any) -> None:
    if same(old, new):
        return
    if isinstance(old, dict) and isinstance(new, dict) and new:
        for key, value in new.items():
            if key in old:
                _edit(document, (*path, key), old[key], value)
            else:
                document.set((*path, key), value)
        for key in old.keys() - new.keys():
            document.delete((*path, key))
    elif isinstance(old, list) and isinstance(new, list) and old and new:
        _edit_list(document, path, old, new)
    else:
        document.set(path, new)


def _edit_list(document: Document, path: Path, old: list[Any], new: list[Any]) -> None:
    kept = _kept(old, new)
    if kept is not None:
        for index in sorted(set(range(len(old))) - set(kept), reverse=True):
            document.delete((*path, index))
    elif len(old) == len(new) or (len(old) < len(new) and all(map(same, old, new))):
        for index, (before, after) in enumerate(zip(old, new, strict=False)):
            _edit(document, (*path, index), before, after)
        for value in new[len(old) :]:
            document.append(path, value)
    else:
        # item by item, comments would end up beside others than they were written for
        document.set(path, new)


def _kept(old: list[Any], new: list[Any]) -> list[int] | None:
    """Return which items are left, if the new list is the old one without some."""
    kept: list[int] = []
    for index, item in enumerate(old):
        if len(kept) < len(new) and same(item, new[len(kept)]):
            kept.append(index)
    return kept if len(kept) == len(new) < len(old) else None


def _anew(text: str, value: Any) -> str:
    head = "---\n" if text.startswith("---") else ""
    if isinstance(value, dict | list) and value:
        return head + "\n".join(scalars.block(value, indent=0, offset=2)) + "\n"
    return f"{head}{scalars.flow(value)}\n"
