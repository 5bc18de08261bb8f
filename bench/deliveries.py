"""Deliveries, counted: rollbacks against their targets, and promotions that are killed.

All of it on a cluster of its own, judged from outside (`bench.standing`). With n of n right, the
bound is `bench.detection`'s. Of 59 values the largest bounds the 95th percentile with 95 %
confidence: that all of them are below it would happen less than once in twenty (`0.95 ** 59`).
"""

import json
import math
import random
import statistics
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.detection import bounds
from bench.kills import Kills, Trial
from bench.machine import machine
from bench.measurement import Target
from bench.rollbacks import Rolled, prepared
from bench.standing import Observer, Way
from bench.throwaway import Throwaway, throwaway
from traderx_gate.checkout import TOOL_VERSION

SCHEMA = "traderx-gate/deliveries"
VERSION = 1
SEED = 1
SHARE = 0.95
CONSOLE = Console(soft_wrap=True, highlight=False)
TARGETS = {"service": Target(bound=10), "environment": Target(bound=30)}
"""Seconds of a rollback until everything concerned is healthy, at the 95th percentile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How times are spread, in seconds.

    Attributes:
        values: In any order.
        target: What the 95th percentile has to be; None where none was set.
    """

    what: str
    values: Sequence[float]
    target: Target | None = None

    @property
    def p50(self) -> float:
        """The median."""
        return statistics.median(self.values)

    @property
    def p95(self) -> float:
        """The smallest value that 95 % of them do not exceed (nearest rank)."""
        return sorted(self.values)[math.ceil(SHARE * len(self.values)) - 1]

    @property
    def is_met(self) -> bool | None:
        """Whether the 95th percentile meets the target; None without one."""
        return None if self.target is None else self.target.is_met_by(self.p95)

    @property
    def is_met_surely(self) -> bool:
        """Whether so many values meet it, all of them, that the true 95th percentile does too."""
        enough = SHARE ** len(self.values) <= 1 - SHARE
        return enough and self.target is not None and self.target.is_met_by(max(self.values))

    def to_json(self) -> dict[str, Any]:
        """Return what the results hold of it."""
        return {
            "what": self.what,
            "n": len(self.values),
            "p50": round(self.p50, 2),
            "p95": round(self.p95, 2),
            "max": round(max(self.values), 2),
            "target": None if self.target is None else self.target.bound,
            "met": self.is_met,
            "met_with_95_percent_confidence": self.is_met_surely,
        }

    def cells(self) -> tuple[str, ...]:
        """Return its row of the table."""
        met = {True: "met", False: "MISSED", None: ""}[self.is_met]
        numbers = (self.p50, self.p95, max(self.values))
        return (
            self.what,
            str(len(self.values)),
            *(f"{number:.1f}" for number in numbers),
            str(self.target or ""),
            f"{met}, surely" if self.is_met_surely else met,
        )


