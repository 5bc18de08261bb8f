"""Ingress objects, parsed once; and which route a request takes, as ingress-nginx decides it.

Pure. What watches the objects is in `ingress_controller.py`, what serves in `ingress_server.py`.
"""

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

CLASS = "nginx"
_ANNOTATION = "nginx.ingress.kubernetes.io/"
_USE_REGEX = f"{_ANNOTATION}use-regex"
_REWRITE = f"{_ANNOTATION}rewrite-target"
KNOWN_ANNOTATIONS = frozenset({_USE_REGEX, _REWRITE})
_GROUP = re.compile(r"\$(\d)")
_UNESCAPED = "/:@!$&'()*+,;=~"


class PathError(Exception):
    """A path is not a regular expression, and is used as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One path of one rule.

    Attributes:
        host: Empty for every host that no other rule names.
        kind: `Prefix`, `Exact` or `ImplementationSpecific`.
        rewrite: What the request's path becomes; empty if it stays.
        use_regex: Whether the object says that its paths are regular expressions.
        namespace: Where the service is.
        port: The service's port, by number or by name.
    """

    host: str
    path: str
    kind: str
    rewrite: str
    use_regex: bool
    namespace: str
    service: str
    port: int | str

    @property
    def needs_regex(self) -> bool:
        """Whether all paths of the host become regular expressions because of this one."""
        return self.use_regex or bool(self.rewrite and self.rewrite != self.path)

    def target(self, raw_path: str) -> str:
        """Return the path to ask the service for.

        Raises:
            PathError: The path is to be rewritten and is no regular expression.
        """
        if not self.rewrite or self.rewrite == self.path:
            return raw_path
        # Searched, not anchored: so does the rewrite rule that ingress-nginx writes.
        match = _compiled(self.path).search(normal(raw_path))
        if match is None:
            return raw_path
        groups = ("", *match.groups(default=""))

        def group(asked: re.Match[str]) -> str:
            number = int(asked[1])
            return groups[number] if 0 < number < len(groups) else ""

        return quote(_GROUP.sub(group, self.rewrite), safe=_UNESCAPED) or "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingress:
    """One Ingress object.

    Attributes:
        ports: Where its status says that it is reached, as (address, port).
        unknown: Annotations for nginx that have no effect here.
    """

    namespace: str
    name: str
    created: str
    class_name: str
    routes: tuple[Route, ...]
    reached: tuple[tuple[str, int], ...]
    unknown: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str]:
        """What identifies the object."""
        return self.namespace, self.name


def parse(document: Mapping[str, Any]) -> Ingress:
    """Parse an Ingress of the API."""
    metadata, spec = document["metadata"], document["spec"]
    annotations = metadata.get("annotations") or {}
    routes = tuple(
        _route(metadata["namespace"], annotations, rule.get("host", ""), path)
        for rule in spec.get("rules") or ()
        for path in (rule.get("http") or {}).get("paths") or ()
        if "service" in path["backend"]
    )
    if "service" in (spec.get("defaultBackend") or {}):
        default = {"path": "/", "pathType": "Prefix", "backend": spec["defaultBackend"]}
        routes += (_route(metadata["namespace"], {}, "", default),)
    balancer = (document.get("status") or {}).get("loadBalancer") or {}
    return Ingress(
        namespace=metadata["namespace"],
        name=metadata["name"],
        created=metadata["creationTimestamp"],
        class_name=spec.get("ingressClassName")
        or annotations.get("kubernetes.io/ingress.class", ""),
        routes=routes,
        reached=tuple(
            (item.get("ip", ""), port["port"])
            for item in balancer.get("ingress") or ()
            for port in item.get("ports") or ()
        ),
        unknown=tuple(
            sorted(
                key
                for key in annotations
                if key.startswith(_ANNOTATION) and key not in KNOWN_ANNOTATIONS
            )
        ),
    )


def _route(
    namespace: str, annotations: Mapping[str, str], host: str, path: Mapping[str, Any]
) -> Route:
    service = path["backend"]["service"]
    port = service.get("port") or {}
    return Route(
        host=host.lower(),
        path=path.get("path") or "/",
        kind=path["pathType"],
        rewrite=annotations.get(_REWRITE, ""),
        use_regex=annotations.get(_USE_REGEX, "").lower() == "true",
        namespace=namespace,
        service=service["name"],
        port=port.get("number") or port.get("name", ""),
    )


class Table:
    """The routes of all Ingress objects; of two for the same path the older object's counts."""

    def __init__(self, ingresses: Iterable[Ingress]) -> None:
        hosts: dict[str, dict[tuple[str, str], Route]] = {}
        for ingress in sorted(ingresses, key=lambda item: (item.created, item.key)):
            for route in ingress.routes:
                hosts.setdefault(route.host, {}).setdefault((route.path, route.kind), route)
        self._hosts = {host: tuple(routes.values()) for host, routes in hosts.items()}

    def find(self, host: str, raw_path: str) -> Route | None:
        """Return the route of a request.

        Raises:
            PathError: A path of the host is to be a regular expression, and is none.
        """
        routes = self._of_host(host.lower())
        path = normal(raw_path)
        if any(route.needs_regex for route in routes):
            return _by_regex(routes, path)
        return _by_prefix(routes, path)

    def _of_host(self, host: str) -> Sequence[Route]:
        if host in self._hosts:
            return self._hosts[host]
        _, dot, domain = host.partition(".")
        return self._hosts.get(f"*.{domain}" if dot else "") or self._hosts.get("", ())


def normal(raw_path: str) -> str:
    """Return the path that routes are compared with: decoded, without dots and double slashes."""
    path = unquote(raw_path)
    clean = posixpath.normpath("/" + path.lstrip("/"))
    return clean if clean == "/" or not path.endswith("/") else f"{clean}/"


def _by_regex(routes: Sequence[Route], path: str) -> Route | None:
    # One regular expression on a host makes all its paths expressions, without regard to case;
    # the longest is tried first.
    ordered = sorted(routes, key=lambda route: (len(route.path), route.path), reverse=True)
    return next((route for route in ordered if _compiled(f"^{route.path}").search(path)), None)


def _by_prefix(routes: Sequence[Route], path: str) -> Route | None:
    exact = next((route for route in routes if route.kind == "Exact" and route.path == path), None)
    if exact is not None:
        return exact
    matching = [route for route in routes if _is_below(route, path)]
    return max(matching, key=lambda route: len(route.path), default=None)


def _is_below(route: Route, path: str) -> bool:
    if route.kind == "Exact":
        return False
    if route.kind == "ImplementationSpecific":
        return path.startswith(route.path)
    stem = route.path.rstrip("/")
    return path == stem or path.startswith(f"{stem}/")


def _compiled(path: str) -> re.Pattern[str]:
    try:
        return re.compile(path, re.IGNORECASE)  # the library caches it
    except re.error as error:
        raise PathError(f"path {path!r} is no regular expression: {error}") from error
