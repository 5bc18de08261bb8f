"""Switches for defects and for repairs, and the admin port that sets them.

With all switches off a service is as the real one, whose own defects are no switches: a repair is
what removes one of them.

Neither is ever set through the environment of a unit: it would be seen as a difference between unit
and live object, and the test would have proved that instead.
"""

import asyncio
import enum
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from traderx_embedded.traderx.http_server import Handler, Request, Response

SLOW_S = 2.0

GUI_PAGE = (
    b'<!doctype html>\n<html lang="en">\n<head>\n  <meta charset="utf-8">\n'
    b'  <title>TraderX</title>\n  <base href=".">\n</head>\n'
    b"<body>\n  <app-root></app-root>\n</body>\n</html>\n"
)


class Effect(enum.Enum):
    """What a switch that is on does to a service."""

    DEFECT = "defect"
    """It has a defect that the real service does not have."""
    REPAIR = "repair"
    """It lacks a defect that the real service has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A way in which a service can be made to differ from the real one while it runs."""

    name: str
    meaning: str
    effect: Effect = Effect.DEFECT


UNAVAILABLE = Switch(name="unavailable", meaning="every route answers 500")
WRONG_APPLICATION = Switch(
    name="wrong-application",
    meaning="every route answers as another page does: 200 with its index",
)
EMPTY_DATA = Switch(name="empty-data", meaning="lists are empty, with status 200")
SLOW = Switch(name="slow", meaning=f"every answer comes {SLOW_S:g} s late")
COMMON = (UNAVAILABLE, WRONG_APPLICATION, EMPTY_DATA, SLOW)


class Switches:
    """The switches of one service; all are off at its start."""

    def __init__(self, declared: Iterable[Switch] = COMMON) -> None:
        self._declared = {switch.name: switch for switch in declared}
        self._on = dict.fromkeys(self._declared, False)
        self._watchers: dict[str, Callable[[bool], None]] = {}

    def __contains__(self, name: str) -> bool:
        """Whether the switch is declared."""
        return name in self._on

    def is_on(self, switch: Switch) -> bool:
        """Whether it is in effect."""
        return self._on[switch.name]

    def set(self, name: str, *, on: bool) -> None:
        """Set a declared switch."""
        if name not in self._on:
            raise KeyError(name)
        self._on[name] = on
        if name in self._watchers:
            self._watchers[name](on)

    def watch(self, switch: Switch, watcher: Callable[[bool], None]) -> None:
        """Have a function called with the new state whenever a switch is set."""
        self._watchers[switch.name] = watcher

    def as_table(self) -> dict[str, bool]:
        """Return all switches by name."""
        return dict(self._on)

    def describe(self, name: str) -> dict[str, Any]:
        """Return what a declared switch does."""
        switch = self._declared[name]
        return {
            "name": switch.name,
            "effect": switch.effect.value,
            "meaning": switch.meaning,
            "on": self._on[name],
        }


def defective(
    handler: Handler,
    switches: Switches,
    *,
    failure: Callable[[Request], Response],
    other_page: bytes = GUI_PAGE,
) -> Handler:
    """Return the handler with the defects that every service shares.

    Args:
        handler: What answers while the defects are off.
        switches: Read at every request.
        failure: How this kind of service answers when it fails altogether.
        other_page: The page that a wrong application shows.
    """

    async def handle(request: Request) -> Response:
        if switches.is_on(SLOW):
            await asyncio.sleep(SLOW_S)
        if switches.is_on(WRONG_APPLICATION):
            return Response(status=200, headers=(("Content-Type", "text/html"),), body=other_page)
        if switches.is_on(UNAVAILABLE):
            return failure(request)
        return await handler(request)

    return handle


def admin(switches: Switches) -> Callable[[Request], Awaitable[Response]]:
    """Return the handler of the admin port: `GET /switches`, `GET` or `PUT /switches/{name}`."""

    async def handle(request: Request) -> Response:
        if request.method == "GET" and request.path == "/switches":
            return _answer(200, switches.as_table())
        name = request.path.removeprefix("/switches/")
        if name not in switches:
            known = ", ".join(switches.as_table())
            return _answer(404, {"error": f"no switch {name!r}; there are: {known}"})
        if request.method == "GET":
            return _answer(200, switches.describe(name))
        if request.method != "PUT":
            return _answer(405, {"error": "PUT true or false"})
        if request.body not in {b"true", b"false"}:
            return _answer(400, {"error": "the body has to be true or false"})
        switches.set(name, on=request.body == b"true")
        return _answer(200, switches.as_table())

    return handle


def _answer(status: int, value: object) -> Response:
    headers = (("Content-Type", "application/json"),)
    return Response(status=status, headers=headers, body=json.dumps(value).encode())
