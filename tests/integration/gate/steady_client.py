"""A client of its own: so many requests a second, each on a connection of its own, all counted.

Run as a program that shares nothing with the code under test. Ends at SIGTERM with one line of
JSON: how many requests there were, and the time and cause of each that failed.
"""

import http.client
import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

THREADS = 20
"""So many requests may be under way at once, so that a slow one does not hold up the others."""
PATIENCE_S = 5.0
END_TIMEOUT_S = 30.0


@dataclass(slots=True)
class Counted:
    """What became of the requests: filled in when the client has ended.

    Attributes:
        failures: Unix time and cause of each.
    """

    requests: int = 0
    failures: list[tuple[float, str]] = field(default_factory=list)

    def failed_after(self, moment: float) -> list[tuple[float, str]]:
        """Return the failures that were seen after a time."""
        return [failure for failure in self.failures if failure[0] > moment]


@contextmanager
def asking(
    address: str, port: int, path: str, *, contains: str, per_s: float = 100.0
) -> Iterator[Counted]:
    """Have the client ask for GET `path`, to be answered 200 with a text, until the block ends."""
    words = [sys.executable, __file__, address, str(port), path, contains, str(per_s)]
    counted = Counted()
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as client:
        try:
            assert client.stdout is not None
            assert client.stdout.readline() == "asking\n"
            yield counted
        finally:
            client.terminate()
            said = json.loads(client.communicate(timeout=END_TIMEOUT_S)[0])
            counted.requests = said["requests"]
            counted.failures += [(moment, why) for moment, why in said["failures"]]


def _main(address: str, port: str, path: str, contains: str, per_s: str) -> None:
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    due: queue.Queue[int | None] = queue.Queue()
    failures: list[tuple[float, str]] = []

    def ask_when_due() -> None:
        while due.get() is not None:
            if wrong := _asked(address, int(port), path, contains):
                failures.append((time.time(), wrong))

    threads = [threading.Thread(target=ask_when_due) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    sys.stdout.write("asking\n")
    sys.stdout.flush()
    began, number = time.monotonic(), 0
    while not stop.is_set():
        due.put(number)
        number += 1
        stop.wait(max(0.0, began + number / float(per_s) - time.monotonic()))
    for _ in threads:
        due.put(None)
    for thread in threads:
        thread.join()
    sys.stdout.write(json.dumps({"requests": number, "failures": failures}))


def _asked(address: str, port: int, path: str, contains: str) -> str:
    """Send one request and return what is wrong with its answer."""
    connection = http.client.HTTPConnection(address, port, timeout=PATIENCE_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return repr(error)
    finally:
        connection.close()
    return "" if answer.status == 200 and contains in body else f"{answer.status} {body[:80]}"


if __name__ == "__main__":
    _main(*sys.argv[1:])
