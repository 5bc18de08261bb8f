"""Promotions that are killed at a random instant, and what can be made of what they leave.

A kill is SIGKILL to `promote dev staging`, at an instant drawn uniformly from the time that the
latest promotion took here. Then by turns `resume` and `abort`, a look at everything, and one more
delivery, by turns another promotion or a rollback. A change that was taken back is promoted again
by the next trial, one that arrived is followed by a new one: both ways of upgrading are killed.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench.standing import Data, Observer, Standing, Way, differences, in_another, tail
from bench.throwaway import BenchError, Ended, Throwaway

PROMOTE = ("promote", "dev", "staging")
NOTHING_UNDER_WAY = "no promotion to staging is under way"
SIGKILLED = -9
THEN = ("rollback", "promote", "promote", "rollback")
"""What follows, by turns: after a resume and after an abort, of each one either way."""
UNHEARD_OF_MI = 100
"""From here on up no unit asks for that much memory: each step makes a head that never was."""
MOST_MISSES = 3
"""So many times the kills, trials are made at most: some promotions end before their instant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """A promotion that was to be killed, and what it left.

    Attributes:
        ended: The promotion.
        standing: How staging stood once it was dead.
        before: Staging's data before it.
        promoted: What the data has to be after it.
    """

    ended: Ended
    standing: Standing
    before: Data
    promoted: Data

    @property
    def is_killed(self) -> bool:
        """Whether the kill met it; else it had ended before."""
        return self.ended.code == SIGKILLED

    @property
    def has_record(self) -> bool:
        """Whether it left the record of a promotion under way."""
        return bool(self.standing.under_way)

    def faults(self) -> list[str]:
        """Return what is wrong already: changed units without a record, or a failure, in words."""
        faults = []
        if not self.is_killed and self.ended.code != 0:
            faults.append(f"promote ended by itself with {self.ended.code}")
        if not self.has_record and self.standing.data not in (self.before, self.promoted):
            moved = ", ".join(differences(self.before, self.standing.data))
            faults.append(f"no promotion is under way, and units have changed: {moved}")
        if not self.is_killed and self.standing.data != self.promoted:
            faults.append("promote ended, and staging has not dev's version")
        return faults

    def wanted(self, recovery: str) -> Data:
        """Return the data that staging has to have after `resume` or `abort`."""
        if not self.has_record:  # killed before its first effect, or after its last one
            return self.standing.data
        return self.before if recovery == "abort" else self.promoted


