"""Is it the right application that answers? By status and body, since ports get swapped (D4)."""

import json
from dataclasses import dataclass

import requests

from traderx_gate.application import HealthContract, Service

TIMEOUT_S = (2.0, 5.0)
EXCERPT = 120


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


def identify(base_url: str, service: Service) -> Answer:
    """Perform the contract request of a service and judge what answers. Never raises."""
    contract = service.health
    body = contract.body_contains or json.dumps(contract.body_json)
    expected = f"{contract.status} {body}"
    try:
        with requests.Session() as session:
            session.trust_env = False  # no proxy between us and what we judge
            response = session.request(
                contract.method,
                base_url + contract.path,
                headers=dict(contract.headers),
                timeout=TIMEOUT_S,
                allow_redirects=False,
            )
    except requests.RequestException as error:
        cause = getattr(error.args[0], "reason", error) if error.args else error
        return Answer(matches=False, expected=expected, seen=f"no answer: {cause}"[:300])
    excerpt = " ".join(response.text[:EXCERPT].split())
    matches = response.status_code == contract.status and _is_body(contract, response)
    seen = expected if matches else f"{response.status_code} {excerpt}"
    return Answer(matches=matches, expected=expected, seen=seen)


def _is_body(contract: HealthContract, response: requests.Response) -> bool:
    if contract.body_json is None:
        return contract.body_contains in response.text
    try:
        return bool(response.json() == contract.body_json)
    except ValueError:
        return False
