"""A build that fails, is interrupted or killed leaves nothing, and the same command repairs it."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.control_plane import fake_go
from traderx_embedded import procfs
from traderx_embedded.kubernetes import go
from traderx_embedded.kubernetes.versions import NAMES, Versions
from traderx_gate.waiting import Deadline, polling, until

DEADLINE_S = 60.0
MAIN = "from traderx_gate.cli import main; main()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A user's cache and a PATH with a fake Go on it."""

    root: Path

    @property
    def folder(self) -> Path:
        """Where control planes are built."""
        return self.root / "cache" / "traderx-gate" / "control-plane"

    def go_will(self, mode: str) -> None:
        """Say what Go does from now on."""
        (self.root / "mode").write_text(mode)

    def start(self, *words: str, **variables: str) -> "subprocess.Popen[str]":
        """Start a command of the embedded systems."""
        return self.start_program("-m", "traderx_embedded", *words, **variables)

    def start_program(self, *words: str, **variables: str) -> "subprocess.Popen[str]":
        """Start a Python program."""
        return subprocess.Popen(
            [sys.executable, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                "PATH": f"{self.root / 'bin'}:/usr/bin:/bin",
                "XDG_CACHE_HOME": str(self.root / "cache"),
                "FAKE_GO_MODE": str(self.root / "mode"),
                **variables,
            },
        )

    def run(self, *words: str, **variables: str) -> tuple[int, str, str]:
        """Run a command; returns its exit code, output and errors."""
        with self.start(*words, **variables) as child:
            out, err = child.communicate(timeout=DEADLINE_S)
            return child.returncode, out, err

    def start_hanging_build(self) -> "subprocess.Popen[str]":
        """Start a build that is in the middle of it when this returns."""
        self.go_will("hang")
        child = self.start("build")
        self.await_hanging_build()
        return child

    def await_hanging_build(self) -> None:
        """Wait until a build is in the middle of it."""
        until(
            polling((self.root / "hangs").exists, every_s=0.02, deadline=Deadline(DEADLINE_S)),
            bool,
            what="the build to hang",
        )

    def left(self) -> set[str]:
        """What lies in the folder of control planes."""
        return {path.name for path in self.folder.iterdir()}


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine on which nothing was built yet."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "go"
    command.write_text(f"#!{sys.executable}\n{Path(fake_go.__file__).read_text()}")
    command.chmod(0o755)
    found = Machine(root=tmp_path)
    found.go_will("build")
    yield found
    procfs.kill_marked(found.folder)


def whole(machine: Machine) -> Path:
    """Build, and return the folder of what was built."""
    code, out, err = machine.run("build")
    assert code == 0, err
    folder = Path(out.strip())
    assert {path.name for path in folder.iterdir()} == set(NAMES)
    assert machine.left() == {folder.name, "build.lock"}
    return folder


def test_control_plane_is_built_once(machine: Machine) -> None:
    """The second command finds what the first one built, without any Go."""
    folder = whole(machine)
    shutil.rmtree(machine.root / "bin")
    assert machine.run("build") == (0, f"{folder}\n", "")


def test_two_builds_at_a_time_are_one(machine: Machine) -> None:
    """Commands that need the control plane at the same time build it once, and both get it."""
    with machine.start("build") as first, machine.start("build") as second:
        outs = {child.communicate(timeout=DEADLINE_S)[0] for child in (first, second)}
        assert [first.returncode, second.returncode, len(outs)] == [0, 0, 1]
    assert (machine.root / "builds").read_text() == "x"


def test_interrupted_build_leaves_nothing(machine: Machine) -> None:
    """Ctrl-C ends Go with its children, and removes what was half-made; the next build works."""
    with machine.start_hanging_build() as child:
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=DEADLINE_S)
    assert (child.returncode, "Traceback" in err) == (130, False)
    assert (machine.left(), procfs.marked(machine.folder)) == ({"build.lock"}, ())
    machine.go_will("build")
    whole(machine)


