import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from traderx_gate.errors import ConfigurationError
from traderx_gate.worker import bridge

DURATIONS = {
    "2m0s": 120,
    "15m0s": 900,
    "1h2m3s": 3723,
    "1.5h": 5400,
    "500ms": 0.5,
    "250us": 250e-6,
    "0s": 0,
}


@pytest.mark.parametrize(("text", "seconds"), DURATIONS.items(), ids=DURATIONS.keys())
def test_duration_is_read_as_go_does(text: str, seconds: float) -> None:
    """A duration as Go writes it is read in seconds."""
    assert bridge.duration_s(text) == pytest.approx(seconds)


NO_DURATIONS = ["", "5", "2 m", "m", "-1s", "2m-1s", "1d", "s1", "1s\n", "\u0661s"]


@pytest.mark.parametrize("text", NO_DURATIONS, ids=ascii)
def test_other_durations_are_refused(text: str) -> None:
    """What is no duration is refused and shown."""
    with pytest.raises(ConfigurationError, match="WaitTimeout"):
        bridge.duration_s(text)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_parts_of_a_duration_add_up(hours: int, minutes: int, seconds: int) -> None:
    """Hours, minutes and seconds add up."""
    total = bridge.duration_s(f"{hours}h{minutes}m{seconds}s")
    assert total == pytest.approx(3600 * hours + 60 * minutes + seconds)


def test_cleaned_object_is_what_somebody_wrote() -> None:
    """Cleaning drops the status and what only the server sets, and nothing else."""
    metadata = {
        "name": "a",
        "namespace": "n",
        "labels": {"k": "v"},
        "annotations": {"a": "b"},
        "managedFields": [],
        "uid": "u",
        "resourceVersion": "1",
        "generation": 1,
        "creationTimestamp": "t",
        "finalizers": ["f"],
        "ownerReferences": [],
    }
    live = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"uid": "kept"},
        "status": {},
    }
    kept = {k: metadata[k] for k in ("name", "namespace", "labels", "annotations")}
    assert bridge.cleaned(live) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": kept,
        "spec": {"uid": "kept"},
    }


def test_live_state_has_one_document_per_object() -> None:
    """Live state holds each object as a document; no objects make no bytes."""
    objects = [{"apiVersion": "v1", "kind": "A", "metadata": {"name": name}} for name in ("a", "b")]
    assert list(yaml.safe_load_all(bridge.live_state(objects))) == objects
    assert bridge.live_state([]) == b""
