"""Probes: what is asked (parsed from the API) and one attempt of it, with a kubelet's words.

When to ask, and what follows from the answers, is in `prober.py`.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

MAX_OUTPUT = 10 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpGet:
    """GET the path: 200 to 399 is success."""

    scheme: str
    host: str
    port: int
    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpSocket:
    """Open a connection."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Exec:
    """Run a command in the container: exit code 0 is success."""

    command: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A probe, with Kubernetes' meaning of every number."""

    action: HttpGet | TcpSocket | Exec
    initial_delay_s: int
    period_s: int
    timeout_s: int
    success_threshold: int
    failure_threshold: int
    grace_s: float | None

    @classmethod
    def from_json(cls, document: Mapping[str, Any], ports: Mapping[str, int]) -> "Probe":
        """Parse a probe; `ports` are the container's named ports."""
        return cls(
            action=_action(document, ports),
            initial_delay_s=document.get("initialDelaySeconds", 0),
            period_s=document.get("periodSeconds", 10),
            timeout_s=document.get("timeoutSeconds", 1),
            success_threshold=document.get("successThreshold", 1),
            failure_threshold=document.get("failureThreshold", 3),
            grace_s=document.get("terminationGracePeriodSeconds"),
        )

    @property
    def port(self) -> int | None:
        """The port the probe asks, if it asks one."""
        return None if isinstance(self.action, Exec) else self.action.port


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How one attempt ended; `output` is what a kubelet would put into its event."""

    success: bool
    output: str = ""


def _action(document: Mapping[str, Any], ports: Mapping[str, int]) -> HttpGet | TcpSocket | Exec:
    if "httpGet" in document:
        get = document["httpGet"]
        headers = {header["name"]: header["value"] for header in get.get("httpHeaders", ())}
        return HttpGet(
            scheme=get.get("scheme", "HTTP").lower(),
            host=get.get("host", ""),
            port=_port(get["port"], ports),
            path=get.get("path", "/"),
            headers=headers,
        )
    if "tcpSocket" in document:
        socket = document["tcpSocket"]
        return TcpSocket(host=socket.get("host", ""), port=_port(socket["port"], ports))
    # Kinds that this node does not know are refused before any probe runs.
    return Exec(command=tuple(document.get("exec", {}).get("command", ())))


def _port(port: int | str, ports: Mapping[str, int]) -> int:
    # An undeclared name can never be reached: port 0 makes every attempt fail.
    return port if isinstance(port, int) else ports.get(port, 0)


async def ask_tcp(action: TcpSocket, *, address: str, shown: str, timeout_s: float) -> Answer:
    """Open a connection to the process behind the pod address `shown`."""
    target = f"dial tcp {action.host or shown}:{action.port}"
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(action.host or address, action.port)
    except TimeoutError:
        return Answer(success=False, output=f"{target}: i/o timeout")
    except OSError:
        return Answer(success=False, output=f"{target}: connect: connection refused")
    writer.close()
    return Answer(success=True)


async def ask_http(action: HttpGet, *, address: str, shown: str, timeout_s: float) -> Answer:
    """GET from the process behind the pod address `shown`."""
    path = action.path if action.path.startswith("/") else f"/{action.path}"
    host = action.host or shown
    url = f'Get "{action.scheme}://{host}:{action.port}{path}"'
    headers = {"User-Agent": "kube-probe/1.37", "Accept": "*/*", "Connection": "close"}
    headers |= {"Host": f"{host}:{action.port}", **action.headers}
    try:
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=timeout_s),
                connector=aiohttp.TCPConnector(force_close=True, ssl=False),
            ) as session,
            session.get(
                f"{action.scheme}://{action.host or address}:{action.port}{path}",
                headers=headers,
                allow_redirects=False,
            ) as response,
        ):
            await response.content.read(MAX_OUTPUT)
            if 200 <= response.status < 400:
                return Answer(success=True)
            return Answer(
                success=False, output=f"HTTP probe failed with statuscode: {response.status}"
            )
    except TimeoutError:
        return Answer(
            success=False,
            output=f"{url}: context deadline exceeded "
            "(Client.Timeout exceeded while awaiting headers)",
        )
    except aiohttp.ClientConnectorError:
        return Answer(
            success=False,
            output=f"{url}: dial tcp {host}:{action.port}: connect: connection refused",
        )
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Answer(success=False, output=f"{url}: {error}")
