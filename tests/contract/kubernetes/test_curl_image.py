import pytest

from tests.contract.kubernetes.laboratory import Json, Laboratory, container

IMAGE = "curlimages/curl:latest"
ENDED = {"Succeeded", "Failed"}


def curl(lab: Laboratory, *arguments: str, command: list[str] | None = None) -> tuple[int, str]:
    """Run a pod of the image to its end; return exit code and log."""
    lab.pod(
        "probe",
        image=IMAGE,
        command=command,
        args=list(arguments),
        spec={"restartPolicy": "Never"},
    )
    pod: Json = lab.until("pods", "probe", lambda seen: seen["status"].get("phase") in ENDED)
    return container(pod)["state"]["terminated"]["exitCode"], lab.logs("probe")


@pytest.mark.parametrize("command", [None, ["curl"]], ids=["entry point", "command"])
def test_asks_a_pod(lab: Laboratory, command: list[str] | None) -> None:
    """A probe from inside the cluster tells the status that a pod answers."""
    probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
    lab.switchboard("web", {"/broken": 503}, readinessProbe=probe)
    address = lab.until_ready("web")["status"]["podIP"]
    told = ("-s", "-o", "body", "-w", "%{http_code}\\n")
    seen = curl(lab, *told, f"{address}:8080/broken", command=command)
    assert seen == (0, "503\n")


@pytest.mark.parametrize(("host", "code"), [("nobody", 6), ("empty", 7)])
def test_names(lab: Laboratory, host: str, code: int) -> None:
    """An unknown name, and a Service without pods, are told apart by the exit code."""
    lab.create("services", "empty", spec={"selector": {"app": "none"}, "ports": [{"port": 80}]})
    exit_code, log = curl(lab, "-sS", "--max-time", "5", f"http://{host}/")
    assert (exit_code, log[:9]) == (code, f"curl: ({code})")
