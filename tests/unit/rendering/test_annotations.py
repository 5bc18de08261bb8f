import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rendering.samples import REASONS, decision, failure, gap
from traderx_gate.rendering import Source, annotations, one_line, refusal
from traderx_gate.verdict import Reason

SOURCES = {"a.b": Source(path="suites/s/test_a.py", line=7)}
COMMAND = re.compile(r"::(?P<level>error|warning) (?P<properties>[^:]*)::(?P<text>.*)")


def unescaped(text: str) -> str:
    """Return text as the runner's ActionCommand reads it: `%25` last."""
    codes = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}
    for code, character in codes.items():
        text = text.replace(code, character)
    return text


def read(line: str) -> tuple[str, dict[str, str], str]:
    """Read a workflow command as the runner does: level, properties, text."""
    match = COMMAND.fullmatch(line)
    assert match is not None, line
    given_properties = (pair.partition("=") for pair in match["properties"].split(","))
    properties = {name: unescaped(value) for name, _, value in given_properties}
    return match["level"], properties, unescaped(match["text"])


def test_failing_claim_is_an_error_at_its_check() -> None:
    """A false claim is an error with the suite's file and line, its name and what was seen."""
    (line,) = annotations(decision(failure("a.b[database]", seen="503, maybe: no")), SOURCES)
    assert line == (
        "::error file=suites/s/test_a.py,line=7,title=FAIL a.b[database]"
        "::no answer%0Aseen: 503, maybe: no"
    )


def test_missing_proof_is_a_warning() -> None:
    """Claims without proof do not crowd out those that are false."""
    assert [read(line)[0] for line in annotations(decision(gap()), SOURCES)] == ["warning"]


def test_pass_annotates_nothing() -> None:
    """Where nothing speaks against it, nothing is annotated."""
    assert annotations(decision(proven=("a.b",)), SOURCES) == []


@pytest.mark.parametrize(("count", "last"), [(10, "no answer"), (11, "2 more"), (300, "291 more")])
def test_at_most_as_many_as_are_shown(count: int, last: str) -> None:
    """GitHub drops what is above ten of a level: the tenth counts the rest instead."""
    lines = annotations(decision(*[failure()] * count), SOURCES)
    assert len(lines) == 10
    assert read(lines[-1])[2].startswith(last)


@given(st.lists(REASONS, max_size=12))
def test_any_words_stay_within_their_annotation(reasons: list[Reason]) -> None:
    """Whatever was seen, each line is one command that the runner reads back to these words."""
    for line in annotations(decision(*reasons), SOURCES):
        assert line == "".join(line.splitlines())
        _, properties, text = read(line)
        assert set(properties) <= {"file", "line", "title"}
        assert "more; all of them" in text or any(one_line(r.seen) in text for r in reasons)


def test_words_that_look_escaped_come_back_as_they_were() -> None:
    """Percent signs, colons and commas are read back, in the title too."""
    (line,) = annotations(decision(failure("a:b,c%3A", text="100%0A, %25: 1::2")), SOURCES)
    _, properties, text = read(line)
    assert (properties["title"], text) == ("FAIL a:b,c%3A", "100%0A, %25: 1::2")


def test_refusal_is_one_error() -> None:
    """What a command was refused for is an annotation too, on one line."""
    assert read(refusal("no space\n::set-env name=X::y")) == (
        "error",
        {"title": "traderx-gate"},
        "no space ::set-env name=X::y",
    )