@dataclass(slots=True, kw_only=True)
class Deliveries:
    """What was delivered so far; on disk after each.

    Attributes:
        out: The file of the results; an older one is replaced.
        seed: Of the instants of the kills.
        begun: The machine, as it was at the start.
    """

    out: Path
    seed: int
    begun: dict[str, Any] = field(default_factory=machine)
    rollbacks: list[Rolled] = field(default_factory=list)
    kills: list[Trial] = field(default_factory=list)

    def is_right(self) -> bool:
        """Whether nothing came out wrong; says nothing of the targets."""
        return not any(r.faults for r in self.rollbacks) and not any(k.wrong for k in self.kills)

    def spreads(self) -> list[Spread]:
        """Return the times of the rollbacks that went right."""
        found = []
        for scope, target in TARGETS.items():
            made = [r for r in self.rollbacks if r.scope == scope and not r.faults]
            if made:
                took = [float(r.result["took_s"]) for r in made]
                whole = [r.ended.seconds for r in made]
                found += [
                    Spread(what=f"rollback of the {scope}: healthy", values=took, target=target),
                    Spread(what=f"rollback of the {scope}: whole command", values=whole),
                ]
        return found

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return of each kind how many came out right, and how many there were."""
        met = [trial for trial in self.kills if trial.killed.is_killed]
        kinds: dict[str, list[bool]] = {
            **{
                f"rollbacks of the {scope}": [
                    not r.faults for r in self.rollbacks if r.scope == scope
                ]
                for scope in TARGETS
            },
            **{
                f"kills, then {recovery}": [
                    not trial.wrong for trial in met if trial.recovery[0] == recovery
                ]
                for recovery in ("resume", "abort")
            },
            "kills": [not trial.wrong for trial in met],
            "promotions that ended before their kill": [
                not trial.wrong for trial in self.kills if not trial.killed.is_killed
            ],
        }
        return {what: (sum(right), len(right)) for what, right in kinds.items() if right}

    def write(self) -> None:
        """Write the results, with all that is counted of them."""
        body = {
            "schema": SCHEMA,
            "version": VERSION,
            "tool_version": TOOL_VERSION,
            "machine": self.begun,
            "written": machine(),
            "seed": self.seed,
            "spreads_s": [spread.to_json() for spread in self.spreads()],
            "right": {what: _rate(*count) for what, count in self.counts().items()},
            "rollbacks": [rolled.to_json() for rolled in self.rollbacks],
            "kills": [trial.to_json() for trial in self.kills],
        }
        self.out.parent.mkdir(exist_ok=True)
        self.out.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n")

    def show(self) -> None:
        """Print the times, and how many came out right."""
        times = Table("seconds", "n", "p50", "p95", "max", "p95's target", "")
        for spread in self.spreads():
            times.add_row(*spread.cells())
        rates = Table("", "right", "95 % bounds")
        for what, (right, made) in self.counts().items():
            lowest, highest = bounds(right, made)
            rates.add_row(what, f"{right} of {made}", f"{lowest:.1%} to {highest:.1%}")
        CONSOLE.print(times)
        CONSOLE.print(rates)


def _rate(right: int, made: int) -> dict[str, Any]:
    lowest, highest = bounds(right, made)
    return {"yes": right, "of": made, "at_least": round(lowest, 4), "at_most": round(highest, 4)}


def run(made: Deliveries, *, times: int, kills: int) -> None:
    """Deliver; the results are on disk after each, so that a failure or Ctrl-C keeps them.

    Args:
        made: Where each is added.
        times: Rollbacks of one service, and as many of the environment.
        kills: Promotions that are killed.

    Raises:
        BenchError: What has to come before a delivery failed.
        GateError: ConfigHub or the cluster could not be looked at.
    """
    made.write()  # an older file of that name says nothing of this campaign
    with throwaway() as place:
        _set_up(place)
        with closing(place.confighub()) as hub:
            observer = Observer(hub=hub, kube=place.kube())
            way = Way([observer.data("staging")])
            if times:
                _roll_back(made, place, observer, way, times)
            if kills:
                chance = random.Random(made.seed)  # noqa: S311 - has to be the same again
                scene = Kills(place=place, observer=observer, way=way, chance=chance)
                for trial in track(
                    scene.made(kills, say=_say), description="kills", total=kills, console=CONSOLE
                ):
                    made.kills.append(trial)
                    made.write()
                    _say(_killed(trial))


def _set_up(place: Throwaway) -> None:
    _say("dev and staging, live and proven")
    place.gate("up")
    place.gate("install", "staging")
    place.gate("deploy", "dev")
    place.gate("validate", "dev")
    place.gate("promote", "dev", "staging")


def _roll_back(
    made: Deliveries, place: Throwaway, observer: Observer, way: Way, times: int
) -> None:
    scene = prepared(place, observer, way, say=_say)
    parts: Sequence[tuple[str, Iterable[Rolled]]] = (
        ("rollbacks of a service", scene.of_services(times)),
        ("rollbacks of the environment", scene.of_environment(times)),
    )
    for what, rollbacks in parts:
        for rolled in track(rollbacks, description=what, total=times, console=CONSOLE):
            made.rollbacks.append(rolled)
            made.write()
            _say(_rolled(rolled))


def _rolled(rolled: Rolled) -> str:
    told = f"WRONG: {'; '.join(rolled.faults)}" if rolled.faults else "right"
    took_s, seconds = rolled.result.get("took_s"), rolled.ended.seconds
    return f"{' '.join(rolled.words)}: healthy after {took_s} s, {seconds:.1f} s in all: {told}"


def _killed(trial: Trial) -> str:
    killed = trial.killed
    said = killed.ended.said.strip().splitlines()
    met = f"killed after {killed.ended.seconds:.1f} s" if killed.is_killed else "had ended"
    told = f"WRONG: {'; '.join(trial.wrong)}" if trial.wrong else "right"
    return (
        f"{trial.number}: {trial.change} change, {met} of {trial.of_s:.1f} s"
        f" ({said[-1] if said else 'nothing said'}), {trial.recovery[0]} {trial.recovery[1].code},"
        f" {trial.then[0]} {trial.then[1].code}: {told}"
    )


def _say(text: str) -> None:
    CONSOLE.print(text, markup=False)
