"""Pods: configured as the unit says, none astray, none restarted lately."""

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from traderx_gate.kube import Manifest, parse_time
from traderx_gate.verdict import Observation

RESTART_WINDOW = dt.timedelta(minutes=10)
"""How long a restart counts: twice what the runbook's CrashLoop alert looks back."""
_ADDED_BY_ADMISSION = frozenset({"volumeMounts"})
"""What the API server adds to a pod's containers: the mount of the service account's token."""
_OF_THE_POD = (
    "serviceAccountName",
    "enableServiceLinks",
    "restartPolicy",
    "terminationGracePeriodSeconds",
    "securityContext",
    "hostNetwork",
)


def configuration(pod: Manifest, template: Manifest, *, namespace: str) -> Iterator[Observation]:
    """Compare a pod with the template that its unit makes of it.

    Args:
        pod: The live pod.
        template: `spec.template` of the answer to a dry-run apply of the unit, defaults filled in.
        namespace: Where it has to run.
    """
    expected, seen = dict(_flat(template["spec"])), dict(_flat(pod["spec"]))
    expected["metadata.namespace"], seen["metadata.namespace"] = namespace, _namespace(pod)
    where = f"kubectl -n {_namespace(pod)} get pod {pod['metadata']['name']} -o yaml"
    differences = [p for p in sorted({*expected, *seen}) if expected.get(p) != seen.get(p)]
    for path in differences:
        yield Observation(
            subject=f"pod {pod['metadata']['name']}: {path}",
            expected=_text(expected, path),
            seen=_text(seen, path),
            met=False,
            where=where,
        )
    if not differences:
        yield Observation(
            subject=f"pod {pod['metadata']['name']}",
            expected="as in the unit",
            seen="as in the unit",
            met=True,
            where=where,
        )


def _namespace(pod: Manifest) -> str:
    return str(pod["metadata"]["namespace"])


def _flat(spec: Manifest) -> Iterator[tuple[str, Any]]:
    """Yield what a pod's author decides, by path; lists of named things are told by their names."""
    for key in _OF_THE_POD:
        yield key, spec.get(key)
    for kind in ("initContainers", "containers"):
        for container in spec.get(kind) or ():
            place = f"{kind}[{container['name']}]"
            for key, value in container.items():
                if key in _ADDED_BY_ADMISSION:
                    continue
                if key == "env":
                    yield from ((f"{place}.env[{e['name']}]", e) for e in value)
                elif key == "resources":
                    yield from _resources(place, value)
                else:
                    yield f"{place}.{key}", value


def _resources(place: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for kind, amounts in value.items():
        for name, amount in amounts.items():
            yield f"{place}.resources.{kind}.{name}", amount


def _text(values: Mapping[str, Any], path: str) -> str:
    return json.dumps(values[path], sort_keys=True) if path in values else "absent"


def astray(pod: Manifest, *, newest: Iterable[str], now: dt.datetime) -> Observation:
    """Tell whether a pod is one of those that should run: newest, running, ready, and staying.

    Args:
        pod: A live pod.
        newest: Names of the ReplicaSets of what the unit says now.
        now: For how long a pod on its way out may take.
    """
    metadata, status = pod["metadata"], pod.get("status") or {}
    owners = [owner["name"] for owner in metadata.get("ownerReferences") or ()]
    ready = any(
        c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ()
    )
    phase = status.get("phase", "Pending")
    deleted_at = parse_time(metadata.get("deletionTimestamp"))  # when its grace is over
    if deleted_at is not None:
        over = (now - deleted_at).total_seconds()
        seen = "on its way out" if over <= 0 else f"should have been gone {over:.0f} s ago"
        met = over <= 0
    else:
        reasons = [
            f"is {phase}" if phase != "Running" else "",
            "is not ready" if not ready else "",
            *(_waiting(container) for container in status.get("containerStatuses") or ()),
            "is of an older revision" if not set(owners) & set(newest) else "",
        ]
        said = ", ".join(reason for reason in reasons if reason)
        seen, met = said or "running, ready, of the newest revision", not said
    return Observation(
        subject=f"pod {metadata['name']}",
        expected="running, ready, of the newest revision",
        seen=seen,
        met=met,
        where=f"kubectl -n {metadata['namespace']} describe pod {metadata['name']}",
    )


def _waiting(status: Mapping[str, Any]) -> str:
    waiting = (status.get("state") or {}).get("waiting")
    return f"{status['name']} waits: {waiting.get('reason', 'no reason given')}" if waiting else ""


def restarts(pod: Manifest, *, now: dt.datetime) -> Iterator[Observation]:
    """Tell of each container whether it was restarted within the window."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        ended = (status.get("lastState") or {}).get("terminated") or {}
        at = parse_time(ended.get("finishedAt"))
        count = status.get("restartCount", 0)
        # a restart whose time is not known is taken for a recent one
        lately = count > 0 and (at is None or now - at <= RESTART_WINDOW)
        how = f", last {ended.get('reason', 'ended')} ({ended.get('exitCode')}) at {at}"
        yield Observation(
            subject=f"container {status['name']} of pod {name}",
            expected=f"no restart within {RESTART_WINDOW.total_seconds() / 60:.0f} min",
            seen=f"{count} restarts{how if ended else ''}",
            met=not lately,
            where=f"kubectl -n {namespace} logs {name} --previous",
        )
