"""Restarts of what hangs on the life of another service: its pods are replaced, its unit stays.

trade-processor subscribes to the feed once, when it starts: after a restart of the feed orders are
taken and never settle until trade-processor is restarted too (`reference/traderx.md` I12).

Pods are deleted; `kubectl rollout restart` annotates their template instead, which would be drift:
the unit does not say it.
"""

import datetime as dt

from traderx_gate.application import Service
from traderx_gate.delivery.service_rollout import await_healthy, await_replicas
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.kube import ObjectRef, Pod
from traderx_gate.waiting import Deadline, until


def cause(deployed: DeployedEnvironment, service: Service) -> str:
    """Return which service was started after one that hangs on it; empty for none.

    Kubernetes tells the time in whole seconds: what started within one is in order.
    """
    since = _started(deployed, service)
    for slug in service.restart_after:
        started = _started(deployed, deployed.application.service(slug))
        if since and started and min(since) < max(started):
            return slug
    return ""


def _started(deployed: DeployedEnvironment, service: Service) -> list[dt.datetime]:
    return [pod.started_at for pod in deployed.pods(service) if pod.started_at is not None]


def carry_out(deployed: DeployedEnvironment, service: Service, deadline: Deadline) -> None:
    """Replace a service's pods, and wait until the new ones are healthy.

    Raises:
        NotReachedError: Time is over, or they can never become ready.
    """
    old = {pod.name for pod in deployed.pods(service)}
    for name in sorted(old):
        deployed.kube.delete(
            ObjectRef(api_version="v1", kind="Pod", namespace=deployed.spec.namespace, name=name)
        )

    def is_replaced(pods: tuple[Pod, ...]) -> bool:
        return len([pod for pod in pods if pod.ready and pod.name not in old]) >= len(old)

    until(
        deployed.kube.watch(
            [("v1", "Pod")],
            lambda: deployed.pods(service),
            namespace=deployed.spec.namespace,
            labels=f"app={service.slug}",
            deadline=deadline,
        ),
        is_replaced,
        what=f"new pods of {service.slug} to be ready",
        describe=lambda pods: "; ".join(map(str, pods)) or "no pod",
    )
    await_replicas(deployed, service, deadline)
    await_healthy(deployed, service, deadline)
