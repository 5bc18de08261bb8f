import base64
import threading
from pathlib import Path

import httpx

from tests.contract.confighub import confighub_process
from tests.contract.confighub.confighub_process import (
    ConfigHubProcess,
    Json,
    base64_of,
    make_space,
    make_unit,
    ok,
    unit_path,
)

WRITERS = 8
WRITES_BEFORE_THE_KILL = 150


class Writers:
    """Clients that write new data to a few shared units, and note what was acknowledged."""

    def __init__(self, server: ConfigHubProcess, units: list[Json]) -> None:
        self._server = server
        self._units = units
        self._enough = threading.Semaphore(0)
        self.acknowledged: list[tuple[str, int, str]] = []

    def write(self, writer: int) -> None:
        """Write until the server is gone."""
        with self._server.client() as client:
            for number in range(100_000):
                unit = self._units[number % len(self._units)]
                text = f"writer: {writer}\nnumber: {number}\n"
                try:
                    answer = client.patch(unit_path(unit), json={"Data": base64_of(text)})
                except httpx.TransportError:
                    return
                revision = ok(answer)["HeadRevisionNum"]
                self.acknowledged.append((unit["UnitID"], revision, text))
                self._enough.release()

    def run_until_killed(self) -> None:
        """Kill the server in the middle of the writes."""
        threads = [threading.Thread(target=self.write, args=(n,)) for n in range(WRITERS)]
        for thread in threads:
            thread.start()
        for _ in range(WRITES_BEFORE_THE_KILL):
            assert self._enough.acquire(timeout=confighub_process.DEADLINE_S)
        self._server.kill()
        for thread in threads:
            thread.join(confighub_process.DEADLINE_S)
            assert not thread.is_alive()


def test_acknowledged_writes_survive_a_kill(tmp_path: Path) -> None:
    """After kill -9 amid writes each acknowledged one is there, numbered without gap or double."""
    with confighub_process.running(tmp_path) as server:
        with server.client() as client:
            space = make_space(client, "s")
            units = [make_unit(client, space, f"u{number}") for number in range(3)]
        writers = Writers(server, units)
        writers.run_until_killed()
        server.start()
        with server.client() as client:
            stored = {
                (unit["UnitID"], item["Revision"]["RevisionNum"]): item["Revision"]["Data"]
                for unit in units
                for item in ok(client.get(f"{unit_path(unit)}/revision"))
            }
            heads = {u["UnitID"]: ok(client.get(unit_path(u)))["Unit"] for u in units}
    assert len(writers.acknowledged) >= WRITES_BEFORE_THE_KILL
    lost = [
        (unit, number)
        for unit, number, text in writers.acknowledged
        if base64.b64decode(stored.get((unit, number), "")).decode() != text
    ]
    assert lost == []
    for identifier, head in heads.items():
        numbers = [number for unit, number in stored if unit == identifier]
        assert numbers == list(range(1, head["HeadRevisionNum"] + 1))
        assert head["Data"] == stored[identifier, head["HeadRevisionNum"]]


def test_second_server_is_refused(tmp_path: Path) -> None:
    """A second server on the same database does not start, and says why."""
    with confighub_process.running(tmp_path) as server:
        second = confighub_process.start_refused(tmp_path)
        with server.client() as client:
            make_space(client, "s")
    assert second.returncode == 2
    assert "database is locked" in second.stderr


def test_token_survives_a_restart(tmp_path: Path) -> None:
    """The token is made once, readable by its owner alone."""
    with confighub_process.running(tmp_path) as server:
        first = server.token
        server.kill()
        server.start()
        assert server.token == first
    assert (tmp_path / "confighub.token").stat().st_mode & 0o777 == 0o600
    assert first not in server.log()
