"""A drill's own line of environments, dev and staging, where anything may be broken.

It is a project of its own, with namespaces of its own: what is drilled is the same units, and never
the environment that others use. Commands are run as a user runs them, and judged from outside.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from traderx_gate.confighub import ConfigHub, Unit
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import DeliveryError
from traderx_gate.kube import PROJECT_LABEL
from traderx_gate.operations.validation import PARENT_VARIABLE, RUN_VARIABLE
from traderx_gate.settings import Settings, require_name

SUFFIX = "-drill"
COMMAND_TIMEOUT_S = 600.0
PROGRAM = (sys.executable, "-c", "from traderx_gate.cli import main; main()")
OURS = (RUN_VARIABLE, PARENT_VARIABLE)
"""What binds a process to its run; a drill's commands have runs of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A command that was run, and what it did to the heads of an environment.

    Attributes:
        command: Its words.
        code: Its exit code; negative for the signal that ended it.
        said: Everything it said.
        before: The number of each unit's head before, by slug.
        after: The same after.
    """

    command: str
    code: int
    said: str
    before: Mapping[str, int]
    after: Mapping[str, int]


class Line:
    """The drill's environments.

    Attributes:
        settings: As the run's, with the drill's project and namespaces.
        folder: Where its reports and logs lie.
        hub: Its ConfigHub.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.hub = ConfigHub.from_token_file(settings.confighub_url, settings.token_file)
        self._connected: dict[str, DeployedEnvironment] = {}
        self._found: dict[str, Mapping[str, bytes]] = {}

    @classmethod
    def beside(cls, settings: Settings, folder: Path) -> "Line":
        """Return the line beside the environments of a project.

        Raises:
            ConfigurationError: The project's name is too long for one more word.
        """
        own = replace(
            settings,
            project=require_name("project", f"{settings.project}{SUFFIX}"),
            namespaces=require_name("namespaces", f"{settings.namespaces}{SUFFIX}"),
        )
        return cls(own, folder)

    @property
    def reports(self) -> Path:
        """Where the drill's own runs lie."""
        return self.folder / "reports"

    def connect(self, name: str) -> DeployedEnvironment:
        """Return one of its environments."""
        if name not in self._connected:
            self._connected[name] = self.settings.connect(name)
        return self._connected[name]

    def units(self, name: str) -> dict[str, Unit]:
        """Return the units of one of its environments, by slug."""
        return dict(self.connect(name).units())

    def run(self, *words: str, on: str, stop_at: str = "") -> Delivered:
        """Run a command; with `stop_at`, kill it as soon as it says that.

        Args:
            words: The command and its arguments.
            on: The environment whose heads are looked at.
            stop_at: A part of a line.

        Raises:
            DeliveryError: It did not end in time.
        """
        before = self._heads(on)
        with subprocess.Popen(
            [*PROGRAM, *words, *self._options()],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as child:
            late = threading.Timer(COMMAND_TIMEOUT_S, child.kill)
            late.start()
            try:
                said = _heard(child, stop_at)
            finally:
                is_late = late.finished.is_set()
                late.cancel()
                child.kill()
        if is_late:
            raise DeliveryError(f"`{' '.join(words)}` of the drill did not end")
        return Delivered(
            command=" ".join(words),
            code=child.returncode,
            said=said,
            before=before,
            after=self._heads(on),
        )

    def must(self, *words: str, on: str) -> Delivered:
        """Run a command that the drill itself needs.

        Raises:
            DeliveryError: It did not end well.
        """
        done = self.run(*words, on=on)
        if done.code != 0:
            raise DeliveryError(f"the drill's `{done.command}` ended with {done.code}: {done.said}")
        return done

    def prepare(self, source: DeployedEnvironment) -> None:
        """Make the line of the very units of an environment, live and proven.

        Raises:
            DeliveryError: It cannot be made.
        """
        self.must("uninstall", "--yes", on="dev")  # what a killed drill left
        self.must("install", "staging", on="dev")
        ours = self.connect("dev")
        for slug, unit in source.units().items():
            data = unit.data.replace(
                source.spec.namespace.encode(), ours.spec.namespace.encode()
            ).replace(
                f"{PROJECT_LABEL}: {source.project}".encode(),
                f"{PROJECT_LABEL}: {self.settings.project}".encode(),
            )
            own = ours.units()[slug]
            if own.data != data:
                self.hub.unit_update(own, data, change=f"as in {source.space.slug}")
        self.make_good()
        for name in ("dev", "staging"):
            self._found[name] = {slug: unit.data for slug, unit in self.units(name).items()}

    def make_good(self) -> None:
        """Make all of it what it was, live and proven again, whatever a drill left of it.

        Raises:
            DeliveryError: It cannot be made so.
        """
        self.run("abort", "staging", on="staging")  # refused where no promotion is under way
        for slug, data in self._found.get("dev", {}).items():
            unit = self.units("dev")[slug]
            if unit.data != data:
                self.hub.unit_update(unit, data, change="as it was found")
        if self.run("gate", "dev", on="dev").code != 0:
            self.must("deploy", "dev", on="dev")
            self.must("validate", "dev", on="dev")
        if self.run("gate", "staging", on="staging").code != 0 or self._moved("staging"):
            self.must("promote", "dev", "staging", on="staging")
        if moved := self._moved("staging"):
            raise DeliveryError(f"the drill's staging is not as it was found: {', '.join(moved)}")

    def _moved(self, name: str) -> list[str]:
        """Return the units whose data is not what was found."""
        found, now = self._found.get(name, {}), self.units(name)
        return [slug for slug, data in found.items() if now[slug].data != data]

    def remove(self) -> None:
        """Remove all of it, from cluster and ConfigHub, and close the clients.

        Raises:
            DeliveryError: Something stays.
        """
        self.must("uninstall", "--yes", on="dev")
        self.close()

    def close(self) -> None:
        """Close the clients."""
        for environment in self._connected.values():
            environment.close()
            environment.confighub.close()
        self.hub.close()

    def newest(self, kind: str, name: str) -> Path:
        """Return the directory of its newest run of a kind."""
        return max(self.reports.glob(f"*-{kind}-{name}-*"))

    def read(self, kind: str, name: str, file: str) -> dict[str, Any]:
        """Return a JSON file of its newest run of a kind."""
        return dict(json.loads((self.newest(kind, name) / file).read_text()))

    def _heads(self, name: str) -> dict[str, int]:
        space = self.hub.space_find(f"{self.settings.project}-{name}")
        if space is None:
            return {}
        return {unit.slug: unit.head_revision for unit in self.hub.unit_list(space)}

    def _options(self) -> list[str]:
        given = {
            "--cluster": self.settings.cluster,
            "--project": self.settings.project,
            "--namespaces": self.settings.namespaces,
            "--kubeconfig": str(self.settings.kubeconfig),
            "--context": self.settings.context,
            "--confighub": self.settings.confighub_url,
            "--confighub-token-file": str(self.settings.token_file),
            "--reach": self.settings.reach,
        }
        return [word for name, value in given.items() if value for word in (name, value)]

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in OURS}
        own = {
            "TRADERX_GATE_REPORTS": str(self.reports),
            "TRADERX_GATE_LOGS": str(self.folder / "logs"),
            "PYTHONUNBUFFERED": "1",
        }
        return {**kept, **own}


def _heard(child: "subprocess.Popen[str]", stop_at: str) -> str:
    """Return what a child says to its end, or to the line at which it is killed."""
    lines = []
    for line in child.stdout or ():
        lines.append(line)
        if stop_at and stop_at in line:
            child.send_signal(signal.SIGKILL)
            stop_at = ""
    return "".join(lines)
