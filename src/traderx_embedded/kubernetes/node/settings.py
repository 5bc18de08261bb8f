"""What the node is told: the state directory's `state.json`, parsed once, and its environment."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from traderx_embedded.kubernetes.node.addresses import Networks


class SettingsError(Exception):
    """The state directory or the environment does not describe a cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One node of one cluster.

    Attributes:
        state: The state directory; everything the node writes is below it.
        node_name: The name of the Node object.
        networks: The three address ranges of this cluster.
        apiserver_port: Where the API server listens on 127.0.0.1.
        kubelet_port: Where the node's own HTTPS API listens.
        control_port: Where the control API listens.
        ingress_port: Where Ingress objects are reached.
        back_off_base_s: First delay before a crashing container is started again.
    """

    state: Path
    node_name: str
    networks: Networks
    apiserver_port: int
    kubelet_port: int
    control_port: int
    ingress_port: int
    back_off_base_s: float

    @property
    def pki(self) -> Path:
        """The directory of certificates and keys."""
        return self.state / "pki"

    @property
    def pods(self) -> Path:
        """The directory of logs and working directories, one per pod uid."""
        return self.state / "node" / "pods"

    @property
    def hosts(self) -> Path:
        """The file of cluster names, read by the launcher inside pods."""
        return self.state / "hosts.json"


def load(state: Path, environ: Mapping[str, str]) -> Settings:
    """Parse the state directory.

    Raises:
        SettingsError: A file or key is missing or malformed.
    """
    path = state / "state.json"
    try:
        return _parse(state, json.loads(path.read_text()), environ)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}; run `up` first") from error
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{path}: not a cluster's state: {error!r}; run `down`, then `up`"
        ) from error


def _parse(state: Path, document: dict[str, Any], environ: Mapping[str, str]) -> Settings:
    ports = document["ports"]
    return Settings(
        state=state,
        node_name=str(document["node_name"]),
        networks=Networks(
            pod=str(document["pod_network"]),
            service=str(document["service_network"]),
            private=str(document["private_network"]),
        ),
        apiserver_port=int(ports["apiserver"]),
        kubelet_port=int(ports["kubelet"]),
        control_port=int(ports["control"]),
        ingress_port=int(ports["ingress"]),
        back_off_base_s=float(environ.get("TRADERX_BACK_OFF_BASE_S", "10")),
    )
