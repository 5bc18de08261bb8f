"""What an operation means in a cluster: apply, destroy, refresh. Blocking, one thread each."""

import functools
import logging
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import yaml

from traderx_gate import waiting
from traderx_gate.errors import (
    ConfigurationError,
    GateError,
    KubernetesError,
    NotFoundError,
    NotReachedError,
    RefusedError,
)
from traderx_gate.kube import Kube, Manifest, ObjectRef, parse_manifests, require_own
from traderx_gate.waiting import Deadline
from traderx_gate.worker import readiness
from traderx_gate.worker.drift_patch import patched
from traderx_gate.worker.protocol import ActionResult, Operation

DEFAULT_WAIT = "2m0s"
DEFAULT_NAMESPACE = "default"
WAIT_FAILED = "ApplyWaitFailed"
Progress = Callable[[str], None]

log = logging.getLogger(__name__)

_FIRST = frozenset({"Namespace", "CustomResourceDefinition"})
_SERVER_SET = frozenset(
    {
        "managedFields",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "finalizers",
        "ownerReferences",
    }
)
_GO_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_GO_PART = r"(\d+(?:\.\d*)?)(h|ms|us|µs|ns|m|s)"


class Patience:
    """What a wait has, until its unit has something else to become."""

    def __init__(self) -> None:
        self.wake = threading.Event()
        self.is_over = False

    def end(self) -> None:
        """End the wait, or have it not begin; what was changed before stays changed."""
        self.is_over = True
        self.wake.set()


class _SupersededError(Exception):
    """Patience is over."""


