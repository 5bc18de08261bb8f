import dataclasses
from typing import Any

import pytest

from traderx_gate.confighub import Unit
from traderx_gate.inspection import rollout
from traderx_gate.kube import Deployment, Pod

COMPLETE = "desired = existing = updated = ready = available, at least 1"
ALL_THERE = "2 desired, 2 existing, 2 updated, 2 ready, 2 available"


def pod(*, spec: str = "web:1", running: str = "web:1", state: str = "running") -> Pod:
    """A pod as the client reads it."""
    return Pod.from_json(
        {
            "metadata": {
                "name": "web-1",
                "namespace": "shop",
                "creationTimestamp": "2026-11-24T12:00:00Z",
            },
            "spec": {"containers": [{"name": "web", "image": spec}]},
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{"name": "web", "image": running, "state": {state: {}}}],
            },
        }
    )


SPEC, RUNNING = "image of container web in pod web-1", "running image of container web in pod web-1"


@pytest.mark.parametrize(
    ("body", "expected", "told"),
    [
        (
            pod(),
            {"web": "web:1"},
            [(SPEC, "web:1", "web:1", True), (RUNNING, "web:1", "web:1", True)],
        ),
        (pod(state="waiting"), {"web": "web:1"}, [(SPEC, "web:1", "web:1", True)]),
        (
            pod(spec="web:2"),
            {"web": "web:1"},
            [(SPEC, "web:1", "web:2", False), (RUNNING, "web:1", "web:1", True)],
        ),
        (
            pod(running="web:0"),
            {"web": "web:1"},
            [(SPEC, "web:1", "web:1", True), (RUNNING, "web:1", "web:0", False)],
        ),
        (pod(state="waiting"), {}, [(SPEC, "no such container", "web:1", False)]),
        (
            pod(state="waiting"),
            {"web": "web:1", "aside": "aside:1"},
            [
                (SPEC, "web:1", "web:1", True),
                ("image of container aside in pod web-1", "aside:1", "no such container", False),
            ],
        ),
    ],
    ids=["right", "not running", "other image", "other runs", "one too many", "one lacks"],
)
def test_images(
    body: Pod, expected: dict[str, str], told: list[tuple[str, str, str, bool]]
) -> None:
    """Every container has and runs the unit's image, and the unit's containers are all there."""
    found = rollout.images([body], expected)
    assert [(o.subject, o.expected, o.seen, o.met) for o in found] == told


COUNTS = {"desired": 2, "replicas": 2, "updated": 2, "available": 2, "ready": 2}


def deployment(**changes: Any) -> Deployment:
    """A deployment of two replicas, all there unless it says otherwise."""
    fields = {"generation": 3, "observed_generation": 3, "stuck": "", **COUNTS, **changes}
    return Deployment(namespace="shop", name="web", **fields)


def test_all_replicas_are_there() -> None:
    """A deployment of which every replica is there is told by its counts alone."""
    found = rollout.replicas("web", deployment(), [pod()])
    assert (found.subject, found.expected, found.seen, found.met) == (
        "deployment web",
        COMPLETE,
        ALL_THERE,
        True,
    )


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (None, "no such deployment"),
        (deployment(replicas=3), ALL_THERE.replace("2 existing", "3 existing")),
        (deployment(updated=1), ALL_THERE.replace("2 updated", "1 updated")),
        (deployment(ready=1), ALL_THERE.replace("2 ready", "1 ready")),
        (deployment(available=1), ALL_THERE.replace("2 available", "1 available")),
        (deployment(desired=3), ALL_THERE.replace("2 desired", "3 desired")),
        (deployment(**dict.fromkeys(COUNTS, 0)), ALL_THERE.replace("2", "0")),
        (deployment(observed_generation=2), f"{ALL_THERE}, newest spec not yet seen"),
        (deployment(stuck="no quota"), f"{ALL_THERE}, stuck: no quota"),
    ],
)
def test_replicas_lack(body: Deployment | None, seen: str) -> None:
    """A deployment that is not rolled out, or wants no pod, is told with its counts and pods."""
    found = rollout.replicas("web", body, [pod()])
    assert (found.subject, found.expected, found.seen, found.met) == (
        "deployment web",
        COMPLETE,
        f"{seen}; web-1 ready",
        False,
    )


def test_replicas_without_pods() -> None:
    """That there is no pod is said."""
    assert rollout.replicas("web", None, []).seen == "no such deployment; no pods"


UNIT = Unit(
    id="u",
    space_id="s",
    slug="web",
    labels={},
    data=b"",
    version=1,
    head_revision=2,
    applied_revision=2,
    live_revision=2,
    target_id="",
    upstream_unit_id="",
    upstream_revision=0,
    live_state=b"",
)


@pytest.mark.parametrize(
    ("head", "applied", "live", "met"),
    [(2, 2, 2, True), (3, 2, 2, False), (2, 2, 1, False), (2, 1, 2, False), (0, 0, 0, False)],
)
def test_revisions(head: int, applied: int, live: int, met: bool) -> None:  # noqa: FBT001
    """Only a unit whose head is applied and live is in order; one without a revision is not."""
    unit = dataclasses.replace(
        UNIT, head_revision=head, applied_revision=applied, live_revision=live
    )
    (found,) = rollout.revisions([unit])
    assert (found.subject, found.expected, found.seen, found.met) == (
        "unit web",
        f"head {head}, applied {head}, live {head}",
        f"head {head}, applied {applied}, live {live}",
        met,
    )
