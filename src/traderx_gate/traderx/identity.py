"""Is it the right application that answers? By status and body, since ports get swapped (D4)."""

import json
from dataclasses import dataclass

from traderx_gate.application import HealthContract, Service
from traderx_gate.traderx.asking import Ask


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What answered a service's contract request.

    Attributes:
        matches: Whether status and body are those of the service.
        expected: The answer of the right application, in words.
        seen: What came instead, in words; a refused connection is an answer too.
    """

    matches: bool
    expected: str
    seen: str


def identify(ask: Ask, service: Service) -> Answer:
    """Perform the contract requests of a service and judge what answers. Never raises."""
    contract = service.health
    answer = _first_answer(ask, contract)
    if not answer.matches:
        return answer
    for path in contract.lists:
        reply = ask("GET", path, headers=contract.headers)
        if reply.status != 200 or not _is_filled_list(reply.body):
            expected = f"200 and a list that is not empty from GET {path}"
            return Answer(matches=False, expected=expected, seen=reply.seen)
    return answer


def _first_answer(ask: Ask, contract: HealthContract) -> Answer:
    body = contract.body_contains or json.dumps(contract.body_json)
    expected = f"{contract.status} {body}"
    reply = ask(contract.method, contract.path, headers=contract.headers)
    matches = reply.status == contract.status and _is_body(contract, reply.body)
    return Answer(matches=matches, expected=expected, seen=expected if matches else reply.seen)


def _is_filled_list(body: str) -> bool:
    try:
        found = json.loads(body)
    except ValueError:
        return False
    return isinstance(found, list) and bool(found)


def _is_body(contract: HealthContract, body: str) -> bool:
    if contract.body_json is None:
        return contract.body_contains in body
    try:
        return bool(json.loads(body) == contract.body_json)
    except ValueError:
        return False
