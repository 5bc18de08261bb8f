"""Blue-green on the run's cluster: no request fails, and all is as before at any deviation."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import requests

from tests.integration.gate import steady_client
from tests.integration.gate.gate_command import COMMAND, NAMESPACE, PROJECT, Gate, ref
from tests.integration.gate.steady_client import Counted
from traderx_gate import application
from traderx_gate.confighub import Space, Unit
from traderx_gate.waiting import Deadline, polling, until

STOCKS = "reference-data"
GREEN = f"{STOCKS}-green"
OLD, NEW = "v1.2.3", "v1.2.2"
WORDS = ("blue-green", STOCKS, NEW, "dev", "--watch-s", "5")
END_TIMEOUT_S = 100.0
OTHER_DELIVERIES = (("deploy", "dev"), ("apply", "dev"), ("rollback", "dev"))

READY = f"{GREEN}: {NEW} is ready, and answers"
SWITCHED = f"{STOCKS}: the traffic is led to {GREEN}"
ROLLED_OUT = f"{STOCKS}: {NEW} is ready, and answers"
RETURNED = f"{STOCKS}: the traffic is led to {STOCKS}"
REMOVED = f"{GREEN}: removed"
DONE = f"{STOCKS}: is at {NEW}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """How dev was.

    Attributes:
        data: The data of each unit, by slug.
        heads: The number of each unit's head.
    """

    data: Mapping[str, bytes]
    heads: Mapping[str, int]


def space(gate: Gate) -> Space:
    """Return dev's space."""
    found = gate.confighub.space_find(f"{PROJECT}-dev")
    assert found is not None
    return found


def units(gate: Gate) -> Mapping[str, Unit]:
    """Return dev's units as they are now."""
    return {unit.slug: unit for unit in gate.confighub.unit_list(space(gate))}


def seen(gate: Gate) -> Before:
    """Return how dev is."""
    found = units(gate)
    return Before(
        data={slug: unit.data for slug, unit in found.items()},
        heads={slug: unit.head_revision for slug, unit in found.items()},
    )


@pytest.fixture
def before(gate: Gate) -> Iterator[Before]:
    """How dev was; it is so again afterwards."""
    found = seen(gate)
    yield found
    aborted = gate.run(*WORDS, "--abort") if seen(gate).data.keys() > found.data.keys() else None
    assert aborted is None or aborted.returncode == 0, aborted.stdout + aborted.stderr
    for slug, unit in units(gate).items():
        if unit.data != found.data[slug]:
            gate.confighub.unit_update(unit, found.data[slug], change="as before the test")
    gate.deploy()


@contextmanager
def asked(gate: Gate, path: str = "/stocks/IBM") -> Iterator[Counted]:
    """Have a client ask the service 100 times a second meanwhile."""
    address = gate.kube.get(ref("Service", STOCKS))["spec"]["clusterIP"]
    port = application.load().service(STOCKS).health.port
    with steady_client.asking(address, port, path, contains='"IBM"') as counted:
        yield counted


class Run:
    """A blue-green that runs."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.lines: list[str] = []

    def until(self, line: str) -> None:
        """Read what it says until it says a line."""
        assert self._process.stdout is not None
        for said in self._process.stdout:
            self.lines.append(said.rstrip("\n"))
            if self.lines[-1] == line:
                return
        pytest.fail(f"it ended without {line!r}: {self.lines} {self.end()}")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Return its exit code and what it said of errors."""
        out, error = self._process.communicate(timeout=END_TIMEOUT_S)
        self.lines += out.splitlines()
        return self._process.returncode, error


