# ruff: noqa: INP001 - the interpreter imports it by its name alone, not from a package
"""Makes an ordinary Python program behave inside a pod as it would in a container.

Python imports this at start because the node puts its directory first on PYTHONPATH. Wildcard binds
go to the pod's private address, cluster names resolve from the node's file, connections to 10.P.x.y
go to 127.P.x.y, where the node accepts them, localhost is the pod's own, and paths of volumes lead
below the container's root.
It must stay light, import nothing of ours, and do nothing outside a pod.
"""

import builtins
import io
import json
import os
import socket
from typing import Any

_BIND = os.environ.get("TRADERX_BIND_ADDRESS", "")
_POD = os.environ.get("TRADERX_POD_ADDRESS", "")
_NETWORK = os.environ.get("TRADERX_POD_NETWORK", "") + "."
_HOSTS = os.environ.get("TRADERX_HOSTS", "")
_NAMESPACE = os.environ.get("TRADERX_NAMESPACE", "")
_HOSTNAME = os.environ.get("HOSTNAME", "")
_STATE = os.environ.get("TRADERX_STATE", "") + "/"
_ROOT = os.environ.get("TRADERX_ROOT", "")
_MOUNTS = tuple(filter(None, os.environ.get("TRADERX_MOUNTS", "").split(":")))

_WILDCARDS = {"", "0.0.0.0", "::", None, b"", b"0.0.0.0", b"::"}
_LOCAL = {"127.0.0.1", "localhost", "::1"}
_LISTEN = "0A"
_WITH_PATH = (
    "access", "chdir", "chmod", "chown", "listdir", "lstat", "mkdir", "open", "readlink", "remove",
    "rmdir", "scandir", "stat", "statvfs", "truncate", "unlink", "utime",
)  # fmt: skip
_WITH_TWO_PATHS = ("link", "rename", "replace")

_bind = socket.socket.bind
_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex
_getaddrinfo = socket.getaddrinfo


def _bind_here(self: socket.socket, address: Any) -> None:
    if self.family in {socket.AF_INET, socket.AF_INET6} and isinstance(address, tuple):
        host = address[0]
        if host in _WILDCARDS or host == _POD:
            if self.family == socket.AF_INET6:
                # An IPv6 socket reaches an IPv4 address in its mapped form only.
                self.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                address = (f"::ffff:{_BIND}", *address[1:])
            else:
                address = (_BIND, *address[1:])
    _bind(self, address)


def _outward(self: socket.socket, address: Any) -> Any:
    """Return the address to connect to instead."""
    if self.family != socket.AF_INET or not isinstance(address, tuple):
        return address
    host, port = address[0], address[1]
    if isinstance(host, str):
        if host.startswith(_NETWORK):
            return (_BIND if host == _POD else f"127.{host.partition('.')[2]}", port)
        if host in _LOCAL:
            return (_BIND if _is_open(port) else host, port)
        found = _lookup(host)
        if found:
            return (found[0], port)
    return address


def _is_open(port: int) -> bool:
    """Whether this pod listens on the port at its private address."""
    octets = [int(octet) for octet in _BIND.split(".")]
    wanted = "{3:02X}{2:02X}{1:02X}{0:02X}".format(*octets) + f":{port:04X}"
    with open("/proc/net/tcp", encoding="ascii") as lines:  # noqa: PTH123 - pathlib is slow to import
        next(lines, None)
        for line in lines:
            fields = line.split(None, 4)
            if fields[3] != _LISTEN:
                return False  # listening sockets come first
            if fields[1] == wanted:
                return True
    return False


def _lookup(name: str) -> list[str] | None:
    """Return a cluster name's addresses; none for a name that is no name of this cluster."""
    name = name.rstrip(".").lower()
    if name == _HOSTNAME:
        return [_BIND]
    with open(_HOSTS, encoding="utf-8") as file:  # noqa: PTH123 - pathlib is slow to import
        hosts: dict[str, dict[str, list[str]]] = json.load(file)
    labels = name.split(".")
    if len(labels) == 1:
        return hosts.get(_NAMESPACE, {}).get(name)
    is_service = labels[2:] in (["svc"], ["svc", "cluster", "local"])
    if is_service or (len(labels) == 2 and labels[1] in hosts):
        return hosts.get(labels[1], {}).get(labels[0], [])
    return None


