from tests.contract.kubernetes.laboratory import Laboratory, container

ENDS_WELL = """
import signal, sys, threading
def end(*args):
    print("ending", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("begun", flush=True)
threading.Event().wait()
"""
IGNORES = """
import signal, threading
signal.signal(signal.SIGTERM, lambda *args: print("ignoring", flush=True))
print("begun", flush=True)
while True:
    threading.Event().wait(1)
"""


def delete_after_start(lab: Laboratory, name: str, *, grace_s: int | None = None) -> list[str]:
    """Delete the pod once its program has begun; return all that it said, and wait for its end."""
    lines = lab.follow(name)
    said = [next(lines)]
    options = {} if grace_s is None else {"gracePeriodSeconds": grace_s}
    lab.request("DELETE", f"pods/{name}", json=options).raise_for_status()
    return said + list(lines)


def test_program_is_asked_to_end(lab: Laboratory) -> None:
    """A deleted pod's program gets SIGTERM and may end in its own way."""
    lab.pod("polite", ENDS_WELL, spec={"terminationGracePeriodSeconds": 30})
    lab.until_ready("polite")
    assert delete_after_start(lab, "polite") == ["begun", "ending"]


def test_end_is_reported_before_the_pod_is_gone(lab: Laboratory) -> None:
    """The last state of a deleted pod has the exit code of its container."""
    lab.pod("polite", ENDS_WELL, spec={"terminationGracePeriodSeconds": 30})
    lab.until_ready("polite")
    next(lab.follow("polite"))
    last = container(lab.last_state("polite"))
    assert last["state"]["terminated"]["exitCode"] == 0
    assert last["ready"] is False


def test_killed_after_the_grace(lab: Laboratory) -> None:
    """A program that does not end within its grace is killed."""
    lab.pod("stubborn", IGNORES, spec={"terminationGracePeriodSeconds": 1})
    lab.until_ready("stubborn")
    next(lab.follow("stubborn"))
    last = container(lab.last_state("stubborn"))
    assert last["state"]["terminated"]["exitCode"] == 137


def test_deletion_may_shorten_the_grace(lab: Laboratory) -> None:
    """The grace of the deletion replaces the pod's own, which would be longer than this test."""
    lab.pod("stubborn", IGNORES, spec={"terminationGracePeriodSeconds": 3600})
    lab.until_ready("stubborn")
    assert delete_after_start(lab, "stubborn", grace_s=1) == ["begun", "ignoring"]


def test_second_deletion_shortens_the_first(lab: Laboratory) -> None:
    """A pod that is already ending ends sooner when it is deleted with a shorter grace."""
    lab.pod("stubborn", IGNORES, spec={"terminationGracePeriodSeconds": 3600})
    lab.until_ready("stubborn")
    next(lab.follow("stubborn"))
    lab.request("DELETE", "pods/stubborn").raise_for_status()
    last = container(lab.last_state("stubborn", grace_s=1))
    assert last["state"]["terminated"]["exitCode"] == 137


def test_forced_deletion_stops_the_program(lab: Laboratory) -> None:
    """A pod deleted with grace 0 is gone at once, and its program is stopped all the same."""
    lab.pod("forced", ENDS_WELL, spec={"terminationGracePeriodSeconds": 3600})
    lab.until_ready("forced")
    assert delete_after_start(lab, "forced", grace_s=0)[0] == "begun"
    assert lab.request("GET", "pods/forced").status_code == 404


def test_hook_runs_before_the_end(lab: Laboratory) -> None:
    """The preStop hook has run before the program gets SIGTERM."""
    program = ENDS_WELL.replace('"ending"', '"ending", open("hook").read()')
    hook = {"exec": {"command": ["python3", "-c", "open('hook', 'w').write('after the hook')"]}}
    lab.pod(
        "hooked", program, lifecycle={"preStop": hook}, spec={"terminationGracePeriodSeconds": 30}
    )
    lab.until_ready("hooked")
    assert delete_after_start(lab, "hooked") == ["begun", "ending after the hook"]


def test_killing_is_told(lab: Laboratory) -> None:
    """The end of a deleted pod's container is an event."""
    lab.pod("polite", ENDS_WELL)
    lab.until_ready("polite")
    lab.request("DELETE", "pods/polite").raise_for_status()
    assert lab.until_event("polite", "Killing")["message"] == "Stopping container main"


def test_waiting_pod_is_deleted(lab: Laboratory) -> None:
    """A pod that never ran can be deleted."""
    lab.pod("waiting", image="registry.invalid/nothing:1")
    lab.until_event("waiting", "BackOff")
    assert container(lab.last_state("waiting"))["restartCount"] == 0
