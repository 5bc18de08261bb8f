"""Function invocations as requests and triggers carry them."""

from collections.abc import Mapping
from typing import Any

from traderx_embedded.confighub.attributes import TEXT_LIMIT
from traderx_embedded.confighub.errors import bad_request
from traderx_embedded.confighub.functions.invocation import Invocation
from traderx_embedded.confighub.functions.signature import Argument

_LIMIT = 100


def parse_arguments(value: object, *, where: str) -> tuple[Argument, ...]:
    """Return the arguments of one invocation; null is none.

    Raises:
        ApiError: They are not a list of named or unnamed scalars.
    """
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > _LIMIT:
        raise bad_request(f"{where}: expected a list of at most {_LIMIT} arguments")
    return tuple(_argument(item, where=f"{where}[{at}]") for at, item in enumerate(value))


def _argument(item: object, *, where: str) -> Argument:
    if not isinstance(item, Mapping):
        raise bad_request(f"{where}: expected an object with Value")
    unknown = [name for name in item if name not in {"ParameterName", "Value"} and item[name]]
    if unknown:
        raise bad_request(f"{where}: {ascii(unknown[0])[:80]} is not known here")
    name = item.get("ParameterName") or ""
    if not isinstance(name, str):
        raise bad_request(f"{where}.ParameterName: expected text")
    value = item.get("Value")
    if not isinstance(value, str | int | float):
        raise bad_request(f"{where}.Value: expected a string, an integer or a boolean")
    if isinstance(value, str) and len(value) > TEXT_LIMIT:
        raise bad_request(f"{where}.Value: {len(value)} characters; at most {TEXT_LIMIT} are taken")
    return Argument(name=_encodable(name, where=where), value=value)


def parse_invocation(item: object, *, where: str) -> Invocation:
    """Return one function with its arguments.

    Raises:
        ApiError: It has no name, or its arguments are malformed.
    """
    if not isinstance(item, Mapping):
        raise bad_request(f"{where}: expected an object with FunctionName")
    name = item.get("FunctionName")
    if not isinstance(name, str) or not name:
        raise bad_request(f"{where}.FunctionName is required")
    arguments = parse_arguments(item.get("Arguments"), where=f"{where}.Arguments")
    return Invocation(function=_encodable(name, where=where), arguments=arguments)


def parse_invocations(body: Mapping[str, Any]) -> tuple[Invocation, ...]:
    """Return the row of functions of a request.

    Raises:
        ApiError: There is none, or one is malformed.
    """
    name = "FunctionInvocations"
    value = body.get(name)
    if not isinstance(value, list) or not 0 < len(value) <= _LIMIT:
        raise bad_request(f"{name}: expected a list of 1 to {_LIMIT} functions")
    return tuple(parse_invocation(item, where=f"{name}[{at}]") for at, item in enumerate(value))


def _encodable(text: str, *, where: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise bad_request(f"{where}: {ascii(text)[:80]} is not valid Unicode") from error
    return text