def test_interrupted_gate_ends_what_it_started(machine: Machine) -> None:
    """An interrupt of `traderx-gate up` alone ends its build, too, quietly and without a trace."""
    machine.go_will("hang")
    state = machine.root / "state"
    with machine.start_program("-c", MAIN, "up", TRADERX_GATE_STATE=str(state)) as child:
        machine.await_hanging_build()
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=DEADLINE_S)
    assert (child.returncode, "Traceback" in err) == (130, False)
    assert (machine.left(), procfs.marked(machine.folder)) == ({"build.lock"}, ())
    assert not state.exists()


def test_killed_build_is_repaired_by_the_next(machine: Machine) -> None:
    """After kill -9 the next build ends the orphans, removes the half and makes the whole."""
    with machine.start_hanging_build() as child:
        orphans = set(procfs.marked(machine.folder))
        child.kill()
    machine.go_will("build")
    whole(machine)
    assert len(orphans) == 2
    assert procfs.marked(machine.folder) == ()


def test_killed_build_is_cleaned_up_by_down(machine: Machine) -> None:
    """After kill -9 of a build, `down` leaves neither its processes nor its files."""
    with machine.start_hanging_build() as child:
        child.kill()
    assert machine.run("down", str(machine.root / "state"))[0] == 0
    assert (machine.left(), procfs.marked(machine.folder)) == ({"build.lock"}, ())


def test_down_of_another_cluster_lets_a_build_go_on(machine: Machine) -> None:
    """`down` ends only a build that nobody waits for."""
    with machine.start_hanging_build() as child:
        before = procfs.marked(machine.folder)
        assert machine.run("down", str(machine.root / "state"))[0] == 0
        assert procfs.marked(machine.folder) == before
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=DEADLINE_S)


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("full", ["no space left on device", "free up to 8 GB", "run the same command again"]),
        ("offline", ["dial tcp", "check the network", "run the same command again"]),
        ("old", ["needs Go 1.26.0 or newer", "is go1.2.3", "make go"]),
    ],
)
def test_failed_build_says_what_to_do(machine: Machine, mode: str, words: list[str]) -> None:
    """A build that fails ends with one line that has cause and remedy, and leaves nothing."""
    machine.go_will(mode)
    code, out, err = machine.run("build")
    assert (code, out) == (1, "")
    last = [line for line in err.splitlines() if not line.startswith("control plane: ")]
    assert (len(last), [word for word in words if word not in last[0]]) == (1, [])
    assert machine.left() == {"build.lock"}
    machine.go_will("build")
    whole(machine)


def test_unusable_cache_is_named(machine: Machine) -> None:
    """A cache folder that cannot be made is one line with its path, not a traceback."""
    (machine.root / "cache").write_text("a file")
    code, out, err = machine.run("build")
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert str(machine.folder) in err


def test_deleted_program_is_built_again(machine: Machine) -> None:
    """A cached control plane that lacks a program is replaced by a whole one."""
    (whole(machine) / "etcd").unlink()
    whole(machine)


def test_own_binaries_of_the_right_versions_are_used(machine: Machine) -> None:
    """KUBEBUILDER_ASSETS with our versions is taken as it is; nothing is built."""
    assets = shutil.copytree(whole(machine), machine.root / "assets")
    shutil.rmtree(machine.folder)
    found = machine.run("build", KUBEBUILDER_ASSETS=str(assets))
    assert (found, machine.folder.exists()) == ((0, f"{assets}\n", ""), False)


def test_own_binaries_of_other_versions_are_not_used(machine: Machine) -> None:
    """KUBEBUILDER_ASSETS with another version is named with both versions, and not used."""
    folder = whole(machine)
    assets = shutil.copytree(folder, machine.root / "assets")
    (assets / "kube-scheduler").write_text("#!/bin/sh\necho Kubernetes v1.30.0\n")
    code, out, err = machine.run("build", KUBEBUILDER_ASSETS=str(assets))
    assert (code, out) == (0, f"{folder}\n")
    assert "kube-scheduler is Kubernetes v1.30.0, needed is v1.37.2" in err


def test_go_of_the_wheel_is_found(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Go on PATH, the one that `make go` put beside Python is taken."""
    monkeypatch.setenv("FAKE_GO_MODE", str(machine.root / "mode"))
    monkeypatch.setenv("PATH", str(machine.root / "empty"))
    monkeypatch.setattr(sys, "executable", str(machine.root / "bin" / "python"))
    assert go.go_program(Versions.pinned()) == str(machine.root / "bin" / "go")
