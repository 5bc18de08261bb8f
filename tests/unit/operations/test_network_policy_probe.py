"""Whether network policies are enforced is what was seen, on a cluster that is told what to do."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from traderx_gate.errors import RefusedError
from traderx_gate.kube import Executed, Kube, ObjectRef
from traderx_gate.operations import network_policy_probe as probing


class ToldCluster:
    """Takes everything; its client reaches the server as it is told."""

    def __init__(self, exit_codes: Iterator[int]) -> None:
        self.exit_codes = exit_codes
        self.kinds: list[str] = []
        self.deleted: list[ObjectRef] = []

    def apply(self, body: dict[str, Any], *, manager: str) -> None:
        """Keep its kind."""
        del manager
        self.kinds.append(body["kind"])

    def delete(self, ref: ObjectRef) -> None:
        """Keep what it was."""
        self.deleted.append(ref)

    def pods(self, namespace: str) -> list[Any]:
        """Both are ready."""
        del namespace
        return [SimpleNamespace(name=name, ready=True) for name in ("server", "client")]

    def execute(self, *_: object, **__: object) -> Executed:
        """End as told."""
        return Executed(exit_code=next(self.exit_codes), output="")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "EFFECT_WITHIN_S", 0.05)
    monkeypatch.setattr(probing, "POLL_S", 0.01)


def endless(*first: int) -> Iterator[int]:
    """Yield these, then the last of them for ever."""
    yield from first
    while True:
        yield first[-1]


@pytest.mark.parametrize(("codes", "enforced"), [((1, 0, 0, 1), True), ((0,), False)])
def test_what_is_seen_is_said(codes: tuple[int, ...], *, enforced: bool) -> None:
    """Enforced is what cuts off a client that reached the server before; all of it is removed."""
    cluster = ToldCluster(endless(*codes))
    assert probing.is_enforced(cast(Kube, cluster), project="p") is enforced
    assert cluster.kinds == ["Namespace", "Pod", "Pod", "Service", "NetworkPolicy"]
    assert [ref.kind for ref in cluster.deleted] == ["Namespace"]


def test_nothing_is_said_of_pods_that_never_met() -> None:
    """Pods that do not reach each other without a policy prove nothing; all of it is removed."""
    cluster = ToldCluster(endless(1))
    with pytest.raises(RefusedError, match="without any policy"):
        probing.is_enforced(cast(Kube, cluster), project="p")
    assert "NetworkPolicy" not in cluster.kinds
    assert [ref.kind for ref in cluster.deleted] == ["Namespace"]