class Bridge:
    """Carries operations out in one cluster. Safe to share between threads."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._namespaced: frozenset[tuple[str, str]] | None = None

    def perform(
        self, operation: Operation, progress: Progress, patience: Patience | None = None
    ) -> ActionResult:
        """Carry an operation out; whatever the cluster refuses becomes the result's message.

        Where its patience is ended, an apply does not wait any longer for what it has applied.
        """
        patience = patience or Patience()
        actions: dict[str, Callable[[Operation, Progress], ActionResult]] = {
            "Apply": functools.partial(self._apply, patience=patience),
            "Destroy": self._destroy,
            "Refresh": self._refresh,
            "Finalize": _finalize,
        }
        action = actions.get(operation.action)
        if action is None:
            return _failed(operation, "this worker does not do that")
        try:
            return action(operation, progress)
        except _SupersededError:
            return ActionResult(
                result="None",
                status="Canceled",
                message="superseded: something newer is to be done with the unit",
            )
        except NotReachedError as error:
            return _failed(operation, str(error), result=f"{operation.action}WaitFailed")
        except GateError as error:
            return _failed(operation, f"Failed to {operation.action.lower()} resources: {error}")

    def _apply(
        self, operation: Operation, progress: Progress, *, patience: Patience
    ) -> ActionResult:
        progress("Starting to apply resources...")
        manifests = self._manifests(operation)
        deadline = Deadline(_wait_s(operation))
        self._require_own(manifests)
        for manifest in sorted(manifests, key=lambda m: m["kind"] not in _FIRST):
            self._kube.apply(manifest)
        refs = [ObjectRef.of(manifest) for manifest in manifests]
        snapshots = self._snapshots(refs, deadline, patience)
        return _applied(self._await_ready(_mentioned(snapshots, progress)))

    def look_again(self, operation: Operation) -> ActionResult | None:
        """Return the end of an apply whose wait failed, where all is ready by now.

        What is gone, or cannot be asked about, is not ready.
        """
        try:
            refs = [ObjectRef.of(manifest) for manifest in self._manifests(operation)]
            live = [self._kube.get(ref) for ref in refs]
        except GateError as error:
            log.info("unit=%s: not ready yet: %s", operation.unit_slug, error)
            return None
        return None if _missing(live) else _applied(live)

    def refusals(self, text: str, *, source: str) -> tuple[str, ...]:
        """Return what the API server would refuse of a unit's objects, were they applied now.

        Nothing changes: each is applied on the server's side in a dry run, with its defaults,
        validation and admission. What cannot be tried is named too, such as an object in a
        namespace that only the unit itself makes.

        Raises:
            ConfigurationError: The text holds no objects.
            UnreachableError: The cluster does not answer.
        """
        found = []
        for manifest in self._parsed(text, source=source, namespace=DEFAULT_NAMESPACE):
            ref = ObjectRef.of(manifest)
            try:
                self._require_own([manifest])
                self._kube.apply(manifest, dry_run=True)
            except (KubernetesError, RefusedError) as error:
                found.append(f"{ref}: {error}")
        return tuple(found)

    def _await_ready(self, snapshots: Iterator[list[Manifest]]) -> list[Manifest]:
        return waiting.until(
            snapshots,
            lambda live: not _missing(live),
            what="all resources to be ready",
            describe=_missing,
        )

    def _snapshots(
        self, refs: list[ObjectRef], deadline: Deadline, patience: Patience
    ) -> Iterator[list[Manifest]]:
        def read() -> list[Manifest]:
            if patience.is_over:
                raise _SupersededError
            return [self._kube.get(ref) for ref in refs]

        awaited = [ref for ref in refs if readiness.is_awaited(ref.kind)]
        if not awaited:
            return iter([read()])
        namespaces = {ref.namespace for ref in awaited}
        return self._kube.watch(
            sorted({(ref.api_version, ref.kind) for ref in awaited}),
            read,
            namespace=namespaces.pop() if len(namespaces) == 1 else "",
            deadline=deadline,
            wake=patience.wake,
        )

    def _destroy(self, operation: Operation, progress: Progress) -> ActionResult:
        progress("Starting to destroy resources...")
        manifests = self._manifests(operation)
        self._require_own(manifests)
        refs = [ObjectRef.of(manifest) for manifest in manifests]
        deadline = Deadline(_wait_s(operation))
        for ref in sorted(refs, key=lambda ref: ref.kind in _FIRST):
            try:
                self._kube.delete(ref)
            except NotFoundError:
                continue  # gone already, which is what is wanted
        waiting.until(
            waiting.polling(lambda: self._left(refs), every_s=0.2, deadline=deadline),
            lambda existing: not existing,
            what="all resources to be gone",
            describe=lambda existing: ", ".join(str(ObjectRef.of(item)) for item in existing),
        )
        return ActionResult(
            result="DestroyCompleted",
            status="Completed",
            message=f"Destroyed {len(refs)} resources",
            live_state=b"",
        )

    def _refresh(self, operation: Operation, progress: Progress) -> ActionResult:
        progress("Reading live resources...")
        refs = [ObjectRef.of(manifest) for manifest in self._manifests(operation)]
        live = self._existing(refs)
        before = {ObjectRef.of(item): item for item in _documents(operation.live_state)}
        after = {ObjectRef.of(item): cleaned(item) for item in live}
        drifted = [ref for ref in before | after if before.get(ref) != after.get(ref)]
        drifted += [ref for ref in refs if ref not in before | after]
        if not drifted:
            return ActionResult(
                result="RefreshAndNoDrift",
                status="Completed",
                message="No drift found",
                live_state=live_state(live),
            )
        default = _namespace_of(operation)
        changed = patched(
            operation.data,
            lambda document: ObjectRef.of(self._placed(document, default)),
            before=before,
            after=after,
        )
        names = ", ".join(sorted(str(ref) for ref in drifted))
        return ActionResult(
            result="RefreshAndDrifted",
            status="Completed",
            message=f"Drift found: {names}",
            live_state=live_state(live),
            data=changed,
        )

    def _left(self, refs: Iterable[ObjectRef]) -> list[Manifest]:
        """Return what is still there of objects that are being removed.

        The right to see them may go with their namespace.
        """
        found = []
        for ref in refs:
            try:
                found += self._existing([ref])
            except KubernetesError as error:
                place = ObjectRef(api_version="v1", kind="Namespace", name=ref.namespace)
                left = self._existing([place]) if error.reason == "Forbidden" else []
                ending = [body for body in left if body["metadata"].get("deletionTimestamp")]
                if error.reason != "Forbidden" or left != ending:
                    raise
                found += ending
        return found

    def _require_own(self, manifests: Iterable[Manifest]) -> None:
        """Refuse, before the first change, if one of the objects is somebody else's."""
        for manifest in manifests:
            for live in self._existing([ObjectRef.of(manifest)]):
                require_own(manifest, live)

    def _existing(self, refs: Iterable[ObjectRef]) -> list[Manifest]:
        return [live for ref in refs if (live := self._kube.find(ref)) is not None]

    def _manifests(self, operation: Operation) -> list[Manifest]:
        wanted = operation.parameters.get("KubeContext", "")
        if wanted and self._kube.context and wanted != self._kube.context:
            raise ConfigurationError(
                f"the target is for context {wanted}, this worker serves {self._kube.context}"
            )
        try:
            text = operation.data.decode()
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"unit {operation.unit_slug}: not UTF-8: {error}") from error
        return self._parsed(
            text, source=f"unit {operation.unit_slug}", namespace=_namespace_of(operation)
        )

    def _parsed(self, text: str, *, source: str, namespace: str) -> list[Manifest]:
        return [
            self._placed(manifest, namespace) for manifest in parse_manifests(text, source=source)
        ]

    def _placed(self, manifest: Manifest, namespace: str) -> Manifest:
        """Return a namespaced object that names no namespace in the default one."""
        if manifest["metadata"].get("namespace") or manifest["kind"] in _FIRST:
            return manifest
        if self._namespaced is None:
            self._namespaced = frozenset(self._kube.kinds())
        if (manifest["apiVersion"], manifest["kind"]) not in self._namespaced:
            return manifest
        return {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}


