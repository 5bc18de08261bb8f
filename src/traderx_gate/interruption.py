"""Ctrl-C, remembered: Python drops the exception where it strikes while an object is collected."""

import signal
import threading
from types import FrameType

_HEARD = threading.Event()


def remember() -> None:
    """Have Ctrl-C raise KeyboardInterrupt, as ever, and be known until it is answered.

    Where whoever started us has it ignored, as for a command in the background, it stays so.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _hear)


def _hear(_number: int, _frame: FrameType | None) -> None:
    _HEARD.set()
    raise KeyboardInterrupt


def check() -> None:
    """Raise again what was dropped.

    Raises:
        KeyboardInterrupt: There was a Ctrl-C that nobody has answered.
    """
    if _HEARD.is_set():
        raise KeyboardInterrupt


def answer() -> None:
    """Go on after a Ctrl-C: what follows it has been seen to."""
    _HEARD.clear()
