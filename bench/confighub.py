"""How fast ConfigHub answers when it holds much: 5,000 units with 50,000 revisions."""

import base64
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from bench.measurement import Measurement, Target
from bench.throwaway import BenchError, Throwaway

UNITS = 5000
REVISIONS_EACH = 10
AT_ONCE = 500
REPEATS = 50
TIMEOUT_S = 120
SELECT = "Slug,HeadRevisionNum,LiveRevisionNum"


def answering(place: Throwaway) -> Iterator[Measurement]:
    """Measure a filtered list, an apply and an upgrade, over a keep-alive connection."""
    with closing(_Hub(place)) as hub:
        scene = _Scene(hub)
        yield scene.listing()
        units = hub.ask("GET", "/unit", {"where": scene.where, "select": SELECT})
        paths = [f"/space/{scene.space}/unit/{item['Unit']['UnitID']}" for item in units]
        yield _timed(
            hub,
            [("POST", f"{path}/apply", {}) for path in paths[:REPEATS]],
            what=f"ConfigHub: apply of one of {UNITS:,} units",
            target=Target(bound=20),
        )
        scene.change_upstream()
        yield _timed(
            hub,
            [("PATCH", path, {"upgrade": "true"}) for path in paths[:REPEATS]],
            what=f"ConfigHub: upgrade of one of {UNITS:,} units",
        )


def _timed(
    hub: "_Hub",
    requests: Sequence[tuple[str, str, dict[str, str]]],
    *,
    what: str,
    target: Target | None = None,
) -> Measurement:
    values = []
    for method, path, query in requests:
        started = time.perf_counter()
        hub.ask(method, path, query)
        values.append(1000 * (time.perf_counter() - started))
    return Measurement(what=what, unit="ms", values=tuple(values), target=target)


def _data(image: str, number: int) -> str:
    text = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: bench\nspec:\n"
        f"  replicas: {number}\n  template:\n    spec:\n      containers:\n"
        f"        - name: bench\n          image: {image}\n"
    )
    return base64.b64encode(text.encode()).decode()


class _Scene:
    """A space with a unit, and many clones of it that all have changed on their own since."""

    def __init__(self, hub: "_Hub") -> None:
        self._hub = hub
        self.space = hub.ask("POST", "/space", body={"Slug": "bench-large"})["SpaceID"]
        kind = {"ToolchainType": "Kubernetes/YAML"}
        worker = hub.ask("POST", f"/space/{self.space}/bridge_worker", body={"Slug": "w"})
        target = {"Slug": "t", "ProviderType": "Kubernetes", **kind}
        target["BridgeWorkerID"] = worker["BridgeWorkerID"]
        target_id = hub.ask("POST", f"/space/{self.space}/target", body=target)["TargetID"]
        unit = {"Slug": "u", "Data": _data("bench:v1", 1), **kind}
        self._upstream = hub.ask("POST", f"/space/{self.space}/unit", body=unit)["UnitID"]
        self.where = f"UpstreamUnitID = '{self._upstream}' AND Labels.group = '1'"
        for group in range(UNITS // AT_ONCE):
            query = {
                "where": f"UnitID = '{self._upstream}'",
                "where_space": f"SpaceID = '{self.space}'",
                "name_prefixes": ",".join(f"{group}-{number}-" for number in range(AT_ONCE)),
            }
            patch = {"TargetID": target_id, "Labels": {"group": str(group)}}
            hub.ask("POST", "/unit", query, patch)
            where = f"UpstreamUnitID = '{self._upstream}' AND Labels.group = '{group}'"
            for number in range(2, REVISIONS_EACH + 1):
                hub.ask("PATCH", "/unit", {"where": where}, {"Data": _data("bench:v1", number)})

    def listing(self) -> Measurement:
        """Measure the list of a tenth of the units, by a filter."""
        query = {"where": self.where, "select": SELECT}
        listed = self._hub.ask("GET", "/unit", query)
        if {item["Unit"]["HeadRevisionNum"] for item in listed} != {REVISIONS_EACH}:
            raise BenchError(f"ConfigHub did not keep {REVISIONS_EACH} revisions of every unit")
        return _timed(
            self._hub,
            [("GET", "/unit", query)] * REPEATS,
            what=f"ConfigHub: {len(listed)} of {UNITS:,} units by a filter",
            target=Target(bound=100),
        )

    def change_upstream(self) -> None:
        """Make all clones upgradable: the image is upstream's, the replicas are their own."""
        path = f"/space/{self.space}/unit/{self._upstream}"
        self._hub.ask("PATCH", path, body={"Data": _data("bench:v2", 1)})


class _Hub:
    """A keep-alive connection to ConfigHub."""

    def __init__(self, place: Throwaway) -> None:
        found = place.status()["confighub"]
        self._token = Path(found["token_file"]).read_text().strip()
        self._connection = HTTPConnection(urlsplit(found["url"]).netloc, timeout=TIMEOUT_S)

    def ask(
        self, method: str, path: str, query: dict[str, str] | None = None, body: object = None
    ) -> Any:
        """Send a request and return the answer.

        Raises:
            BenchError: It is refused, also in part.
        """
        self._connection.request(
            method,
            f"/api{path}?{urlencode(query or {})}",
            body=json.dumps(body).encode() if method != "GET" else None,
            headers={"Authorization": f"Bearer {self._token}"},
        )
        response = self._connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise BenchError(f"ConfigHub: {method} {path}: {response.status} {content[:200]!r}")
        return json.loads(content)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
