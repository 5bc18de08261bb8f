"""The three-way merge of lines of text, which also carries over comments and order.

It may only propose: whether the text says what the merge by path came to is checked by the caller.
"""

from collections.abc import Sequence
from difflib import SequenceMatcher

# difflib takes quadratic time where many lines are the same
_LINE_LIMIT = 2000

Change = tuple[int, int, list[str]]


def merged(base: str, theirs: str, ours: str) -> str | None:
    """Return the text with the changes of both sides; None where they overlap, or it is long."""
    sides = [text.splitlines(keepends=True) for text in (base, theirs, ours)]
    if max(map(len, sides)) > _LINE_LIMIT:
        return None
    start = sides[0]
    first, second = _changes(start, sides[1]), _changes(start, sides[2])
    together = sorted(first + [change for change in second if change not in first])
    result: list[str] = []
    at = 0
    for index, (begin, end, new) in enumerate(together):
        inserted_here_too = index > 0 and begin == end and together[index - 1][0] == begin
        if begin < at or inserted_here_too:
            return None
        result += [*start[at:begin], *new]
        at = end
    return "".join([*result, *start[at:]])


def _changes(base: Sequence[str], side: Sequence[str]) -> list[Change]:
    matcher = SequenceMatcher(None, base, side, autojunk=False)
    return [
        (begin, end, list(side[its_begin:its_end]))
        for tag, begin, end, its_begin, its_end in matcher.get_opcodes()
        if tag != "equal"
    ]
