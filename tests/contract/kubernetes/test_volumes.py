import base64
import json
from typing import Any

import pytest

from tests.contract.kubernetes.laboratory import FOREVER, Laboratory, has_ended

# Prints every file below the given directory, with its content and permissions. A kubelet replaces
# files all at once, by links whose names begin with two dots.
SHOW = """
import json, os, sys
found = {}
for folder, _, names in os.walk(sys.argv[1], followlinks=True):
    for name in names:
        path = os.path.join(folder, name)
        shown = os.path.relpath(path, sys.argv[1])
        if not shown.startswith(".."):
            mode = oct(os.stat(path).st_mode & 0o777)
            found[shown] = [open(path, encoding="latin-1").read(), mode]
print(json.dumps(found))
"""
COUNT = """
import os
path = "/data/runs/count"
os.makedirs("/data/runs", exist_ok=True)
before = int(open(path).read()) if os.path.exists(path) else 0
with open(path + ".new", "w") as file:
    file.write(str(before + 1))
os.replace(path + ".new", path)
print("run", before + 1, os.listdir("/data/runs"), flush=True)
raise SystemExit(1 if before == 0 else 0)
"""


def mounted(name: str, path: str, **source: Any) -> dict[str, Any]:
    """A pod's volume, and its mount in the only container."""
    return {
        "spec": {"restartPolicy": "Never", "volumes": [{"name": name, **source}]},
        "volumeMounts": [{"name": name, "mountPath": path}],
    }


def files(lab: Laboratory, name: str, path: str, **source: Any) -> dict[str, list[str]]:
    """What a pod finds where the volume is."""
    lab.pod(name, SHOW, path, **mounted(name, path, **source))
    lab.until("pods", name, has_ended)
    found: dict[str, list[str]] = json.loads(lab.logs(name))
    return found


@pytest.fixture(scope="module")
def lab_with_sources(shared_lab: Laboratory) -> Laboratory:
    """A namespace with a config map and a secret."""
    binary = {"raw": base64.b64encode(b"\x00\xff").decode()}
    shared_lab.create("configmaps", "settings", data={"a": "one", "b": "two"}, binaryData=binary)
    secret = base64.b64encode(b"s3cret").decode()
    shared_lab.create("secrets", "hidden", data={"password": secret})
    return shared_lab


def test_config_map(lab_with_sources: Laboratory) -> None:
    """Each key of a config map is a file with its value, binary ones as they are."""
    found = files(lab_with_sources, "all", "/etc/settings", configMap={"name": "settings"})
    assert found == {
        "a": ["one", "0o644"],
        "b": ["two", "0o644"],
        "raw": ["\x00\xff", "0o644"],
    }


def test_program_knows_the_path(lab_with_sources: Laboratory) -> None:
    """A program opens and lists files under the paths that it knows, not only those it is given."""
    program = "import os; print(open('/etc/known/a').read(), sorted(os.listdir('/etc/known'))[-1])"
    pod = mounted("settings", "/etc/known", configMap={"name": "settings"})
    lab_with_sources.pod("known", program, **pod)
    lab_with_sources.until("pods", "known", has_ended)
    assert lab_with_sources.logs("known") == "one raw\n"


def test_chosen_keys(lab_with_sources: Laboratory) -> None:
    """Keys can be chosen, and be given a path and permissions."""
    items = [{"key": "b", "path": "deep/er", "mode": 0o600}]
    source = {"name": "settings", "items": items}
    found = files(lab_with_sources, "chosen", "/etc/chosen", configMap=source)
    assert found == {"deep/er": ["two", "0o600"]}


def test_secret(lab_with_sources: Laboratory) -> None:
    """A secret's values are decoded, with the permissions that the volume asks for."""
    source = {"secretName": "hidden", "defaultMode": 0o400}
    found = files(lab_with_sources, "secret", "/run/hidden", secret=source)
    assert found == {"password": ["s3cret", "0o400"]}


def test_optional_source(lab_with_sources: Laboratory) -> None:
    """A source that is optional and missing is an empty directory."""
    source = {"name": "none", "optional": True}
    assert files(lab_with_sources, "optional", "/etc/none", configMap=source) == {}


def test_empty_directory_outlives_the_container(lab: Laboratory) -> None:
    """What a container writes to an empty directory is there when it is started again."""
    pod = mounted("data", "/data", emptyDir={})
    pod["spec"]["restartPolicy"] = "OnFailure"
    lab.pod("counting", COUNT, **pod)
    lab.until("pods", "counting", has_ended)
    assert lab.logs("counting") == "run 2 ['count']\n"


def test_each_pod_has_its_own(lab: Laboratory) -> None:
    """Two pods with a volume at the same path do not see each other's files."""
    writing = "open('/data/mine', 'w').write('x'); " + FOREVER
    lab.pod("first", writing, **mounted("data", "/data", emptyDir={}))
    lab.until_ready("first")
    assert files(lab, "second", "/data", emptyDir={}) == {}


def test_missing_source_is_told(lab: Laboratory) -> None:
    """A pod whose config map is missing waits, says so, and starts once it is there."""
    lab.pod(
        "waiting", SHOW, "/etc/late", **mounted("late", "/etc/late", configMap={"name": "late"})
    )
    event = lab.until_event("waiting", "FailedMount")
    lab.create("configmaps", "late", data={"a": "b"})
    lab.until("pods", "waiting", has_ended)
    assert 'configmap "late" not found' in event["message"]
    assert json.loads(lab.logs("waiting")) == {"a": ["b", "0o644"]}


def test_commands_see_volumes(lab_with_sources: Laboratory) -> None:
    """A command in the container, and a probe's, finds the files under their paths."""
    pod = mounted("settings", "/etc/command", configMap={"name": "settings"})
    probe = {"exec": {"command": ["cat", "/etc/command/b"]}, "periodSeconds": 1}
    lab_with_sources.pod("commands", readinessProbe=probe, **pod)
    lab_with_sources.until_ready("commands")
    assert lab_with_sources.execute("commands", "cat", "/etc/command/a").stdout == "one"


def test_program_in_a_volume(lab: Laboratory) -> None:
    """A program can itself be a file of a volume."""
    lab.create("configmaps", "scripts", data={"main.py": "print('from a volume')"})
    pod = mounted("scripts", "/scripts", configMap={"name": "scripts"})
    lab.pod("script", command=["python3", "-u", "/scripts/main.py"], **pod)
    lab.until("pods", "script", has_ended)
    assert lab.logs("script") == "from a volume\n"
