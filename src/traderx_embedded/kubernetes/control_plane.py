"""The control plane as processes: etcd and three Kubernetes programs, with the flags that matter.

The flags were proved with v1.37.2; each that is not a path or a port says why it is there.
"""

import json
from pathlib import Path

from traderx_embedded import state as state_directory
from traderx_embedded.processes import ProcessSpec
from traderx_embedded.state import Settings, State

EGRESS_SOCKET = "egress.sock"  # relative: Unix socket names are short, processes run in STATE


def specs(state: State, settings: Settings, programs: Path) -> tuple[ProcessSpec, ...]:
    """Return the four processes; writes the API server's egress configuration."""
    state.kubernetes.mkdir(mode=0o700, exist_ok=True)
    _write_egress(state)
    return (
        _etcd(settings, programs),
        _apiserver(settings, programs),
        _manager(settings, programs),
        _scheduler(settings, programs),
    )


def _write_egress(state: State) -> None:
    connection = {
        "proxyProtocol": "HTTPConnect",
        "transport": {"uds": {"udsName": EGRESS_SOCKET}},
    }
    body = {
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [{"name": "cluster", "connection": connection}],
    }
    state_directory.write(state.kubernetes / "egress.yaml", json.dumps(body))


def _etcd(settings: Settings, programs: Path) -> ProcessSpec:
    client = f"http://127.0.0.1:{settings.ports.etcd}"
    peer = f"http://127.0.0.1:{settings.ports.etcd_peer}"
    return ProcessSpec(
        name="etcd",
        argv=(
            str(programs / "etcd"),
            "--data-dir=kubernetes/etcd",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",  # survives a kill of the process; a power cut loses a demo
            "--log-level=warn",
        ),
    )


def _apiserver(settings: Settings, programs: Path) -> ProcessSpec:
    return ProcessSpec(
        name="kube-apiserver",
        argv=(
            str(programs / "kube-apiserver"),
            f"--etcd-servers=http://127.0.0.1:{settings.ports.etcd}",
            f"--secure-port={settings.ports.apiserver}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",  # EndpointSlices refuse loopback addresses
            f"--service-cluster-ip-range={settings.service_network}.0.0/16",
            "--authorization-mode=RBAC",
            "--allow-privileged=true",
            "--client-ca-file=pki/ca.crt",
            "--tls-cert-file=pki/server.crt",
            "--tls-private-key-file=pki/server.key",
            "--kubelet-certificate-authority=pki/ca.crt",
            "--kubelet-client-certificate=pki/kubelet-client.crt",
            "--kubelet-client-key=pki/kubelet-client.key",
            "--kubelet-preferred-address-types=InternalIP",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-account-key-file=pki/service-account.pub",
            "--service-account-signing-key-file=pki/service-account.key",
            "--requestheader-client-ca-file=pki/ca.crt",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            "--proxy-client-cert-file=pki/front-proxy.crt",
            "--proxy-client-key-file=pki/front-proxy.key",
            "--egress-selector-config-file=kubernetes/egress.yaml",
            "--default-not-ready-toleration-seconds=30",  # 300 would outlast a night's patience
            "--default-unreachable-toleration-seconds=30",
        ),
        after=("etcd",),
    )


def _manager(settings: Settings, programs: Path) -> ProcessSpec:
    configuration = "pki/controller-manager.kubeconfig"
    return ProcessSpec(
        name="kube-controller-manager",
        argv=(
            str(programs / "kube-controller-manager"),
            *_component(configuration, settings.ports.controller_manager),
            "--authentication-skip-lookup=true",  # else it exits until the API has its RBAC rules
            "--use-service-account-credentials=true",
            # it asks for a token per controller before any starts; at 20 a second that takes 5 s
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
            "--root-ca-file=pki/ca.crt",
            "--service-account-private-key-file=pki/service-account.key",
            "--node-monitor-grace-period=20s",
        ),
        after=("kube-apiserver",),
    )


def _scheduler(settings: Settings, programs: Path) -> ProcessSpec:
    return ProcessSpec(
        name="kube-scheduler",
        argv=(
            str(programs / "kube-scheduler"),
            *_component("pki/scheduler.kubeconfig", settings.ports.scheduler),
        ),
        after=("kube-apiserver",),
    )


def _component(configuration: str, port: int) -> tuple[str, ...]:
    return (
        f"--kubeconfig={configuration}",
        f"--authentication-kubeconfig={configuration}",
        f"--authorization-kubeconfig={configuration}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        "--leader-elect=false",  # there is only one
    )
