"""The grammar of `where`: text to a typed tree, once, and nothing else.

Relations joined by AND; no OR, no parentheses, no NOT in front. What the names mean, and whether an
operator suits them, is decided in `predicate`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

LENGTH_LIMIT = 65536
NAME_LIMIT = 256
RELATION_LIMIT = 256


class WhereError(ValueError):
    """The text is not an expression of the grammar."""


class Operator(Enum):
    """The operators, as written; two spellings of one meaning stay two members."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    GREATER = ">"
    AT_MOST = "<="
    AT_LEAST = ">="
    LIKE = "LIKE"
    ILIKE = "ILIKE"
    NOT_LIKE = "NOT LIKE"
    LIKE_SIGN = "~~"
    NOT_LIKE_SIGN = "!~~"
    MATCHES = "~"
    MATCHES_ANY_CASE = "~*"
    NOT_MATCHES = "!~"
    NOT_MATCHES_ANY_CASE = "!~*"
    IN = "IN"
    NOT_IN = "NOT IN"
    HAS = "?"


@dataclass(frozen=True, slots=True)
class Name:
    """An attribute as written, such as `Slug` or `Space.Labels.project`."""

    text: str


@dataclass(frozen=True, slots=True)
class Length:
    """`LEN(attribute)`."""

    name: Name


@dataclass(frozen=True, slots=True)
class Literal:
    """A quoted text, an integer or a boolean."""

    value: str | int | bool


@dataclass(frozen=True, slots=True)
class Relation:
    """One comparison; a tuple on the right belongs to IN and NOT IN."""

    left: Name | Length
    operator: Operator
    right: Name | Literal | tuple[Literal, ...]


Expression = tuple[Relation, ...]

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'[^'\\]*')
    | (?P<integer>\d+)(?![\w.])
    | (?P<name>[A-Za-z][\w./-]*)
    | (?P<sign>!~~|!~\*|!~|~~|~\*|~|!=|<=|>=|<|>|=|\?|\(|\)|,)
    )""",
    re.VERBOSE | re.ASCII,
)
_KEYWORDS = frozenset({"AND", "IN", "NOT", "LIKE", "ILIKE", "LEN", "OR", "IS", "NULL"})
_SIGNS = {operator.value: operator for operator in Operator}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parse(text: str) -> Expression:
    """Return the relations of an expression.

    Raises:
        WhereError: The text is not in the grammar; the message says where and why.
    """
    if len(text) > LENGTH_LIMIT:
        raise WhereError(f"where: {len(text)} characters; at most {LENGTH_LIMIT} are read")
    return _Parser(text).expression()


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            rest = text[position:].lstrip()
            at = len(text) - len(rest)
            raise WhereError(_message("cannot be read", text, at))
        kind = match.lastgroup
        yield _Token(kind, match.group(kind), match.start(kind))
        position = match.end()
    yield _Token("end", "", len(text))


def _message(problem: str, text: str, at: int) -> str:
    seen = ascii(text[at : at + 30]) if at < len(text) else "the end"
    return f"where: {problem}: {seen} at character {at + 1}"


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._next = 0

    def expression(self) -> Expression:
        relations = [self._relation()]
        while self._taken("name", "AND"):
            relations.append(self._relation())
            if len(relations) > RELATION_LIMIT:
                raise WhereError(f"where: more than {RELATION_LIMIT} relations")
        if self._peek().kind != "end":
            raise self._error("expected AND or the end (OR and parentheses are not supported)")
        return tuple(relations)

    def _relation(self) -> Relation:
        left = self._operand()
        operator = self._operator()
        if operator in {Operator.IN, Operator.NOT_IN}:
            return Relation(left, operator, self._list())
        return Relation(left, operator, self._right())

    def _operand(self) -> Name | Length:
        if self._taken("name", "LEN"):
            self._expect("(")
            name = self._name()
            self._expect(")")
            return Length(name)
        return self._name()

    def _name(self) -> Name:
        token = self._peek()
        if token.kind != "name" or token.text in _KEYWORDS or token.text in {"true", "false"}:
            raise self._error("expected an attribute")
        if len(token.text) > NAME_LIMIT:
            raise self._error(f"attribute of more than {NAME_LIMIT} characters")
        self._next += 1
        return Name(token.text)

    def _operator(self) -> Operator:
        for words in ("NOT IN", "NOT LIKE", "IN", "LIKE", "ILIKE"):
            start = self._next
            if all(self._taken("name", word) for word in words.split()):
                return Operator(words)
            self._next = start
        token = self._peek()
        if token.kind == "sign" and token.text in _SIGNS:
            self._next += 1
            return _SIGNS[token.text]
        raise self._error("expected an operator")

    def _right(self) -> Name | Literal:
        if self._peek().kind == "name" and self._peek().text not in {"true", "false"}:
            return self._name()
        return self._literal()

    def _list(self) -> tuple[Literal, ...]:
        self._expect("(")
        items = [self._literal()]
        while self._taken("sign", ","):
            items.append(self._literal())
        self._expect(")")
        return tuple(items)

    def _literal(self) -> Literal:
        token = self._peek()
        self._next += 1
        if token.kind == "string":
            return Literal(token.text[1:-1])
        if token.kind == "integer" and len(token.text) <= 10:
            return Literal(int(token.text))
        if token.kind == "name" and token.text in {"true", "false"}:
            return Literal(token.text == "true")
        self._next -= 1
        raise self._error("expected a quoted text, an integer of at most 10 digits, true or false")

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _taken(self, kind: str, text: str) -> bool:
        token = self._peek()
        if token.kind == kind and token.text == text:
            self._next += 1
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._taken("sign", sign):
            raise self._error(f"expected {sign}")

    def _error(self, problem: str) -> WhereError:
        return WhereError(_message(problem, self._text, self._peek().at))
