"""Commands inside containers, through the API server."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import urllib3
from kubernetes.client.api_client import ApiClient
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream

from traderx_gate.errors import KubernetesError, UnreachableError


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """What a command in a container came to.

    Attributes:
        exit_code: None where it did not end in time, or could not be started.
        output: What it wrote, standard output and error together.
    """

    exit_code: int | None
    output: str


def execute(
    api: ApiClient, namespace: str, pod: str, command: Sequence[str], *, timeout_s: float
) -> Executed:
    """Run a command in the only container of a pod, without a terminal.

    Raises:
        KubernetesError: The API refuses, for instance because the pod does not run.
        UnreachableError: Nothing answers.
    """
    # here, because it takes half a second that most commands can do without
    from kubernetes.client.api.core_v1_api import CoreV1Api  # noqa: PLC0415

    # a client of its own: the library replaces the request method of the one it is given
    own = CoreV1Api(ApiClient(api.configuration))
    try:
        session: Any = stream(
            own.connect_get_namespaced_pod_exec,
            pod,
            namespace,
            command=list(command),
            stdout=True,
            stderr=True,
            stdin=False,
            tty=False,
            _preload_content=False,
            _request_timeout=timeout_s,
        )
        try:
            session.run_forever(timeout=timeout_s)
            exit_code = session.returncode  # None while it has not ended; read_all forgets it
            output = session.read_all()
        finally:
            session.close()
            session.sock.shutdown()  # close() leaves the socket open once the peer has said goodbye
    except ApiException as error:
        raise KubernetesError(
            f"exec in pod {pod}: {error.reason}", status=error.status or 0
        ) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise UnreachableError(f"exec in pod {pod}: {error}") from error
    return Executed(exit_code=exit_code, output=output)
