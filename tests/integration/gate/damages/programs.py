"""What can happen to programs: defects switched on, processes stopped, pods killed."""

import datetime as dt
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from tests.integration.gate.damages.damage import (
    ACCOUNTS,
    DATABASE,
    DEADLINE_S,
    PAGE,
    POSITIONS,
    PROCESSOR,
    STOCKS,
    Inflict,
)
from tests.integration.gate.damages.objects import cordoned, settled, until_warned
from tests.integration.gate.gate_command import NAMESPACE, REQUEST_TIMEOUT_S, Gate, Json, ref
from traderx_gate.waiting import Deadline, polling, until


def switched(service: str, switch: str) -> Inflict:
    """Turn a defect of every pod of a service on, at the port that is no part of the unit."""

    @contextmanager
    def inflict(gate: Gate) -> Iterator[None]:
        with gate.admin_urls(service) as admins:
            urls = [f"{url}/switches/{switch}" for url in admins]
            _put(urls, "true")
            try:
                yield
            finally:
                _put(urls, "false")

    return inflict


def _put(urls: list[str], value: str) -> None:
    assert urls
    for url in urls:
        assert requests.put(url, value, timeout=REQUEST_TIMEOUT_S).status_code == 200


@contextmanager
def frozen(gate: Gate) -> Iterator[None]:
    """Stop one of two processes without ending it, until it is seen not to be ready."""
    began = dt.datetime.now(dt.UTC)
    pod = gate.pods(PAGE)[0]
    _signal(pod, signal.SIGSTOP)
    try:
        _until_ready(gate, PAGE, 1)
        until_warned(gate, pod["name"], began)
        yield
    finally:
        gate.kube.delete(ref("Pod", pod["name"]))
        settled(gate, PAGE)


@contextmanager
def crashed(gate: Gate) -> Iterator[None]:
    """Kill a process; its container is restarted, and ready again."""
    pod = gate.pods(STOCKS)[0]
    _signal(pod, signal.SIGKILL)
    until(
        polling(lambda: gate.pods(STOCKS), every_s=0.05, deadline=Deadline(DEADLINE_S)),
        lambda pods: len(pods) == 2 and pod["pid"] not in [p["pid"] for p in pods],
        what="the container to be restarted",
    )
    yield
    gate.kube.delete(ref("Pod", pod["name"]))
    settled(gate, STOCKS)


def _signal(pod: Json, number: signal.Signals) -> None:
    assert "pid" in pod, "processes of pods are this machine's on the embedded cluster alone"
    os.kill(pod["pid"], number)


def _until_ready(gate: Gate, service: str, count: int) -> None:
    until(
        polling(lambda: gate.pods(service), every_s=0.05, deadline=Deadline(DEADLINE_S)),
        lambda pods: len(pods) == count,
        what=f"{count} pods of {service} to be ready",
    )


@contextmanager
def killed_for_good(gate: Gate) -> Iterator[None]:
    """Delete a pod while no node takes a new one."""
    began = dt.datetime.now(dt.UTC)
    with cordoned(gate):
        gate.kube.delete(ref("Pod", gate.pods(POSITIONS)[0]["name"]))
        _until_ready(gate, POSITIONS, 0)
        until_warned(gate, POSITIONS, began)
        yield


def restarted(service: str) -> Inflict:
    """Kill every process of a service; their containers are started again, and ready."""

    @contextmanager
    def inflict(gate: Gate) -> Iterator[None]:
        pods = gate.pods(service)
        assert pods
        for pod in pods:
            _signal(pod, signal.SIGKILL)
        killed = {pod["pid"] for pod in pods}
        until(
            polling(lambda: gate.pods(service), every_s=0.05, deadline=Deadline(DEADLINE_S)),
            lambda seen: len(seen) == len(pods) and killed.isdisjoint(p["pid"] for p in seen),
            what=f"the containers of {service} to be restarted",
        )
        yield

    return inflict


def replaced(service: str) -> Inflict:
    """Delete a pod; another one takes its place."""

    @contextmanager
    def inflict(gate: Gate) -> Iterator[None]:
        labels = f"app={service}"
        # ready or not: it may be a repair
        first, *others = (p for p in gate.kube.pods(NAMESPACE, labels=labels) if not p.deleting)
        gate.kube.delete(ref("Pod", first.name))
        until(
            polling(
                lambda: gate.kube.pods(NAMESPACE, labels=labels),
                every_s=0.05,
                deadline=Deadline(DEADLINE_S),
            ),
            lambda seen: sum(p.ready and p.name != first.name for p in seen) == 1 + len(others),
            what=f"a pod of {service} to be replaced",
        )
        yield

    return inflict


def with_fresh_books(inflict: Inflict) -> Inflict:
    """Have a damage that spoils what is stored; the database starts anew afterwards (I11).

    The programs that use it do as well: one of them alters its tables at its start.
    """

    @contextmanager
    def spoil(gate: Gate) -> Iterator[None]:
        with inflict(gate):
            yield
        for service in (DATABASE, ACCOUNTS, POSITIONS, PROCESSOR):
            with replaced(service)(gate):
                pass

    return spoil
