import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traderx_embedded.confighub import where
from traderx_embedded.confighub.where import (
    Expression,
    Length,
    Literal,
    Name,
    Operator,
    Relation,
    WhereError,
)

ACCEPTED: dict[str, Expression] = {
    "Slug = 'x'": (Relation(Name("Slug"), Operator.EQUAL, Literal("x")),),
    "UnitID='x'": (Relation(Name("UnitID"), Operator.EQUAL, Literal("x")),),
    "RevisionNum = 12": (Relation(Name("RevisionNum"), Operator.EQUAL, Literal(12)),),
    "Slug IN ('a', 'b')": (Relation(Name("Slug"), Operator.IN, (Literal("a"), Literal("b"))),),
    "Slug NOT IN('a')": (Relation(Name("Slug"), Operator.NOT_IN, (Literal("a"),)),),
    "Labels.app.kubernetes.io/name = 'v'": (
        Relation(Name("Labels.app.kubernetes.io/name"), Operator.EQUAL, Literal("v")),
    ),
    "Space.Labels.a-b != ''": (
        Relation(Name("Space.Labels.a-b"), Operator.NOT_EQUAL, Literal("")),
    ),
    "LEN(ApplyGates)>0": (Relation(Length(Name("ApplyGates")), Operator.GREATER, Literal(0)),),
    "ApprovedBy ? 'u'": (Relation(Name("ApprovedBy"), Operator.HAS, Literal("u")),),
    "ApplyGates.t/f = true": (
        Relation(Name("ApplyGates.t/f"), Operator.EQUAL, Literal(value=True)),
    ),
    "Slug !~~ 'a%'": (Relation(Name("Slug"), Operator.NOT_LIKE_SIGN, Literal("a%")),),
    "Slug!~*'a'": (Relation(Name("Slug"), Operator.NOT_MATCHES_ANY_CASE, Literal("a")),),
    " A = 1\n AND\tB < C ": (
        Relation(Name("A"), Operator.EQUAL, Literal(1)),
        Relation(Name("B"), Operator.LESS, Name("C")),
    ),
    "Unit.UpstreamRevisionNum < UpstreamUnit.HeadRevisionNum": (
        Relation(
            Name("Unit.UpstreamRevisionNum"), Operator.LESS, Name("UpstreamUnit.HeadRevisionNum")
        ),
    ),
    "Slug = 'a AND b OR c'": (Relation(Name("Slug"), Operator.EQUAL, Literal("a AND b OR c")),),
}


@pytest.mark.parametrize(("text", "expression"), ACCEPTED.items(), ids=ACCEPTED.keys())
def test_reads(text: str, expression: Expression) -> None:
    """An expression of the grammar is read as what it says."""
    assert where.parse(text) == expression


REFUSED = [
    "",
    "   ",
    "*",
    "* AND SpaceID = 'x'",
    "Slug",
    "Slug =",
    "= 'x'",
    "Slug = 'x' OR Slug = 'y'",
    "Slug = 'x' or Slug = 'y'",
    "Slug = 'x' and Slug = 'y'",
    "(Slug = 'x')",
    "NOT Slug = 'x'",
    "Slug = 'x' AND",
    "AND Slug = 'x'",
    "Slug = 'x' Slug = 'y'",
    "Slug = 'x",
    "Slug = x'",
    "Slug = 'it''s'",
    "Slug = 'it\\'s'",
    "Slug = 'a\\b'",
    'Slug = "x"',
    "Slug == 'x'",
    "Slug <> 'x'",
    "Slug IS NULL",
    "Slug IN ()",
    "Slug IN ('a',)",
    "Slug IN 'a'",
    "Slug IN (Slug)",
    "Slug NOT 'a'",
    "RevisionNum = -1",
    "RevisionNum = 1.5",
    "RevisionNum = 12345678901",
    "RevisionNum = 0x10",
    "RevisionNum = 1e3",
    "RevisionNum = \u0661",
    "LEN ApplyGates > 0",
    "LEN(LEN(x)) > 0",
    "LEN('x') > 0",
    "'x' = Slug",
    "1 = 1",
    "true = true",
    "Slug = 'x'; DROP TABLE entity",
    "Slug = 'x' -- comment",
    "Slug = 'x' /* comment */",
    "Slug = 'x' UNION SELECT secret FROM entity",
    "Slug = 'x' AND 1=1",
    "Slug = (SELECT 1)",
    "Slug = 'x'\x00",
    "Sl\u00fcg = 'x'",
    "json_extract(body, '$.secret') = 'x'",
    "Slug = $1",
    "Slug = ?",
    "Slug || '' = 'x'",
    "Labels['k'] = 'v'",
    "Labels->>'k' = 'v'",
    "A" * 300 + " = 'x'",
    " AND ".join(["A = 1"] * 257),
    "Slug = '" + "a" * 70_000 + "'",
]


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: ascii(text)[:40])
def test_refuses(text: str) -> None:
    """What is not in the grammar, injection attempts among it, is refused with its place."""
    with pytest.raises(WhereError, match=r"^where: .+"):
        where.parse(text)


def test_message_names_the_place() -> None:
    """A refusal says what was expected, what was seen, and at which character."""
    expected = (
        "expected AND or the end (OR and parentheses are not supported): 'OR b' at character 7"
    )
    with pytest.raises(WhereError, match=re.escape(expected)):
        where.parse("a = 1 OR b")


names = st.from_regex(r"[A-Z][a-z]{2,8}(\.[a-z][a-z/-]{0,5}[a-z])?", fullmatch=True).map(Name)
texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="'\\"), max_size=10
).map(Literal)
integers = st.integers(0, 10**10 - 1).map(Literal)
literals = texts | integers | st.booleans().map(Literal)
one_to_one = st.sampled_from([o for o in Operator if o not in {Operator.IN, Operator.NOT_IN}])
relations = st.builds(
    Relation, names | names.map(Length), one_to_one, literals | names
) | st.builds(
    Relation,
    names,
    st.sampled_from([Operator.IN, Operator.NOT_IN]),
    st.lists(literals, min_size=1, max_size=3).map(tuple),
)


def _written(part: object) -> str:
    match part:
        case Relation(left, operator, right):
            return f"{_written(left)} {operator.value} {_written(right)}"
        case Name(text):
            return text
        case Length(name):
            return f"LEN({name.text})"
        case Literal(value):
            return f"'{value}'" if isinstance(value, str) else str(value).lower()
        case tuple():
            return "(" + ", ".join(_written(item) for item in part) + ")"
        case _:
            raise AssertionError(part)


@given(st.lists(relations, min_size=1, max_size=4).map(tuple))
def test_reads_what_was_written(expression: Expression) -> None:
    """Any expression, written out, is read back as itself."""
    assert where.parse(" AND ".join(_written(relation) for relation in expression)) == expression


@given(st.text(alphabet=st.sampled_from("Slug AND IN NOT ()'=<>!~?,.\\*%01"), max_size=40))
def test_nothing_else_escapes(text: str) -> None:
    """Whatever the text, it is an expression or refused as none."""
    try:
        expression = where.parse(text)
    except WhereError:
        return
    assert all(isinstance(relation, Relation) for relation in expression)
