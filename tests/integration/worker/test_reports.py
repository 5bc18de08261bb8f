import asyncio
from datetime import UTC, datetime
from pathlib import Path

from tests.contract.confighub import confighub_process
from tests.contract.confighub.confighub_process import make_space
from tests.contract.confighub.scripted_worker import make_worker
from traderx_gate.worker.protocol import ActionResult, WorkerClient

SILENT = ("--heartbeat-s", "600")
DEADLINE_S = 30
NOTHING = {
    "BridgeWorkerInfo": {"SupportedConfigTypes": []},
    "FunctionWorkerInfo": {"SupportedFunctions": {}},
}


async def _report_beside_a_silent_stream(client: WorkerClient, times: int) -> None:
    registered = asyncio.Event()

    async def listen() -> None:
        async for _ in client.events(NOTHING):
            registered.set()

    listening = asyncio.create_task(listen())
    async with asyncio.timeout(DEADLINE_S):
        await registered.wait()
        alive = ActionResult(result="None", status="Completed", message="")
        for _ in range(times):
            body = alive.to_json(None, started_at=datetime.now(UTC))
            await asyncio.gather(*(client.report(body) for _ in range(3)))
    listening.cancel()
    await asyncio.wait({listening})
    await client.close()


def test_reports_do_not_wait_for_the_stream(tmp_path: Path) -> None:
    """Reports are answered while the stream beside them carries nothing for minutes."""
    with confighub_process.running(tmp_path, *SILENT) as server, server.client() as http:
        worker = make_worker(http, make_space(http, "s"))
        client = WorkerClient(
            server.url, worker_id=worker["BridgeWorkerID"], secret=worker["Secret"]
        )
        asyncio.run(_report_beside_a_silent_stream(client, times=60))