def _resolve(  # noqa: PLR0917 - the signature of socket.getaddrinfo
    host: Any,
    port: Any,
    family: int = 0,
    type: int = 0,  # noqa: A002 - callers name it
    proto: int = 0,
    flags: int = 0,
) -> Any:
    if isinstance(host, bytes):
        host = host.decode()
    if flags & socket.AI_PASSIVE and host in _WILDCARDS:
        # One wildcard, not one for each family: there is one address to bind.
        return _getaddrinfo("0.0.0.0", port, socket.AF_INET, type, proto, flags)
    if not isinstance(host, str) or not host or _is_literal(host):
        return _getaddrinfo(host, port, family, type, proto, flags)
    if host in _LOCAL:
        return _getaddrinfo("127.0.0.1", port, socket.AF_INET, type, proto, flags)
    found = _lookup(host)
    if found is None and "." in host:
        return _getaddrinfo(host, port, family, type, proto, flags)
    if not found or family == socket.AF_INET6:
        # As the cluster's name server says at once; a real one outside would be asked in vain.
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    answers: list[Any] = []
    for address in found:
        answers += _getaddrinfo(address, port, socket.AF_INET, type, proto, flags)
    return answers


def _is_literal(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False


def _gethostbyname(name: str) -> str:
    address: str = _resolve(name, None, socket.AF_INET)[0][4][0]
    return address


def _gethostbyname_ex(name: str) -> tuple[str, list[str], list[str]]:
    answers = _resolve(name, None, socket.AF_INET, socket.SOCK_STREAM)
    return name, [], [answer[4][0] for answer in answers]


def _gethostbyaddr(address: str) -> tuple[str, list[str], list[str]]:
    """Name the pod itself; others have no names to be asked for, and asking could take seconds."""
    if address in {_BIND, _POD, _HOSTNAME, "0.0.0.0", ""}:
        return _HOSTNAME, [], [_BIND]
    raise socket.herror(1, "Unknown host")


def _really(path: Any) -> Any:
    """Return where a path of a volume is."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        return path
    text = os.fsdecode(path)
    # The cluster's own files stay where they are, also if a volume is at /tmp and they below it.
    if not text.startswith(_STATE):
        for mount in _MOUNTS:
            if text == mount or text.startswith(mount + "/"):
                found = _ROOT + text
                return os.fsencode(found) if isinstance(path, bytes) else found
    return path


def _of_path(function: Any) -> Any:
    return lambda path=".", *rest, **options: function(_really(path), *rest, **options)


def _of_two_paths(function: Any) -> Any:
    return lambda source, target, **options: function(_really(source), _really(target), **options)


def _install_mounts() -> None:
    module: Any = os
    for name in _WITH_PATH:
        setattr(module, name, _of_path(getattr(os, name)))
    for name in _WITH_TWO_PATHS:
        setattr(module, name, _of_two_paths(getattr(os, name)))
    opens: Any = _of_path(builtins.open)
    builtins.open = io.open = opens


def _install() -> None:
    methods: Any = socket.socket
    methods.bind = _bind_here
    methods.connect = lambda self, address: _connect(self, _outward(self, address))
    methods.connect_ex = lambda self, address: _connect_ex(self, _outward(self, address))
    module: Any = socket
    module.getaddrinfo = _resolve
    module.gethostbyname = _gethostbyname
    module.gethostbyname_ex = _gethostbyname_ex
    module.gethostbyaddr = _gethostbyaddr
    module.gethostname = lambda: _HOSTNAME


if _BIND:
    _install()
if _MOUNTS:
    _install_mounts()
