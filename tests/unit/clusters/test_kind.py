import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from traderx_gate.clusters import engine as engines
from traderx_gate.clusters import kind
from traderx_gate.clusters.engine import Engine, qualified
from traderx_gate.errors import ConfigurationError, RefusedError

Answers = dict[str, dict[str, Any]]
Given = Callable[[Answers], Path]
IMAGE = "ghcr.io/finos/traderx/trade-service:v1.2.3"
DOCKER = Engine("docker")
VERSION: Answers = {"kind version": {"out": "kind v0.33.0 go1.25.1 linux/amd64\n"}}
NONE: Answers = {"kind get clusters": {"err": "No kind clusters found.\n"}}
OURS: Answers = {"kind get clusters": {"out": "other\ntraderx-gate\n"}}
GOOD: Answers = {
    **VERSION,
    **NONE,
    "kind create cluster": {"err": 'Creating cluster "traderx-gate" ...\n'},
    "kind export kubeconfig": {"err": 'Set kubectl context to "kind-traderx-gate"\n'},
    "kind load image-archive": {},
    "kind delete cluster": {"err": 'Deleting cluster "traderx-gate" ...\n'},
    "docker images": {"out": f"{IMAGE}\nkindest/node:<none>\n"},
    "docker save": {},
    "docker exec": {"out": "deployment.apps/ingress-nginx-controller created\n"},
}
STOPPED = {
    "code": 1,
    "err": "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. "
    "Is the docker daemon running?\n",
}


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Given:
    """A PATH with the programs that are named, which answer as recorded; returns its folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def write(answers: Answers) -> Path:
        fake = folder / "fake_programs.py"
        shutil.copy(Path(__file__).with_name("fake_programs.py"), fake)
        (folder / "answers.json").write_text(json.dumps(answers))
        for name in {begin.split()[0] for begin in answers}:
            (folder / name).write_text(f'#!/bin/sh\nexec {sys.executable} {fake} {name} "$@"\n')
            (folder / name).chmod(0o755)
        return folder

    return write


def asked(folder: Path) -> list[list[str]]:
    """Return the words of every call, in order."""
    return [json.loads(line) for line in (folder / "asked.jsonl").read_text().splitlines()]


def calls(folder: Path) -> list[str]:
    """Return program and first word of every call."""
    return [" ".join(words[:2]) for words in asked(folder)]


def mounted(source: Path | str) -> Answers:
    """Return what docker says of a node that has a folder mounted as our mark."""
    mounts = [{"Type": "bind", "Source": str(source), "Destination": "/traderx-gate"}]
    return {"docker inspect": {"out": json.dumps(mounts) + "\n"}}


def test_no_engine_is_refused(given: Given) -> None:
    """Without any engine the message names them, and what needs none."""
    given({})
    with pytest.raises(RefusedError, match=r"docker, podman, nerdctl.*--cluster embedded"):
        engines.find()


def test_stopped_engine_is_refused_with_the_way_to_start_it(given: Given) -> None:
    """An engine that does not run is told apart from one that is missing."""
    given({"docker info": STOPPED})
    with pytest.raises(RefusedError, match=r"Cannot connect.*systemctl start docker"):
        engines.find()


def test_running_engine_is_taken_before_a_stopped_one(given: Given) -> None:
    """Where docker is stopped and podman runs, podman is used."""
    given({"docker info": STOPPED, "podman info": {"out": "{}"}})
    assert engines.find() == Engine("podman")


def test_unknown_engine_is_a_mistake(given: Given) -> None:
    """An engine that there is not is named with those that there are."""
    given({})
    with pytest.raises(ConfigurationError, match="there is docker, podman, nerdctl"):
        engines.find("rkt")


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"docker info": {}}, "kind is not on PATH"),
        ({"kind version": {"out": "kind v0.20.0 go1.20.4 linux/amd64\n"}}, "too old"),
        ({"kind version": {"out": "kind of\n"}}, "too old or unknown"),
    ],
)
def test_kind_is_there_and_new_enough(given: Given, answers: Answers, said: str) -> None:
    """A missing or an old kind is refused."""
    given(answers)
    with pytest.raises(RefusedError, match=said):
        kind.require_kind()


def test_cluster_is_made_as_configured(given: Given, tmp_path: Path) -> None:
    """A new cluster has two workers, the port on loopback only, our mark, the pinned image."""
    folder = given(GOOD)
    options = kind.Options(state=tmp_path / "state", metrics="", ingress_port=8080)
    found = kind.up(DOCKER, options)
    assert found == (tmp_path / "state/kind.kubeconfig", "kind-traderx-gate")
    (create,) = [words for words in asked(folder) if words[1] == "create"]
    body = yaml.safe_load(create[-1])
    assert kind.NODE_IMAGE in create
    assert [node["role"] for node in body["nodes"]] == ["control-plane", "worker", "worker"]
    (port,) = body["nodes"][0]["extraPortMappings"]
    assert (port["listenAddress"], port["hostPort"]) == ("127.0.0.1", 8080)
    marks = {(m["hostPath"], m["containerPath"]) for n in body["nodes"] for m in n["extraMounts"]}
    assert marks == {(str(tmp_path / "state"), "/traderx-gate")}


def test_images_are_loaded_before_the_manifests(given: Given, tmp_path: Path) -> None:
    """Images go into the nodes as an archive, then the ingress controller is applied."""
    folder = given(GOOD)
    kind.up(DOCKER, kind.Options(state=tmp_path, metrics="", images=[IMAGE]))
    order = [call for call in calls(folder) if call in {"docker save", "kind load", "docker exec"}]
    assert order == ["docker save", "kind load", "docker exec"]


def test_missing_image_is_refused_before_anything_is_made(given: Given, tmp_path: Path) -> None:
    """An image that was not built is named, with the command that builds it."""
    folder = given(GOOD)
    with pytest.raises(RefusedError, match=r"no image x:1.*make image"):
        kind.up(DOCKER, kind.Options(state=tmp_path, images=["x:1"]))
    assert "kind create" not in calls(folder)


def test_missing_manifest_is_refused_before_anything_is_made(given: Given, tmp_path: Path) -> None:
    """A manifest's path that leads nowhere is refused."""
    folder = given(GOOD)
    with pytest.raises(RefusedError, match="is no file"):
        kind.up(DOCKER, kind.Options(state=tmp_path, ingress=str(tmp_path / "no.yaml")))
    assert "kind create" not in calls(folder)


