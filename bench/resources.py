"""What a cluster needs when nothing happens, and how fast ConfigHub filters."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psutil

from bench.measurement import Measurement, Target
from bench.throwaway import BenchError, Throwaway

UNITS = 500
LISTS = 50
FILTER = {"where": "Labels.half = '1'"}
TIMEOUT_S = 30
MIB = 1 << 20
UNIT = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: bench\n"


def memory(place: Throwaway) -> Iterator[Measurement]:
    """Measure resident memory of a deployed environment: the systems together, each stand-in."""
    processes = place.status()["processes"]
    systems = {p["name"]: p["pid"] for p in processes if not p["name"].startswith("worker-")}
    yield Measurement(
        what="idle memory: control plane, node, ConfigHub",
        unit="MiB",
        values=(sum(_resident_mib(pid) for pid in systems.values()),),
        target=Target(bound=900),
    )
    pods = psutil.Process(systems["node"]).children()
    yield Measurement(
        what="idle memory: each stand-in",
        unit="MiB",
        values=tuple(_resident_mib(pod.pid) for pod in pods),
        target=Target(bound=60),
    )


def _resident_mib(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss / MIB)


def filtering(place: Throwaway) -> Iterator[Measurement]:
    """Measure a filtered list: half of the units of a space, on a keep-alive connection."""
    hub = place.confighub()
    space = hub.space_create("bench-many", labels={})
    for number in range(UNITS):
        hub.unit_create(space, f"unit-{number}", UNIT, labels={"half": str(number % 2)})
    found = place.status()["confighub"]
    token = Path(found["token_file"]).read_text().strip()
    path = f"/api/space/{space.id}/unit?{urlencode(FILTER)}"
    values = []
    with closing(HTTPConnection(urlsplit(found["url"]).netloc, timeout=TIMEOUT_S)) as connection:
        for _ in range(LISTS):
            started = time.perf_counter()
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            listed = json.loads(connection.getresponse().read())
            values.append(1000 * (time.perf_counter() - started))
            if len(listed) != UNITS // 2:
                raise BenchError(f"ConfigHub listed {len(listed)} units, not {UNITS // 2}")
    yield Measurement(
        what=f"ConfigHub: {UNITS // 2} of {UNITS} units by a filter",
        unit="ms",
        values=tuple(values),
    )
