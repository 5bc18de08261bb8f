"""`make bench`: measures, prints the table, writes JSON where it is asked for one."""

import argparse
import json
import signal
import sys
from pathlib import Path

from bench import auto_apply, commands, confighub, pods, resources
from bench.machine import machine
from bench.measurement import Measurement, table
from bench.throwaway import BenchError, throwaway
from traderx_gate.checkout import TOOL_VERSION
from traderx_gate.errors import GateError

SCHEMA = "traderx-gate/bench"
VERSION = 1


def main() -> int:
    """Measure everything; the exit code is 1 if something could not be measured."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--out", type=Path, help="file for the results as JSON")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is taken down
    before = machine()
    try:
        measurements = measure()
    except (BenchError, GateError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(f"{before['cpus']} CPUs, load {before['load']} at the start, {before['python']}")
    print(table(measurements))
    if options.out is not None:
        body = {
            "schema": SCHEMA,
            "version": VERSION,
            "tool_version": TOOL_VERSION,
            "machine": before,
            "measurements": [measurement.to_json() for measurement in measurements],
        }
        options.out.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n")
    return 0


def measure() -> list[Measurement]:
    """Measure in an order in which each finds what it needs, and memory before the traffic."""
    found: list[Measurement] = []
    with throwaway() as place:
        place.embedded("build")  # once, and not what is measured
        for group in (
            commands.starting,
            commands.deploying,
            resources.memory,
            commands.validating,
            auto_apply.waiting,
            pods.starting,
            pods.data_path,
            resources.filtering,
            confighub.answering,
        ):
            print(f"bench: {group.__module__}.{group.__name__}", file=sys.stderr, flush=True)
            found += group(place)
    with throwaway() as place:
        print("bench: bench.commands.whole_gate", file=sys.stderr, flush=True)
        found += commands.whole_gate(place)
    return found


if __name__ == "__main__":
    sys.exit(main())
