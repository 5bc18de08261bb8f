import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from traderx_embedded import images
from traderx_gate import application
from traderx_gate.application import Service, catalogue

APPLICATION = application.load()
SLUGS = catalogue.unit_slugs(APPLICATION)
FOLDER = Path(catalogue.__file__).parent / "units" / "base"
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
LAST_DISCREPANCY = 25


def objects(slug: str) -> list[dict[str, Any]]:
    """The objects of a unit."""
    return list(yaml.safe_load_all(application.unit_data(slug)))


def only(service: Service, kind: str) -> dict[str, Any]:
    """A service's object of a kind."""
    (found,) = [o for slug in service.units for o in objects(slug) if o["kind"] == kind]
    return found


def container(service: Service) -> dict[str, Any]:
    """The container of a service's pods."""
    (found,) = only(service, "Deployment")["spec"]["template"]["spec"]["containers"]
    return dict(found)


def ports(service: Service) -> set[int]:
    """The ports that a service's container declares."""
    return {port["containerPort"] for port in container(service)["ports"]}


each_service = pytest.mark.parametrize("entry", APPLICATION.services, ids=lambda s: s.slug)
each_unit = pytest.mark.parametrize("slug", SLUGS)


def test_files_and_catalogue_agree() -> None:
    """Every unit of the catalogue has its file, and every file is a unit."""
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(SLUGS)


@each_unit
def test_namespace(slug: str) -> None:
    """Every object lives in the namespace of base, or is it."""
    base = APPLICATION.environment("base").namespace
    found = {
        o["metadata"]["name" if o["kind"] == "Namespace" else "namespace"] for o in objects(slug)
    }
    assert found == {base}


@each_unit
def test_corrections_are_labelled(slug: str) -> None:
    """Every unit says which discrepancies it corrects, by their numbers, and why."""
    found = [a for o in objects(slug) for a in o["metadata"].get("annotations", {}).items()]
    corrections = {k: v for k, v in found if k.startswith("traderx-gate/correction.")}
    numbers = [re.fullmatch(r"traderx-gate/correction\.D(\d+)", key) for key in corrections]
    assert corrections
    assert all(n and 1 <= int(n[1]) <= LAST_DISCREPANCY for n in numbers)
    assert all(corrections.values())


@each_service
def test_ours_are_labelled(entry: Service) -> None:
    """The units that the runbook does not have say so, and no others do."""
    origins = [
        o["metadata"].get("annotations", {}).get("traderx-gate/origin", "")
        for slug in entry.units
        for o in objects(slug)
    ]
    assert {origin.startswith("ours") for origin in origins} == {entry.slug == "database"}


@each_service
def test_selectors(entry: Service) -> None:
    """Deployment and Service select the service's pods, and no other's."""
    deployment, address = only(entry, "Deployment")["spec"], only(entry, "Service")["spec"]
    expected = {"app": entry.slug}
    labels: Mapping[str, str] = deployment["template"]["metadata"]["labels"]
    assert (deployment["selector"]["matchLabels"], address["selector"]) == (expected, expected)
    assert (labels["app"], labels["layer"]) == (entry.slug, entry.layer)


@each_service
def test_names(entry: Service) -> None:
    """A service's objects carry its slug: it is the host name that others look for."""
    found = {only(entry, kind)["metadata"]["name"] for kind in ("Deployment", "Service")}
    assert found == {entry.slug}


@each_service
def test_ports_agree(entry: Service) -> None:
    """What the Service offers is what the container listens on, the contract's port included."""
    offered = {port["port"]: port["targetPort"] for port in only(entry, "Service")["spec"]["ports"]}
    assert offered == {port: port for port in ports(entry)}
    assert entry.health.port in offered


@each_service
def test_own_ports_are_explicit(entry: Service) -> None:
    """The variables of the service's own ports name its ports, and no service link can (D24)."""
    prefix = entry.slug.upper().replace("-", "_").removesuffix("_SERVICE")
    own = {
        int(variable["value"])
        for variable in container(entry)["env"]
        if re.fullmatch(rf"{prefix}(_SERVICE|_TCP|_PG|_WEB)?_PORT", variable["name"])
    }
    pod = only(entry, "Deployment")["spec"]["template"]["spec"]
    assert (own, pod["enableServiceLinks"]) == (ports(entry), False)


@each_service
def test_peers_are_dependencies(entry: Service) -> None:
    """A host that a service is told about is one it depends on, or is not deployed yet."""
    hosts = {v["value"] for v in container(entry)["env"] if v["name"].endswith("_HOST")}
    assert hosts & set(APPLICATION.slugs) == set(entry.depends_on)


@each_service
def test_image_exists(entry: Service) -> None:
    """The image can be pulled on the embedded cluster."""
    image = container(entry)["image"]
    assert images.find(image).name == image


@each_service
def test_account_exists(entry: Service) -> None:
    """The service account of the pods comes with the shared units (D12)."""
    accounts = {
        o["metadata"]["name"]
        for slug in APPLICATION.shared_units
        for o in objects(slug)
        if o["kind"] == "ServiceAccount"
    }
    pod = only(entry, "Deployment")["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] in accounts


@each_service
def test_probes(entry: Service) -> None:
    """All three probes ask a declared port, and the first one leaves a real service time."""
    spec = container(entry)
    asked = [spec[p].get("tcpSocket", spec[p].get("httpGet"))["port"] for p in PROBES]
    startup = spec["startupProbe"]
    assert set(asked) <= ports(entry)
    # Real Java services took up to 67 s on a crowded machine.
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 120


@each_service
def test_limits(entry: Service) -> None:
    """CPU and memory are requested and limited."""
    resources = container(entry)["resources"]
    assert {key: set(value) for key, value in resources.items()} == {
        "requests": {"cpu", "memory"},
        "limits": {"cpu", "memory"},
    }


def test_replicas() -> None:
    """reference-data runs twice; the database must not, and account-service need not."""
    found = {s.slug: only(s, "Deployment")["spec"]["replicas"] for s in APPLICATION.services}
    assert found == {"database": 1, "reference-data": 2, "account-service": 1}
