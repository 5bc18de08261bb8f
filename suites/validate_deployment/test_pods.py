"""Pods: configured as their unit says, all in order, none restarted lately."""

import datetime as dt

from fixtures.evidence import Observe
from traderx_gate import workloads
from traderx_gate.application import Service
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.inspection import pods


def test_configured_as_the_unit_says(
    environment: DeployedEnvironment, service: Service, observe: Observe
) -> None:
    """Namespace, service account, limits, probes and environment of every pod are the unit's."""
    template = workloads.template(environment, service)
    unmet = observe(
        observation
        for pod in workloads.pods(environment, service)
        for observation in pods.configuration(pod, template, namespace=environment.spec.namespace)
    )
    assert unmet == ()


def test_none_is_astray(
    environment: DeployedEnvironment, service: Service, observe: Observe
) -> None:
    """Every pod is running, ready and of the newest revision; none is pending or left over."""
    newest = workloads.newest_replica_sets(environment, service)
    now = dt.datetime.now(dt.UTC)
    found = workloads.pods(environment, service)
    assert observe(pods.astray(pod, newest=newest, now=now) for pod in found) == ()


def test_none_restarted_lately(
    environment: DeployedEnvironment, service: Service, observe: Observe
) -> None:
    """No container of a service was restarted within the last ten minutes."""
    now = dt.datetime.now(dt.UTC)
    unmet = observe(
        observation
        for pod in workloads.pods(environment, service)
        for observation in pods.restarts(pod, now=now)
    )
    assert unmet == ()
