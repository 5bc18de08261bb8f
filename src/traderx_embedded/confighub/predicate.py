"""What a `where` expression means for one kind of entity.

`bind` checks every name against the entity's allow-list and every operator against the attribute's
kind, and returns a predicate. Absent values (no target, no such label) satisfy no relation, as NULL
in the database behind ConfigHub.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from traderx_embedded.confighub import where
from traderx_embedded.confighub.attributes import Kind, attributes_of, parse_time, parse_uuid
from traderx_embedded.confighub.entities import RELATIONS, Entity
from traderx_embedded.confighub.errors import ApiError
from traderx_embedded.confighub.where import Length, Literal, Name, Operator, Relation, WhereError

Related = Callable[[type[Entity], str], Entity | None]
Predicate = Callable[[Entity, Related], bool]

_COMPARISONS: Mapping[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQUAL: operator.eq,
    Operator.NOT_EQUAL: operator.ne,
    Operator.LESS: operator.lt,
    Operator.GREATER: operator.gt,
    Operator.AT_MOST: operator.le,
    Operator.AT_LEAST: operator.ge,
}
_EQUALITY = frozenset({Operator.EQUAL, Operator.NOT_EQUAL})
_LISTS = frozenset({Operator.IN, Operator.NOT_IN})
_PATTERNS = frozenset(
    {
        Operator.LIKE,
        Operator.ILIKE,
        Operator.NOT_LIKE,
        Operator.LIKE_SIGN,
        Operator.NOT_LIKE_SIGN,
        Operator.MATCHES,
        Operator.MATCHES_ANY_CASE,
        Operator.NOT_MATCHES,
        Operator.NOT_MATCHES_ANY_CASE,
    }
)
_ALLOWED: Mapping[Kind, frozenset[Operator]] = {
    Kind.TEXT: frozenset(_COMPARISONS) | _LISTS | _PATTERNS,
    Kind.INTEGER: frozenset(_COMPARISONS) | _LISTS,
    Kind.BOOLEAN: _EQUALITY,
    Kind.UUID: _EQUALITY,
    Kind.TIME: frozenset(_COMPARISONS),
    Kind.UUIDS: frozenset({Operator.HAS}),
}
_MAPS = {Kind.LABELS: Kind.TEXT, Kind.ANNOTATIONS: Kind.TEXT, Kind.FLAGS: Kind.BOOLEAN}
_PATTERN_LIMIT = 128
# POSIX engines take linear time, Python's does not: two open repeats are what stays cheap.
_REPEATS_LIMIT = 2


@dataclass(frozen=True, slots=True)
class _Reader:
    """How to read one attribute of an entity; None is absent."""

    kind: Kind
    read: Callable[[Entity, Related], Any]


def bind(text: str, entity_type: type[Entity]) -> Predicate:
    """Return the predicate that a `where` text states about an entity type.

    Raises:
        WhereError: The text is not in the grammar, names something that cannot be filtered, or uses
            an operator that the attribute does not take.
    """
    predicates = tuple(_relation(relation, entity_type) for relation in where.parse(text))

    def all_hold(entity: Entity, related: Related) -> bool:
        return all(holds(entity, related) for holds in predicates)

    return all_hold


def _relation(relation: Relation, entity_type: type[Entity]) -> Predicate:
    left = _operand(relation.left, entity_type)
    sign = relation.operator
    if sign not in _ALLOWED.get(left.kind, frozenset()):
        raise WhereError(
            f"where: {_text(relation.left)} holds a {left.kind.value}, "
            f"which {sign.value} does not compare"
        )
    if isinstance(relation.right, Name):
        return _between_fields(left, sign, relation.right, entity_type)
    if isinstance(relation.right, tuple):
        wanted = frozenset(_value(left.kind, item, relation.left) for item in relation.right)
        test = _membership(wanted, negated=sign is Operator.NOT_IN)
    else:
        test = _test(sign, _value(left.kind, relation.right, relation.left))

    def holds(entity: Entity, related: Related) -> bool:
        seen = left.read(entity, related)
        return seen is not None and test(seen)

    return holds


def _between_fields(
    left: _Reader, sign: Operator, name: Name, entity_type: type[Entity]
) -> Predicate:
    right = _attribute(name, entity_type)
    if right.kind is not left.kind or sign not in _COMPARISONS:
        raise WhereError(
            f"where: {sign.value} does not compare a {left.kind.value} with {name.text}, "
            f"which holds a {right.kind.value}; texts are written in single quotes"
        )
    compare = _COMPARISONS[sign]

    def holds(entity: Entity, related: Related) -> bool:
        one, other = left.read(entity, related), right.read(entity, related)
        return one is not None and other is not None and compare(one, other)

    return holds


def _operand(operand: Name | Length, entity_type: type[Entity]) -> _Reader:
    if isinstance(operand, Name):
        return _attribute(operand, entity_type)
    inner = _attribute(operand.name, entity_type)
    if inner.kind not in {Kind.UUIDS, *_MAPS}:
        raise WhereError(f"where: LEN takes a list or a map, {operand.name.text} is neither")

    def length(entity: Entity, related: Related) -> int | None:
        seen = inner.read(entity, related)
        return None if seen is None else len(seen)

    return _Reader(Kind.INTEGER, length)


def _attribute(name: Name, entity_type: type[Entity]) -> _Reader:
    head, _, rest = name.text.partition(".")
    if rest and head == entity_type.__name__ and head not in RELATIONS[entity_type]:
        return _attribute(Name(rest), entity_type)
    if rest and head in RELATIONS[entity_type]:
        return _through(head, rest, entity_type)
    declared = attributes_of(entity_type).get(head)
    if declared is None or not declared.filterable or declared.internal:
        raise WhereError(f"where: {entity_type.__name__} has no filterable attribute {head}")
    field = declared.field
    if not rest:
        kind = Kind.TEXT if declared.kind is Kind.SLUG else declared.kind
        return _Reader(kind, lambda entity, _: getattr(entity, field))
    if declared.kind not in _MAPS:
        raise WhereError(f"where: {head} is no map, so {name.text} names nothing")
    return _Reader(_MAPS[declared.kind], lambda entity, _: getattr(entity, field).get(rest))


def _through(head: str, rest: str, entity_type: type[Entity]) -> _Reader:
    holder, related_type = RELATIONS[entity_type][head]
    field = attributes_of(entity_type)[holder].field
    inner = _attribute(Name(rest), related_type)

    def read(entity: Entity, related: Related) -> Any:
        identifier = getattr(entity, field)
        other = None if identifier is None else related(related_type, identifier)
        return None if other is None else inner.read(other, related)

    return _Reader(inner.kind, read)


def _value(kind: Kind, literal: Literal, of: Name | Length) -> Any:
    value = literal.value
    fits = {Kind.INTEGER: int, Kind.BOOLEAN: bool}.get(kind, str)
    if type(value) is not fits:
        raise WhereError(f"where: {_text(of)} holds a {kind.value}, {value!r} is none")
    try:
        if kind in {Kind.UUID, Kind.UUIDS}:
            return parse_uuid(value, where="where") or ""
        if kind is Kind.TIME:
            return parse_time(str(value))
    except (ApiError, ValueError, OverflowError) as error:
        raise WhereError(f"where: {_text(of)} holds a {kind.value}, {value!r} is none") from error
    return value


def _membership(wanted: frozenset[Any], *, negated: bool) -> Callable[[Any], bool]:
    return lambda seen: (seen in wanted) is not negated


def _test(sign: Operator, wanted: Any) -> Callable[[Any], bool]:
    if sign in _COMPARISONS:
        compare = _COMPARISONS[sign]
        return lambda seen: compare(seen, wanted)
    if sign is Operator.HAS:
        return lambda seen: wanted in seen
    if "~" in sign.value and not sign.value.endswith("~~"):
        pattern, found = _regex(wanted, any_case=sign.value.endswith("*")), "search"
    else:
        pattern, found = _like(wanted, any_case=sign is Operator.ILIKE), "fullmatch"
    negated = sign.value.startswith(("!", "NOT"))
    search = getattr(pattern, found)
    return lambda seen: (search(seen) is not None) is not negated


def _like(text: str, *, any_case: bool) -> re.Pattern[str]:
    # runs of % are one %; otherwise a row of them is exponential in Python's engine
    parts = re.sub(r"%+", "%", text)
    if parts.count("%") > 4 or len(parts) > _PATTERN_LIMIT:
        raise WhereError(f"where: a LIKE pattern has at most 4 % and {_PATTERN_LIMIT} characters")
    source = "".join({"%": ".*?", "_": "."}.get(char) or re.escape(char) for char in parts)
    return re.compile(source, re.DOTALL | (re.IGNORECASE if any_case else 0))


def _regex(text: str, *, any_case: bool) -> re.Pattern[str]:
    repeats = len(re.findall(r"[*+{]", text))
    unsupported = re.search(r"\(\?|\)[*+{?]|\[\[|\[:|--|&&|\|\||~~", text)
    if len(text) > _PATTERN_LIMIT or repeats > _REPEATS_LIMIT or unsupported:
        raise WhereError(
            f"where: {text[:40]!r}: patterns have at most {_PATTERN_LIMIT} characters and "
            f"{_REPEATS_LIMIT} repeats, no repeated groups and no [:classes:]"
        )
    try:
        return re.compile(text, re.IGNORECASE if any_case else 0)
    except (re.error, OverflowError) as error:
        raise WhereError(f"where: {text!r} is not a pattern: {error}") from error


def _text(operand: Name | Length) -> str:
    return operand.text if isinstance(operand, Name) else f"LEN({operand.name.text})"
