from tests.contract.kubernetes.laboratory import (
    FOREVER,
    IMAGE,
    Laboratory,
    condition,
    container,
    is_ready,
)


def test_running_pod_is_described(lab: Laboratory) -> None:
    """A running pod has its phase, addresses, quality class and container in its status."""
    lab.pod("plain", FOREVER)
    status = lab.until_ready("plain")["status"]
    assert status["phase"] == "Running"
    assert status["podIPs"] == [{"ip": status["podIP"]}]
    assert status["qosClass"] == "BestEffort"
    described = status["containerStatuses"][0]
    assert (described["ready"], described["started"], described["restartCount"]) == (True, True, 0)
    # a container runtime may say the whole name
    assert described["image"] in {IMAGE, f"docker.io/library/{IMAGE}"}
    assert described["imageID"]
    assert "://" in described["containerID"]


def test_all_conditions_are_true_when_ready(lab: Laboratory) -> None:
    """A ready pod fulfils every condition of a kubelet."""
    lab.pod("plain", FOREVER)
    conditions = lab.until_ready("plain")["status"]["conditions"]
    assert {item["type"]: item["status"] for item in conditions} == {
        "PodReadyToStartContainers": "True",
        "Initialized": "True",
        "Ready": "True",
        "ContainersReady": "True",
        "PodScheduled": "True",
    }


def test_transition_time_changes_with_the_state_only(lab: Laboratory) -> None:
    """A condition that stays as it is keeps its transition time."""
    probe = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1}
    lab.switchboard("web", {}, readinessProbe=probe)
    before = lab.until_ready("web")
    lab.switch("web", "/ready", 503)
    after = lab.until("pods", "web", lambda pod: not is_ready(pod))
    kept = "PodScheduled", "Initialized"
    assert [condition(after, kind)["lastTransitionTime"] for kind in kept] == [
        condition(before, kind)["lastTransitionTime"] for kind in kept
    ]


def test_start_is_told(lab: Laboratory) -> None:
    """Image, creation and start of a container are events about the pod's container."""
    created = lab.pod("plain", FOREVER)
    lab.until_ready("plain")
    started = lab.until_event("plain", "Started")
    assert started["involvedObject"]["uid"] == created["metadata"]["uid"]
    assert started["involvedObject"]["fieldPath"] == "spec.containers{main}"
    assert lab.until_event("plain", "Pulled")["type"] == "Normal"
    assert lab.until_event("plain", "Created")["source"]["component"] == "kubelet"


def test_equal_events_are_counted(lab: Laboratory) -> None:
    """An event that repeats is counted on one object."""
    probe = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1}
    lab.switchboard("web", {"/ready": 503}, readinessProbe=probe)
    first = lab.until_event("web", "Unhealthy", "statuscode")
    name = first["metadata"]["name"]
    lab.until("events", name, lambda event: event["count"] >= 2)


def test_unready_container_is_named(lab: Laboratory) -> None:
    """A pod that is not ready says which container is not."""
    probe = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1}
    lab.switchboard("web", {"/ready": 503}, readinessProbe=probe)
    lab.until_event("web", "Unhealthy", "statuscode")
    pod = lab.get("pods", "web")
    assert condition(pod, "Ready")["message"] == "containers with unready status: [main]"
    assert container(pod)["ready"] is False
