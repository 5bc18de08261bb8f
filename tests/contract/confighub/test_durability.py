import random
import re
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
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
    text_of,
    unit_path,
)

WRITERS = 16
WRITES = 1000
KILLS = 4
TEXT = re.compile(r"writer: \d+\nnumber: \d+\n")


class Writers:
    """Clients that write to a few shared units, and note what was acknowledged."""

    def __init__(self, server: ConfigHubProcess, units: list[Json]) -> None:
        self._server = server
        self._units = units
        self._written = threading.Semaphore(0)
        self.revisions: list[tuple[str, int, str]] = []
        self.labels: dict[tuple[str, str], str] = {}
        self.made: list[Json] = []

    def write(self, writer: int, round_: int) -> None:
        """Write at random until the server is gone."""
        choose = random.Random(f"{writer} {round_}")  # noqa: S311 - not for secrets
        with self._server.client() as client:
            for number in range(round_ * WRITES, (round_ + 1) * WRITES):
                act = choose.choice([self._revise, self._revise, self._label, self._make])
                try:
                    act(client, choose.choice(self._units), writer, number)
                except httpx.TransportError:
                    return
                self._written.release()

    def _revise(self, client: httpx.Client, unit: Json, writer: int, number: int) -> None:
        text = f"writer: {writer}\nnumber: {number}\n"
        answer = ok(client.patch(unit_path(unit), json={"Data": base64_of(text)}))
        self.revisions.append((unit["UnitID"], answer["HeadRevisionNum"], text))

    def _label(self, client: httpx.Client, unit: Json, writer: int, number: int) -> None:
        ok(client.patch(unit_path(unit), json={"Labels": {f"w{writer}": str(number)}}))
        self.labels[unit["UnitID"], f"w{writer}"] = str(number)

    def _make(self, client: httpx.Client, unit: Json, writer: int, number: int) -> None:
        self.made.append(make_unit(client, unit["SpaceID"], f"n-{writer}-{number}"))

    def run_until_killed(self, round_: int) -> None:
        """Kill the server in the middle of the writes."""
        threads = [threading.Thread(target=self.write, args=(n, round_)) for n in range(WRITERS)]
        for thread in threads:
            thread.start()
        for _ in range(WRITES // KILLS):
            assert self._written.acquire(timeout=confighub_process.DEADLINE_S)
        self._server.kill()
        for thread in threads:
            thread.join(confighub_process.DEADLINE_S)
            assert not thread.is_alive()


def test_acknowledged_writes_survive_kills(tmp_path: Path) -> None:
    """After kill -9 amid writes each acknowledged one is there, and none is there by half."""
    with confighub_process.running(tmp_path) as server:
        with server.client() as client:
            space = make_space(client, "s")
            units = [make_unit(client, space, f"u{number}") for number in range(3)]
        writers = Writers(server, units)
        for round_ in range(KILLS):
            writers.run_until_killed(round_)
            server.start()
        with server.client() as client:
            found = [item["Unit"] for item in ok(client.get(f"/space/{space}/unit"))]
            stored = {
                unit["UnitID"]: [
                    (item["Revision"]["RevisionNum"], text_of(item["Revision"]))
                    for item in ok(client.get(f"{unit_path(unit)}/revision"))
                ]
                for unit in found
            }
            mutations = {
                unit["UnitID"]: [
                    (item["Mutation"]["MutationNum"], item["Mutation"]["RevisionNum"])
                    for item in ok(client.get(f"{unit_path(unit)}/mutation"))
                ]
                for unit in units
            }
    heads = {unit["UnitID"]: unit for unit in found}
    assert len(writers.revisions) + len(writers.labels) + len(writers.made) >= WRITES // 2
    assert [unit for unit in writers.made if unit["UnitID"] not in heads] == []
    assert [key for key, text in writers.labels.items() if not _has_label(heads, key, text)] == []
    lost = [(u, n) for u, n, text in writers.revisions if (n, text) not in stored[u]]
    assert lost == []
    for identifier, revisions in stored.items():
        assert [number for number, _ in revisions] == list(range(1, len(revisions) + 1))
        assert heads[identifier]["HeadRevisionNum"] == len(revisions)
        assert text_of(heads[identifier]) == revisions[-1][1]
        assert all(TEXT.fullmatch(text) for _, text in revisions[1:])
    for unit in units:
        numbers = range(1, len(stored[unit["UnitID"]]) + 1)
        assert mutations[unit["UnitID"]] == [(number, number) for number in numbers]


def _has_label(heads: Mapping[str, Json], key: tuple[str, str], text: str) -> bool:
    # a writer's last label may have been stored without the answer having come
    identifier, name = key
    return int(heads[identifier]["Labels"].get(name, "-1")) >= int(text)


def test_parallel_writers_get_numbers_of_their_own(tmp_path: Path) -> None:
    """Revisions that 16 writers make at once of one unit are numbered without gap or double."""
    each = 20
    with confighub_process.running(tmp_path) as server, server.client() as client:
        unit = make_unit(client, make_space(client, "s"), "u")

        def write(writer: int) -> list[int]:
            with server.client() as own:
                return [
                    ok(own.patch(unit_path(unit), json={"Data": base64_of(f"w: {writer}-{n}\n")}))[
                        "HeadRevisionNum"
                    ]
                    for n in range(each)
                ]

        with ThreadPoolExecutor(WRITERS) as pool:
            numbers = [number for found in pool.map(write, range(WRITERS)) for number in found]
    assert sorted(numbers) == list(range(2, WRITERS * each + 2))


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
