"""How Spring reads a JSON body into a Java bean, with Jackson's coercions and error texts.

The texts of truncated input, wrong numbers and wrong containers were seen of the real service;
others are Jackson's for the same mistakes.
"""

import json
import math
from typing import Any, NoReturn

INT_MIN, INT_MAX = -(2**31), 2**31 - 1
_REDACTED = (
    "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); "
    "line: 1, column: 1]"
)


class BindingError(Exception):
    """The body cannot be read; the text is Spring's."""


class UnsupportedTypeError(BindingError):
    """The body is of a type that is not read at all."""


class MissingBodyError(BindingError):
    """There is no body, or it is `null`."""


class _Number(str):
    """A number with a fraction, as it was written."""

    __slots__ = ()


def read_bean(
    content_type: str | None, body: bytes, *, bean: str, signature: str
) -> dict[str, Any]:
    """Return the fields of a JSON object.

    Args:
        content_type: As the client sent it.
        body: Its bytes.
        bean: The Java class, for the error texts.
        signature: The Java method, for the error texts.

    Raises:
        BindingError: The body is missing, of another type, or no object.
    """
    _check_type(content_type)
    text = body.decode("utf-8", "replace").strip()
    if not text:
        raise MissingBodyError(f"Required request body is missing: {signature}")
    decoder = json.JSONDecoder(parse_float=_Number)
    try:
        value, _ = decoder.raw_decode(text)  # what follows the first value is not looked at
    except json.JSONDecodeError as error:
        raise BindingError(f"JSON parse error: {_syntax(error)}") from error
    if value is None:
        raise MissingBodyError(f"Required request body is missing: {signature}")
    if not isinstance(value, dict):
        _refuse(bean, value)
    return value


def to_int(value: Any, java_type: str) -> int | None:
    """Return a field as `int` or `java.lang.Integer`, which alone can be null."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return 0 if java_type == "int" else None
    if isinstance(value, _Number):
        value = math.trunc(float(value))
    elif isinstance(value, str):
        try:
            value = int(value.strip())
        except ValueError:
            raise BindingError(
                f"JSON parse error: Cannot deserialize value of type `{java_type}` from String "
                f'"{value}": not a valid `{java_type}` value'
            ) from None
    elif isinstance(value, bool) or not isinstance(value, int):
        _refuse(java_type, value)
    if not INT_MIN <= value <= INT_MAX:
        raise BindingError(
            f"JSON parse error: Numeric value ({value}) out of range of int ({INT_MIN} - {INT_MAX})"
        )
    return int(value)


def to_string(value: Any) -> str | None:
    """Return a field as `java.lang.String`; numbers and booleans become text."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int):
        _refuse("java.lang.String", value)
    return str(value)


def to_enum(value: Any, constants: tuple[str, ...], java_type: str) -> str | None:
    """Return a field as an enum's constant, which may be given by its name or its number."""
    if value is None:
        return None
    if isinstance(value, bool | list | dict | _Number):
        _refuse(java_type, value)
    text = str(value).strip()
    if text in constants:
        return text
    if text.isdecimal() and int(text) < len(constants):
        return constants[int(text)]
    raise BindingError(
        f'JSON parse error: Cannot deserialize value of type `{java_type}` from String "{text}": '
        f"not one of the values accepted for Enum class: [{', '.join(constants)}]"
    )


def _check_type(content_type: str | None) -> None:
    if content_type is None:
        raise UnsupportedTypeError("Content-Type 'application/octet-stream' is not supported")
    media = content_type.partition(";")[0].strip().lower()
    kind, _, subtype = media.partition("/")
    if kind == "application" and (subtype == "json" or subtype.endswith("+json")):
        return
    shown = content_type if "charset=" in content_type.lower() else f"{media};charset=UTF-8"
    raise UnsupportedTypeError(f"Content-Type '{shown}' is not supported")


def _syntax(error: json.JSONDecodeError) -> str:
    rest = error.doc[error.pos :].strip()
    if rest:
        return f"Unexpected character ('{rest[0]}' (code {ord(rest[0])}))"
    if error.msg.startswith("Expecting value") and error.doc.rstrip().endswith(":"):
        return "Unexpected end-of-input within/between Object entries"
    return (
        f"Unexpected end-of-input: expected close marker for Object (start marker at {_REDACTED})"
    )


def _refuse(java_type: str, value: Any) -> NoReturn:
    if isinstance(value, str):
        raise BindingError(
            f"JSON parse error: Cannot construct instance of `{java_type}` (although at least one "
            "Creator exists): no String-argument constructor/factory method to deserialize from "
            f"String value ('{value}')"
        )
    if isinstance(value, list):
        kind, token = "Array", "START_ARRAY"
    elif isinstance(value, dict):
        kind, token = "Object", "START_OBJECT"
    elif isinstance(value, bool):
        kind, token = "Boolean", f"VALUE_{str(value).upper()}"
    else:
        kind, token = "Integer", "VALUE_NUMBER_INT"
    raise BindingError(
        f"JSON parse error: Cannot deserialize value of type `{java_type}` from {kind} value "
        f"(token `JsonToken.{token}`)"
    )
