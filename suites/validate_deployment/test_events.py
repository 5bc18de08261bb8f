"""Events: the cluster warns of nothing."""

import datetime as dt

from fixtures.evidence import Observe
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.inspection import events


def test_warn_of_nothing(environment: DeployedEnvironment, observe: Observe) -> None:
    """Nothing was warned of in the namespace since the last pod became ready."""
    now = dt.datetime.now(dt.UTC)
    found = environment.kube.list("v1", "Event", namespace=environment.spec.namespace)
    ready = [pod.ready_at for pod in environment.kube.pods(environment.spec.namespace)]
    since = max((at for at in ready if at is not None), default=now - events.WINDOW)
    assert observe(events.warnings(found, since=since, now=now)) == ()
