"""Kinds of attributes: how each is read from a request, checked, and named in JSON.

The entities declare their attributes with `attribute`; everything else (parsing, answers, the
allow-lists of `where`) is derived from those declarations.
"""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from traderx_embedded.confighub.errors import bad_request

ZERO_UUID = str(uuid.UUID(int=0))
ZERO_TIME = "0001-01-01T00:00:00.000000Z"

SLUG = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
LABEL_KEY = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,126}[A-Za-z0-9])?")
LABEL_VALUE = re.compile(r"""(?! )[^\x00-\x1f\x7f"'\\*]{0,128}(?<! )""")
TEXT_LIMIT = 65536

# Filled on first use; the declarations never change.
_DECLARED: dict[type, Mapping[str, "Attribute"]] = {}


class Kind(Enum):
    """What an attribute holds, and so which operators of `where` it takes."""

    TEXT = "text"
    SLUG = "slug"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    UUID = "uuid"
    UUIDS = "uuids"
    TIME = "time"
    LABELS = "labels"
    ANNOTATIONS = "annotations"
    FLAGS = "flags"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute of an entity.

    Attributes:
        name: Its name in JSON and in `where`.
        kind: What it holds.
        writable: Whether clients set it; the rest is accepted in bodies and ignored.
        filterable: Whether `where` may name it.
        internal: Whether it is kept from answers.
        field: The name of the dataclass field.
    """

    name: str
    kind: Kind
    writable: bool
    filterable: bool
    internal: bool
    field: str = ""


def attribute(
    name: str,
    kind: Kind,
    *,
    default: Any = None,
    writable: bool = False,
    filterable: bool = True,
    internal: bool = False,
) -> Any:
    """Declare an attribute of an entity; `None` is the absent value and left out of answers."""
    declared = Attribute(
        name=name, kind=kind, writable=writable, filterable=filterable, internal=internal
    )
    if default is None and kind in {Kind.LABELS, Kind.ANNOTATIONS, Kind.FLAGS}:
        return field(default_factory=dict, metadata={"attribute": declared})
    return field(default=default, metadata={"attribute": declared})


def attributes_of(entity_type: type) -> Mapping[str, Attribute]:
    """Return the attributes of an entity type by JSON name.

    `*ID` stands for the entity's own identifier (`UnitID` of a `Unit`).
    """
    if entity_type in _DECLARED:
        return _DECLARED[entity_type]
    found: dict[str, Attribute] = {}
    for declared_field in fields(entity_type):
        declared: Attribute = declared_field.metadata["attribute"]
        name = declared.name.replace("*", entity_type.__name__)
        found[name] = Attribute(
            name=name,
            kind=declared.kind,
            writable=declared.writable,
            filterable=declared.filterable,
            internal=declared.internal,
            field=declared_field.name,
        )
    _DECLARED[entity_type] = found
    return found


def now() -> str:
    """Return this instant as the API writes it; such texts sort by time."""
    return time_text(datetime.now(UTC))


def time_text(moment: datetime) -> str:
    """Return a moment as the API writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> str:
    """Return an RFC 3339 time in the one form that sorts as text.

    Raises:
        ValueError: It is not a time.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    # strftime does not pad years below 1000, and the zero time is in year 1
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_uuid(text: object, *, where: str) -> str | None:
    """Return a UUID in canonical form; absent, null and all zeros are None.

    Raises:
        ApiError: It is not a UUID.
    """
    if text is None or text == ZERO_UUID:
        return None
    # uuid.UUID also takes braces and urn prefixes, which ConfigHub does not
    if isinstance(text, str) and re.fullmatch(
        r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", text
    ):
        return text.lower()
    raise bad_request(f"{where}: {_shown(text)} is not a UUID")


def parse_slug(value: object, *, where: str) -> str:
    """Return a slug.

    Raises:
        ApiError: It breaks the rule for slugs.
    """
    if isinstance(value, str) and SLUG.fullmatch(value):
        return value
    raise bad_request(
        f"{where}: {_shown(value)} is not a slug: 1 to 128 letters, digits, '-', '_' or '.', "
        "a letter or digit first and last"
    )


def parse(declared: Attribute, value: object, *, entity: str) -> Any:
    """Return the value of a writable attribute from a JSON body.

    Raises:
        ApiError: The value is of another type, or breaks the rules of its kind.
    """
    where = f"{entity}.{declared.name}"
    match declared.kind:
        case Kind.UUID:
            return parse_uuid(value, where=where)
        case Kind.SLUG:
            return parse_slug(value, where=where)
        case Kind.LABELS | Kind.ANNOTATIONS:
            return _parse_map(declared.kind, value, where=where)
        case Kind.TEXT:
            return _parse_text(value, where=where)
        case Kind.BOOLEAN:
            return _parse_boolean(value, where=where)
        case Kind.DOCUMENT:
            return _parse_document(value, where=where)
        case _:
            raise AssertionError(f"{where}: no client sets a {declared.kind.value}")


def _parse_text(value: object, *, where: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise bad_request(f"{where}: {_shown(value)} is not a string")
    if len(value) > TEXT_LIMIT:
        raise bad_request(f"{where}: {len(value)} characters; at most {TEXT_LIMIT} are kept")
    return _encodable(value, where=where)


def _parse_boolean(value: object, *, where: str) -> bool:
    if value is not None and not isinstance(value, bool):
        raise bad_request(f"{where}: {_shown(value)} is neither true nor false")
    return bool(value)


def _parse_document(value: object, *, where: str) -> object:
    size = len(json.dumps(value))
    if size > TEXT_LIMIT:
        raise bad_request(f"{where}: {size} characters of JSON; at most {TEXT_LIMIT} are kept")
    return value


def _parse_map(kind: Kind, value: object, *, where: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad_request(f"{where}: {_shown(value)} is not an object of strings")
    for key, text in value.items():
        if not LABEL_KEY.fullmatch(key):
            raise bad_request(f"{where}: {_shown(key)} is not a valid key")
        if not isinstance(text, str):
            raise bad_request(f"{where}.{key}: {_shown(text)} is not a string")
        if kind is Kind.LABELS and not LABEL_VALUE.fullmatch(text):
            raise bad_request(
                f"{where}.{key}: {_shown(text)} is not a label value: at most 128 printable "
                "characters, no quotes, backslash or *, no space at either end"
            )
        if kind is Kind.ANNOTATIONS and len(text) > 1024:
            raise bad_request(f"{where}.{key}: {len(text)} characters; at most 1024 are kept")
        _encodable(text, where=f"{where}.{key}")
    return dict(value)


def _encodable(text: str, *, where: str) -> str:
    # JSON can carry lone surrogates, which neither SQLite nor an answer can
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise bad_request(f"{where}: {_shown(text)} is not valid Unicode") from error
    return text


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."