def test_manifest_without_a_network_is_a_file(given: Given, tmp_path: Path) -> None:
    """A manifest that is given as a path goes to kubectl as it is."""
    folder = given(GOOD)
    (tmp_path / "ingress.yaml").write_text("kind: Any\n")
    options = kind.Options(state=tmp_path, metrics="", ingress=str(tmp_path / "ingress.yaml"))
    kind.up(DOCKER, options)
    assert asked(folder)[-1][-3:] == ["--filename", "-", "kind: Any\n"]


def test_metrics_server_trusts_the_kubelets_of_kind(given: Given, tmp_path: Path) -> None:
    """The metrics server is told once to take kubelets' own certificates."""
    folder = given(GOOD)
    kind.up(DOCKER, kind.Options(state=tmp_path, ingress=""))
    assert "--kubelet-insecure-tls" in asked(folder)[-1][-2]


def test_running_cluster_of_ours_is_taken(given: Given, tmp_path: Path) -> None:
    """A cluster with our mark is reused, not made again."""
    folder = given({**GOOD, **OURS, **mounted(tmp_path)})
    kind.up(DOCKER, kind.Options(state=tmp_path, ingress="", metrics=""))
    assert calls(folder)[-1] == "kind export"
    assert "kind create" not in calls(folder)


@pytest.mark.parametrize(
    ("inspected", "whose"),
    [({"docker inspect": {"out": "[]\n"}}, "not made by"), (mounted("/other"), "/other")],
)
def test_cluster_of_somebody_else_is_left_alone(
    given: Given, tmp_path: Path, inspected: Answers, whose: str
) -> None:
    """A cluster of our name without our mark is neither used nor removed."""
    folder = given({**GOOD, **OURS, **inspected})
    for touch in (kind.is_up, kind.down):
        with pytest.raises(RefusedError, match=whose):
            touch(DOCKER, tmp_path)
    assert "kind delete" not in calls(folder)


def test_down_removes_our_cluster_by_its_name(given: Given, tmp_path: Path) -> None:
    """Our cluster goes with its kubeconfig; where there is none, nothing is done."""
    folder = given({**GOOD, **OURS, **mounted(tmp_path)})
    (tmp_path / "kind.kubeconfig").touch()
    assert kind.down(DOCKER, tmp_path)
    assert asked(folder)[-1][:5] == ["kind", "delete", "cluster", "--name", "traderx-gate"]
    assert not (tmp_path / "kind.kubeconfig").exists()
    given(GOOD)
    assert not kind.down(DOCKER, tmp_path)


@pytest.mark.parametrize(
    ("err", "said"),
    [
        (
            (
                'ERROR: failed to create cluster: failed to pull image "kindest/node:v9": '
                'command "docker pull kindest/node:v9" failed with error: exit status 1\nCommand '
                "Output: Error response from daemon: manifest for kindest/node:v9 not found: "
                "manifest unknown: manifest unknown"
            ),
            "cannot be pulled",
        ),
        (
            (
                'ERROR: failed to create cluster: command "docker run ..." failed with error: exit '
                "status 125\nCommand Output: docker: Error response from daemon: driver failed "
                "programming external connectivity on endpoint traderx-gate-control-plane: Bind "
                "for 127.0.0.1:80 failed: port is already allocated."
            ),
            "port 80 of 127.0.0.1 is taken",
        ),
        (
            (
                'ERROR: failed to create cluster: failed to pull image "kindest/node:v1": '
                'command "docker pull" failed with error: exit status 1\nCommand Output: failed to '
                "register layer: write /usr/bin/x: no space left on device"
            ),
            "disk is full",
        ),
        (
            (
                "ERROR: failed to create cluster: running kind with rootless provider requires "
                "cgroup v2, see https://kind.sigs.k8s.io/docs/user/rootless/"
            ),
            "runs without root",
        ),
        ("ERROR: something new", "something new"),
    ],
)
def test_failure_to_make_a_cluster_is_one_line(
    given: Given, tmp_path: Path, err: str, said: str
) -> None:
    """What kind says on many lines becomes one, with what to do; what is unknown is passed on."""
    given({**GOOD, "kind create cluster": {"code": 1, "err": err}})
    with pytest.raises(RefusedError, match=said) as caught:
        kind.up(DOCKER, kind.Options(state=tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("image", "whole"),
    [
        ("finos/traderx-web-gui:v1", "docker.io/finos/traderx-web-gui:v1"),
        ("python:3.11-slim", "docker.io/library/python:3.11-slim"),
        ("ghcr.io/finos/traderx/web-gui:v1", "ghcr.io/finos/traderx/web-gui:v1"),
        ("docker.io/finos/x:v1", "docker.io/finos/x:v1"),
        ("localhost/finos/x:v1", "localhost/finos/x:v1"),
        ("registry:5000/x:v1", "registry:5000/x:v1"),
    ],
)
def test_images_are_named_as_nodes_take_them(image: str, whole: str) -> None:
    """An image has the host that a pod's name of it means, whatever the engine makes of it."""
    assert qualified(image) == whole
