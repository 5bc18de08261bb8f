"""Starts a stand-in as a process on a loopback address of its own, with the real ports."""

import http.client
import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

START_DEADLINE_S = 30
STOP_DEADLINE_S = 10
ANSWER_DEADLINE_S = 20.0
HOST = {"Host": "localhost"}
ADMIN = {"TRADERX_ADMIN_PORT": "0"}
"""The variable that opens an admin port, at any free number."""
_numbers = itertools.count(1)


def own_address() -> str:
    """Return a loopback address that no other test uses, in this or another process."""
    pid = os.getpid()
    return f"127.{32 + pid // 250 % 32}.{pid % 250 + 1}.{next(_numbers)}"


class StandIn:
    """A running stand-in; its log is read line by line."""

    def __init__(self, name: str, address: str, variables: Mapping[str, str]) -> None:
        self.address = address
        self.log: list[str] = []
        self._said_started = threading.Event()
        self._logged = threading.Condition()
        module = name.replace("-", "_")
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"traderx_embedded.traderx.{module}"],
            env={"PATH": os.environ["PATH"], "TRADERX_BIND_ADDRESS": address, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._logged:
                self.log.append(line.rstrip())
                self._logged.notify_all()
            if "] started " in line:
                self._said_started.set()
        self._said_started.set()  # the end: nothing will be said any more

    def await_started(self) -> None:
        """Return once the service says that it has started."""
        assert self._said_started.wait(START_DEADLINE_S), self.log
        assert any("] started " in line for line in self.log), self.log

    def await_log(self, text: str, *, times: int = 1) -> None:
        """Return once a text has been logged so many times."""
        with self._logged:
            assert self._logged.wait_for(
                lambda: sum(text in line for line in self.log) >= times, ANSWER_DEADLINE_S
            ), self.log

    def await_exit(self) -> int:
        """Return the exit code, once it has ended by itself."""
        code = self.process.wait(START_DEADLINE_S)
        self._reader.join(STOP_DEADLINE_S)
        return code

    def port(self, name: str) -> int:
        """Return the number that the log gives for one of its ports."""
        return next(int(x.split("number=")[1]) for x in self.log if f"port={name} " in x)

    def stop(self) -> int:
        """End it by SIGTERM and return its exit code."""
        self.process.terminate()
        return self.await_exit()

    def close(self) -> None:
        """Leave nothing behind."""
        self.process.kill()
        self.process.wait(STOP_DEADLINE_S)
        self._reader.join(STOP_DEADLINE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def running(name: str, address: str, **variables: str) -> Iterator[StandIn]:
    """Run a stand-in that has started; it is gone afterwards."""
    stand_in = StandIn(name, address, variables)
    try:
        stand_in.await_started()
        yield stand_in
    finally:
        stand_in.close()


def ask(
    address: str,
    port: int,
    method: str,
    path: str,
    body: str | None = None,
    *,
    headers: Mapping[str, str] = HOST,
    timeout_s: float = ANSWER_DEADLINE_S,
) -> tuple[int, str]:
    """Send a request and return status and body of the answer."""
    connection = http.client.HTTPConnection(address, port, timeout=timeout_s)
    try:
        connection.request(method, path, body, headers={**HOST, **headers})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def switch(stand_in: StandIn, name: str, *, on: bool) -> None:
    """Set a switch; the stand-in has to run with `ADMIN`."""
    body = "true" if on else "false"
    admin = stand_in.port("admin")
    assert ask(stand_in.address, admin, "PUT", f"/switches/{name}", body)[0] == 200


@contextmanager
def switched(stand_in: StandIn, name: str) -> Iterator[None]:
    """Turn a switch on, and off again; the stand-in has to run with `ADMIN`."""
    switch(stand_in, name, on=True)
    try:
        yield
    finally:
        switch(stand_in, name, on=False)
