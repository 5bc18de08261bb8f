"""`make campaign`: counted repetitions, too long for CI; how often the gate is right.

Now: clean validations, each of which has to be a PASS. What they say is a rate with its bound: with
n of n right, the true rate is at least `0.05 ** (1 / n)`, with 95 % confidence.
"""

import argparse
import datetime as dt
import json
import signal
import sys
from pathlib import Path

from rich.progress import track

from bench.machine import machine
from bench.throwaway import BenchError, Throwaway, throwaway
from traderx_gate.checkout import TOOL_VERSION
from traderx_gate.errors import GateError

SCHEMA = "traderx-gate/campaign"
VERSION = 1
RESULTS = Path(__file__).parent / "results"
CLEAN_VALIDATIONS = 20


def main() -> int:
    """Run the campaign; the exit code is 1 if any repetition was wrong, or could not be made."""
    parser = argparse.ArgumentParser(prog="make campaign", description=__doc__)
    parser.add_argument("--times", type=int, default=CLEAN_VALIDATIONS)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is taken down
    before = machine()
    try:
        with throwaway() as place:
            verdicts = clean_validations(place, options.times)
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
