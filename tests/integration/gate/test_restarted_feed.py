"""A restarted feed: what subscribes to it once is restarted by the next delivery."""

from tests.integration.gate.gate_command import NAMESPACE, Gate, ref
from traderx_gate.kube import Pod
from traderx_gate.waiting import Deadline, polling, until

FEED, PROCESSOR = "trade-feed", "trade-processor"
DEADLINE_S = 60.0


def pods(gate: Gate, service: str) -> tuple[Pod, ...]:
    """Return the pods of a service that stay."""
    found = gate.kube.pods(NAMESPACE, labels=f"app={service}")
    return tuple(pod for pod in found if not pod.deleting)


def test_deploy_restarts_what_subscribed_before(gate: Gate) -> None:
    """Deploy restarts trade-processor where the feed was restarted, so that orders settle (I12)."""
    (before,) = pods(gate, PROCESSOR)
    assert before.started_at is not None
    (feed,) = pods(gate, FEED)
    gate.kube.delete(ref("Pod", feed.name))
    until(
        polling(lambda: pods(gate, FEED), every_s=0.1, deadline=Deadline(DEADLINE_S)),
        lambda found: any(pod.ready and pod.name != feed.name for pod in found),
        what="another feed",
    )
    done = gate.run("deploy", "dev")
    assert done.returncode == 0, done.stderr
    assert f"{PROCESSOR}: restarting it, because {FEED} was started after it" in done.stdout
    assert before.name not in {pod.name for pod in pods(gate, PROCESSOR)}
    again = gate.run("deploy", "dev")
    assert (again.returncode, "restarting" in again.stdout) == (0, False)
    validated = gate.run("validate", "dev")
    assert validated.returncode == 0, validated.stdout + validated.stderr
