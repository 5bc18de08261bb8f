"""The published JSON Schemas of the files in which parts meet, `<file>-<version>.json`."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema

from traderx_gate.errors import EvidenceError


@cache
def _validator(name: str, version: int) -> Any:
    text = files(__name__).joinpath(f"{name}-{version}.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def check(name: str, version: int, body: object, *, source: str) -> None:
    """Check a parsed file against its schema.

    Args:
        name: `evidence` or `decision`.
        version: The schema's version.
        body: The parsed JSON.
        source: The file, for the message.

    Raises:
        EvidenceError: It is of another form; names the place and what is wrong there.
    """
    error = jsonschema.exceptions.best_match(_validator(name, version).iter_errors(body))
    if error is not None:
        place = ".".join(str(part) for part in error.absolute_path) or "the whole file"
        raise EvidenceError(f"{source}: {place}: {error.message[:200]}")
