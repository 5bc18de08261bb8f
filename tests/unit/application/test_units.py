import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from traderx_embedded import images
from traderx_gate import application
from traderx_gate.application import Service, catalogue
from traderx_gate.kube import PROJECT_LABEL, UNNAMED, project_of

APPLICATION = application.load()
SLUGS = catalogue.unit_slugs(APPLICATION)
FOLDER = Path(catalogue.__file__).parent / "units" / "base"
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
LAST_DISCREPANCY = 25
RUNBOOK_UNITS = 17
OWN_PORTS = {
    "database": {"DATABASE_TCP_PORT", "DATABASE_PG_PORT", "DATABASE_WEB_PORT"},
    "reference-data": {"REFERENCE_DATA_SERVICE_PORT"},
    "trade-feed": {"TRADE_FEED_PORT"},
    "people-service": {"ASPNETCORE_HTTP_PORTS"},
    "account-service": {"ACCOUNT_SERVICE_PORT"},
    "position-service": {"POSITION_SERVICE_PORT"},
    "trade-processor": {"TRADE_PROCESSOR_SERVICE_PORT"},
    "trade-service": {"TRADING_SERVICE_PORT"},
    "web-gui": {"WEB_SERVICE_PORT"},
}
"""The variables by which a service is told where to listen."""
SPARE_CPU_M = 600
"""What a machine of 2 CPUs must have left when all environments run: pods that are rolled over."""


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
each_address = pytest.mark.parametrize(
    "entry",
    [s for s in APPLICATION.services if f"{s.slug}-service" in s.units],
    ids=lambda s: s.slug,
)
each_unit = pytest.mark.parametrize("slug", SLUGS)


def test_units_of_the_runbook() -> None:
    """There are the runbook's 17 units and two of ours; only trade-processor has no Service."""
    ours = {"database-deployment", "database-service"}
    services = set(OWN_PORTS) - {"database"}
    runbook = {
        "namespace",
        "ingress",
        *(f"{slug}-deployment" for slug in services),
        *(f"{slug}-service" for slug in services - {"trade-processor"}),
    }
    assert (len(runbook), set(SLUGS)) == (RUNBOOK_UNITS, runbook | ours)


@each_unit
def test_objects_carry_the_label(slug: str) -> None:
    """Every object of every unit carries the label into which install puts the project's name."""
    assert {project_of(body) for body in objects(slug)} == {UNNAMED}


def test_ingress_is_last() -> None:
    """The namespace is applied first, the ingress last, as in the runbook."""
    assert (SLUGS[0], SLUGS[-1]) == ("namespace", "ingress")


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
def test_deployment_selects(entry: Service) -> None:
    """A Deployment selects the service's pods, and no other's."""
    deployment = only(entry, "Deployment")["spec"]
    labels: Mapping[str, str] = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == {"app": entry.slug}
    own = {"app": entry.slug, "layer": entry.layer}
    assert labels == {PROJECT_LABEL: UNNAMED, **own}


@each_address
def test_service_selects(entry: Service) -> None:
    """A Service selects the service's pods, and no other's."""
    assert only(entry, "Service")["spec"]["selector"] == {"app": entry.slug}


@each_service
def test_names(entry: Service) -> None:
    """A service's objects carry its slug: it is the host name that others look for."""
    found = {o["metadata"]["name"] for slug in entry.units for o in objects(slug)}
    assert found == {entry.slug}


@each_address
def test_ports_agree(entry: Service) -> None:
    """What the Service offers is what the container listens on."""
    offered = {port["port"]: port["targetPort"] for port in only(entry, "Service")["spec"]["ports"]}
    assert offered == {port: port for port in ports(entry)}


@each_service
def test_contract_port_is_declared(entry: Service) -> None:
    """The port of a service's contract is one of its container's."""
    assert entry.health.port in ports(entry)


@each_service
def test_own_ports_are_explicit(entry: Service) -> None:
    """The variables of the service's own ports name its ports, and no service link can (D24)."""
    values = {v["name"]: v["value"] for v in container(entry)["env"]}
    own = {int(values[name]) for name in OWN_PORTS[entry.slug]}
    pod = only(entry, "Deployment")["spec"]["template"]["spec"]
    assert (own, pod["enableServiceLinks"]) == (ports(entry), False)


