import base64
import json
from typing import Any

import pytest

from tests.contract.kubernetes.laboratory import (
    FOREVER,
    Laboratory,
    container,
    has_ended,
    waits_with,
)

PRINT = "import json, os; print(json.dumps(dict(os.environ)))"


def variables(lab: Laboratory, name: str, **options: Any) -> dict[str, str]:
    spec = {"restartPolicy": "Never", **options.pop("spec", {})}
    lab.pod(name, PRINT, spec=spec, **options)
    lab.until("pods", name, has_ended)
    found: dict[str, str] = json.loads(lab.logs(name))
    return found


LIMIT = {"resource": "limits.memory", "divisor": "1Mi"}
MISSING = {"name": "none", "key": "a", "optional": True}
ENVIRONMENT = [
    {"name": "PLAIN", "value": "plain"},
    {"name": "EXPANDED", "value": "$(PLAIN)-$(LATER)-$$(PLAIN)-$(PREFIXED_a)"},
    {"name": "LATER", "value": "later"},
    {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['tier']"}}},
    {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
    {"name": "MEMORY", "valueFrom": {"resourceFieldRef": LIMIT}},
    {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "requests.cpu"}}},
    {"name": "FROM_MAP", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "a"}}},
    {"name": "FROM_SECRET", "valueFrom": {"secretKeyRef": {"name": "hidden", "key": "password"}}},
    {"name": "OPTIONAL", "valueFrom": {"configMapKeyRef": MISSING}},
    {"name": "PREFIXED_b", "value": "env wins"},
]


@pytest.fixture(scope="module")
def environment(shared_lab: Laboratory) -> dict[str, str]:
    """What a pod with every source of variables sees."""
    shared_lab.create("configmaps", "settings", data={"a": "one", "b": "two"})
    secret = base64.b64encode(b"s3cret").decode()
    shared_lab.create("secrets", "hidden", data={"password": secret})
    return variables(
        shared_lab,
        "sources",
        labels={"tier": "backend"},
        env=ENVIRONMENT,
        envFrom=[{"configMapRef": {"name": "settings"}, "prefix": "PREFIXED_"}],
        resources={"limits": {"memory": "64Mi"}, "requests": {"cpu": "10m"}},
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("PLAIN", "plain", id="value"),
        pytest.param("EXPANDED", "plain-$(LATER)-$(PLAIN)-one", id="expansion"),
        pytest.param("POD_NAME", "sources", id="name-field"),
        pytest.param("LABEL", "backend", id="label-field"),
        pytest.param("MEMORY", "64", id="limit-with-divisor"),
        pytest.param("CPU", "1", id="request-rounded-up"),
        pytest.param("FROM_MAP", "one", id="config-map-key"),
        pytest.param("FROM_SECRET", "s3cret", id="secret-key"),
        pytest.param("PREFIXED_a", "one", id="all-of-a-config-map"),
        pytest.param("PREFIXED_b", "env wins", id="env-above-env-from"),
        pytest.param("OPTIONAL", None, id="optional-and-missing"),
        pytest.param("HOSTNAME", "sources", id="hostname"),
    ],
)
def test_variable_comes_from_its_source(
    environment: dict[str, str], name: str, value: str | None
) -> None:
    """A container sees each variable as its source has it."""
    assert environment.get(name) == value


def test_services_of_the_namespace_are_linked(lab: Laboratory) -> None:
    """A service made before a pod appears in its environment under the service's name."""
    ports = [{"name": "http", "port": 18088}]
    created = lab.create("services", "account-service", spec={"ports": ports})
    address = created["spec"]["clusterIP"]
    seen = variables(lab, "linked")
    expected = {
        "ACCOUNT_SERVICE_PORT": f"tcp://{address}:18088",
        "ACCOUNT_SERVICE_SERVICE_HOST": address,
        "ACCOUNT_SERVICE_SERVICE_PORT": "18088",
        "ACCOUNT_SERVICE_SERVICE_PORT_HTTP": "18088",
        "ACCOUNT_SERVICE_PORT_18088_TCP_ADDR": address,
    }
    assert seen.items() >= expected.items()


def test_links_can_be_turned_off(lab: Laboratory) -> None:
    """With enableServiceLinks false only the API server's own service is linked."""
    lab.create("services", "account-service", spec={"ports": [{"port": 18088}]})
    seen = variables(lab, "unlinked", spec={"enableServiceLinks": False})
    linked = {name.split("_SERVICE_")[0] for name in seen if name.endswith("_SERVICE_HOST")}
    assert linked == {"KUBERNETES"}


def test_declared_variable_replaces_a_link(lab: Laboratory) -> None:
    """A variable that the pod declares wins over a service link of the same name."""
    lab.create("services", "account-service", spec={"ports": [{"port": 18088}]})
    declared = [{"name": "ACCOUNT_SERVICE_PORT", "value": "18088"}]
    assert variables(lab, "declared", env=declared)["ACCOUNT_SERVICE_PORT"] == "18088"


def test_waits_for_a_missing_config_map(lab: Laboratory) -> None:
    """A container whose config map is missing waits and says which, and starts once it exists."""
    reference = {"configMapKeyRef": {"name": "late", "key": "a"}}
    lab.pod("waiting", FOREVER, env=[{"name": "A", "valueFrom": reference}])
    waiting = lab.until("pods", "waiting", waits_with("CreateContainerConfigError"))
    assert container(waiting)["state"]["waiting"]["message"] == 'configmap "late" not found'
    lab.create("configmaps", "late", data={"a": "now"})
    lab.until_ready("waiting")


def test_arguments_follow_the_command(lab: Laboratory) -> None:
    """The command replaces the image's own, the arguments follow, and both expand variables."""
    lab.pod(
        "arguments",
        command=["python3", "-c", "import sys; print(sys.argv[1:])"],
        args=["$(GREETING)", "$(UNKNOWN)"],
        env=[{"name": "GREETING", "value": "hello"}],
        spec={"restartPolicy": "Never"},
    )
    lab.until("pods", "arguments", has_ended)
    assert lab.logs("arguments") == "['hello', '$(UNKNOWN)']\n"


def test_image_has_a_program_of_its_own(lab: Laboratory) -> None:
    """Without a command the image's own program gets the arguments."""
    lab.pod("own", command=None, args=["-c", "print('own')"], spec={"restartPolicy": "Never"})
    lab.until("pods", "own", has_ended)
    assert lab.logs("own") == "own\n"
