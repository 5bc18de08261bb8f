"""`make campaign`: counted repetitions, too long for CI; how often the gate is right.

First clean validations, each of which has to be a PASS. What they say is a rate with its bound:
with n of n right, the true rate is at least `0.05 ** (1 / n)`, with 95 % confidence. Then every
damage of the tests, each alone (`bench.detection`). Where they are asked for, deliveries come in
between (`bench.deliveries`): rollbacks, promotions that are killed, and random histories.
"""

import argparse
import datetime as dt
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from rich.progress import track

from bench import deliveries, detection
from bench.machine import machine
from bench.throwaway import BenchError, Throwaway, throwaway
from traderx_gate.checkout import ROOT, TOOL_VERSION
from traderx_gate.errors import GateError

SCHEMA = "traderx-gate/campaign"
VERSION = 1
RESULTS = Path(__file__).parent / "results"
CLEAN_VALIDATIONS = 20
HISTORIES_TIMEOUT_S = 86_400


def main() -> int:
    """Run the campaign; the exit code is 1 if any repetition was wrong, or could not be made."""
    parser = argparse.ArgumentParser(prog="make campaign", description=__doc__)
    parser.add_argument("--times", type=int, default=CLEAN_VALIDATIONS, help="clean validations")
    parser.add_argument(
        "--deliveries", type=int, default=0, help="rollbacks of one service, and of all (59)"
    )
    parser.add_argument("--kills", type=int, default=0, help="promotions that are killed (100)")
    parser.add_argument("--seed", type=int, default=deliveries.SEED, help="of the kills' instants")
    parser.add_argument("--histories", type=int, default=0, help="random histories (10000)")
    parser.add_argument("--no-damages", action="store_true", help="leave the damages out")
    parser.add_argument("--only", default="", help="damages whose name matches")
    parser.add_argument("--part", default="1/1", help="1/2: every second damage, from the first")
    parser.add_argument("--resume", action="store_true", help="damages that have no result yet")
    parser.add_argument("--kubeconfig", type=Path, help="damages on a cluster that is there")
    parser.add_argument("--policy", default="validate", help="that the damages are judged by")
    parser.add_argument("--out", type=Path, help="file of the damages' results")
    options = parser.parse_args()
    delivers = bool(options.deliveries or options.kills)
    if delivers and options.kubeconfig:
        parser.error("deliveries are made on a cluster of their own: leave out --kubeconfig")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is taken down
    return max(
        _clean(options.times) if options.times else 0,
        _delivered(options) if delivers else 0,
        _lived(options.histories, seed=options.seed) if options.histories else 0,
        0 if options.no_damages else _damaged(options),
    )


def _delivered(options: argparse.Namespace) -> int:
    out = RESULTS / f"deliveries-{dt.datetime.now(dt.UTC):%Y-%m-%d}.json"
    made = deliveries.Deliveries(out=out, seed=options.seed)
    failed = False
    try:
        deliveries.run(made, times=options.deliveries, kills=options.kills)
    except (BenchError, GateError, OSError) as error:  # what was made until then still counts
        print(f"campaign: {error}", file=sys.stderr)
        failed = True
    made.show()
    print(f"results: {out}")
    return int(failed or not made.is_right())


def _lived(histories: int, *, seed: int) -> int:
    """Have so many random histories of deliveries, others than `make test` has."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", str(os.cpu_count()), "tests/histories"],
        cwd=ROOT,
        env={
            **os.environ,
            "TRADERX_HISTORIES": str(histories),
            "TRADERX_HISTORIES_SEED": str(seed + 1),
        },
        timeout=HISTORIES_TIMEOUT_S,
        check=False,
    )
    return int(done.returncode != 0)


def _damaged(options: argparse.Namespace) -> int:
    out = options.out or RESULTS / f"detection-{dt.datetime.now(dt.UTC):%Y-%m-%d}.json"
    damages = detection.chosen(options)
    if options.resume:
        damages = detection.left(damages, out)
    trials = detection.run(
        damages, out, first_seed=1, policy=options.policy, kubeconfig=options.kubeconfig
    )
    detection.show(trials)
    print(f"results: {out}")
    right = all(t["detected"] and t["named"] and t["repaired_exit_code"] == 0 for t in trials)
    return int(not right)


def _clean(times: int) -> int:
    before = machine()
    try:
        with throwaway() as place:
            verdicts = clean_validations(place, times)
    except (BenchError, GateError, OSError) as error:
        print(f"campaign: {error}", file=sys.stderr)
        return 1
    right = sum(run["verdict"] == "PASS" for run in verdicts)
    print(f"clean validations: {right} of {len(verdicts)} PASS")
    if right == len(verdicts):
        print(f"the true rate is at least {0.05 ** (1 / right):.1%}, with 95 % confidence")
    body = {
        "schema": SCHEMA,
        "version": VERSION,
        "tool_version": TOOL_VERSION,
        "machine": before,
        "clean_validations": verdicts,
    }
    RESULTS.mkdir(exist_ok=True)
    out = RESULTS / f"clean-validations-{dt.datetime.now(dt.UTC):%Y-%m-%d}.json"
    out.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n")
    print(f"results: {out}")
    return int(right < len(verdicts))


def clean_validations(place: Throwaway, times: int) -> list[dict[str, str | int | float]]:
    """Deploy once, then validate again and again; return each run's seed, verdict and seconds."""
    place.gate("up")
    place.gate("install", "dev")
    place.gate("deploy", "dev")
    found: list[dict[str, str | int | float]] = []
    for seed in track(range(1, times + 1), description="clean validations"):
        try:
            seconds = place.gate("validate", "dev", "--seed", str(seed))
        except BenchError as error:  # counted, with what it said
            found.append({"seed": seed, "verdict": str(error)})
        else:
            found.append({"seed": seed, "verdict": "PASS", "seconds": round(seconds, 2)})
    return found


if __name__ == "__main__":
    sys.exit(main())