@each_service
def test_peers_are_dependencies(entry: Service) -> None:
    """A host that a service is told about is one it depends on; trade-service waits for one more.

    An order that trade-service takes before trade-processor listens is lost.
    """
    hosts = {v["value"] for v in container(entry)["env"] if v["name"].endswith("_HOST")}
    silent = {"trade-processor"} if entry.slug == "trade-service" else set()
    assert hosts | silent == set(entry.depends_on)


@each_service
def test_order_fits_dependencies(entry: Service) -> None:
    """The `order` label never puts a service before one that it depends on."""
    orders = {service.slug: service.order for service in APPLICATION.services}
    assert all(orders[slug] < entry.order for slug in entry.depends_on)


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
    """reference-data, trade-service and web-gui run twice, all others once."""
    found = {s.slug: only(s, "Deployment")["spec"]["replicas"] for s in APPLICATION.services}
    twice = {"reference-data", "trade-service", "web-gui"}
    assert found == {slug: 2 if slug in twice else 1 for slug in OWN_PORTS}


@each_service
def test_singletons_are_recreated(entry: Service) -> None:
    """A service that must not run twice does not do so during a rollout either (I23)."""
    strategy = only(entry, "Deployment")["spec"]["strategy"]["type"]
    assert strategy == ("Recreate" if entry.singleton else "RollingUpdate")


def test_all_environments_fit() -> None:
    """Three environments and what is rolled over fit on a machine of 2 CPUs and 4 GiB."""
    deployed = [spec for spec in APPLICATION.environments if spec.upstream]
    requests = [
        (only(s, "Deployment")["spec"]["replicas"], container(s)["resources"]["requests"])
        for s in APPLICATION.services
    ]
    cpu_m = sum(n * int(r["cpu"].removesuffix("m")) for n, r in requests) * len(deployed)
    memory_mi = sum(n * int(r["memory"].removesuffix("Mi")) for n, r in requests) * len(deployed)
    assert cpu_m <= 2000 - SPARE_CPU_M
    assert memory_mi <= 3 * 1024


def test_adjustments_are_labelled() -> None:
    """What differs from the runbook without correcting a defect says so, and why."""
    requests = [
        only(s, "Deployment")["metadata"]["annotations"]["traderx-gate/adjustment.requests"]
        for s in APPLICATION.services
    ]
    assert all("2 CPUs" in text for text in requests)


def paths() -> dict[str, tuple[str, int]]:
    """Where each path of the ingress leads: service and port."""
    return {
        path["path"]: (
            path["backend"]["service"]["name"],
            path["backend"]["service"]["port"]["number"],
        )
        for body in objects("ingress")
        for rule in body["spec"]["rules"]
        for path in rule["http"]["paths"]
    }


def test_ingress_leads_to_services() -> None:
    """Every path of the ingress leads to a port that a Service of TraderX offers."""
    offered = {
        (s.slug, port["port"])
        for s in APPLICATION.services
        if f"{s.slug}-service" in s.units
        for port in only(s, "Service")["spec"]["ports"]
    }
    assert set(paths().values()) <= offered


def test_ingress_has_what_the_page_asks() -> None:
    """The page, the feed's sockets, and the prefix of every service the page asks are there."""
    prefixes = ("account", "people", "position", "trade")
    services = {f"/{name}-service(/|$)(.*)": f"{name}-service" for name in prefixes}
    more = {"/": "web-gui", "/socket.io": "trade-feed"}
    api = {f"/{name}(/|$)(.*)": name for name in ("reference-data", "trade-feed")}
    assert {path: service for path, (service, _) in paths().items()} == services | more | api


def test_ingress_takes_prefixes_off() -> None:
    """Only the object with prefixes rewrites, to what follows them: sockets keep their path."""
    rewrites = {
        body["metadata"]["annotations"].get("nginx.ingress.kubernetes.io/rewrite-target"): {
            "(/|$)(.*)" in path["path"] for path in body["spec"]["rules"][0]["http"]["paths"]
        }
        for body in objects("ingress")
    }
    assert rewrites == {None: {False}, "/$2": {True}}


def test_ingress_hosts_are_the_environments() -> None:
    """The host has the namespace in its name, so that environments can share a cluster (D13)."""
    base = APPLICATION.environment("base").namespace
    hosts = {rule["host"] for body in objects("ingress") for rule in body["spec"]["rules"]}
    assert hosts == {f"{base}.localhost"}
