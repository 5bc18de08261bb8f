"""Work in dependency order: what needs nothing more starts at once, the rest as soon as it can."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Generic, TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[Result]):
    """How far it came.

    Attributes:
        done: What each finished piece of work returned, in the order in which they finished.
        failed: What each failed piece raised.
        not_done: What was never started, in dependency order.
    """

    done: Mapping[str, Result]
    failed: Mapping[str, BaseException]
    not_done: tuple[str, ...]


def in_order(needs: Mapping[str, Sequence[str]], work: Callable[[str], Result]) -> Outcome[Result]:
    """Do every piece of work after all that it needs; after a failure nothing more is started.

    Pieces that do not need each other run at the same time, each in a thread. What runs when
    another one fails runs to its own end.

    Raises:
        graphlib.CycleError: They need each other in a circle; nothing was started.
    """
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    done: dict[str, Result] = {}
    failed: dict[str, BaseException] = {}
    running: dict[Future[Result], str] = {}
    started: set[str] = set()
    with ThreadPoolExecutor(max_workers=max(1, len(needs))) as pool:
        while sorter.is_active():
            if not failed:
                for name in sorted(sorter.get_ready()):
                    running[pool.submit(work, name)] = name
                    started.add(name)
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name = running.pop(future)
                error = future.exception()
                if error is not None:
                    failed[name] = error
                else:
                    done[name] = future.result()
                    sorter.done(name)
    left = tuple(n for n in TopologicalSorter(needs).static_order() if n not in started)
    return Outcome(done=done, failed=failed, not_done=left)
