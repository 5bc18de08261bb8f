"""How values are written into a text: in the style that stands there, and never misread.

What Go's YAML and Python's read differently (`yes`, `1e3`, `0o7`) is always quoted.
"""

import re
from collections.abc import Sequence
from typing import Any

import yaml

_PLAIN = re.compile(r"[A-Za-z_/](?:[A-Za-z0-9._/@+=-]|:(?=[A-Za-z0-9._/@+=-]))*")
_QUANTITY = re.compile(r"[0-9]+(?:m|Ki|Mi|Gi|Ti)")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


def scalar(value: Any, *, style: str | None = None) -> str:
    """Return a scalar as YAML on one line; a string keeps the quotes of `style` where it can."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    if style == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if style != '"' and _is_plain(value):
        return value
    written: str = yaml.dump(value, default_style='"', width=float("inf"), allow_unicode=True)
    return written.rstrip("\n")


def _is_plain(text: str) -> bool:
    if _QUANTITY.fullmatch(text):
        return True
    return _PLAIN.fullmatch(text) is not None and text.lower() not in _WORDS


def flow(value: Any, *, style: str | None = None) -> str:
    """Return any value in flow style, on one line; a string keeps the quotes of `style`."""
    if isinstance(value, dict):
        inner = ", ".join(f"{scalar(key)}: {flow(item)}" for key, item in value.items())
        return "{" + inner + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return scalar(value, style=style)


def block(value: Any, *, indent: int, offset: int) -> Sequence[str]:
    """Return the lines of a filled mapping or list in block style.

    Args:
        value: What to write.
        indent: The column of its keys or dashes.
        offset: How far lists are indented below their key.
    """
    pad = " " * indent
    lines: list[str] = []
    if isinstance(value, dict):
        for key, item in value.items():
            lines += _entry(f"{pad}{scalar(key)}:", item, indent=indent, offset=offset)
        return lines
    for item in value:
        if isinstance(item, dict) and item:
            first, *rest = block(item, indent=indent + 2, offset=offset)
            lines += [f"{pad}- {first.lstrip(' ')}", *rest]
        else:
            lines.append(f"{pad}- {flow(item)}")
    return lines


def _entry(head: str, value: Any, *, indent: int, offset: int) -> list[str]:
    if not value or not isinstance(value, dict | list):
        return [f"{head} {flow(value)}"]
    inner = indent + 2 if isinstance(value, dict) else indent + offset
    return [head, *block(value, indent=inner, offset=offset)]
