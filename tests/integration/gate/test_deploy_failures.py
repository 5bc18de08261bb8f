"""Deployments that fail: the first service that does stops them, and says why."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.integration.gate.gate_command import Gate
from traderx_gate import application

WORKER_WAIT = "5s"
"""How long an apply that never gets ready occupies the worker; the repairing one waits for that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A unit that cannot be deployed.

    Attributes:
        replacements: What is changed in the unit's text.
        says: What the command has to say of it.
        timeout_s: When it may give up; only what is no certain failure takes that long.
    """

    name: str
    unit: str
    replacements: tuple[tuple[str, str], ...]
    says: tuple[str, ...]
    timeout_s: int = 60


FAILURES = (
    Failure(
        name="image not there",
        unit="reference-data-deployment",
        replacements=(("reference-data:v1.2.3", "reference-data:v9.9.9"),),
        says=("reference-data:v9.9.9", "  event Failed: ", "ImagePull"),
    ),
    Failure(
        name="crash loop",
        unit="reference-data-deployment",
        replacements=(('value: "18085"', 'value: "no port"'),),
        says=("CrashLoopBackOff", "  event BackOff: ", "  log reference-data-"),
    ),
    Failure(
        name="memory limit too small",
        unit="reference-data-deployment",
        replacements=(("memory: 64Mi", "memory: 4Mi"), ("memory: 512Mi", "memory: 4Mi")),
        says=("OOMKilled", "  event BackOff: "),
    ),
    Failure(
        name="wrong application behind a right-looking Service",
        unit="reference-data-service",
        replacements=(
            ("selector:\n    app: reference-data", "selector:\n    app: database"),
            ("targetPort: 18085", "targetPort: 18084"),
        ),
        says=("waited for GET /stocks/IBM to answer 200 ", "last seen: 404"),
        timeout_s=10,
    ),
)


@contextmanager
def repaired(gate: Gate) -> Iterator[None]:
    """Deploy again afterwards, which must succeed."""
    try:
        yield
    finally:
        gate.deploy()


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.name)
def test_failing_service_stops_the_deployment(gate: Gate, failure: Failure) -> None:
    """A service that fails is named with its cause, and what depends on it is left as it was."""
    with (
        repaired(gate),
        gate.changed_unit("trade-service-deployment", ("replicas: 2", "replicas: 2 # later")),
        gate.changed_unit(failure.unit, *failure.replacements),
        gate.impatient_worker(WORKER_WAIT),
    ):
        done = gate.run("deploy", "dev", DEPLOYMENT_TIMEOUT=str(failure.timeout_s))
        later = gate.unit("trade-service-deployment")
    assert (done.returncode, later.applied_revision < later.head_revision) == (1, True), done
    first, *healthy = done.stdout.splitlines()
    assert (first, "reference-data" in done.stdout, "ingress" in done.stdout) == (
        "namespace: applied",
        False,
        False,
    )
    assert all(": healthy after " in line for line in healthy)
    assert "\ntraderx-gate: reference-data failed: " in f"\n{done.stderr}"
    assert [said for said in failure.says if said not in done.stderr] == [], done.stderr
    assert done.stderr.endswith("trade-service, ingress\n")


def test_dead_worker_stops_the_deployment(gate: Gate) -> None:
    """Without a worker nothing is applied, and the message says which one is not there."""
    with repaired(gate), gate.without_worker():
        done = gate.run("deploy", "dev", DEPLOYMENT_TIMEOUT="2")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no worker has taken it (confighub-worker is Disconnected)" in done.stderr
    left = ", ".join([*application.load().slugs, "ingress"])
    assert done.stderr.endswith(f"Not done: {left}\n")
