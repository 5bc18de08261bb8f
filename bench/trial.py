"""One trial of the gate: an environment is damaged, validated, repaired, validated again."""

import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from tests.integration.gate.damages.damage import Damage
from tests.integration.gate.gate_command import RESULTS, Gate
from traderx_gate.application import load
from traderx_gate.checkout import ROOT
from traderx_gate.errors import GateError
from traderx_gate.policies import load_policy
from traderx_gate.waiting import Deadline, polling, until

MAIN = "from traderx_gate.cli import main; main()"
TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """How one validation ended.

    Attributes:
        claims: Every claim that the decision gives a reason about.
        said: All of its reasons, in words.
    """

    exit_code: int
    seconds: float
    claims: frozenset[str] = frozenset()
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A damage, what the gate said of it, and of the repaired environment.

    Attributes:
        seed: Of both validations.
        damaged: None where the damage could not be done.
        repaired: None where the environment could not be repaired.
        problem: Why one of them is None.
        asked: Every claim that the policy asks for.
    """

    damage: Damage
    seed: int
    damaged: Validation | None
    repaired: Validation | None
    problem: str = ""
    asked: frozenset[str]

    @property
    def declared(self) -> frozenset[str]:
        """The claims of the damage that the policy asks for."""
        return self.damage.claims & self.asked

    @property
    def is_detected(self) -> bool:
        """Whether the gate said FAIL or INCONCLUSIVE."""
        return self.damaged is not None and self.damaged.exit_code in {1, 3}

    @property
    def is_named(self) -> bool:
        """Whether the reasons say what was done."""
        return self.damaged is not None and self.damage.says in self.damaged.said

    @property
    def is_as_declared(self) -> bool:
        """Whether exactly the declared claims were found false; of a race none are declared."""
        if self.damage.while_it_runs:
            return True
        if self.damaged is None:
            return False
        return self.declared <= self.damaged.claims <= self.declared | self.damage.races

    @property
    def is_false_alarm(self) -> bool:
        """Whether the gate did not say PASS of the repaired environment."""
        return self.repaired is not None and self.repaired.exit_code != 0

    def to_json(self) -> dict[str, Any]:
        """Return what the results hold of it."""
        seen = self.damaged.claims if self.damaged else frozenset()
        return {
            "damage": self.damage.name,
            "seed": self.seed,
            "detected": self.is_detected,
            "named": self.is_named,
            "claims_as_declared": self.is_as_declared,
            "claims": sorted(seen),
            "declared": sorted(self.declared),
            "said": self.damaged.said if self.damaged else "",
            "exit_code": self.damaged.exit_code if self.damaged else None,
            "seconds": round(self.damaged.seconds, 1) if self.damaged else None,
            "repaired_exit_code": self.repaired.exit_code if self.repaired else None,
            "repaired_said": self.repaired.said if self.repaired else "",
            "problem": self.problem,
        }


@dataclass(slots=True, kw_only=True)
class _Running:
    """A validation under way."""

    gate: Gate
    seed: int
    policy: str
    started: float = field(default_factory=time.monotonic)
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        before = self.gate.runs()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-c", MAIN, "validate", "dev"),
                *("--seed", str(self.seed), "--policy", self.policy),
            ],
            cwd=ROOT,
            env=dict(self.gate.environ),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._before = before

    _before: frozenset[Any] = field(init=False)

    def await_first_result(self) -> None:
        """Wait until one claim was checked."""
        until(
            polling(self._results, every_s=0.02, deadline=Deadline(TIMEOUT_S)),
            lambda results: results > 0,
            what="the first result",
        )

    def _results(self) -> int:
        new = self.gate.runs() - self._before
        return sum((run / RESULTS).exists() for run in new)

    def stop(self) -> None:
        """End it now if it has not ended, so that the repair does not meet it."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(TIMEOUT_S)

    def end(self) -> Validation:
        """Wait for the end."""
        code = self.process.wait(TIMEOUT_S)
        seconds = time.monotonic() - self.started
        if not self.gate.runs() - self._before:
            return Validation(exit_code=code, seconds=seconds)
        reasons = self.gate.decision()["reasons"]
        return Validation(
            exit_code=code,
            seconds=seconds,
            claims=frozenset(reason["claim"] for reason in reasons if reason["claim"]),
            said="\n".join(f"{r['claim']} {r['text']} {r['seen']}" for r in reasons),
        )


def perform(gate: Gate, damage: Damage, *, seed: int, policy: str) -> Trial:
    """Inflict a damage, validate, repair, validate."""

    def running() -> _Running:
        return _Running(gate=gate, seed=seed, policy=policy)

    damaged = repaired = None
    problem = ""
    try:
        with ExitStack() as stack:
            stack.callback(gate.deploy)
            if damage.while_it_runs:
                first = running()
                stack.callback(first.stop)
                first.await_first_result()
                stack.enter_context(damage.inflict(gate))
            else:
                stack.enter_context(damage.inflict(gate))
                first = running()
                stack.callback(first.stop)
            damaged = first.end()
        repaired = running().end()
    except (AssertionError, GateError, OSError, subprocess.TimeoutExpired) as error:
        problem = f"{type(error).__name__}: {error}"[:500]
    asked = frozenset(map(str, load_policy(policy, load().slugs).required))
    return Trial(
        damage=damage, seed=seed, damaged=damaged, repaired=repaired, problem=problem, asked=asked
    )
