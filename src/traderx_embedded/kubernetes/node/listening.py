"""Pod ports: whatever a pod's process listens on is reachable at the pod's address, nothing else.

The rule: a listening socket on the private address 127.Q.a.b appears as a listener of the node on
127.P.a.b, within a fraction of a second, and goes when it goes. So no port needs to be declared, as
in Kubernetes, and a connection is refused exactly when the process would refuse it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from traderx_embedded.kubernetes.node.addresses import Networks
from traderx_embedded.kubernetes.node.datapath import Listener

_LOG = logging.getLogger(__name__)

TABLE = Path("/proc/net/tcp")
LISTEN = b"0A"
# Often while someone waits for a port to open, seldom otherwise.
EAGER_S = 0.01
CALM_S = 0.1


@dataclass(slots=True, kw_only=True)
class _Entry:
    """A pod whose ports are shown."""

    pod_address: str
    uid: str
    hidden: frozenset[int]
    seen: frozenset[int] = frozenset()
    listeners: dict[int, Listener] = field(default_factory=dict)
    waiters: list[tuple[int, asyncio.Future[None]]] = field(default_factory=list)


class PodPorts:
    """Shows the ports of running pods."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._entries: dict[str, _Entry] = {}
        self._wake = asyncio.Event()
        self._watchers: list[Callable[[], None]] = []

    def watch(self, changed: Callable[[], None]) -> None:
        """Have a function called whenever a pod's process listens on other ports than before."""
        self._watchers.append(changed)

    def add(self, pod_address: str, uid: str, *, hidden: frozenset[int] = frozenset()) -> None:
        """Show the pod's ports from now on, except the `hidden` ones."""
        self._entries[self._networks.private_of(pod_address)] = _Entry(
            pod_address=pod_address, uid=uid, hidden=hidden
        )
        self._wake.set()

    def remove(self, pod_address: str, uid: str) -> None:
        """Show them no more; connections to them are refused at once."""
        private = self._networks.private_of(pod_address)
        entry = self._entries.get(private)
        if entry is None or entry.uid != uid:
            return  # the address may have gone to another pod since
        del self._entries[private]
        for listener in entry.listeners.values():
            listener.close()
        for _, future in entry.waiters:
            future.cancel()

    def is_hidden(self, private_address: str, port: int) -> bool:
        """Whether the port must not be reached through the node."""
        entry = self._entries.get(private_address)
        return entry is not None and port in entry.hidden

    def is_listening(self, private_address: str, port: int) -> bool:
        """Whether somebody listens there; of what is no running pod nothing else is known."""
        entry = self._entries.get(private_address)
        return entry is None or port in entry.seen

    async def listening(self, pod_address: str, port: int) -> None:
        """Return once the pod's process listens on the port."""
        entry = self._entries.get(self._networks.private_of(pod_address))
        if entry is None or port in entry.seen:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry.waiters.append((port, future))
        self._wake.set()
        try:
            await future
        finally:
            entry.waiters = [waiter for waiter in entry.waiters if waiter[1] is not future]

    async def run(self) -> None:
        """Follow the ports until cancelled."""
        while True:
            self._wake.clear()
            if not self._entries:
                await self._wake.wait()
                continue
            await self._compare(listening_sockets(TABLE, self._networks.private))
            waiting = any(entry.waiters for entry in self._entries.values())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EAGER_S if waiting else CALM_S):
                    await self._wake.wait()

    async def _compare(self, sockets: dict[str, frozenset[int]]) -> None:
        for private, entry in tuple(self._entries.items()):
            ports = sockets.get(private, frozenset()) - entry.hidden
            if ports != entry.seen:
                await self._show(private, entry, ports)
                for changed in self._watchers:
                    changed()
            for port, future in entry.waiters:
                if port in ports and not future.done():
                    future.set_result(None)

    async def _show(self, private: str, entry: _Entry, ports: frozenset[int]) -> None:
        for port in entry.listeners.keys() - ports:
            entry.listeners.pop(port).close()
        opened = set(entry.seen & ports)
        address = self._networks.reach(entry.pod_address)
        for port in ports - entry.seen:
            try:
                listener = await Listener.open(address, port, _always((private, port)))
            except OSError as error:
                _LOG.warning("cannot listen address=%s port=%s error=%s", address, port, error)
                continue
            if self._entries.get(private) is not entry:
                listener.close()  # the pod ended meanwhile
                return
            entry.listeners[port] = listener
            opened.add(port)
        entry.seen = frozenset(opened)


def _always(target: tuple[str, int]) -> Callable[[], tuple[str, int]]:
    return lambda: target


def listening_sockets(table: Path, network: str) -> dict[str, frozenset[int]]:
    """Return the ports that are listened on, by address, within a network of two octets."""
    first, second = (int(octet) for octet in network.split("."))
    suffix = b"%02X%02X" % (second, first)  # the kernel writes addresses backwards
    found: dict[str, set[int]] = {}
    with table.open("rb") as lines:
        next(lines, None)
        for line in lines:
            _, local, _, state, *_ = line.split(None, 4)
            if state != LISTEN:
                break  # the kernel lists listening sockets first, thousands of others after them
            address, _, port = local.partition(b":")
            if address.endswith(suffix):
                text = f"{network}.{int(address[2:4], 16)}.{int(address[0:2], 16)}"
                found.setdefault(text, set()).add(int(port, 16))
    return {address: frozenset(ports) for address, ports in found.items()}
