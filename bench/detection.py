"""How often the gate is right: every damage of the tests alone, and the environment repaired.

The bounds are exact (Clopper-Pearson, two-sided 95 %), found by bisection of the binomial sum.
"""

import argparse
import json
import math
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.machine import machine
from bench.trial import Trial, perform
from tests.integration.gate.damages.damage import Damage
from tests.integration.gate.damages.table import ALL
from tests.integration.gate.gate_command import Gate, opened
from tests.run_cluster import RunCluster, remove
from traderx_gate.checkout import TOOL_VERSION
from traderx_gate.kube import current_context

SCHEMA = "traderx-gate/detection"
VERSION = 1
TAIL = 0.025


def chosen(options: argparse.Namespace) -> list[Damage]:
    """Return the damages that the options name, in the order of the table."""
    part, parts = map(int, options.part.split("/"))
    named = [damage for damage in ALL if re.search(options.only, damage.name)]
    return named[part - 1 :: parts]


def left(damages: Sequence[Damage], out: Path) -> list[Damage]:
    """Return those of which the results hold no complete trial yet."""
    made = {trial["damage"] for trial in _trials(out) if trial["repaired_exit_code"] is not None}
    return [damage for damage in damages if damage.name not in made]


def _trials(out: Path) -> list[dict[str, Any]]:
    return list(json.loads(out.read_text())["trials"]) if out.exists() else []


@contextmanager
def environment(kubeconfig: Path | None = None) -> Iterator[Gate]:
    """Dev deployed on a cluster of its own, or on one that is there; all is gone afterwards.

    Args:
        kubeconfig: Of a cluster that is there; its current context is used.
    """
    root = Path(tempfile.mkdtemp(prefix="traderx-bench-"))
    try:
        cluster = (
            RunCluster.beside(root, kubeconfig, current_context(kubeconfig))
            if kubeconfig
            else RunCluster.up(root)
        )
        with opened(cluster, root / "gate") as gate:
            try:
                _must(gate, "install", "dev")
                _must(gate, "deploy", "dev")
                yield gate
            finally:
                if kubeconfig:  # the other one goes as a whole
                    _must(gate, "uninstall", "--yes")
    finally:
        remove(root)


def _must(gate: Gate, *words: str) -> None:
    done = gate.run(*words)
    assert done.returncode == 0, done.stdout + done.stderr  # noqa: S101 - as in the tests


def run(
    damages: Sequence[Damage],
    out: Path,
    *,
    first_seed: int,
    policy: str,
    kubeconfig: Path | None = None,
) -> list[dict[str, Any]]:
    """Make every trial; the results are on disk after each, and replace older ones of a name."""
    done = {trial["damage"]: trial for trial in _trials(out)}
    with environment(kubeconfig) as gate, Progress() as progress:
        task = progress.add_task("damages", total=len(damages))
        for number, damage in enumerate(damages):
            progress.update(task, description=damage.name)
            trial = perform(gate, damage, seed=first_seed + number, policy=policy)
            done[damage.name] = {**trial.to_json(), "at": machine()["at"]}
            progress.console.print(_line(trial))
            write(out, list(done.values()))
            progress.advance(task)
    return list(done.values())


def _line(trial: Trial) -> str:
    facts = {
        "detected": trial.is_detected,
        "named": trial.is_named,
        "claims as declared": trial.is_as_declared,
        "clean after repair": trial.repaired is not None and not trial.is_false_alarm,
    }
    missing = ", ".join(f"not {name}" for name, met in facts.items() if not met)
    return f"{trial.damage.name}: {missing or 'right'} {trial.problem}".rstrip()


def write(out: Path, trials: Sequence[dict[str, Any]]) -> None:
    """Write the results, with all that is counted of them."""
    body = {
        "schema": SCHEMA,
        "version": VERSION,
        "tool_version": TOOL_VERSION,
        "machine": machine(),
        "rates": {name: _rate(*count) for name, count in counts(trials).items()},
        "trials": trials,
    }
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n")


def counts(trials: Sequence[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    """Return of each question how often the answer was yes, and how often it was asked."""
    inflicted = [trial for trial in trials if trial["exit_code"] is not None]
    repaired = [trial for trial in trials if trial["repaired_exit_code"] is not None]
    return {
        "detected": (sum(t["detected"] for t in inflicted), len(inflicted)),
        "named": (sum(t["named"] for t in inflicted), len(inflicted)),
        "claims as declared": (sum(t["claims_as_declared"] for t in inflicted), len(inflicted)),
        "false alarms": (sum(t["repaired_exit_code"] != 0 for t in repaired), len(repaired)),
    }


def _rate(yes: int, asked: int) -> dict[str, Any]:
    lowest, highest = bounds(yes, asked)
    return {"yes": yes, "of": asked, "at_least": round(lowest, 4), "at_most": round(highest, 4)}


def bounds(yes: int, asked: int) -> tuple[float, float]:
    """Return the exact 95 % bounds of a rate of which `yes` in `asked` were seen."""
    if asked == 0:
        return 0.0, 1.0
    lowest = _root(lambda p: 1 - _at_most(yes - 1, asked, p)) if yes > 0 else 0.0
    highest = _root(lambda p: 1 - _at_most(yes, asked, p), 1 - TAIL) if yes < asked else 1.0
    return lowest, highest


def _at_most(yes: int, asked: int, p: float) -> float:
    return sum(math.comb(asked, k) * p**k * (1 - p) ** (asked - k) for k in range(yes + 1))


def _root(rising: Callable[[float], float], value: float = TAIL) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < value else (low, middle)
    return low


def show(trials: Sequence[dict[str, Any]]) -> None:
    """Print a row of each rate."""
    table = Table("question", "yes", "95 % bounds", title="damages, each alone")
    for name, (yes, asked) in counts(trials).items():
        lowest, highest = bounds(yes, asked)
        table.add_row(name, f"{yes} of {asked}", f"{lowest:.1%} to {highest:.1%}")
    Console().print(table)
