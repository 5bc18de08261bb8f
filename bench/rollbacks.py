"""Rollbacks, counted: of one service and of all of staging, between two states that are proven.

Every unit with a container differs between the two, so that a rollback of the environment replaces
the pods of all nine services, and one of a service its own. By turns `rollback` finds its goal by
itself, and is told the run that proved the other state: it goes back and forth, and nothing has to
be delivered in between. The services take turns as well.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.standing import Data, Observer, Standing, Way, tail
from bench.throwaway import BenchError, Ended, Throwaway
from traderx_gate.application import load

RESULT = "rollback.json"
SERVICES = tuple(service.slug for service in load().services)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolled:
    """A rollback, and how staging stood afterwards.

    Attributes:
        service: The one concerned; empty for all of the environment.
        ended: The command.
        result: Its `rollback.json`; empty where it left none.
        faults: What was not as it has to be, in words.
    """

    service: str
    words: Sequence[str]
    ended: Ended
    result: Mapping[str, Any]
    faults: Sequence[str]

    @property
    def scope(self) -> str:
        """What it is counted with."""
        return "service" if self.service else "environment"

    def to_json(self) -> dict[str, Any]:
        """Return what the results hold of it."""
        return {
            "scope": self.scope,
            "service": self.service,
            "command": " ".join(self.words),
            "exit_code": self.ended.code,
            "verdict": self.result.get("verdict"),
            "took_s": self.result.get("took_s"),
            "seconds": round(self.ended.seconds, 2),
            "right": not self.faults,
            **({"faults": self.faults, "said": tail(self.ended.said)} if self.faults else {}),
        }


def judged(ended: Ended, result: Mapping[str, Any], standing: Standing, wanted: Data) -> list[str]:
    """Return what is wrong with a rollback that has ended, in words."""
    faults = standing.faults(wanted)
    if ended.code != 0:
        faults.append(f"exit code {ended.code}")
    if result.get("verdict") != "PASS":
        faults.append(f"verdict {result.get('verdict')}")
    return faults


@dataclass(slots=True, kw_only=True)
class Rollbacks:
    """Staging with two proven states, an older and a newer one.

    Attributes:
        way: The states that staging was proven in.
        older: The data of the one.
        newer: The data of the other.
        older_run: The latest run that proved the older one.
        newer_run: The latest run that proved the newer one.
        is_sound: Whether the latest rollback went right.
    """

    place: Throwaway
    observer: Observer
    way: Way
    older: Data
    newer: Data
    older_run: str
    newer_run: str
    is_sound: bool = True

    def of_services(self, times: int) -> Iterator[Rolled]:
        """Roll one service back and forth, then the next one."""
        for number in range(times):
            service = SERVICES[number // 2 % len(SERVICES)]
            own = load().service(service).units
            yield self._next(service, {**self.newer, **{slug: self.older[slug] for slug in own}})

    def of_environment(self, times: int) -> Iterator[Rolled]:
        """Roll all of it back and forth."""
        for _ in range(times):
            yield self._next("", self.older)

    def _next(self, service: str, back: Data) -> Rolled:
        """Come from there to the newer state, else from the newer state to there."""
        if self.is_sound and self.observer.data("staging") == back:
            return self._rolled(service, to=self.newer_run, wanted=self.newer)
        self._come_to_newer()
        return self._rolled(service, to="", wanted=back)

    def _come_to_newer(self) -> None:
        """Have the newer state, sound: what went wrong may not count against the next one."""
        if self.is_sound and not self.observer.standing("staging").faults(self.newer):
            return
        # By way of the older one: every pod is replaced.
        for run in (self.older_run, self.newer_run):
            self.place.gate("rollback", "staging", "--to", run)
        self._proven()
        self.is_sound = True

    def _rolled(self, service: str, *, to: str, wanted: Data) -> Rolled:
        words = ["rollback", "staging", *([service] if service else [])]
        words += ["--to", to] if to else []
        before = _runs(self.place, "rollback")
        ended = self.place.ended(*words)
        new = sorted(_runs(self.place, "rollback") - before)
        result = json.loads((self.place.reports / new[-1] / RESULT).read_text()) if new else {}
        faults = judged(ended, result, self.observer.standing("staging"), wanted)
        self.is_sound = not faults
        if ended.code == 0:
            self._proven()
        return Rolled(service=service, words=words, ended=ended, result=result, faults=faults)

    def _proven(self) -> None:
        data = self.observer.data("staging")
        self.way.prove(data)
        if data == self.newer:
            self.newer_run = max(_runs(self.place, "validate"))
        elif data == self.older:
            self.older_run = max(_runs(self.place, "validate"))


def _runs(place: Throwaway, kind: str) -> set[str]:
    """Return the names of staging's runs of a kind; they sort by time."""
    return {path.name for path in place.reports.glob(f"*-{kind}-staging-*")}


def prepared(
    place: Throwaway, observer: Observer, way: Way, *, say: Callable[[str], None]
) -> Rollbacks:
    """Bring staging to another state of every service, by promotion, and prove it.

    Raises:
        BenchError: It was not brought there.
    """
    older, older_run = observer.data("staging"), max(_runs(place, "validate"))
    say("another state of every service")
    for service in SERVICES:
        place.gate("set-resources", "dev", service, "--memory", "72Mi", "--limit-factor", "8")
    place.gate("set-image", "dev", "web-gui", "v1.2.2")
    place.gate("deploy", "dev")
    place.gate("validate", "dev")
    place.gate("promote", "dev", "staging")
    newer = observer.data("staging")
    alike = [
        f"{s}-deployment" for s in SERVICES if older[f"{s}-deployment"] == newer[f"{s}-deployment"]
    ]
    if alike:
        raise BenchError(f"the two states have the same {', '.join(alike)}")
    way.prove(newer)
    return Rollbacks(
        place=place,
        observer=observer,
        way=way,
        older=older,
        newer=newer,
        older_run=older_run,
        newer_run=max(_runs(place, "validate")),
    )
