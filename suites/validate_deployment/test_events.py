"""Events: the cluster warns of nothing."""

import datetime as dt

from fixtures.evidence import Observe
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.inspection import events


def test_warn_of_nothing(environment: DeployedEnvironment, observe: Observe) -> None:
    """Of no pod was warned since it is ready, of nothing else in the namespace since all are."""
    now = dt.datetime.now(dt.UTC)
    found = environment.kube.list("v1", "Event", namespace=environment.spec.namespace)
    pods = environment.kube.pods(environment.spec.namespace)
    ready = {pod.name: pod.ready_at for pod in pods if not pod.deleting}
    told = events.warnings(found, pods=ready, now=now, is_gone=environment.is_gone)
    assert observe(told) == ()
