"""Whether a cluster enforces network policies: tried out, since every API takes them.

Two pods in a namespace of their own reach each other; a policy forbids it; if they still do,
nobody enforces policies. The namespace is removed again.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from traderx_gate.errors import RefusedError
from traderx_gate.inspection import dependencies
from traderx_gate.kube import PROJECT_LABEL, Kube, Manifest, ObjectRef
from traderx_gate.waiting import Deadline, polling, until

IMAGE = "python:3.11-slim"
PORT = 8080
SERVE = ("python3", "-m", "http.server", str(PORT))
WAIT = ("python3", "-c", "import threading; threading.Event().wait()")
MANAGER = "traderx-gate"
PODS_DEADLINE_S = 120.0
EFFECT_WITHIN_S = 15.0
"""A Service leads to its pod, and a policy is in force, a moment after the API has taken it."""
POLL_S = 0.5
EXEC_TIMEOUT_S = 10.0


def is_enforced(kube: Kube, *, project: str, image: str = IMAGE) -> bool:
    """Try a policy out, and remove all of it.

    Args:
        kube: The cluster.
        project: Whose label everything carries.
        image: One with `python3`, that nodes can pull.

    Raises:
        RefusedError: Without any policy the pods do not reach each other: nothing can be said.
        NotReachedError: The pods do not get ready; says why.
        KubernetesError: The API refuses, for want of rights for instance.
    """
    with _namespace(kube, project) as namespace:
        for name, command in (("server", SERVE), ("client", WAIT)):
            kube.apply(_pod(namespace, name, image, command), manager=MANAGER)
        kube.apply(_service(namespace), manager=MANAGER)
        _await_ready(kube, namespace)
        if not any(_attempts(kube, namespace)):
            raise RefusedError(
                f"pods of {namespace} do not reach each other without any policy; "
                "whether policies are enforced cannot be said"
            )
        kube.apply(_policy(namespace), manager=MANAGER)
        return any(not reached for reached in _attempts(kube, namespace))


@contextmanager
def _namespace(kube: Kube, project: str) -> Iterator[str]:
    name = f"traderx-gate-probe-{secrets.token_hex(4)}"
    metadata = {"name": name, "labels": {PROJECT_LABEL: project}}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    kube.apply(body, manager=MANAGER)
    try:
        yield name
    finally:
        kube.delete(ObjectRef.of(body))


def _pod(namespace: str, name: str, image: str, command: tuple[str, ...]) -> Manifest:
    container = {
        "name": name,
        "image": image,
        "command": list(command),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    metadata = {"name": name, "namespace": namespace, "labels": {"probe": name}}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _policy(namespace: str) -> Manifest:
    """Return what forbids all traffic to the server."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "nobody", "namespace": namespace},
        "spec": {
            "podSelector": {"matchLabels": {"probe": "server"}},
            "policyTypes": ["Ingress"],
        },
    }


def _service(namespace: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "server", "namespace": namespace},
        "spec": {"selector": {"probe": "server"}, "ports": [{"port": PORT}]},
    }


def _await_ready(kube: Kube, namespace: str) -> None:
    until(
        polling(
            lambda: {pod.name: pod for pod in kube.pods(namespace)},
            every_s=POLL_S,
            deadline=Deadline(PODS_DEADLINE_S),
        ),
        lambda pods: len(pods) > 1 and all(pod.ready for pod in pods.values()),
        what=f"two pods in {namespace}",
        describe=lambda pods: ", ".join(
            f"{pod.name} {' '.join(c.reason or c.state for c in pod.containers) or pod.phase}"
            for pod in pods.values()
        ),
    )


def _attempts(kube: Kube, namespace: str) -> Iterator[bool]:
    """Yield whether the client reaches the server, again and again for a while."""
    command = dependencies.command(f"server:{PORT}")

    def reaches() -> bool:
        return kube.execute(namespace, "client", command, timeout_s=EXEC_TIMEOUT_S).exit_code == 0

    return polling(reaches, every_s=POLL_S, deadline=Deadline(EFFECT_WITHIN_S))
