"""What all pods of the node share."""

from collections.abc import Mapping
from dataclasses import dataclass

from traderx_embedded.kubernetes.node.addresses import AddressPool
from traderx_embedded.kubernetes.node.api import Api
from traderx_embedded.kubernetes.node.event import Recorder
from traderx_embedded.kubernetes.node.listening import PodPorts
from traderx_embedded.kubernetes.node.memory import MemoryWatch
from traderx_embedded.kubernetes.node.service_proxy import ServiceProxy
from traderx_embedded.kubernetes.node.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The node's shared parts, handed to each pod."""

    settings: Settings
    api: Api
    events: Recorder
    addresses: AddressPool
    ports: PodPorts
    proxy: ServiceProxy
    memory: MemoryWatch
    allocatable: Mapping[str, str]
