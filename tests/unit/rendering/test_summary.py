import dataclasses
import itertools

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.unit.rendering.samples import (
    ANY_TEXT,
    REASONS,
    decision,
    evidence,
    failure,
    gap,
    started,
)
from traderx_gate.rendering import one_line, summary
from traderx_gate.rendering.summary import CELL, LONGEST, escaped
from traderx_gate.verdict import Reason

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def shown(token: Token) -> str:
    """Return the words of an inline token as a reader sees them; marked where they are not text."""
    children = token.children or []
    return "".join(
        c.content if c.type in {"text", "text_special"} else f"<{c.type}>" for c in children
    )


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table row."""
    found: list[list[str]] = []
    tokens = MARKDOWN.parse(text)
    for before, token in itertools.pairwise(tokens):
        if before.type == "tr_open":
            found.append([])
        if before.type in {"td_open", "th_open"}:
            found[-1].append(shown(token))
    return found


@given(ANY_TEXT)
def test_markdown_shows_any_words_as_they_are(text: str) -> None:
    """Whatever was seen is one table cell with just these words, never markup."""
    table = f"| a | b |\n| --- | --- |\n| x{escaped(text)}x | y |\n"
    assert rows(table)[1] == [f"x{one_line(text, longest=CELL)}x", "y"]


@given(st.lists(REASONS, min_size=1, max_size=4))
def test_each_reason_is_a_row_of_six_cells(reasons: list[Reason]) -> None:
    """Whatever the reasons say, each is one row: verdict, claim, what, expected, seen, look at."""
    body = rows(summary(evidence(), decision(*reasons)))[-len(reasons) :]
    assert [row[4] for row in body] == [one_line(r.seen, longest=CELL).strip() for r in reasons]
    assert {len(row) for row in body} == {6}


def test_decision_comes_first() -> None:
    """The second thing that a reader sees is the verdict in one sentence."""
    assert (
        "**FAIL: 1 failed; 0 of 1 required claims proven**"
        in summary(evidence(), decision(failure())).split("\n\n")[1]
    )


def test_meaning_of_missing_proof_is_said() -> None:
    """INCONCLUSIVE is told apart from FAIL, with its exit code."""
    text = summary(evidence(), decision(gap()))
    assert "Exit code 3" in text
    assert "does not promote" in text


def test_accepted_risks_are_listed_in_a_pass() -> None:
    """A PASS shows which failures were accepted."""
    text = summary(evidence(), decision(accepted=("a.b: known (me, until 2027-01-01)",)))
    assert "- a.b: known (me, until 2027-01-01)" in text


def test_killed_run_has_its_summary_too() -> None:
    """Evidence without an end is told as such."""
    assert "never ended" in summary(started(), decision(gap("", "the run did not end")))


def test_summary_stays_below_what_github_takes() -> None:
    """Very many reasons are cut, and the rest is counted: above 1 MiB GitHub shows nothing."""
    reason = dataclasses.replace(failure(seen="ü" * 400), expected="ü" * 400, where="ü" * 400)
    text = summary(evidence(), decision(*[reason] * 1000))
    assert len(text.encode()) < 1024 * 1024 - 10_000
    assert len(text.encode()) + 3000 > LONGEST
    left = 1000 - text.count("| FAIL |")
    assert text.endswith(f"{left} more are in the report.\n")
