"""The worker itself: holds the stream, runs operations side by side, reports, reconnects.

The operations of one unit run one after another; each has a thread of its own, so a unit that is
stuck holds up no other. An apply that only waits any more gives way to the next operation of its
unit: what it waits for is not what is wanted.
"""

import asyncio
import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from traderx_gate.errors import ConfigHubError, UnreachableError
from traderx_gate.worker import functions
from traderx_gate.worker.bridge import DEFAULT_WAIT, WAIT_FAILED, Bridge, Patience
from traderx_gate.worker.protocol import (
    ActionResult,
    FunctionCall,
    Operation,
    WorkerClient,
    progressing,
)

log = logging.getLogger(__name__)

AGAIN_S = 30.0
LONGEST_AGAIN_S = 300.0
"""After a wait that failed it is looked again, as the real worker does (`confighub.md` 5.3)."""
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
Result = TypeVar("Result")


class Worker:
    """One worker of ConfigHub, for one context of a kubeconfig."""

    def __init__(
        self,
        client: WorkerClient,
        bridge: Bridge,
        *,
        context: str,
        target_name: str = "",
        again_s: float = AGAIN_S,
    ) -> None:
        self._client = client
        self._bridge = bridge
        self._context = context
        self._target_name = target_name
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._again_s = again_s
        self._accepted: set[str] = set()
        self._late: dict[str, asyncio.Task[None]] = {}
        self._patience: dict[str, Patience] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until told to stop; a lost stream is opened again.

        Raises:
            ConfigHubError: The server does not know the worker, or not by this secret.
        """
        try:
            await self._serve_again(stop)
        finally:  # what is under way comes again, to whoever serves next
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve_again(self, stop: asyncio.Event) -> None:
        pause_s = FIRST_PAUSE_S
        while not stop.is_set():
            try:
                if await self._serve(stop):
                    pause_s = FIRST_PAUSE_S
            except UnreachableError as error:
                log.warning("%s; trying again in %.1f s", error, pause_s)
            await _unless(stop, pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _serve(self, stop: asyncio.Event) -> bool:
        """Hold one stream until it ends; true if it carried anything."""
        slug = await self._client.identify()
        events = self._client.events(self._info(slug))
        stopped = asyncio.create_task(stop.wait())
        carried = False
        try:
            while True:
                upcoming = asyncio.ensure_future(anext(events, None))
                await asyncio.wait({upcoming, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if stopped.done():
                    upcoming.cancel()
                    return carried
                event = upcoming.result()
                if event is None:
                    log.info("stream ended by the server")
                    return carried
                carried = True
                self._take(event)
        finally:
            stopped.cancel()

    def _info(self, slug: str) -> Mapping[str, Any]:
        name = self._target_name or "-".join(filter(None, (slug, self._context)))
        target = {
            "Name": name,
            "Params": {"KubeContext": self._context, "WaitTimeout": DEFAULT_WAIT},
        }
        supported = {
            "ToolchainType": "Kubernetes/YAML",
            "ProviderType": "Kubernetes",
            "AvailableTargets": [target],
        }
        log.info("serving: worker=%s target=%s", slug, name)
        return {
            "BridgeWorkerInfo": {"SupportedConfigTypes": [supported]},
            "FunctionWorkerInfo": {"SupportedFunctions": functions.SUPPORTED},
        }

    def _take(self, event: Mapping[str, Any]) -> None:
        kind, data = event.get("Event"), event.get("Data") or {}
        if kind == "WorkerEvent":
            self._start(self._answer_heartbeat())
        elif kind == "BridgeWorkerEvent":
            try:
                operation = Operation.from_json(data["Action"], data["Payload"])
            except (KeyError, TypeError, ValueError) as error:
                log.warning("event ignored: %s", error)
                return
            # a new stream brings again what still runs here; its report will be sent
            if operation.id not in self._accepted:
                self._accepted.add(operation.id)
                if late := self._late.pop(operation.unit_id, None):
                    late.cancel()  # the unit has something else to become
                if (patience := self._patience.pop(operation.unit_id, None)) is not None:
                    patience.end()
                self._patience[operation.unit_id] = Patience()
                self._start(self._operate(operation, self._patience[operation.unit_id]))
        elif kind == "FunctionWorkerEvent":
            try:
                call = FunctionCall.from_json(data["Action"], data["Payload"])
            except (KeyError, TypeError, ValueError) as error:
                log.warning("event ignored: %s", error)
                return
            self._start(self._compute(call))
        elif kind is not None:
            log.warning("event ignored: this worker does not serve %s", kind)

    def _start(self, work: Any) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _answer_heartbeat(self) -> None:
        alive = ActionResult(result="None", status="Completed", message="")
        try:
            await self._client.report(alive.to_json(None, started_at=datetime.now(UTC)))
        except (UnreachableError, ConfigHubError) as error:
            log.warning("heartbeat not answered: %s", error)

    async def _operate(self, operation: Operation, patience: Patience) -> None:
        async with self._turns[operation.unit_id]:
            started_at = datetime.now(UTC)
            loop = asyncio.get_running_loop()
            log.info("%s: unit=%s started", operation.action, operation.unit_slug)

            def progress(message: str) -> None:
                body = progressing(message).to_json(operation, started_at=started_at)
                asyncio.run_coroutine_threadsafe(self._mention(body), loop).result()

            try:
                result = await _in_thread(
                    lambda: self._bridge.perform(operation, progress, patience)
                )
            except Exception as error:
                # a defect of ours, not of the unit: it must not leave the operation without an end
                log.exception("%s: unit=%s", operation.action, operation.unit_slug)
                result = ActionResult(
                    result=f"{operation.action}Failed",
                    status="Failed",
                    message=f"the worker failed: {error!r}",
                )
            log.info("%s: unit=%s %s", operation.action, operation.unit_slug, result.result)
            await self._insist(result.to_json(operation, started_at=started_at))
            self._accepted.discard(operation.id)
            if result.result == WAIT_FAILED:
                self._late[operation.unit_id] = self._start(self._look_again(operation, started_at))

    async def _compute(self, call: FunctionCall) -> None:
        """Answer an invocation, beside whatever is under way: it changes nothing in the cluster."""
        started_at = datetime.now(UTC)
        try:
            result = await _in_thread(lambda: functions.answer(self._bridge, call))
        except Exception as error:
            # a defect of ours: whoever asked is waiting for an answer
            log.exception("functions: unit=%s", call.unit_slug)
            result = functions.failed(f"the worker failed: {error!r}")
        log.info("functions: unit=%s %s", call.unit_slug, result.result)
        await self._insist(result.to_json(call, started_at=started_at))

    async def _look_again(self, operation: Operation, started_at: datetime) -> None:
        """Report that a unit is ready after all, until something else is done with it."""
        pause_s = self._again_s
        while True:
            await asyncio.sleep(pause_s)
            result = await _in_thread(lambda: self._bridge.look_again(operation))
            if result is not None:
                log.info(
                    "%s: unit=%s late: %s", operation.action, operation.unit_slug, result.result
                )
                await self._insist(result.to_json(operation, started_at=started_at))
                return
            pause_s = min(2 * pause_s, LONGEST_AGAIN_S)

    async def _mention(self, body: Mapping[str, Any]) -> None:
        """Report progress; lost progress is made up for by the next report."""
        try:
            await self._client.report(body)
        except (UnreachableError, ConfigHubError) as error:
            log.warning("progress not reported: %s", error)

    async def _insist(self, body: Mapping[str, Any]) -> None:
        """Report an end, again until the server has it or refuses it."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await self._client.report(body)
            except ConfigHubError as error:
                log.warning("report refused: %s", error)
            except UnreachableError as error:
                log.warning("%s; reporting again in %.1f s", error, pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                continue
            return


async def _unless(stop: asyncio.Event, pause_s: float) -> None:
    try:
        async with asyncio.timeout(pause_s):
            await stop.wait()
    except TimeoutError:
        return


async def _in_thread(work: Callable[[], Result]) -> Result:
    """Run blocking work in a thread of its own, which does not keep the process alive."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def tell(result: Result | None, error: BaseException | None) -> None:
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            if not loop.is_closed():  # else the worker has ended, and nobody awaits it any more
                raise

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - handed to whoever awaits it
            tell(None, error)
        else:
            tell(result, None)

    threading.Thread(target=run, name="operation", daemon=True).start()
    return await done
