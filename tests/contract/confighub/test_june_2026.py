"""A server of June 2026: the client works out which it has; both keep to the published types."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from tests.contract.confighub import confighub_process, scripted_worker
from tests.contract.confighub.confighub_process import DEADLINE_S, ConfigHubProcess
from tests.contract.confighub.published_types import problems
from traderx_gate.application import load
from traderx_gate.application.layout import load_layout
from traderx_gate.confighub import ConfigHub, Space, Worker
from traderx_gate.confighub.generations import Generation
from traderx_gate.delivery.installation import Installation
from traderx_gate.delivery.removal import Removal
from traderx_gate.waiting import Deadline, polling, until

DATA = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"


@dataclass
class Watched:
    """A client of which every exchange is held to the published types."""

    hub: ConfigHub
    calls: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Look at every answer from now on."""
        self.hub._session.hooks["response"].append(self._look)

    def _look(self, response: requests.Response, *_: object, **__: object) -> None:
        request, url = response.request, urlsplit(response.url)
        path = url.path.removeprefix("/api")
        self.calls.add(f"{request.method} {path.rsplit('/', 1)[-1]}")
        self.wrong += problems(
            str(request.method),
            path,
            query=dict(parse_qsl(url.query)),
            body=json.loads(request.body) if request.body else None,
            status=response.status_code,
            answer=response.json(),
        )


@pytest.fixture(name="server")
def _server(tmp_path: Path) -> Iterator[ConfigHubProcess]:
    options = ("--generation", "2026-06", "--heartbeat-s", "0.2")
    with confighub_process.running(tmp_path, *options) as server:
        yield server


@pytest.fixture(name="watched")
def _watched(server: ConfigHubProcess, tmp_path: Path) -> Iterator[Watched]:
    hub = ConfigHub.from_token_file(server.url, tmp_path / "confighub.token")
    watched = Watched(hub)
    yield watched
    hub.close()
    assert sorted(set(watched.wrong)) == []


def test_generation_is_worked_out(watched: Watched, tmp_path: Path) -> None:
    """The client tells the two generations apart by what the server says of itself."""
    assert watched.hub.generation is Generation.JUNE_2026
    older = tmp_path / "older"
    older.mkdir()
    with confighub_process.running(older) as server:
        hub = ConfigHub.from_token_file(server.url, older / "confighub.token")
        assert hub.generation is Generation.AUGUST_2025
        hub.close()


def test_project_lives_and_goes(server: ConfigHubProcess, watched: Watched) -> None:
    """A project is installed, changed, applied and removed; every exchange is as published."""
    hub, said = watched.hub, list[str]()
    application = load()
    installation = Installation(
        confighub=hub,
        application=application,
        layout=load_layout(),
        project="p-traderx",
        report=said.append,
    )
    with ExitStack() as stack:

        def start(space: Space, worker: Worker) -> None:
            identity = {"BridgeWorkerID": worker.id, "Secret": worker.secret}
            with server.client() as client:
                scripted_worker.make_target(client, space.id, identity)
            stack.enter_context(scripted_worker.completing(server, identity))

        installation.base()
        dev = installation.environment(application.environment("dev"), start)
        (worker,) = hub.worker_list(dev)
        assert hub.worker_annotate(worker, {"traderx-gate/a": "b"}).annotations
        assert hub.worker_annotate(worker, {"traderx-gate/a": None}).annotations == {}
        unit = hub.unit_list(dev)[0]
        changed = hub.unit_update(unit, unit.data + b"# changed\n", change="a test's")
        operation = hub.unit_apply(changed)
        until(
            polling(
                lambda: hub.unit_event_list(changed, operation=operation),
                every_s=0.05,
                deadline=Deadline(DEADLINE_S),
            ),
            lambda events: bool(events) and events[-1].is_terminal(),
            what="the apply to end",
        )
        live = hub.unit_get(changed)
        assert (live.live_revision, live.live_state) == (changed.head_revision, changed.data)
        assert len(hub.revision_list(live)) == changed.head_revision
        assert hub.space_list(where="Labels.project = 'p-traderx'")
        Removal(
            confighub=hub, application=application, project="p-traderx", report=said.append
        ).everything(lambda _: stack.close())
    assert any("no sets" in line for line in said), said
    assert hub.space_find("p-traderx-base") is None


def test_refusals_are_as_published(watched: Watched) -> None:
    """A name that is taken, and a stale version, are refused as published, in words."""
    hub = watched.hub
    space = hub.space_create("s", labels={})
    unit = hub.unit_create(space, "u", DATA, labels={})
    hub.unit_update(unit, DATA + b"# 1\n", change="first")
    with pytest.raises(Exception, match="409"):
        hub.unit_update(unit, DATA + b"# 2\n", change="stale")
    with pytest.raises(Exception, match="already exists"):
        hub.space_create("s", labels={})


def test_what_is_not_as_published_is_seen() -> None:
    """The check itself sees an unknown call, parameter, field, type and status."""
    path = "/space"
    good = {"Slug": "s"}
    seen = [
        *problems("GET", "/space/x/set", query={}, body=None, status=200, answer=[]),
        *problems("GET", path, query={"page": "2"}, body=None, status=200, answer=[]),
        *problems("POST", path, query={}, body={**good, "Colour": 1}, status=200, answer=good),
        *problems("POST", path, query={}, body=good, status=200, answer={"Slug": 7}),
        *problems("POST", path, query={}, body=good, status=200, answer={}),
        *problems("GET", "/bridge_worker", query={}, body=None, status=418, answer={}),
    ]
    assert len(seen) == 6
    assert list(problems("POST", path, query={}, body=good, status=200, answer=good)) == []
