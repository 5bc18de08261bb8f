"""Read routes: what a service answers is what is documented, by status, schema and content."""

import json
from collections import Counter
from typing import Any

import jsonschema

from traderx_gate.application.routes import ReadRoute
from traderx_gate.traderx import Reply
from traderx_gate.verdict import Observation

DOCUMENTED = "as documented"


def judged(route: ReadRoute, reply: Reply, *, where: str) -> Observation:
    """Tell whether an answer is the documented one; if not, what is the matter with it first."""
    wrong = _wrong(route, reply)
    return Observation(
        subject=f"GET {route.path} of {route.service}",
        expected=f"{route.status}, {DOCUMENTED}",
        seen=wrong or f"{route.status}, {DOCUMENTED}",
        met=not wrong,
        where=where,
    )


def _wrong(route: ReadRoute, reply: Reply) -> str:
    wrong = _wrong_text(route, reply)
    if wrong or route.schema is None:
        return wrong
    try:
        body = json.loads(reply.body)
    except ValueError:
        return f"{reply.seen}: is not JSON"
    error = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(route.schema).iter_errors(body)
    )
    if error is not None:
        place = ".".join(str(part) for part in error.absolute_path) or "body"
        return f"{reply.status}, {place}: {_message(error)}"
    return _repeated(route, body)


def _wrong_text(route: ReadRoute, reply: Reply) -> str:
    if reply.status != route.status:
        return reply.seen
    if route.empty and reply.body:
        return f"{reply.seen}: is not empty"
    if route.contains not in reply.body:
        return f"{reply.seen}: does not contain {route.contains!r}"
    return ""


def _message(error: Any) -> str:
    """Return what a schema misses, short also where a list of hundreds was looked through."""
    if error.validator == "contains":
        wanted = error.schema["contains"].get("properties", {})
        values = {key: value.get("const") for key, value in wanted.items()}
        return f"none of its {len(error.instance)} members is {json.dumps(values)}"
    if error.validator in {"minItems", "maxItems"}:
        return f"has {len(error.instance)} members, {error.validator} is {error.validator_value}"
    return str(error.message)[:160]


def _repeated(route: ReadRoute, body: Any) -> str:
    if not route.unique:
        return ""
    counts = Counter(json.dumps(member.get(route.unique)) for member in body)
    twice = sorted(value for value, count in counts.items() if count > 1)
    return f"{route.status}, {route.unique} {', '.join(twice[:3])} is there twice" if twice else ""
