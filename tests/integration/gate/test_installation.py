"""Install and uninstall, on projects of their own in the run's cluster."""

import subprocess
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.integration.gate.conftest import turn
from tests.integration.gate.gate_command import COMMAND, COMMAND_TIMEOUT_S, Gate, opened
from tests.run_cluster import RunCluster
from traderx_gate.confighub import Space, Unit

CHAIN = (("dev", "base"), ("staging", "dev"), ("prod", "staging"))
"""Each environment with what it is cloned from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project of a test, and the command line on it."""

    name: str
    gate: Gate
    logs: Path

    def spaces(self) -> dict[str, Space]:
        """Return its spaces by the end of their names."""
        found = {
            name: self.gate.confighub.space_find(f"{self.name}-{name}")
            for name in ("base", "dev", "staging", "prod", "filters")
        }
        return {name: space for name, space in found.items() if space is not None}

    def units(self, name: str) -> dict[str, Unit]:
        """Return the units of a space by slug."""
        units = self.gate.confighub.unit_list(self.spaces()[name])
        return {unit.slug: unit for unit in units}

    def contents(self) -> dict[str, tuple[object, ...]]:
        """Return identifiers and revisions of everything of it in ConfigHub."""
        hub = self.gate.confighub
        return {
            name: (
                sorted((u.id, u.head_revision, u.target_id) for u in hub.unit_list(space)),
                sorted(item.id for item in hub.filter_list(space)),
                sorted(item.id for item in hub.set_list(space)),
                sorted(item.id for item in hub.worker_list(space)),
            )
            for name, space in self.spaces().items()
        }

    def must(self, *words: str) -> str:
        """Run a command, which has to succeed; returns what it said."""
        done = self.gate.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def project(cluster: RunCluster, tmp_path: Path) -> Iterator[Project]:
    """A project that nobody has, gone afterwards; its environments have dev's lock with others."""
    name = f"t{uuid.uuid4().hex[:8]}-traderx"
    with opened(cluster, tmp_path) as plain, turn(cluster):
        environ = {
            **plain.environ,
            "TRADERX_PROJECT": name,
            "TRADERX_GATE_LOGS": str(tmp_path / "logs"),
        }
        project = Project(name=name, gate=replace(plain, environ=environ), logs=tmp_path / "logs")
        yield project
        project.must("uninstall", "--yes")


def is_complete(project: Project) -> bool:
    """Whether there are 5 spaces, 7 filters, 2 sets and 4 times 19 linked units."""
    hub, spaces = project.gate.confighub, project.spaces()
    assert Counter(len(hub.unit_list(space)) for space in spaces.values()) == {19: 4, 0: 1}
    assert len(hub.filter_list(spaces["filters"])) == 7
    assert len(hub.set_list(spaces["base"])) == 2
    for name, upstream in CHAIN:
        above = project.units(upstream)
        units = project.units(name)
        assert {slug: unit.upstream_unit_id for slug, unit in units.items()} == {
            slug: unit.id for slug, unit in above.items()
        }
        (target,) = hub.target_list(spaces[name])
        assert {unit.target_id for unit in units.values()} == {target.id}
        assert f"name: traderx-{name}" in units["namespace"].data.decode()
    return True


def test_install_makes_everything_once(project: Project) -> None:
    """Installing makes 5 spaces, 7 filters, 2 sets, 4 x 19 linked units; a second time nothing."""
    project.must("install", "envs")
    before = project.contents()
    assert is_complete(project)
    again = project.must("install", "envs")
    assert project.contents() == before
    assert (again.count(" 0 made"), again.count(" 0 cloned")) == (3, 3)


def test_half_an_installation_is_completed(project: Project) -> None:
    """What an interrupted installation lacks is made by the next one; what it has stays."""
    project.must("install", "dev")
    hub, spaces = project.gate.confighub, project.spaces()
    for slug in ("ingress", "database-deployment"):
        hub.unit_delete(project.units("dev")[slug])
    hub.filter_delete(hub.filter_list(spaces["filters"])[0])
    hub.set_delete(hub.set_list(spaces["base"])[0])
    kept = {unit.id for unit in project.units("dev").values()}
    project.must("install", "envs")
    assert is_complete(project)
    assert kept < {unit.id for unit in project.units("dev").values()}


@pytest.mark.parametrize("typed", ["", "another-traderx\n"], ids=["none", "another"])
def test_uninstall_needs_the_name(project: Project, typed: str) -> None:
    """Without --yes, a name that is another one, or none, removes nothing: exit code 2."""
    project.must("install", "base")
    before = project.contents()
    done = subprocess.run(
        [*COMMAND, "uninstall"],
        env=project.gate.environ,
        input=typed,
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, project.contents()) == (2, before), done.stderr
    assert done.stderr.splitlines()[-1].startswith("traderx-gate: ")
    assert "nothing was removed" in done.stderr


def test_uninstall_leaves_what_it_did_not_make(project: Project) -> None:
    """Only the project's spaces go; one that merely looks like it stops everything."""
    project.must("install", "base")
    hub = project.gate.confighub
    other = hub.space_create(f"{project.name}-other", labels={"project": "another"})
    alike = hub.space_create(f"{project.name}-dev", labels={"project": "another"})
    before = project.contents()
    refused = project.gate.run("uninstall", "--yes")
    assert (refused.returncode, project.contents()) == (1, before)
    assert f"{project.name}-dev lacks the label" in refused.stderr
    hub.space_delete(alike)
    project.must("uninstall", "--yes")
    assert (project.spaces(), hub.space_find(other.slug)) == ({}, other)
    hub.space_delete(other)
    assert "nothing is installed" in project.must("uninstall", "--yes")


def test_commands_keep_logs(project: Project) -> None:
    """Each command that changes something keeps what it said, with its time, and how it ended."""
    said = project.must("install", "base").splitlines()
    (log,) = project.logs.glob("install-base-*.log")
    kept = [line.partition(" ")[2] for line in log.read_text().splitlines()]
    assert kept == ["traderx-gate install base", *said, "done"]


def test_tree_shows_the_clones(project: Project) -> None:
    """The tree shows each space below the one it is cloned from; no project is refused."""
    absent = project.gate.run("tree")
    project.must("install", "dev")
    shown = project.must("tree")
    assert (absent.returncode, "is not installed" in absent.stderr) == (2, True)
    base, dev = shown.index(f"{project.name}-base (19"), shown.index(f"{project.name}-dev (19")
    assert base < dev
    assert f"{project.name}-staging" not in shown
