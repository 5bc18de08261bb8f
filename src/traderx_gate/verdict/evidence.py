"""Evidence: what a run saw, of what, when. Values and their JSON form, schema version 2."""

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from traderx_gate.errors import EvidenceError

SCHEMA = "traderx-gate/evidence"
VERSION = 2
ROLLOUT_SCHEMA = "traderx-gate/rollout"
ROLLOUT_VERSION = 1


class EvidenceState(enum.Enum):
    """Only a clean end closes evidence."""

    STARTED = "started"
    CLOSED = "closed"


class Outcome(enum.Enum):
    """How the check of one claim ended."""

    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The deployment that evidence is about."""

    project: str
    name: str
    space: str
    namespace: str

    def __str__(self) -> str:
        """Return `dev (space x-traderx-dev, namespace traderx-dev)`."""
        return f"{self.name} (space {self.space}, namespace {self.namespace})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where it runs: what the API says it is, and what probing found it able to do."""

    kind: str
    context: str
    version: str
    capabilities: Mapping[str, bool] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return `kind, Kubernetes v1.37.0, without ingress`."""
        lacking = ", ".join(sorted(name for name, has in self.capabilities.items() if not has))
        said = f"{self.kind}, Kubernetes {self.version}"
        return f"{said}, without {lacking}" if lacking else said


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRevision:
    """One unit's revisions, and SHA-256 of its head's bytes (ours, hexadecimal)."""

    sha256: str
    head: int
    applied: int
    live: int

    def __str__(self) -> str:
        """Return `head 3, applied 3, live 2`."""
        return f"head {self.head}, applied {self.applied}, live {self.live}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodIdentity:
    """Which pod it is, and which life of it: what a replacement or a restart changes.

    Attributes:
        containers: Of each container, by name, the identifier of its image.
        restarts: How often each was restarted.
    """

    uid: str
    containers: Mapping[str, str]
    restarts: Mapping[str, int]

    def __str__(self) -> str:
        """Return `uid 1a2b, web restarted 0 times, image sha256:...`."""
        lives = (
            f"{name} restarted {self.restarts.get(name, 0)} times, image {image or 'unknown'}"
            for name, image in sorted(self.containers.items())
        )
        return ", ".join([f"uid {self.uid}", *lives])


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One thing a check looked at.

    Attributes:
        subject: What was looked at, in words.
        where: Where to look next: an object, an address, a command.
    """

    subject: str
    expected: str
    seen: str
    met: bool
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimResult:
    """How the check of one claim ended, and what it saw.

    Attributes:
        at: When the check ended.
        samples: How many things it looked at.
        message: The check's own words when it did not pass.
    """

    key: str
    outcome: Outcome
    at: dt.datetime
    duration_s: float
    samples: int
    observations: tuple[Observation, ...]
    message: str = ""

    def unmet(self) -> tuple[Observation, ...]:
        """Return the observations that contradict the claim."""
        return tuple(observation for observation in self.observations if not observation.met)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTimeline:
    """How a service's pods came up; seconds since the first pod of the environment was created."""

    service: str
    pod: str
    image: str
    created_s: float
    started_s: float | None
    ready_s: float | None
    restarts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRollout:
    """When a service reached each step of its deployment; seconds since that began."""

    service: str
    began_s: float
    applied_s: float
    ready_s: float
    healthy_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """A deployment of an environment, as it went.

    Attributes:
        units: SHA-256 of the data of every unit that was applied, by slug.
    """

    environment: str
    space: str
    started_at: dt.datetime
    services: tuple[ServiceRollout, ...]
    units: Mapping[str, str]

    def to_json(self) -> Mapping[str, Any]:
        """Return `rollout.json`."""
        return {"schema": ROLLOUT_SCHEMA, "version": ROLLOUT_VERSION, **_plain(self)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read `rollout.json`, which its schema has checked, or the same within evidence."""
        return cls(
            environment=_text(body["environment"]),
            space=_text(body["space"]),
            started_at=_time(body["started_at"]),
            services=tuple(ServiceRollout(**entry) for entry in body["services"]),
            units=_texts(body["units"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything a verdict is made from.

    Attributes:
        provenance: `stand-ins` or `containers`: what kind of workload was tested.
        units_before: The environment's units when the run started, by slug.
        units_after: The same when it ended; a difference voids the run.
        pods_before: The namespace's pods that were to stay when the run started, by name.
        pods_after: The same when it ended; a difference voids the run.
        rollout: The deployment that brought these very units; None where it is not known.
        exit_status: pytest's exit status; None until it ended.
        break_glass: What was done there without proof since the last PASS; empty for nothing.
    """

    run: str
    kind: str
    state: EvidenceState
    environment: Environment
    cluster: Cluster
    provenance: str
    units_before: Mapping[str, UnitRevision]
    units_after: Mapping[str, UnitRevision]
    pods_before: Mapping[str, PodIdentity]
    pods_after: Mapping[str, PodIdentity]
    seed: int
    policy: str
    policy_sha256: str
    tool_version: str
    started_at: dt.datetime
    ended_at: dt.datetime | None
    required: tuple[str, ...]
    results: tuple[ClaimResult, ...]
    timeline: tuple[ServiceTimeline, ...]
    exit_status: int | None
    rollout: Rollout | None = None
    break_glass: str = ""

    def to_json(self) -> Mapping[str, Any]:
        """Return `evidence.json`."""
        body = _plain(self)
        return {"schema": SCHEMA, "version": VERSION, **body}

    @classmethod
    def from_json(cls, body: object) -> Self:
        """Read `evidence.json`.

        Raises:
            EvidenceError: Another schema or version, or not of the schema's form.
        """
        if not isinstance(body, dict):
            raise EvidenceError("evidence is not a JSON object")
        if (body.get("schema"), body.get("version")) != (SCHEMA, VERSION):
            raise EvidenceError(
                f"evidence has schema {body.get('schema')!r} version {body.get('version')!r}; "
                f"this version reads {SCHEMA!r} {VERSION}"
            )
        try:
            return cls(
                run=_text(body["run"]),
                kind=_text(body["kind"]),
                state=EvidenceState(body["state"]),
                environment=Environment(**_texts(body["environment"])),
                cluster=Cluster(
                    kind=_text(body["cluster"]["kind"]),
                    context=_text(body["cluster"]["context"]),
                    version=_text(body["cluster"]["version"]),
                    capabilities={
                        _text(k): bool(v) for k, v in body["cluster"]["capabilities"].items()
                    },
                ),
                provenance=_text(body["provenance"]),
                units_before=_units(body["units_before"]),
                units_after=_units(body["units_after"]),
                pods_before=_pods(body["pods_before"]),
                pods_after=_pods(body["pods_after"]),
                seed=int(body["seed"]),
                policy=_text(body["policy"]),
                policy_sha256=_text(body["policy_sha256"]),
                tool_version=_text(body["tool_version"]),
                started_at=_time(body["started_at"]),
                ended_at=None if body["ended_at"] is None else _time(body["ended_at"]),
                required=tuple(_text(key) for key in body["required"]),
                results=tuple(claim_result_from_json(result) for result in body["results"]),
                timeline=tuple(ServiceTimeline(**entry) for entry in body["timeline"]),
                exit_status=None if body["exit_status"] is None else int(body["exit_status"]),
                rollout=None if body["rollout"] is None else Rollout.from_json(body["rollout"]),
                break_glass=_text(body["break_glass"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise EvidenceError(f"evidence is malformed: {type(error).__name__} {error}") from error


def claim_result_to_json(result: ClaimResult) -> Mapping[str, Any]:
    """Return one result of `evidence.json`."""
    body: Mapping[str, Any] = _plain(result)
    return body


def claim_result_from_json(body: Mapping[str, Any]) -> ClaimResult:
    """Read one result of `evidence.json`; raises KeyError, TypeError or ValueError."""
    return ClaimResult(
        key=_text(body["key"]),
        outcome=Outcome(body["outcome"]),
        at=_time(body["at"]),
        duration_s=float(body["duration_s"]),
        samples=int(body["samples"]),
        observations=tuple(
            Observation(
                subject=_text(o["subject"]),
                expected=_text(o["expected"]),
                seen=_text(o["seen"]),
                met=o["met"] is True,
                where=_text(o["where"]),
            )
            for o in body["observations"]
        ),
        message=_text(body["message"]),
    )


def _plain(value: Any) -> Any:
    """Turn dataclasses, enums, times and mappings into what `json` writes."""
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _texts(value: Mapping[str, object]) -> dict[str, str]:
    return {key: _text(item) for key, item in value.items()}


def _time(value: object) -> dt.datetime:
    time = dt.datetime.fromisoformat(_text(value))
    if time.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return time


def _units(value: Mapping[str, Mapping[str, Any]]) -> Mapping[str, UnitRevision]:
    return {
        slug: UnitRevision(
            sha256=_text(unit["sha256"]),
            head=int(unit["head"]),
            applied=int(unit["applied"]),
            live=int(unit["live"]),
        )
        for slug, unit in value.items()
    }


def _pods(value: Mapping[str, Mapping[str, Any]]) -> Mapping[str, PodIdentity]:
    return {
        name: PodIdentity(
            uid=_text(pod["uid"]),
            containers=_texts(pod["containers"]),
            restarts={str(c): int(count) for c, count in pod["restarts"].items()},
        )
        for name, pod in value.items()
    }
