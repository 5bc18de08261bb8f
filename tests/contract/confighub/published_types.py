"""The types that ConfigHub published in June 2026; what of an exchange does not keep to them."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

Json = dict[str, Any]
SOURCE = Path(__file__).with_name("confighub-2026-06.json")
SCALARS: Mapping[str, Json] = {
    "string": {"type": "string"},
    "uuid": {"type": "string", "format": "uuid"},
    "datetime": {"type": "string", "format": "date-time"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "object": {"type": "object"},
    "any": {},
}


@cache
def _document() -> Json:
    return dict(json.loads(SOURCE.read_text()))


def _schema(kind: str) -> Json:
    """Return the JSON Schema of a type as the document writes it."""
    if kind.endswith("?"):
        return {"anyOf": [_schema(kind[:-1]), {"type": "null"}]}
    if match := re.fullmatch(r"(map|array)<(.*)>", kind):
        of = _schema(match[2])
        if match[1] == "map":
            return {"type": "object", "additionalProperties": of}
        return {"type": "array", "items": of}
    if "|" in kind:
        return {"anyOf": [_schema(one) for one in kind.split("|")]}
    if kind in SCALARS:
        return dict(SCALARS[kind])
    return {"$ref": f"#/$defs/{kind.removeprefix('ref:')}"}


def _definition(body: Json) -> Json:
    if "fields" not in body:
        made = {"enum": body["enum"]} if "enum" in body else _schema(body["alias"])
        return {"anyOf": [made, {"type": "null"}]} if body.get("nullable") else made
    fields = body["fields"]
    properties = {
        name: _schema(f"{field['type']}{'?' if field.get('nullable') else ''}")
        for name, field in fields.items()
    }
    required = [name for name, field in fields.items() if field.get("required")]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


@cache
def _validator(kind: str) -> Draft202012Validator:
    definitions = {name: _definition(body) for name, body in _document()["schemas"].items()}
    return Draft202012Validator(
        {**_schema(kind), "$defs": definitions}, format_checker=FormatChecker()
    )


def _endpoint(method: str, path: str) -> Json | None:
    for endpoint in _document()["endpoints"]:
        pattern = re.sub(r"\{[^}]*\}", "[^/]+", endpoint["path"])
        if endpoint["method"] == method and re.fullmatch(pattern, path):
            return dict(endpoint)
    return None


def problems(
    method: str, path: str, *, query: Mapping[str, str], body: Any, status: int, answer: Any
) -> Iterator[str]:
    """Yield what is wrong with a request or its answer; the path is below `/api`."""
    endpoint = _endpoint(method, path)
    if endpoint is None:
        yield f"{method} {path}: no such call"
        return
    for name in query.keys() - endpoint["query"].keys():
        yield f"{method} {path}: no parameter {name}"
    if body is not None:
        yield from _wrong(f"{method} {path}, body", str(endpoint["body"]), body)
    responses = endpoint["responses"]
    kind = responses.get(str(status))
    if kind is None:
        yield f"{method} {path}: {status} is not an answer of it"
    else:
        yield from _wrong(f"{method} {path}, {status}", kind, answer)


def _wrong(where: str, kind: str, value: Any) -> Iterator[str]:
    for error in _validator(kind).iter_errors(value):
        yield f"{where}: {error.json_path}: {error.message[:200]}"
