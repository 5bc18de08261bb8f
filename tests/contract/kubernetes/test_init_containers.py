from typing import Any

from tests.contract.kubernetes.laboratory import (
    FOREVER,
    IMAGE,
    Json,
    Laboratory,
    condition,
    container,
    has_ended,
    waits_with,
)

APPEND = "open('/data/order', 'a').write('{}')"
READ = "print(open('/data/order').read())"

UNTIL_STOPPED = """
import signal
def stop(*_):
    print("stopped", flush=True)
    raise SystemExit
signal.signal(signal.SIGTERM, stop)
print("here", flush=True)
signal.pause()
"""


def init(name: str, program: str, **fields: Any) -> dict[str, Any]:
    """An init container that runs a Python program."""
    told = {"name": name, "image": IMAGE, "command": ["python3", "-u", "-c", program]}
    mounts = [{"name": "data", "mountPath": "/data"}]
    return {**told, "volumeMounts": mounts, **fields}


def create(lab: Laboratory, *inits: dict[str, Any], program: str = FOREVER, **spec: Any) -> None:
    """Create a pod with these init containers, all with a directory in common."""
    volumes = [{"name": "data", "emptyDir": {}}]
    lab.pod(
        "web",
        program,
        spec={"initContainers": list(inits), "volumes": volumes, **spec},
        volumeMounts=[{"name": "data", "mountPath": "/data"}],
    )


def initial(pod: Json) -> list[Json]:
    """The states of the init containers."""
    return [status["state"] for status in pod["status"].get("initContainerStatuses", ())]


def runs(pod: Json) -> bool:
    """Whether the first init container runs."""
    return "running" in (initial(pod) or [{}])[0]


def test_they_run_in_their_order(lab: Laboratory) -> None:
    """Init containers run one after the other, the main container after all of them."""
    create(
        lab,
        init("one", APPEND.format(1)),
        init("two", APPEND.format(2)),
        program=READ,
        restartPolicy="Never",
    )
    pod = lab.until("pods", "web", has_ended)
    reasons = [state["terminated"]["reason"] for state in initial(pod)]
    assert lab.logs("web") == "12\n"
    assert reasons == ["Completed", "Completed"]
    assert [status["ready"] for status in pod["status"]["initContainerStatuses"]] == [True, True]
    assert condition(pod, "Initialized")["status"] == "True"


def test_pod_waits_for_them(lab: Laboratory) -> None:
    """While one runs the pod is pending, not initialized, and the next containers wait."""
    create(lab, init("slow", FOREVER), init("next", "pass"))
    pod = lab.until("pods", "web", runs)
    initialized = condition(pod, "Initialized")
    assert pod["status"]["phase"] == "Pending"
    assert (initialized["status"], initialized["reason"]) == ("False", "ContainersNotInitialized")
    assert "[slow next]" in initialized["message"]
    assert initial(pod)[1]["waiting"]["reason"] == "PodInitializing"
    assert container(pod)["state"]["waiting"]["reason"] == "PodInitializing"


def test_failing_one_is_tried_again(lab: Laboratory) -> None:
    """One that fails is started again after a delay, and the main container waits."""
    create(lab, init("bad", "print('tried', flush=True); raise SystemExit(3)"))

    def backs_off(pod: Json) -> bool:
        states = initial(pod)
        return bool(states) and states[0].get("waiting", {}).get("reason") == "CrashLoopBackOff"

    pod = lab.until("pods", "web", backs_off)
    status = pod["status"]["initContainerStatuses"][0]
    assert status["lastState"]["terminated"]["exitCode"] == 3
    assert waits_with("PodInitializing")(pod)
    assert lab.logs("web", container="bad") == "tried\n"
    event = lab.until_event("web", "BackOff")
    assert event["involvedObject"]["fieldPath"] == "spec.initContainers{bad}"


def test_failing_one_of_a_pod_that_never_restarts(lab: Laboratory) -> None:
    """Where nothing is restarted, an init container that fails is the end of the pod."""
    create(lab, init("bad", "raise SystemExit(3)"), restartPolicy="Never")
    lab.until("pods", "web", has_ended)
    lab.pod("later")
    lab.until_ready("later")
    pod = lab.get("pods", "web")
    assert pod["status"]["phase"] == "Failed"
    assert initial(pod)[0]["terminated"]["exitCode"] == 3
    assert "waiting" in container(pod)["state"]


def test_unknown_image(lab: Laboratory) -> None:
    """An init container whose image does not exist waits as any other would."""
    create(lab, init("unknown", "", image="registry.invalid/nothing:1"))

    def waits(pod: Json) -> bool:
        states = initial(pod)
        return bool(states) and states[0].get("waiting", {}).get("reason") == "ImagePullBackOff"

    assert lab.until("pods", "web", waits)["status"]["phase"] == "Pending"


def test_log_of_a_running_one(lab: Laboratory) -> None:
    """The log of an init container can be followed while it runs."""
    create(lab, init("slow", f"print('here', flush=True); {FOREVER}"))
    lab.until("pods", "web", runs)
    assert next(lab.follow("web", container="slow")) == "here"


def test_stopped_with_its_pod(lab: Laboratory) -> None:
    """An init container that runs when its pod is deleted is stopped in good order."""
    create(lab, init("slow", UNTIL_STOPPED))
    lab.until("pods", "web", runs)
    lines = lab.follow("web", container="slow")
    first = next(lines)
    lab.request("DELETE", "pods/web").raise_for_status()
    assert [first, *lines] == ["here", "stopped"]
