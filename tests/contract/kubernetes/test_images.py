from tests.contract.kubernetes.laboratory import Laboratory, container, waits_with

UNKNOWN = "registry.invalid/nothing:1"


def test_unknown_image_cannot_be_pulled(lab: Laboratory) -> None:
    """A container whose image does not exist waits with ErrImagePull."""
    lab.pod("unknown", image=UNKNOWN)
    pod = lab.until("pods", "unknown", waits_with("ErrImagePull"))
    assert UNKNOWN in container(pod)["state"]["waiting"]["message"]


def test_pull_backs_off(lab: Laboratory) -> None:
    """After a failed pull the container waits with ImagePullBackOff, and the pod is pending."""
    lab.pod("unknown", image=UNKNOWN)
    pod = lab.until("pods", "unknown", waits_with("ImagePullBackOff"))
    assert pod["status"]["phase"] == "Pending"
    assert container(pod)["restartCount"] == 0


def test_failed_pull_is_told(lab: Laboratory) -> None:
    """A failed pull is an event that names the image."""
    lab.pod("unknown", image=UNKNOWN)
    event = lab.until_event("unknown", "Failed", "Failed to pull image")
    assert event["message"].startswith(f'Failed to pull image "{UNKNOWN}": ')


def test_absent_image_that_must_not_be_pulled(lab: Laboratory) -> None:
    """An image that is not there and may not be pulled is reported as that."""
    lab.pod("unknown", image=UNKNOWN, imagePullPolicy="Never")
    lab.until("pods", "unknown", waits_with("ErrImageNeverPull"))


def test_image_can_be_corrected(lab: Laboratory) -> None:
    """A pod starts once its image is changed to one that exists."""
    lab.pod("mistaken", image=UNKNOWN)
    lab.until("pods", "mistaken", waits_with("ImagePullBackOff"))
    patch = {"spec": {"containers": [{"name": "main", "image": "python:3.11-slim"}]}}
    headers = {"Content-Type": "application/strategic-merge-patch+json"}
    lab.request("PATCH", "pods/mistaken", json=patch, headers=headers).raise_for_status()
    lab.until_ready("mistaken")
