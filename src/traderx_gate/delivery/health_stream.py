"""A steady stream of health requests through a Service while something is done behind it."""

import threading
from types import TracebackType
from typing import Self

from traderx_gate import traderx
from traderx_gate.application import Service
from traderx_gate.traderx import Answer, Ask
from traderx_gate.waiting import FOREVER, polling

EVERY_S = 0.1
"""Between two requests; a slow answer makes it longer."""


class HealthStream:
    """Asks until it is left, and judges every answer; used as a context manager.

    Attributes:
        wake: Set at the first wrong answer.
        answers: How many came.
        wrong: How many of them were not the service's.
    """

    def __init__(self, ask: Ask, service: Service) -> None:
        self.wake = threading.Event()
        self.answers = 0
        self.wrong = 0
        self._ask = ask
        self._service = service
        self._first_wrong = ""
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="health stream", daemon=True)

    def __enter__(self) -> Self:
        """Begin to ask."""
        self._thread.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Ask no more; the last answer is waited for."""
        self._stop.set()
        self._thread.join()

    def deviation(self) -> str | None:
        """Return what was wrong first; None while every answer was right."""
        if self._first_wrong:
            return self._first_wrong
        if self._ended.is_set() and not self._stop.is_set():
            return f"nobody asks {self._service.slug} any more: the stream has ended"
        return None

    def _run(self) -> None:
        try:
            asking = polling(self._one, every_s=EVERY_S, deadline=FOREVER)
            for answer in asking:
                self._judge(answer)
                if self._stop.is_set():
                    return
        finally:
            self._ended.set()
            self.wake.set()  # whoever waits sees that it has ended

    def _one(self) -> Answer:
        return traderx.identify(self._ask, self._service)

    def _judge(self, answer: Answer) -> None:
        self.answers += 1
        if answer.matches:
            return
        self.wrong += 1
        if not self._first_wrong:
            self._first_wrong = (
                f"answer {self.answers} through Service {self._service.slug}: "
                f"expected {answer.expected}, seen {answer.seen}"
            )
            self.wake.set()
