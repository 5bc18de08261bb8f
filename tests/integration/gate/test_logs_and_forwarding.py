import signal
import subprocess

import requests

from tests.integration.gate.gate_command import COMMAND, Gate
from traderx_gate.kube import Kube

DEADLINE_S = 30
NAMESPACE = "traderx-dev"


def _background(gate: Gate, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*COMMAND, *words],
        env=gate.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_logs_show_every_pod(gate: Gate) -> None:
    """The last lines of every pod of a service are shown, each with its pod's name."""
    done = gate.run("logs", "dev", "reference-data", "--lines", "1")
    pods = [pod.name for pod in gate.kube.pods(NAMESPACE, labels="app=reference-data")]
    assert (done.returncode, len(pods)) == (0, 2), done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == pods


def test_followed_log_shows_what_comes(gate: Gate) -> None:
    """A followed log shows what is written before and after, until Ctrl-C, which is no failure."""
    with _background(gate, "logs", "dev", "trade-service", "--follow", "--lines", "1") as child:
        assert child.stdout is not None
        first = child.stdout.readline()
        child.send_signal(signal.SIGINT)
        assert child.wait(DEADLINE_S) in {0, 130}
    assert first.startswith("trade-service-")


def test_previous_log_cannot_be_followed(gate: Gate) -> None:
    """A log that has ended cannot be followed: one line, exit code 2."""
    done = gate.run("logs", "dev", "trade-service", "--follow", "--previous")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


def test_forwarded_port_leads_to_the_service(gate: Gate) -> None:
    """A forwarded port answers as the service, again and again, until Ctrl-C."""
    with _background(gate, "port-forward", "dev", "account-service") as child:
        assert child.stdout is not None
        url = child.stdout.readline().split()[0]
        ask = f"{url}/account/22214"
        answers = [requests.get(ask, timeout=DEADLINE_S).content for _ in range(3)]
        taken = gate.run("port-forward", "dev", "account-service", url.rpartition(":")[2])
        child.send_signal(signal.SIGINT)
        assert child.wait(DEADLINE_S) == 0
    assert answers == [b'{"id":22214,"displayName":"Test Account 20"}'] * 3
    assert (taken.returncode, "cannot be used" in taken.stderr) == (2, True)


def test_command_in_a_container_has_output_and_exit_code(gate: Gate) -> None:
    """A command in a container is told with what it wrote and how it ended."""
    kube: Kube = gate.kube
    pod = next(pod for pod in kube.pods(NAMESPACE, labels="app=web-gui") if pod.ready)
    ended = kube.execute(NAMESPACE, pod.name, ["sh", "-c", "echo out; exit 7"], timeout_s=10)
    late = kube.execute(NAMESPACE, pod.name, ["sh", "-c", "exec sleep 30"], timeout_s=1)
    assert (ended.output, ended.exit_code, late.exit_code) == ("out\n", 7, None)
