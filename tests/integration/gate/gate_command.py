"""The command line on the run's cluster, and what tests change behind its back."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.contract.kubernetes.laboratory import Connection
from tests.run_cluster import RunCluster
from traderx_embedded.container_images import ADMIN_PORT
from traderx_gate.confighub import ConfigHub, Unit
from traderx_gate.kube import Kube, ObjectRef
from traderx_gate.waiting import Deadline, polling, until

PROJECT = "tests-traderx"
NAMESPACE = "traderx-dev"
COMMAND_TIMEOUT_S = 100
REQUEST_TIMEOUT_S = 20
COMMAND = (sys.executable, "-c", "from traderx_gate.cli import main; main()")
SUITE = "suites/validate_deployment"
RESULTS = "results.jsonl"
VERSIONS = {"Deployment": "apps/v1", "Ingress": "networking.k8s.io/v1"}
PLURALS = {
    "Deployment": "deployments",
    "Ingress": "ingresses",
    "Namespace": "namespaces",
    "Node": "nodes",
    "Service": "services",
}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The command line, on the run's cluster, with reports and key of its own.

    Attributes:
        environ: The environment of its processes.
        reports: Where its runs lie.
        kube: The cluster, as our own client sees it.
        api: The cluster, as anybody else's client sees it.
        confighub: The project's ConfigHub.
        status: What the embedded systems say of themselves.
        options: What tests add to commands, to name cluster and ConfigHub otherwise.
    """

    environ: Mapping[str, str]
    reports: Path
    kube: Kube
    api: Connection
    confighub: ConfigHub
    status: Json
    options: tuple[str, ...] = ()

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `traderx-gate`."""
        return self._run([*COMMAND, *words], variables)

    def pytest(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run plain pytest on the suite."""
        command = [sys.executable, "-m", "pytest", SUITE, "--environment", "dev", *words]
        return self._run(command, {})

    def _run(
        self, command: list[str], variables: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
            env={**self.environ, **variables},
        )

    def deploy(self) -> None:
        """Deploy dev, which must succeed."""
        done = self.run("deploy", "dev")
        assert done.returncode == 0, done.stdout + done.stderr

    def runs(self) -> frozenset[Path]:
        """Return the directories of all runs that gathered evidence."""
        return frozenset(self.reports.glob("2*-validate-*"))

    def newest(self) -> Path:
        """Return the newest run's directory."""
        return max(self.runs())

    def decision(self) -> Json:
        """Return the newest run's decision."""
        return dict(json.loads((self.newest() / "decision.json").read_text()))

    # ConfigHub

    def unit(self, slug: str) -> Unit:
        """Return a unit of dev as it is now."""
        space = self.confighub.space_find(f"{PROJECT}-dev")
        assert space is not None
        (found,) = [unit for unit in self.confighub.unit_list(space) if unit.slug == slug]
        return found

    @contextmanager
    def changed_unit(self, slug: str, *replacements: tuple[str, str]) -> Iterator[Unit]:
        """Replace text in a unit; its data is as before afterwards, in a further revision."""
        before = self.unit(slug)
        text = before.data.decode()
        for old, new in replacements:
            assert old in text, f"{old!r} is not in {slug}"
            text = text.replace(old, new)
        try:
            yield self.confighub.unit_update(before, text.encode(), change="a test's")
        finally:
            self.confighub.unit_update(self.unit(slug), before.data, change="repaired")

    @contextmanager
    def impatient_worker(self, wait: str) -> Iterator[None]:
        """Have the worker wait less long for what it applies."""
        unit = self.unit("namespace")
        path = f"/space/{unit.space_id}/target/{unit.target_id}"
        before = self.ask_confighub("GET", path)["Target"]["Parameters"]
        parameters = json.dumps({**json.loads(before), "WaitTimeout": wait})
        self.ask_confighub("PATCH", path, json={"Parameters": parameters})
        try:
            yield
        finally:
            self.ask_confighub("PATCH", path, json={"Parameters": before})

    @contextmanager
    def without_worker(self) -> Iterator[None]:
        """Have the worker of dev end, and start it again afterwards."""
        name = f"worker-{PROJECT}-dev"
        state = self.environ["TRADERX_GATE_STATE"]
        process = (Path(state) / "processes" / f"{name}.json").read_text()
        self._process("remove", state, name, "")
        self._await_worker("Disconnected")
        try:
            yield
        finally:
            self._process("add", state, name, process)
            self._await_worker("Ready")

    def _process(self, action: str, state: str, name: str, given: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "traderx_embedded", "process", action, state, name],
            input=given,
            text=True,
            check=True,
            timeout=COMMAND_TIMEOUT_S,
        )

    def _await_worker(self, condition: str) -> None:
        space = self.confighub.space_find(f"{PROJECT}-dev")
        assert space is not None
        until(
            polling(
                lambda: self.confighub.worker_list(space)[0].condition,
                every_s=0.05,
                deadline=Deadline(COMMAND_TIMEOUT_S),
            ),
            lambda seen: seen == condition,
            what=f"the worker to be {condition}",
        )

    def ask_confighub(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> Any:
        """Ask ConfigHub as any client does; the answer has to be good."""
        token = Path(self.status["confighub"]["token_file"]).read_text().strip()
        answer = requests.request(
            method,
            f"{self.confighub.url}/api{path}",
            headers={"Authorization": f"Bearer {token}", **(headers or {})},
            timeout=REQUEST_TIMEOUT_S,
            **options,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    # Kubernetes

    def patch(self, ref: ObjectRef, body: Json, *, manager: str) -> None:
        """Change an object as `kubectl set`, `edit` or `scale` do: by a strategic merge patch."""
        group = f"/{'apis' if '/' in ref.api_version else 'api'}/{ref.api_version}"
        scope = f"/namespaces/{ref.namespace}" if ref.namespace else ""
        answer = self.api.request(
            "PATCH",
            f"{group}{scope}/{PLURALS[ref.kind]}/{ref.name}",
            json=body,
            params={"fieldManager": manager},
            headers={"Content-Type": "application/strategic-merge-patch+json"},
        )
        assert answer.status_code == 200, answer.text

    @contextmanager
    def admin_urls(self, service: str) -> Iterator[list[str]]:
        """Yield where the switches of a service's ready pods are; no unit speaks of that port."""
        pods = self.pods(service)
        if self.status["control"]:
            yield [pod["admin_url"] for pod in pods]
            return
        with ExitStack() as stack:
            forwards = [
                stack.enter_context(
                    self.kube.forwarded(NAMESPACE, pod["name"], ADMIN_PORT, local_port=0)
                )
                for pod in pods
            ]
            yield [f"http://127.0.0.1:{forward.port}" for forward in forwards]

    def pods(self, service: str) -> list[Json]:
        """Return the name of each ready pod of a service; of our node's, process and admin too."""
        if not self.status["control"]:
            live = self.kube.pods(NAMESPACE, labels=f"app={service}")
            return [{"name": pod.name} for pod in live if pod.ready and not pod.deleting]
        control = self.status["control"]
        token = Path(control["token_file"]).read_text().strip()
        answer = requests.get(
            f"{control['url']}/pods",
            headers={"Authorization": f"Bearer {token}"},
            timeout=REQUEST_TIMEOUT_S,
        )
        ready = {
            pod.name for pod in self.kube.pods(NAMESPACE, labels=f"app={service}") if pod.ready
        }
        return [pod for pod in answer.json() if pod["name"] in ready]


def ref(kind: str, name: str) -> ObjectRef:
    """Return the reference of an object of dev."""
    version = VERSIONS.get(kind, "v1")
    namespace = "" if kind in {"Namespace", "Node"} else NAMESPACE
    return ObjectRef(api_version=version, kind=kind, name=name, namespace=namespace)


def results_of(reports: Path) -> int:
    """Return how many results the one run has, -1 before it has begun."""
    runs = list(reports.glob("2*/evidence.dsse.json"))
    if not runs:
        return -1
    results = runs[0].with_name(RESULTS)
    return len(results.read_bytes().splitlines()) if results.exists() else 0


@contextmanager
def opened(cluster: RunCluster, folder: Path) -> Iterator[Gate]:
    """Open the command line on a cluster, with an environment that is installed and deployed."""
    hub = cluster.status["confighub"]
    with Connection(cluster.kubeconfig) as api:
        gate = Gate(
            environ=cluster.environ(folder, project=PROJECT),
            reports=folder / "reports",
            kube=Kube.from_kubeconfig(cluster.kubeconfig),
            api=api,
            confighub=ConfigHub.from_token_file(hub["url"], Path(hub["token_file"])),
            status=cluster.status,
        )
        yield gate
        gate.confighub.close()
