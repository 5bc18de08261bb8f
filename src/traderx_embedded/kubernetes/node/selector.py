"""Label and field selectors, as a query to the API has them."""

import re
from collections.abc import Callable, Mapping

_TERM = re.compile(r"\s*(?:[^,(]|\([^)]*\))+")
_SET = re.compile(r"(?P<key>\S+)\s+(?P<how>in|notin)\s*\((?P<values>[^)]*)\)")
_EQUAL = re.compile(r"(?P<key>[^=!\s]+)\s*(?P<how>!=|==|=)\s*(?P<value>[^=!]*)")

Matcher = Callable[[Mapping[str, str]], bool]


class SelectorError(Exception):
    """The selector cannot be read."""


def parse(text: str) -> Matcher:
    """Return whether labels match all terms of the selector.

    Raises:
        SelectorError: A term is malformed.
    """
    terms = [_term(match[0].strip()) for match in _TERM.finditer(text)]
    return lambda labels: all(term(labels) for term in terms)


def _term(text: str) -> Matcher:
    if match := _SET.fullmatch(text):
        key, values = match["key"], {value.strip() for value in match["values"].split(",")}
        if match["how"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if match := _EQUAL.fullmatch(text):
        key, value = match["key"], match["value"].strip()
        if match["how"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if re.fullmatch(r"!?[^=!\s()]+", text):
        key, wanted = text.removeprefix("!"), not text.startswith("!")
        return lambda labels: (key in labels) is wanted
    raise SelectorError(f"unable to parse requirement: {text!r}")