def _applied(live: list[Manifest]) -> ActionResult:
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return ActionResult(
        result="ApplyCompleted",
        status="Completed",
        message=f"Applied {len(live)} resources successfully at {moment}",
        live_state=live_state(live),
    )


def _missing(live: list[Manifest]) -> str:
    return "; ".join(filter(None, (readiness.missing(item) for item in live)))


def _mentioned(snapshots: Iterator[list[Manifest]], progress: Progress) -> Iterator[list[Manifest]]:
    """Pass snapshots on, and report what is awaited whenever that changes."""
    said = ""
    for live in snapshots:
        seen = _missing(live)
        if seen and seen != said:
            progress(f"Waiting for {seen}")
        said = seen
        yield live


def _finalize(operation: Operation, progress: Progress) -> ActionResult:
    del operation, progress
    return ActionResult(result="None", status="Completed", message="")


def _failed(operation: Operation, message: str, *, result: str = "") -> ActionResult:
    return ActionResult(
        result=result or f"{operation.action}Failed", status="Failed", message=message
    )


def _namespace_of(operation: Operation) -> str:
    """Return where an object goes that names no namespace."""
    return operation.parameters.get("KubeNamespace") or DEFAULT_NAMESPACE


def _wait_s(operation: Operation) -> float:
    return duration_s(operation.parameters.get("WaitTimeout") or DEFAULT_WAIT)


def duration_s(text: str) -> float:
    """Return a Go duration such as `2m0s` in seconds.

    Raises:
        ConfigurationError: It is not one.
    """
    if not re.fullmatch(f"({_GO_PART})+", text, re.ASCII):
        raise ConfigurationError(f"WaitTimeout {text!r}: expected a duration such as 2m0s")
    return sum(float(number) * _GO_UNITS_S[unit] for number, unit in re.findall(_GO_PART, text))


def cleaned(live: Manifest) -> Manifest:
    """Return a live object without its status and what only the server sets."""
    kept = {key: value for key, value in live.items() if key != "status"}
    metadata = {k: v for k, v in live["metadata"].items() if k not in _SERVER_SET}
    return {**kept, "metadata": metadata}


def live_state(live: Iterable[Manifest]) -> bytes:
    """Return live objects as the documents that ConfigHub keeps."""
    return yaml.safe_dump_all([dict(cleaned(item)) for item in live], sort_keys=False).encode()


def _documents(state: bytes) -> list[Any]:
    try:
        return [document for document in yaml.safe_load_all(state) if isinstance(document, dict)]
    except yaml.YAMLError as error:
        raise ConfigurationError(f"the stored live state is not YAML: {error}") from error
