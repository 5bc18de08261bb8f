"""Foreign text on one line: what an environment says may hold anything."""

import re

UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""No XML, no terminal and no UTF-8 file takes all of these; white space is dealt with before."""
LONGEST = 1000
MARK = "…"


def one_line(text: str, *, longest: int = LONGEST) -> str:
    """Return text without line breaks and control characters, cut with a mark where it is long."""
    line = UNPRINTABLE.sub("\ufffd", " ".join(text.split()))
    return line if len(line) <= longest else line[: longest - len(MARK)] + MARK
