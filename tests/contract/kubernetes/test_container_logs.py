from tests.contract.kubernetes.laboratory import (
    FOREVER,
    Laboratory,
    has_ended,
    waits_with,
)

COUNT = "for number in range(5): print('line', number)"


def ended_pod(lab: Laboratory, name: str, program: str) -> str:
    lab.pod(name, program, spec={"restartPolicy": "Never"})
    lab.until("pods", name, has_ended)
    return name


def test_both_streams_are_logged(lab: Laboratory) -> None:
    """Standard output and standard error are both in the log, an unfinished last line too."""
    program = "import sys; print('out'); sys.stderr.write('err')"
    assert lab.logs(ended_pod(lab, "both", program)).split() == ["out", "err"]


def test_tail(lab: Laboratory) -> None:
    """The last lines can be asked for by number."""
    assert lab.logs(ended_pod(lab, "count", COUNT), tailLines=2) == "line 3\nline 4\n"


def test_limit(lab: Laboratory) -> None:
    """No more bytes than asked for are sent."""
    assert lab.logs(ended_pod(lab, "count", COUNT), limitBytes=10) == "line 0\nlin"


def test_timestamps(lab: Laboratory) -> None:
    """Each line can carry the time at which it was written."""
    lines = lab.logs(ended_pod(lab, "count", COUNT), timestamps="true").splitlines()
    stamps = [line.split(" ", 1)[0] for line in lines]
    assert [line.split(" ", 1)[1] for line in lines] == [f"line {number}" for number in range(5)]
    assert all(stamp.endswith("Z") for stamp in stamps)
    assert stamps == sorted(stamps)


def test_since(lab: Laboratory) -> None:
    """Lines before the time asked for are left out."""
    name = ended_pod(lab, "count", COUNT)
    third = lab.logs(name, timestamps="true").splitlines()[2].split(" ")[0]
    assert lab.logs(name, sinceTime=third).splitlines()[-3:] == ["line 2", "line 3", "line 4"]
    assert lab.logs(name, sinceTime="2100-01-01T00:00:00Z") == ""


def test_follow_until_the_end(lab: Laboratory) -> None:
    """A followed log comes line by line and ends with the container."""
    program = """
import os, time
print("first", flush=True)
while not os.path.exists("end"):
    time.sleep(0.05)
print("last", flush=True)
"""
    lab.pod("slow", program, spec={"restartPolicy": "Never"})
    lab.until_ready("slow")
    lines = lab.follow("slow")
    assert next(lines) == "first"
    lab.execute("slow", "python3", "-c", "open('end', 'w').close()")
    assert list(lines) == ["last"]


def test_log_of_the_run_before(lab: Laboratory) -> None:
    """The log of a crashed container can still be read when it waits or runs again."""
    lab.pod("crash", "import sys; print('last words'); sys.exit(1)")
    lab.until("pods", "crash", waits_with("CrashLoopBackOff"))
    assert lab.logs("crash", previous="true") == "last words\n"
    assert lab.logs("crash") == "last words\n"


def test_no_run_before(lab: Laboratory) -> None:
    """Asking for the log of a run that never was is an error that says so."""
    lab.pod("first", FOREVER)
    lab.until_ready("first")
    answer = lab.request("GET", "pods/first/log", params={"previous": "true"})
    assert answer.status_code == 400
    missing = 'previous terminated container "main" in pod "first" not found'
    assert answer.json()["message"] == missing


def test_no_log_yet(lab: Laboratory) -> None:
    """Asking for the log of a container that never started is an error with the reason."""
    lab.pod("unknown", image="registry.invalid/nothing:1")
    lab.until("pods", "unknown", waits_with("ImagePullBackOff"))
    answer = lab.request("GET", "pods/unknown/log")
    assert answer.status_code == 400
    assert "is waiting to start" in answer.text


def test_long_log_is_complete(lab: Laboratory) -> None:
    """A megabyte of output, in long and short lines, is logged as it was written."""
    program = "print('x' * 100_000); [print(number) for number in range(100_000)]"
    expected = "x" * 100_000 + "\n" + "".join(f"{number}\n" for number in range(100_000))
    assert lab.logs(ended_pod(lab, "long", program)) == expected
