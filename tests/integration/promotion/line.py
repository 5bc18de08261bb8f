"""A line of environments of its own, dev and staging, driven by the command line."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from tests.run_cluster import RunCluster
from traderx_gate import settings
from traderx_gate.confighub import ConfigHub, Space, Unit
from traderx_gate.delivery import under_way
from traderx_gate.kube import Kube, ObjectRef, images_of
from traderx_gate.settings import Settings

PROJECT = "line-traderx"
NAMESPACES = "line"
COMMAND = (sys.executable, "-c", "from traderx_gate.cli import main; main()")
COMMAND_TIMEOUT_S = 180

Done = subprocess.CompletedProcess[str]
Running: TypeAlias = "subprocess.Popen[str]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Dev and staging of a project, with reports and a key of its own.

    Attributes:
        environ: The environment of its commands.
        folder: Where its files lie.
        settings: The same, for what is called and not run.
    """

    environ: Mapping[str, str]
    folder: Path
    settings: Settings
    kube: Kube
    confighub: ConfigHub

    @classmethod
    def opened(cls, cluster: RunCluster, folder: Path) -> "Line":
        """Return the line on the run's cluster, its files in a folder."""
        hub = cluster.status["confighub"]
        return cls(
            environ={
                **cluster.environ(folder, project=PROJECT),
                "TRADERX_NAMESPACES": NAMESPACES,
            },
            folder=folder,
            settings=settings.resolve(
                cluster="embedded",
                project=PROJECT,
                namespaces=NAMESPACES,
                kubeconfig=str(cluster.kubeconfig),
                confighub=hub["url"],
                confighub_token_file=hub["token_file"],
            ),
            kube=Kube.from_kubeconfig(cluster.kubeconfig),
            confighub=ConfigHub.from_token_file(hub["url"], Path(hub["token_file"])),
        )

    @property
    def reports(self) -> Path:
        """Where its runs lie."""
        return self.folder / "reports"

    def run(self, *words: str, **variables: str) -> Done:
        """Run a command without a terminal."""
        return subprocess.run(
            [*COMMAND, *words],
            env={**self.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )

    def must(self, *words: str, **variables: str) -> Done:
        """Run a command that has to end well."""
        done = self.run(*words, **variables)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done

    def killed_at(self, line: str, *words: str, number: int = signal.SIGKILL) -> None:
        """Run a command and end it as soon as it says a line."""
        self.met_at(line, lambda child: child.send_signal(number), *words)

    def met_at(self, line: str, act: Callable[[Running], object], *words: str) -> Done:
        """Run a command, and do something as soon as it says a line."""
        with subprocess.Popen(
            [*COMMAND, *words],
            env={**self.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdout is not None
            said = []
            for text in child.stdout:
                said.append(text)
                if line in text:
                    act(child)
                    break
            rest, error = child.communicate(timeout=COMMAND_TIMEOUT_S)
        assert any(line in text for text in said), (said, error)
        return Done(child.args, child.returncode, "".join([*said, rest]), error)

    def space(self, name: str) -> Space:
        """Return the space of an environment as it is now."""
        found = self.confighub.space_find(f"{PROJECT}-{name}")
        assert found is not None
        return found

    def units(self, name: str) -> dict[str, Unit]:
        """Return the units of an environment, by slug."""
        return {unit.slug: unit for unit in self.confighub.unit_list(self.space(name))}

    def data(self, name: str) -> dict[str, bytes]:
        """Return the data of the units of an environment, by slug."""
        return {slug: unit.data for slug, unit in self.units(name).items()}

    def edit(self, name: str, slug: str, old: str, new: str) -> Unit:
        """Replace text in a unit: somebody's change, not applied."""
        unit = self.units(name)[slug]
        assert old in unit.data.decode(), f"{old!r} is not in {slug}"
        data = unit.data.decode().replace(old, new).encode()
        return self.confighub.unit_update(unit, data, change="somebody's")

    def live_image(self, name: str, service: str) -> str:
        """Return the image that the live Deployment of a service names."""
        namespace = f"{NAMESPACES}-{name}"
        ref = ObjectRef(api_version="apps/v1", kind="Deployment", namespace=namespace, name=service)
        (image,) = images_of(self.kube.get(ref), source=service).values()
        return image

    def newest(self, kind: str, name: str) -> Path:
        """Return the directory of the newest run of a kind."""
        return max(self.reports.glob(f"*-{kind}-{name}-*"))

    def read(self, kind: str, name: str, file: str) -> dict[str, Any]:
        """Return a JSON file of the newest run of a kind."""
        return dict(json.loads((self.newest(kind, name) / file).read_text()))

    def is_installed(self, name: str) -> bool:
        """Whether there is an environment of this name."""
        return self.confighub.space_find(f"{PROJECT}-{name}") is not None

    def is_under_way(self, name: str) -> bool:
        """Whether a promotion to an environment has not ended."""
        return under_way.find(self.confighub, self.space(name)) is not None

    def is_settled(self, name: str) -> bool:
        """Whether every unit's head is what is live."""
        return all(u.head_revision == u.live_revision for u in self.units(name).values())

    def make_good(self) -> None:
        """Make of what an earlier test left a line of which all is live and proven."""
        if not self.is_installed("staging"):
            self.must("install", "staging")
        if self.is_under_way("staging"):
            self.must("abort", "staging")
        if self.run("gate", "dev").returncode != 0:
            self.must("deploy", "dev")
            self.must("validate", "dev")
        if not self.is_settled("staging"):
            self.must("promote", "dev", "staging")