@contextmanager
def running(gate: Gate, *words: str) -> Iterator[Run]:
    """Start a blue-green; it is killed if it still runs at the end of the block."""
    with subprocess.Popen(
        [*COMMAND, *words],
        env={**gate.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Run(process)
        finally:
            process.kill()


def images(gate: Gate) -> set[str]:
    """Return the versions of the service's pods, those on their way out left out."""
    pods = gate.kube.pods(NAMESPACE, labels=f"app={STOCKS}")
    return {i.rpartition(":")[2] for p in pods if not p.deleting for i in p.spec_images.values()}


def left_of_green(gate: Gate) -> list[str]:
    """Return every object that carries green's label, and green's Service and Deployment."""
    kinds = (("v1", "Pod"), ("apps/v1", "ReplicaSet"), ("apps/v1", "Deployment"), ("v1", "Service"))
    return [
        body["metadata"]["name"]
        for version, kind in kinds
        for body in gate.kube.list(version, kind, namespace=NAMESPACE, labels=f"app={GREEN}")
    ]


def with_version(data: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return units' data with the new version in one of them."""
    slug = f"{STOCKS}-deployment"
    changed = data[slug].replace(f"{STOCKS}:{OLD}".encode(), f"{STOCKS}:{NEW}".encode())
    assert changed != data[slug]
    return {**data, slug: changed}


def test_changes_the_version_without_a_failed_request(gate: Gate, before: Before) -> None:
    """Under 100 requests/s none fails; the units are as before but for the version, and PASS."""
    with asked(gate) as counted:
        done = gate.run(*WORDS)
    assert (done.returncode, counted.failures) == (0, []), done.stdout + done.stderr
    assert counted.requests >= 500
    assert (seen(gate).data, images(gate), left_of_green(gate)) == (
        with_version(before.data),
        {NEW},
        [],
    )
    assert all(not unit.is_pending() for unit in units(gate).values())
    validated = gate.run("validate", "dev")
    assert validated.returncode == 0, validated.stdout + validated.stderr


def test_version_that_does_not_exist_is_never_switched_to(gate: Gate, before: Before) -> None:
    """Where green's image cannot be pulled the traffic stays, and nothing is left of green."""
    with asked(gate) as counted:
        done = gate.run("blue-green", STOCKS, "v9.9.9", "dev")
    assert (done.returncode, counted.failures) == (1, []), done.stdout + done.stderr
    assert ("ErrImagePull" in done.stderr, done.stderr.splitlines()[-1]) == (
        True,
        f"{STOCKS} is at {OLD}, as it was",
    )
    assert (seen(gate), left_of_green(gate)) == (before, [])


def test_green_that_answers_wrongly_never_has_the_traffic(gate: Gate, before: Before) -> None:
    """What is ready, but not the right application, is found out before the traffic moves."""
    with asked(gate, "/stocks") as counted, running(gate, *WORDS) as run:
        until(
            polling(lambda: actions(gate), every_s=0.02, deadline=Deadline(END_TIMEOUT_S)),
            lambda found: "Apply" in found,
            what="green to be applied",
        )
        run.send(signal.SIGSTOP)  # until its pods are ready, and damaged
        until(
            polling(lambda: gate.pods(GREEN), every_s=0.05, deadline=Deadline(END_TIMEOUT_S)),
            lambda pods: len(pods) == 2,
            what="green's pods to be ready",
        )
        damage(gate)
        run.send(signal.SIGCONT)
        code, error = run.end()
    assert (code, counted.failures, SWITCHED in run.lines) == (1, [], False), error
    assert "as reference-data-green does" in error
    assert (seen(gate), left_of_green(gate)) == (before, [])


def damage(gate: Gate) -> None:
    """Have every pod of green answer with no stocks."""
    with gate.admin_urls(GREEN) as urls:
        for url in urls:
            requests.put(f"{url}/switches/empty-data", "true", timeout=20).raise_for_status()


def test_wrong_answers_return_the_traffic(gate: Gate, before: Before) -> None:
    """A green that begins to answer wrongly loses the traffic; no request fails after that."""
    with asked(gate, "/stocks") as counted, running(gate, *WORDS) as run:
        run.until(SWITCHED)
        damage(gate)
        run.until(RETURNED)
        returned = time.time()
        code, error = run.end()
    assert (code, counted.failed_after(returned + 1)) == (1, []), error
    assert counted.failures, "the client never met the damage"
    assert "through Service reference-data: expected 200" in error
    assert (seen(gate).data, left_of_green(gate)) == (before.data, [])


def test_lost_pod_returns_the_traffic(gate: Gate, before: Before) -> None:
    """A pod of green that ends under traffic is a deviation, also where its answers were right."""
    with running(gate, *WORDS) as run:
        run.until(SWITCHED)
        os.kill(gate.pods(GREEN)[0]["pid"], signal.SIGKILL)
        code, error = run.end()
    assert (code, RETURNED in run.lines) == (1, True), error
    assert (seen(gate).data, images(gate), left_of_green(gate)) == (before.data, {OLD}, [])


def test_green_that_is_not_gone_is_named(gate: Gate, before: Before) -> None:
    """Once blue is proven it stays: what is left of green is named, and the next run removes it."""
    with running(gate, *WORDS) as run:
        run.until(RETURNED)
        with gate.without_worker():
            until(
                polling(lambda: actions(gate), every_s=0.05, deadline=Deadline(END_TIMEOUT_S)),
                lambda found: "Destroy" in found,
                what="green to be removed",
            )
            run.send(signal.SIGINT)
            code, error = run.end()
    assert (code, f"is at {NEW}, but green is not gone" in error) == (1, True), error
    done = gate.run(*WORDS)
    assert (done.returncode, REMOVED in done.stdout) == (0, True), done.stdout + done.stderr
    assert (seen(gate).data, images(gate), left_of_green(gate)) == (
        with_version(before.data),
        {NEW},
        [],
    )


def actions(gate: Gate) -> list[str]:
    """Return the newest action of each of green's units."""
    found = [unit for slug, unit in units(gate).items() if slug.startswith(GREEN)]
    paths = [f"/space/{unit.space_id}/unit/{unit.id}" for unit in found]
    return [gate.ask_confighub("GET", path)["UnitStatus"]["Action"] for path in paths]


@pytest.mark.parametrize("line", [SWITCHED, ROLLED_OUT])
def test_interrupted_run_takes_everything_back(gate: Gate, before: Before, line: str) -> None:
    """Ctrl-C is a deviation like any other: all is as before, and no request fails."""
    with asked(gate) as counted, running(gate, *WORDS) as run:
        run.until(line)
        run.send(signal.SIGINT)
        code, error = run.end()
    assert (code, counted.failures) == (1, []), error
    assert (error.count("Traceback"), "interrupted" in error) == (0, True), error
    assert (seen(gate).data, images(gate), left_of_green(gate)) == (before.data, {OLD}, [])


def test_killed_run_is_finished_by_the_next(gate: Gate, before: Before) -> None:
    """Whatever step a run is killed after, the next goes on from there; no request fails."""
    with asked(gate) as counted:
        for line in (READY, SWITCHED, ROLLED_OUT, RETURNED):
            with running(gate, *WORDS) as run:
                run.until(line)
                run.send(signal.SIGKILL)
                run.end()
        done = gate.run(*WORDS)
    assert (done.returncode, counted.failures) == (0, []), done.stdout + done.stderr
    assert [line for line in (READY, SWITCHED, RETURNED) if line in done.stdout] == []
    assert (seen(gate).data, images(gate), left_of_green(gate)) == (
        with_version(before.data),
        {NEW},
        [],
    )


@pytest.mark.parametrize("line", [SWITCHED, RETURNED])
def test_killed_run_is_taken_back(gate: Gate, before: Before, line: str) -> None:
    """Whatever step a run is killed after, it can be taken back; no request fails."""
    with asked(gate) as counted:
        with running(gate, *WORDS) as run:
            run.until(line)
            run.send(signal.SIGKILL)
            run.end()
        refused = gate.run("blue-green", STOCKS, "v1.0.0", "dev")
        others = [gate.run(*words) for words in OTHER_DELIVERIES]
        done = gate.run(*WORDS, "--abort")
    assert (refused.returncode, f"to {NEW} is under way" in refused.stderr) == (2, True)
    assert [other.returncode for other in others] == [2] * len(OTHER_DELIVERIES)
    told = f"a blue-green of {STOCKS} to {NEW} did not end"
    assert all(told in other.stderr for other in others), [other.stderr for other in others]
    assert (done.returncode, counted.failures) == (0, []), done.stdout + done.stderr
    assert (seen(gate).data, images(gate), left_of_green(gate)) == (before.data, {OLD}, [])


SINGLETONS = tuple(s.slug for s in application.load().services if s.singleton)
REFUSED: Mapping[tuple[str, ...], str] = {
    **{("blue-green", slug, NEW, "dev"): "cannot have a green" for slug in SINGLETONS},
    ("blue-green", STOCKS, OLD, "dev"): f"is at {OLD} already",
    ("blue-green", STOCKS, "v1/2", "dev"): "is no version",
    ("blue-green", "reference-dat", NEW, "dev"): "did you mean reference-data?",
    ("blue-green", STOCKS, NEW, "base"): "never deployed",
    (*WORDS, "--abort"): "nothing to take back",
    (
        "blue-green",
        STOCKS,
        NEW,
        "dev",
        "--watch-s",
        "1",
    ): "greater than or equal to 5; see `traderx-gate blue-green --help`",
}


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_refuses_before_the_first_effect(gate: Gate, words: tuple[str, ...]) -> None:
    """What cannot be done is refused in one line, and nothing is changed."""
    before = seen(gate)
    done = gate.run(*words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
    assert REFUSED[words] in done.stderr
    assert seen(gate) == before


@pytest.mark.usefixtures("before")
def test_refuses_what_is_not_live(gate: Gate) -> None:
    """A service with a head that is not live is refused: its change would go along."""
    with gate.changed_unit(f"{STOCKS}-deployment", ("replicas: 2", "replicas: 3")):
        pending = seen(gate)
        done = gate.run(*WORDS)
        assert (done.returncode, done.stdout, seen(gate)) == (2, "", pending), done
    assert "is not live; `traderx-gate deploy dev` first" in done.stderr


def test_refuses_without_a_worker(gate: Gate) -> None:
    """Where nobody applies, nothing is begun."""
    before = seen(gate)
    with gate.without_worker():
        done = gate.run(*WORDS)
    assert (done.returncode, seen(gate)) == (2, before), done
    assert "confighub-worker is Disconnected" in done.stderr


def test_refuses_where_a_gate_would_hold_green(gate: Gate) -> None:
    """Where ConfigHub asks for approval, and nothing can speak for the version, that is said."""
    before = seen(gate)
    trigger = gate.confighub.trigger_create(
        space(gate), "proof", "is-approved", {"num-approvers": 1}
    )
    try:
        done = gate.run(*WORDS)
    finally:
        gate.confighub.trigger_delete(trigger)
    assert (done.returncode, seen(gate)) == (2, before), done
    assert "nothing is ever live in base that could speak for it" in done.stderr