def misled(killed: Killed, recovery: Ended) -> list[str]:
    """Return what is wrong with how `resume` or `abort` ended, in words."""
    if killed.has_record:
        return [f"exit code {recovery.code}"] if recovery.code != 0 else []
    if (recovery.code, NOTHING_UNDER_WAY in recovery.said) != (2, True):
        return [f"nothing was under way, and it ended with {recovery.code}"]
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A kill, and all that followed.

    Attributes:
        change: `new`, or `again` where it had been taken back before.
        instant_s: When it was to be killed, from its start.
        of_s: The time that the instant was drawn from.
        recovery: `resume` or `abort`, how it ended and how staging stood then.
        then: The delivery that followed, the same.
        wrong: What was not as it has to be, in words.
    """

    number: int
    change: str
    instant_s: float
    of_s: float
    killed: Killed
    recovery: tuple[str, Ended, Standing]
    then: tuple[str, Ended, Standing]
    wrong: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """Return what the results hold of it; of a wrong outcome all that was said and seen."""
        said = tail(self.killed.ended.said, lines=1)
        what, recovered, _ = self.recovery
        then, followed, _ = self.then
        return {
            "number": self.number,
            "change": self.change,
            "instant_s": round(self.instant_s, 3),
            "of_s": round(self.of_s, 3),
            "killed": self.killed.is_killed,
            "seconds": round(self.killed.ended.seconds, 3),
            "last_line": said[0] if said else "",
            "record": self.killed.has_record,
            "moved": differences(self.killed.before, self.killed.standing.data),
            "recovery": what,
            "recovery_exit_code": recovered.code,
            "recovery_s": round(recovered.seconds, 2),
            "then": then,
            "then_exit_code": followed.code,
            "then_s": round(followed.seconds, 2),
            "right": not self.wrong,
            **(self._seen() if self.wrong else {}),
        }

    def _seen(self) -> dict[str, Any]:
        what, recovered, after = self.recovery
        then, followed, last = self.then
        return {
            "wrong": list(self.wrong),
            "said": {
                "promote": self.killed.ended.said.splitlines(),
                what: recovered.said.splitlines(),
                f"then {then}": followed.said.splitlines(),
            },
            "seen": {
                "after the kill": _told(self.killed.standing, self.killed.before),
                f"after {what}": _told(after, self.killed.before),
                f"after {then}": _told(last, self.killed.before),
            },
        }


def _told(standing: Standing, before: Data) -> dict[str, Any]:
    return {
        "under_way": dict(standing.under_way),
        "pending": list(standing.pending),
        "strays": list(standing.strays),
        "not_as_before_the_kill": {
            slug: standing.data[slug].decode(errors="replace") if slug in standing.data else None
            for slug in differences(before, standing.data)
        },
    }


@dataclass(slots=True, kw_only=True)
class Kills:
    """Dev and staging, where promotions are killed.

    Attributes:
        way: The states that staging was proven in.
        duration_s: Of the latest promotion of a change that came to its end.
        changes: How many changes dev has had here.
    """

    place: Throwaway
    observer: Observer
    way: Way
    chance: random.Random
    duration_s: float = 0.0
    changes: int = 0

    def made(self, kills: int, *, say: Callable[[str], None]) -> Iterator[Trial]:
        """Measure one promotion, then kill as many as were asked for.

        Raises:
            BenchError: The environments cannot be made good again after a wrong outcome, or too
                many promotions ended before the instant at which they were to be killed.
        """
        say("one promotion, to know how long it takes")
        self._make_good()
        self._change_dev()
        self.duration_s = self.place.gate(*PROMOTE)
        self.way.prove(self.observer.data("staging"))
        met = 0
        for number in range(kills * MOST_MISSES):
            trial = self._trial(number)
            met += trial.killed.is_killed
            yield trial
            if met == kills:
                return
            if trial.wrong:
                say("making good what went wrong")
                self._make_good()
        raise BenchError(f"of {kills * MOST_MISSES} promotions {met} were met by their kill")

    def _trial(self, number: int) -> Trial:
        recovery = ("resume", "abort")[number % 2]
        then = THEN[number % len(THEN)]
        change = "again"
        if self._promoted() == self.observer.data("staging"):
            self._change_dev()
            change = "new"
        before, promoted = self.observer.data("staging"), self._promoted()
        of_s = self.duration_s
        instant_s = self.chance.uniform(0, of_s)
        ended = self.place.ended(*PROMOTE, kill_after_s=instant_s)
        killed = Killed(
            ended=ended,
            standing=self.observer.standing("staging"),
            before=before,
            promoted=promoted,
        )
        wrong = [f"after the kill: {fault}" for fault in killed.faults()]

        recovered = self.place.ended(recovery, "staging")
        after = self.observer.standing("staging")
        faults = misled(killed, recovered) + after.faults(killed.wanted(recovery))
        wrong += [f"after {recovery}: {fault}" for fault in faults]
        if after.data == promoted:  # `resume`, or the promotion itself, has proven it
            self.way.prove(after.data)

        goal = self.way.before(after.data)
        if then == "rollback" and goal is None:
            then = "promote"
        wanted = promoted if then == "promote" or goal is None else goal
        followed = self.place.ended(*(PROMOTE if then == "promote" else ("rollback", "staging")))
        last = self.observer.standing("staging")
        faults = last.faults(wanted)
        faults += [f"exit code {followed.code}"] if followed.code != 0 else []
        wrong += [f"after {then}: {fault}" for fault in faults]
        if followed.code == 0:
            self.way.prove(last.data)
        if then == "promote" and after.data != promoted and followed.code == 0:
            self.duration_s = followed.seconds
        return Trial(
            number=number,
            change=change,
            instant_s=instant_s,
            of_s=of_s,
            killed=killed,
            recovery=(recovery, recovered, after),
            then=(then, followed, last),
            wrong=tuple(wrong),
        )

    def _promoted(self) -> Data:
        """Return what staging's data is once it has dev's version."""
        return in_another(self.observer.data("dev"), source="dev", target="staging")

    def _change_dev(self) -> None:
        """Have dev run a web page that never was, and prove it."""
        runs = self.observer.data("dev")["web-gui-deployment"]
        version = "v1.2.2" if b":v1.2.3\n" in runs else "v1.2.3"
        memory = f"{UNHEARD_OF_MI + self.changes}Mi"
        self.changes += 1
        self.place.gate("set-image", "dev", "web-gui", version)
        self.place.gate("set-resources", "dev", "web-gui", "--memory", memory)
        self.place.gate("deploy", "dev")
        self.place.gate("validate", "dev")

    def _make_good(self) -> None:
        """Have staging be what dev is, live and proven, whatever was before.

        Raises:
            BenchError: It cannot be made so.
        """
        self.place.ended("abort", "staging")  # refused where no promotion is under way
        if self.place.ended("gate", "dev").code != 0:
            self.place.gate("deploy", "dev")
            self.place.gate("validate", "dev")
        self.place.gate(*PROMOTE)
        standing = self.observer.standing("staging")
        if faults := standing.faults(self._promoted()):
            raise BenchError(f"staging cannot be made good again: {'; '.join(faults)}")
        self.way.prove(standing.data)
