"""The Node object and its Lease: registered, kept alive, put back when they vanish."""

import asyncio
import logging
import os
import platform
import uuid
from pathlib import Path
from typing import Any

from traderx_embedded.kubernetes.node import clock
from traderx_embedded.kubernetes.node.api import Api, ApiError
from traderx_embedded.kubernetes.node.settings import Settings
from traderx_embedded.kubernetes.node.status import HOST_IP

_LOG = logging.getLogger(__name__)

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
LEASE_S = 40
RENEW_S = 2.0
STATUS_S = 10.0
RETRY_S = 0.2
OWN_TAINTS = {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}


def capacity() -> dict[str, str]:
    """Return what this machine has."""
    total = next(
        line.split()[1]
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("MemTotal:")
    )
    disk = os.statvfs("/")
    return {
        "cpu": str(os.cpu_count()),
        "memory": f"{total}Ki",
        "ephemeral-storage": f"{disk.f_blocks * disk.f_frsize // 1024}Ki",
        "pods": "110",
    }


class NodeObject:
    """This node, in the API."""

    def __init__(self, settings: Settings, api: Api) -> None:
        self._settings = settings
        self._api = api
        self._name = settings.node_name
        self._capacity = capacity()
        self._ready_since = clock.seconds(clock.now())

    @property
    def allocatable(self) -> dict[str, str]:
        """What pods can be given: everything."""
        return self._capacity

    async def run(self) -> None:
        """Register and renew until cancelled."""
        loop = asyncio.get_running_loop()
        registered, status_due = False, 0.0
        while True:
            try:
                if not registered:
                    await self._register()
                    registered, status_due = True, 0.0
                if loop.time() >= status_due:
                    await self._write_status()
                    status_due = loop.time() + STATUS_S
                await self._renew()
            except ApiError as error:
                _LOG.warning("node not renewed node=%s error=%s", self._name, error)
                registered = False
                await asyncio.sleep(RETRY_S)
            else:
                await asyncio.sleep(RENEW_S)

    async def _register(self) -> None:
        try:
            await self._api.create("/api/v1/nodes", self._node())
            _LOG.info("node registered name=%s", self._name)
        except ApiError as error:
            if error.status != 409:
                raise

    def _node(self) -> dict[str, Any]:
        architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "unknown")
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": self._name,
                "labels": {
                    "kubernetes.io/hostname": self._name,
                    "kubernetes.io/os": "linux",
                    "kubernetes.io/arch": architecture,
                    "node.kubernetes.io/instance-type": "process",
                },
            },
        }

    async def _write_status(self) -> None:
        moment = clock.seconds(clock.now())
        version = (await self._api.get("/version"))["gitVersion"]
        path = f"/api/v1/nodes/{self._name}"
        await self._api.patch(f"{path}/status", {"status": self._status(moment, version)})
        node = await self._api.get(path)
        taints = node["spec"].get("taints") or []
        kept = [taint for taint in taints if taint["key"] not in OWN_TAINTS]
        if kept != taints:
            # The node controller does the same, seconds later.
            node["spec"]["taints"] = kept
            await self._api.replace(path, node)

    def _status(self, moment: str, version: str) -> dict[str, Any]:
        healthy = {
            "MemoryPressure": "KubeletHasSufficientMemory",
            "DiskPressure": "KubeletHasNoDiskPressure",
            "PIDPressure": "KubeletHasSufficientPID",
        }
        times = {"lastHeartbeatTime": moment, "lastTransitionTime": self._ready_since}
        conditions = [
            {"type": kind, "status": "False", "reason": reason, **times}
            for kind, reason in healthy.items()
        ]
        conditions.append(
            {
                "type": "Ready",
                "status": "True",
                "reason": "KubeletReady",
                "message": "the process node is posting ready status",
                **times,
            }
        )
        return {
            "capacity": self._capacity,
            "allocatable": self._capacity,
            "addresses": [
                {"type": "InternalIP", "address": HOST_IP},
                {"type": "Hostname", "address": self._name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._settings.kubelet_port}},
            "conditions": conditions,
            "nodeInfo": {
                **self._node_info(),
                "kubeletVersion": version,
                "kubeProxyVersion": version,
            },
        }

    def _node_info(self) -> dict[str, str]:
        identity = str(uuid.uuid5(uuid.NAMESPACE_URL, str(self._settings.state)))
        return {
            "machineID": identity,
            "systemUUID": identity,
            "bootID": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
            "kernelVersion": platform.release(),
            "osImage": "processes of this machine, no containers",
            "containerRuntimeVersion": "process://1",
            "operatingSystem": "linux",
            "architecture": self._node()["metadata"]["labels"]["kubernetes.io/arch"],
        }

    async def _renew(self) -> None:
        moment = clock.micros(clock.now())
        spec = {
            "holderIdentity": self._name,
            "leaseDurationSeconds": LEASE_S,
            "renewTime": moment,
        }
        try:
            await self._api.patch(f"{LEASES}/{self._name}", {"spec": spec})
        except ApiError as error:
            if error.status != 404:
                raise
            await self._api.create(
                LEASES,
                {
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "metadata": {"name": self._name, "namespace": "kube-node-lease"},
                    "spec": spec,
                },
            )
