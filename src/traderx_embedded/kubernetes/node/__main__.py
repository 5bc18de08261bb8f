"""`python -m traderx_embedded.kubernetes.node STATE`: puts the node together and runs it.

SIGTERM stops every container and ends; pods stay in the API and go on with the next node.
"""

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from traderx_embedded.kubernetes.node import processes, settings
from traderx_embedded.kubernetes.node.addresses import AddressPool
from traderx_embedded.kubernetes.node.agent import Agent
from traderx_embedded.kubernetes.node.api import Api
from traderx_embedded.kubernetes.node.control_api import ControlApi
from traderx_embedded.kubernetes.node.egress import Egress
from traderx_embedded.kubernetes.node.event import Recorder
from traderx_embedded.kubernetes.node.ingress_controller import IngressController
from traderx_embedded.kubernetes.node.ingress_server import IngressServer
from traderx_embedded.kubernetes.node.kubelet_api import KubeletApi
from traderx_embedded.kubernetes.node.listening import PodPorts
from traderx_embedded.kubernetes.node.memory import MemoryWatch
from traderx_embedded.kubernetes.node.metrics_api import MetricsApi
from traderx_embedded.kubernetes.node.node_object import NodeObject
from traderx_embedded.kubernetes.node.service_proxy import ServiceProxy
from traderx_embedded.kubernetes.node.settings import Settings, SettingsError
from traderx_embedded.kubernetes.node.surroundings import Surroundings
from traderx_embedded.kubernetes.node.usage import UsageMeter

_LOG = logging.getLogger("traderx_embedded.kubernetes.node")

STOP_GRACE_S = 2.0


async def _run(told: Settings) -> None:
    leftovers = processes.of_all_pods(told.state)
    if leftovers:
        _LOG.warning("killing processes of an earlier node count=%d", len(leftovers))
        processes.end(leftovers)
    async with Api(told) as api:
        ports = PodPorts(told.networks)
        node = NodeObject(told, api)
        around = Surroundings(
            settings=told,
            api=api,
            events=Recorder(api, told.node_name),
            addresses=AddressPool(told.networks),
            ports=ports,
            proxy=ServiceProxy(told, api, ports),
            memory=MemoryWatch(),
            allocatable=node.allocatable,
        )
        await _serve(told, around, node)


async def _serve(told: Settings, around: Surroundings, node: NodeObject) -> None:
    agent = Agent(around)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    meter = UsageMeter(agent.runs)
    metrics = MetricsApi(told, around.api, meter, agent.workers)
    ingress = IngressController(told, around.api)
    egress = await Egress(told, around.ports).start()
    runners = [
        await KubeletApi(told, agent.find, metrics).start(),
        await ControlApi(told, agent.workers).start(),
        await IngressServer(told, ingress, around.proxy).start(),
    ]
    parts = (
        *(node, around.events, around.ports, around.memory, around.proxy),
        *(agent, ingress, meter, metrics),
    )
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part.run()) for part in parts]
            await stop.wait()
            _LOG.info("stopping")
            for task in tasks:
                task.cancel()
    finally:
        await agent.stop(STOP_GRACE_S)
        egress.close()
        (told.state / "egress.sock").unlink(missing_ok=True)
        for runner in runners:
            await runner.cleanup()


def main() -> int:
    """Run the node until it is told to stop."""
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    if len(sys.argv) != 2:
        _LOG.error("usage: python -m traderx_embedded.kubernetes.node STATE")
        return 2
    try:
        told = settings.load(Path(sys.argv[1]).absolute(), os.environ)
    except SettingsError as error:
        _LOG.error("%s", error)
        return 2
    asyncio.run(_run(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
