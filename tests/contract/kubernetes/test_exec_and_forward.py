import json

import pytest
from kubernetes.stream.ws_client import ERROR_CHANNEL

from tests.contract.kubernetes.laboratory import DEADLINE_S, Executed, Laboratory, hang_up


@pytest.fixture(scope="module")
def pod(shared_lab: Laboratory) -> str:
    """A pod to run commands in, with a variable of its own."""
    probe = {"tcpSocket": {"port": 8080}}
    colour = {"name": "COLOUR", "value": "green"}
    shared_lab.switchboard("web", {}, env=[colour], readinessProbe=probe)
    shared_lab.until_ready("web")
    return "web"


@pytest.mark.parametrize("code", [0, 1, 42])
def test_exit_code_arrives(shared_lab: Laboratory, pod: str, code: int) -> None:
    """A command's exit code is what the client sees."""
    assert shared_lab.execute(pod, "sh", "-c", f"exit {code}").code == code


def test_streams_are_separate(shared_lab: Laboratory, pod: str) -> None:
    """Standard output and standard error of a command arrive apart."""
    executed = shared_lab.execute(pod, "sh", "-c", "echo out; echo err >&2")
    assert executed == Executed(stdout="out\n", stderr="err\n", code=0)


def test_command_sees_the_environment(shared_lab: Laboratory, pod: str) -> None:
    """A command sees the container's variables."""
    assert shared_lab.execute(pod, "sh", "-c", "echo $COLOUR").stdout == "green\n"


def test_command_reaches_the_pod_itself(shared_lab: Laboratory, pod: str) -> None:
    """Inside the pod its server is at localhost."""
    program = "import urllib.request as r; print(r.urlopen('http://localhost:8080/').status)"
    assert shared_lab.execute(pod, "python3", "-c", program).stdout == "200\n"


def test_much_output_is_complete(shared_lab: Laboratory, pod: str) -> None:
    """Four megabytes of output arrive as they were written."""
    program = "print('0123456789abcde\\n' * (1 << 18), end='')"
    output = shared_lab.execute(pod, "python3", "-c", program).stdout
    assert output == "0123456789abcde\n" * (1 << 18)


def test_program_that_does_not_exist(shared_lab: Laboratory, pod: str) -> None:
    """A command that does not exist is an error that names it."""
    running = shared_lab.interact(pod, ["no-such-program"])
    running.run_forever(timeout=DEADLINE_S)
    result = json.loads(running.read_channel(ERROR_CHANNEL))
    hang_up(running)
    assert result["status"] == "Failure"
    assert "no-such-program" in result["message"]


def test_input_reaches_the_command(shared_lab: Laboratory, pod: str) -> None:
    """What the client writes is the command's standard input."""
    running = shared_lab.interact(pod, ["head", "-n", "1"])
    running.write_stdin("hello\nignored\n")
    running.run_forever(timeout=DEADLINE_S)
    result = running.read_stdout(), running.returncode
    hang_up(running)
    assert result == ("hello\n", 0)


def test_forwarded_port(shared_lab: Laboratory, pod: str) -> None:
    """A connection can be forwarded to a port of the pod."""
    received = b""
    with shared_lab.forward(pod, 8080) as connection:
        connection.sendall(b"GET /forwarded HTTP/1.0\r\n\r\n")
        while data := connection.recv(4096):
            received += data
    assert received.startswith(b"HTTP/1.0 200 OK")
    assert received.endswith(b"ok")


def test_forwarded_port_where_nothing_listens(shared_lab: Laboratory, pod: str) -> None:
    """A connection to a port where nothing listens ends, and says why."""
    assert "connection refused" in shared_lab.forward_error(pod, 9).lower()


def test_pod_proxy(shared_lab: Laboratory, pod: str) -> None:
    """The API server passes requests on to a port of the pod."""
    answer = shared_lab.request("GET", f"pods/{pod}:8080/proxy/anything")
    assert (answer.status_code, answer.text) == (200, "ok")
