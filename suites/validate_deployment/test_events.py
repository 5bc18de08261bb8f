"""Events: the cluster warns of nothing."""

import datetime as dt

from fixtures.evidence import Observe
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.inspection import events


def test_warn_of_nothing(environment: DeployedEnvironment, observe: Observe) -> None:
    """Nothing was warned of in the namespace since the last pod became ready."""
    now = dt.datetime.now(dt.UTC)
    found = environment.kube.list("v1", "Event", namespace=environment.spec.namespace)
    pods = environment.kube.pods(environment.spec.namespace)
    ready = [pod.ready_at for pod in pods if pod.ready_at is not None]
    since = max(ready, default=now - events.WINDOW)
    names = {pod.name for pod in pods}
    assert observe(events.warnings(found, pods=names, since=since, now=now)) == ()
