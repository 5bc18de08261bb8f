import re

import pytest

from tests.contract.kubernetes.laboratory import (
    Json,
    Laboratory,
    condition,
    container,
    has_ended,
    has_restarted,
    waits_with,
)

CRASH = "import sys; print('crashing'); sys.exit(3)"


def delay_s(pod: Json) -> int:
    """Return the delay that the pod's container waits for, 0 if it does not wait."""
    message = container(pod).get("state", {}).get("waiting", {}).get("message", "")
    found = re.match(r"back-off (\d+)s ", message)
    return int(found[1]) if found else 0


def test_crashing_container_backs_off(lab: Laboratory) -> None:
    """A container that crashes is restarted at once, and after the second crash with a delay."""
    lab.pod("crash", CRASH)
    pod = lab.until("pods", "crash", waits_with("CrashLoopBackOff"))
    status = container(pod)
    title = f"crash_{lab.namespace}({pod['metadata']['uid']})"
    assert status["restartCount"] == 1
    assert status["lastState"]["terminated"]["exitCode"] == 3
    assert status["lastState"]["terminated"]["reason"] == "Error"
    message = status["state"]["waiting"]["message"]
    assert message.partition("s ")[2] == f"restarting failed container=main pod={title}"


def test_back_off_is_told(lab: Laboratory) -> None:
    """A container that waits to be restarted is an event."""
    lab.pod("crash", CRASH)
    event = lab.until_event("crash", "BackOff")
    assert event["message"].startswith("Back-off restarting failed container main in pod crash_")


def test_restarted_after_the_back_off(lab: Laboratory) -> None:
    """After its back-off the container is started again, and the next wait is twice as long."""
    lab.pod("crash", CRASH)

    first = delay_s(lab.until("pods", "crash", waits_with("CrashLoopBackOff")))
    again = lab.until("pods", "crash", lambda pod: delay_s(pod) > first)
    assert delay_s(again) == 2 * first
    assert container(again)["restartCount"] == 2


@pytest.mark.parametrize(
    ("policy", "code", "phase"),
    [
        pytest.param("Never", 3, "Failed", id="never-and-failed"),
        pytest.param("Never", 0, "Succeeded", id="never-and-succeeded"),
        pytest.param("OnFailure", 0, "Succeeded", id="on-failure-and-succeeded"),
    ],
)
def test_pod_ends_as_its_policy_says(lab: Laboratory, policy: str, code: int, phase: str) -> None:
    """A pod that is not to be restarted ends in the phase that its exit code says."""
    lab.pod("job", f"raise SystemExit({code})", spec={"restartPolicy": policy})
    pod = lab.until("pods", "job", has_ended)
    assert pod["status"]["phase"] == phase
    assert container(pod)["state"]["terminated"]["exitCode"] == code
    assert container(pod)["restartCount"] == 0


def test_failed_container_is_restarted_on_failure(lab: Laboratory) -> None:
    """With the policy OnFailure a container that fails is started again."""
    lab.pod("job", CRASH, spec={"restartPolicy": "OnFailure"})
    lab.until("pods", "job", lambda pod: container(pod).get("restartCount", 0) > 0)


def test_completed_container_is_restarted_always(lab: Laboratory) -> None:
    """With the policy Always a container that ends well is started again all the same."""
    lab.pod("job", "raise SystemExit(0)")
    pod = lab.until("pods", "job", waits_with("CrashLoopBackOff"))
    assert container(pod)["lastState"]["terminated"]["reason"] == "Completed"


def test_memory_limit_kills(lab: Laboratory) -> None:
    """A container that takes more memory than its limit is killed, and the status says why."""
    program = "data = bytearray(200 << 20); import threading; threading.Event().wait()"
    limits = {"limits": {"memory": "64Mi"}}
    lab.pod("greedy", program, resources=limits, spec={"restartPolicy": "Never"})
    ended = container(lab.until("pods", "greedy", has_ended))["state"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_memory_below_the_limit_is_left_alone(lab: Laboratory) -> None:
    """A container that stays below its limit ends by itself."""
    program = "data = bytearray(20 << 20); import time; time.sleep(1)"
    limits = {"limits": {"memory": "64Mi"}}
    lab.pod("modest", program, resources=limits, spec={"restartPolicy": "Never"})
    assert lab.until("pods", "modest", has_ended)["status"]["phase"] == "Succeeded"


def test_program_that_does_not_exist(lab: Laboratory) -> None:
    """A container whose program does not exist fails with 128 and is told by its name."""
    lab.pod("absent", command=["no-such-program"], spec={"restartPolicy": "Never"})
    pod = lab.until("pods", "absent", has_ended)
    ended = container(pod)["state"]["terminated"]
    assert ended["exitCode"] == 128
    assert "no-such-program" in ended["message"]


def test_whole_container_ends_with_its_first_process(lab: Laboratory) -> None:
    """What the first process started is gone when it has ended."""
    program = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"])
print("started", flush=True)
"""
    lab.pod("parent", program, spec={"restartPolicy": "Never"})
    pod = lab.until("pods", "parent", has_ended)
    assert pod["status"]["phase"] == "Succeeded"
    assert list(lab.follow("parent")) == ["started"]


def test_not_ready_between_restarts(lab: Laboratory) -> None:
    """A pod whose container waits to be restarted is not ready and says which container."""
    lab.pod("crash", CRASH)
    pod = lab.until("pods", "crash", waits_with("CrashLoopBackOff"))
    ready = condition(pod, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ContainersNotReady")
    assert ready["message"] == "containers with unready status: [main]"


def test_restart_starts_from_the_image(lab: Laboratory) -> None:
    """What a container wrote to its working directory is gone after a restart."""
    program = """
import os, sys, threading
print(os.path.exists("left"), flush=True)
if os.path.exists("left"):
    threading.Event().wait()
open("left", "w").close()
sys.exit(1)
"""
    lab.pod("writer", program)
    lab.until("pods", "writer", waits_with("CrashLoopBackOff"))
    assert lab.logs("writer") == "False\n"


def test_end_of_a_ready_container_is_seen(lab: Laboratory) -> None:
    """A ready container that ends is started again, and its exit code is kept."""
    program = """
import os, sys, time
while not os.path.exists("end"):
    time.sleep(0.05)
sys.exit(5)
"""
    lab.pod("victim", program)
    lab.until_ready("victim")
    lab.execute("victim", "python3", "-c", "open('end', 'w').close()")
    restarted = container(lab.until("pods", "victim", has_restarted))
    assert restarted["lastState"]["terminated"]["exitCode"] == 5
