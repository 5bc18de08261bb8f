from typing import Any

from tests.contract.kubernetes.laboratory import (
    FOREVER,
    Json,
    Laboratory,
    container,
    has_restarted,
    is_ready,
)

OPENS_LATE = """
import socket, sys, time
time.sleep(2)
server = socket.create_server(("0.0.0.0", 8080))
while True:
    server.accept()[0].close()
"""


def http(path: str, **numbers: int) -> Json:
    return {"httpGet": {"path": path, "port": 8080}, "periodSeconds": 1, **numbers}


def requests_of(lab: Laboratory, pod: str, **options: Any) -> list[str]:
    return lab.logs(pod, **options).splitlines()


def is_unready(pod: Json) -> bool:
    return "running" in container(pod).get("state", {}) and not is_ready(pod)


def test_readiness_follows_the_answer(lab: Laboratory) -> None:
    """A pod is ready while its readiness probe is answered well, and is not restarted else."""
    lab.switchboard("web", {}, readinessProbe=http("/ready", failureThreshold=1))
    lab.until_ready("web")
    lab.switch("web", "/ready", 503)
    lab.until("pods", "web", is_unready)
    lab.switch("web", "/ready", 200)
    assert container(lab.until_ready("web"))["restartCount"] == 0


def test_unready_after_exactly_the_failure_threshold(lab: Laboratory) -> None:
    """A pod stays ready until as many answers in a row were bad as the probe allows."""
    lab.switchboard("web", {}, readinessProbe=http("/ready", failureThreshold=3))
    lab.until_ready("web")
    lab.switch("web", "/ready", 503)
    lab.until("pods", "web", is_unready)
    assert requests_of(lab, "web").count("GET /ready 503") == 3


def test_ready_after_exactly_the_success_threshold(lab: Laboratory) -> None:
    """A pod becomes ready when as many answers in a row were good as the probe demands."""
    lab.switchboard("web", {}, readinessProbe=http("/ready", successThreshold=2))
    lab.until_ready("web")
    assert requests_of(lab, "web").count("GET /ready 200") == 2


def test_redirects_and_other_3xx_are_success(lab: Laboratory) -> None:
    """An answer of 399 is success, as of every status from 200 on and below 400."""
    lab.switchboard("web", {"/ready": 399}, readinessProbe=http("/ready"))
    lab.until_ready("web")


def test_failed_probe_is_told(lab: Laboratory) -> None:
    """Every bad answer is an event that says which probe and which status."""
    lab.switchboard("web", {"/ready": 503}, readinessProbe=http("/ready"))
    event = lab.until_event("web", "Unhealthy", "statuscode")
    assert event["message"] == "Readiness probe failed: HTTP probe failed with statuscode: 503"


def test_slow_answer_is_a_failure(lab: Laboratory) -> None:
    """An answer that takes longer than the probe's time-out is a failure."""
    lab.switchboard("web", {"/ready": 3000}, readinessProbe=http("/ready", timeoutSeconds=1))
    event = lab.until_event("web", "Unhealthy", "deadline exceeded")
    assert event["message"].startswith("Readiness probe failed: Get ")


def test_liveness_restarts_after_exactly_the_threshold(lab: Laboratory) -> None:
    """A container is restarted when its liveness probe failed as often in a row as allowed."""
    live = http("/live", failureThreshold=2)
    lab.switchboard("web", {}, livenessProbe=live, readinessProbe=http("/"))
    lab.until_ready("web")
    lab.switch("web", "/live", 500)
    lab.until("pods", "web", has_restarted)
    assert requests_of(lab, "web", previous="true").count("GET /live 500") == 2


def test_killing_is_told(lab: Laboratory) -> None:
    """A restart for liveness is an event that names the container and the probe."""
    lab.switchboard("web", {"/live": 500}, livenessProbe=http("/live", failureThreshold=1))
    event = lab.until_event("web", "Killing")
    assert event["message"] == "Container main failed liveness probe, will be restarted"


def test_startup_gates_the_other_probes(lab: Laboratory) -> None:
    """Neither liveness nor readiness is asked before the startup probe has succeeded."""
    lab.switchboard(
        "web",
        {"/startup": 503},
        startupProbe=http("/startup", failureThreshold=60),
        readinessProbe=http("/ready"),
        livenessProbe=http("/live"),
    )
    lab.until_event("web", "Unhealthy", "Startup probe failed")
    assert container(lab.get("pods", "web"))["started"] is False
    lab.switch("web", "/startup", 200)
    assert container(lab.until_ready("web"))["started"] is True
    lines = requests_of(lab, "web")
    begun = lines.index("GET /startup 200")
    assert not [line for line in lines[:begun] if "/ready" in line or "/live" in line]


def test_startup_probe_restarts(lab: Laboratory) -> None:
    """A container that does not start within its startup probe's patience is restarted."""
    lab.switchboard("web", {"/startup": 503}, startupProbe=http("/startup", failureThreshold=2))
    lab.until("pods", "web", has_restarted)
    assert requests_of(lab, "web", previous="true").count("GET /startup 503") == 2


def test_tcp_probe_waits_for_the_port(lab: Laboratory) -> None:
    """A tcp readiness probe fails while the port is closed and succeeds when it opens."""
    probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    lab.pod("late", OPENS_LATE, readinessProbe=probe)
    event = lab.until_event("late", "Unhealthy")
    assert "connect: connection refused" in event["message"]
    lab.until_ready("late")


def test_probe_by_named_port(lab: Laboratory) -> None:
    """A probe may name its port."""
    lab.switchboard(
        "web",
        {},
        ports=[{"name": "http", "containerPort": 8080}],
        readinessProbe={"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
    )
    lab.until_ready("web")


def test_exec_probe(lab: Laboratory) -> None:
    """An exec probe is good when its command ends with 0."""
    create = "import os; open('flag', 'w').close()"
    check = ["python3", "-c", "import os, sys; sys.exit(not os.path.exists('flag'))"]
    probe = {"exec": {"command": check}, "periodSeconds": 1, "timeoutSeconds": 5}
    lab.pod("checked", FOREVER, readinessProbe=probe)
    lab.until_event("checked", "Unhealthy")
    assert lab.execute("checked", "python3", "-c", create).code == 0
    lab.until_ready("checked")
