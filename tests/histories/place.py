"""Dev, staging and prod of two services in one process, and what a user does with them."""

import dataclasses
import datetime as dt
import functools
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.histories.hub import Fault, Hub, Killed
from traderx_gate import application, runs
from traderx_gate.application import Application
from traderx_gate.application.catalogue import Soak
from traderx_gate.confighub import Space, Unit, Worker
from traderx_gate.delivery import approval, backup, break_glass, under_way, unfinished
from traderx_gate.delivery.break_glass import BreakGlass
from traderx_gate.delivery.deployment import Deploy
from traderx_gate.delivery.installation import WORKER
from traderx_gate.delivery.service_rollout import apply
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import GateError
from traderx_gate.operations import promotion, rollback
from traderx_gate.operations.impact import Impact, Orders
from traderx_gate.operations.promotion import Phase, Promoter, Promotion
from traderx_gate.policies import load_policy
from traderx_gate.runs import Run
from traderx_gate.verdict import (
    ClaimResult,
    Cluster,
    Decision,
    Evidence,
    EvidenceState,
    Observation,
    Outcome,
    PodIdentity,
    Subject,
    UnitRevision,
    Verdict,
    evaluate,
)
from traderx_gate.waiting import Deadline

PROJECT = "h"
ENVIRONMENTS = ("dev", "staging", "prod")
UPSTREAM = {"staging": "dev", "prod": "staging"}
SERVICES = ("reference-data", "people-service")
BAD, BAD_IN_PROD = "bad", "bad-in-prod"
"""Versions with which an environment is not well: any, and prod alone."""
PODS = {"one": PodIdentity(uid="u1", containers={"one": "sha256:1"}, restarts={"one": 0})}
NO_TIME = 0.0
"""A worker that is there has applied before the request for it is answered: one look is enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value of a service that a delivery carries on: its version, or its replicas."""

    service: str
    field: str
    value: str


def small() -> Application:
    """Return TraderX cut down to two services that need nobody."""
    whole = application.load()
    services = tuple(
        dataclasses.replace(
            whole.service(slug),
            units=(f"{slug}-deployment",),
            depends_on=(),
            calls=(),
            restart_after=(),
        )
        for slug in SERVICES
    )
    environments = tuple(dataclasses.replace(s, soak=Soak()) for s in whole.environments)
    return dataclasses.replace(whole, services=services, environments=environments, final_units=())


APPLICATION = small()
UNITS = ("namespace", *(unit for s in APPLICATION.services for unit in s.units))


def data_of(slug: str) -> bytes:
    """Return a unit's data as it is at first."""
    if slug == "namespace":
        return b"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: h\n"
    name = slug.removesuffix("-deployment")
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  namespace: h\n"
        f"spec:\n  replicas: 1\n  template:\n    spec:\n      containers:\n"
        f"        - name: {name}\n          image: traderx/{name}:v1\n"
    ).encode()


@functools.cache
def values_of(data: bytes) -> frozenset[Value]:
    """Return the values that a unit's data holds; none of the namespace."""
    body = yaml.safe_load(data)
    if body["kind"] != "Deployment":
        return frozenset()
    name, spec = body["metadata"]["name"], body["spec"]
    version = spec["template"]["spec"]["containers"][0]["image"].rpartition(":")[2]
    return frozenset(
        {
            Value(service=name, field="version", value=version),
            Value(service=name, field="replicas", value=str(spec["replicas"])),
        }
    )


def with_value(data: bytes, value: Value) -> bytes:
    """Return a unit's data with one value replaced."""
    (old,) = (v.value for v in values_of(data) if v.field == value.field)
    if value.field == "version":
        return data.replace(f":{old}\n".encode(), f":{value.value}\n".encode())
    return data.replace(f"replicas: {old}\n".encode(), f"replicas: {value.value}\n".encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How something that a user did has ended.

    Attributes:
        error: What it was refused or failed with; None where it went well, or was killed.
        killed: Whether the process was killed.
        rolled_back: Whether it was a promotion that rolled its target back.
    """

    error: GateError | None = None
    killed: bool = False
    rolled_back: bool = False

    @property
    def well(self) -> bool:
        """Whether it did what was asked for."""
        return self.error is None and not self.killed


class Deployed(DeployedEnvironment):
    """An environment whose cluster is in this process."""

    def provenance(self) -> str:
        """Return what evidence of it is worth."""
        return "stand-ins"


class Place:
    """The three environments, and everything that is known of them from outside.

    Attributes:
        proven: Data of each unit in every state that passed, by environment, the newest last.
        allowed: Values that there is proof or break-glass for, by environment.
        wrong: What was applied without either.
        before: The heads' data before a promotion that did not end, by environment.
        backups: Backup files of promotions, by environment.
        own: Service and field of each value that was changed there by hand, by environment.
    """

    def __init__(self, folder: Path) -> None:
        self.reports = folder / "reports"
        self.proven: dict[str, list[dict[str, bytes]]] = {name: [] for name in ENVIRONMENTS}
        self.allowed: dict[str, set[Value]] = {name: set() for name in ENVIRONMENTS}
        self.wrong: list[str] = []
        self.before: dict[str, dict[str, bytes]] = {}
        self.backups: dict[str, Path] = {}
        self.own: dict[str, set[tuple[str, str]]] = {name: set() for name in ENVIRONMENTS}
        self.hub = Hub(self._applied)
        self.owners: dict[str, str] = {}
        self._numbers = itertools.count()
        self._observer = self.hub.client()
        self._spaces: dict[str, Space] = {}
        self._install()

    def close(self) -> None:
        """Forget everything."""
        self.hub.close()

    def _applied(self, unit_id: str, data: bytes) -> None:
        name = self.owners[unit_id]
        without = values_of(data) - self.allowed[name]
        self.wrong += [f"{name}: {value}" for value in sorted(without, key=str)]

    def _install(self) -> None:
        hub = self.hub.client()
        upstream: dict[str, Unit] = {}
        for name in ENVIRONMENTS:
            space = hub.space_create(f"{PROJECT}-{name}", labels={"environment": name})
            self._spaces[name] = space
            self.hub.connect(hub.worker_create(space, WORKER))
            (target,) = hub.target_list(space)
            made = {
                slug: hub.unit_clone(upstream[slug], space, labels={})
                if upstream
                else hub.unit_create(space, slug, data_of(slug), labels={})
                for slug in UNITS
            }
            for slug, unit in made.items():
                hub.unit_set_target(unit, target)
                self.owners[unit.id] = name
                self.allowed[name] |= values_of(data_of(slug))
            for unit in self.units(name).values():
                hub.unit_apply(unit)
            if APPLICATION.environment(name).needs_approval:
                approval.install(hub, space)
            upstream = made
        for name in ENVIRONMENTS:
            self.validate(name)

    # What is seen from outside

    def connect(self, name: str) -> DeployedEnvironment:
        """Return an environment as a new process sees it."""
        return Deployed(
            project=PROJECT,
            spec=APPLICATION.environment(name),
            application=APPLICATION,
            kube=None,  # type: ignore[arg-type]  # nothing here asks it: the cluster is bytes
            confighub=self.hub.client(),
        )

    def worker(self, name: str) -> Worker:
        """Return an environment's worker."""
        (found,) = self._observer.worker_list(self._spaces[name])
        return found

    def units(self, name: str) -> dict[str, Unit]:
        """Return an environment's units, by slug."""
        return {unit.slug: unit for unit in self._observer.unit_list(self._spaces[name])}

    def data(self, name: str) -> dict[str, bytes]:
        """Return the data of the heads of an environment, by slug."""
        return {slug: unit.data for slug, unit in self.units(name).items()}

    def live(self, name: str) -> dict[str, bytes]:
        """Return the bytes of what is in the cluster, by slug."""
        return {slug: self.hub.live.get(unit.id, b"") for slug, unit in self.units(name).items()}

    def under_way(self, name: str) -> dict[str, bytes]:
        """Return what the units of a promotion that has not ended were before it; none for none."""
        record = under_way.find(self._observer, self._spaces[name])
        return {slug: self.before[name][slug] for slug in record.before} if record else {}

    def is_under_way(self, name: str) -> bool:
        """Whether ConfigHub says that a promotion has not ended."""
        return bool(self.under_way(name))

    # What a user does

    def ended(self, work: Callable[[], object], fault: Fault | None) -> Ended:
        """Do something in a process of which one request meets a fault."""
        self.hub.arm(fault)
        try:
            done = work()
        except Killed:
            return Ended(killed=True)
        except GateError as error:
            return Ended(error=error)
        finally:
            self.hub.arm(None)
        return Ended(rolled_back=isinstance(done, Promotion) and done.phase is Phase.ROLLED_BACK)

    def edit(self, value: Value, name: str) -> None:
        """Change a value of a service by hand."""
        self.own[name].add((value.service, value.field))
        unit = self.units(name)[f"{value.service}-deployment"]
        data = with_value(unit.data, value)
        if data != unit.data:
            self.hub.client().unit_update(unit, data, change="by hand")

    def deploy(self, name: str, *, unverified: bool = False) -> None:
        """Deploy an environment, without proof if need be."""
        deployed = self.connect(name)
        unfinished.require_none(deployed)
        units = deployed.units()
        heads = {slug: unit.head_revision for slug, unit in units.items()}
        if unverified:
            for unit in units.values():
                self.allowed[name] |= values_of(unit.data)
            break_glass.record(deployed.confighub, deployed.space, _used())
            approval.approve(deployed, pinned=heads)
        elif name == "dev":
            for unit in units.values():
                self.allowed[name] |= values_of(unit.data)
        self._deploying(name)(heads)

    def validate(self, name: str) -> Decision:
        """Gather evidence of an environment, and decide; a PASS is remembered."""
        deployed = self.connect(name)
        units, live = deployed.units(), self.live(name)
        ills = [
            Observation(
                subject=slug,
                expected=f"revision {unit.head_revision}",
                seen=f"revision {unit.live_revision}",
                met=False,
            )
            for slug, unit in units.items()
            if unit.is_pending() or live[slug] != unit.data or _is_ill(live[slug], name)
        ]
        started = dt.datetime.now(dt.UTC)
        run = runs.create(self.reports, f"{next(self._numbers):08}-validate-{name}-0000")
        decision = self._decided(run, deployed, ills, started)
        if decision.verdict is Verdict.PASS:
            # known before the next request, at which the process may be killed: there is evidence
            self.proven[name].append({slug: unit.data for slug, unit in units.items()})
            for after, before in UPSTREAM.items():
                if before == name:
                    self.allowed[after] |= set().union(*map(values_of, live.values()))
            break_glass.forget(deployed.confighub, deployed.space)
        return decision

    def _decided(
        self, run: Run, deployed: DeployedEnvironment, ills: list[Observation], at: dt.datetime
    ) -> Decision:
        policy = load_policy(deployed.spec.policy, APPLICATION.slugs)
        units = deployed.revisions()
        met = Observation(subject="all", expected="well", seen="well", met=True)
        outcome = Outcome.FAILED if ills else Outcome.PASSED
        results = tuple(
            ClaimResult(
                key=str(key),
                outcome=outcome,
                at=at,
                duration_s=0.0,
                samples=max(claim.min_samples, 1),
                observations=tuple(ills) or (met,),
            )
            for key, claim in policy.required.items()
        )
        evidence = _evidence(run, deployed, units, at)
        evidence = dataclasses.replace(
            evidence,
            policy=policy.name,
            policy_sha256=policy.sha256,
            required=tuple(sorted(map(str, policy.required))),
            results=results,
        )
        run.write_evidence(evidence)
        subject = Subject(environment=deployed.identity, at=dt.datetime.now(dt.UTC))
        decision = evaluate(policy, evidence, subject)
        run.write_decision(decision)
        return decision

    def promote(
        self, source: str, target: str, *, only: str = "", going_on: bool = False
    ) -> Promotion:
        """Promote, or go on with a promotion that did not end."""
        promoter = self._promoter(source, target)
        record = under_way.find(promoter.target.confighub, promoter.target.space)
        found = promoter.preflight(
            only=[only] if only else (), going_on=record if going_on else None
        )
        if not going_on:
            self.before[target] = {slug: u.data for slug, u in found.target_units.items()}
        run = runs.create(self.reports, f"{next(self._numbers):08}-promote-{target}-0000")
        self.backups[target] = run.path / promotion.BACKUP
        return promoter.carry_out(found, run, going_on=record if going_on else None)

    def resume(self, target: str) -> Promotion:
        """Go on with a promotion that did not end."""
        services = self._concerned(target)
        return self.promote(UPSTREAM[target], target, only=services, going_on=True)

    def _concerned(self, target: str) -> str:
        record = under_way.find(self._observer, self._spaces[target])
        if record is None or record.before.keys() >= self.units(target).keys():
            return ""
        (service,) = {owner.slug for u in record.before if (owner := APPLICATION.owner(u))}
        return service

    def abort(self, target: str) -> None:
        """Go back to before a promotion that did not end."""
        deployed = self.connect(target)
        record = under_way.find(deployed.confighub, deployed.space)
        assert record is not None
        promotion.abort(deployed, record, say=_unheard, deploy=self._deploying(target))

    def rollback(self, name: str, service: str = "", why: str = "by hand") -> Decision:
        """Roll an environment, or one service of it, back."""
        deployed = self.connect(name)
        one = APPLICATION.service(service) if service else None
        goal = rollback.choose(deployed, reports=self.reports, service=one, to=None, used=None)
        done = rollback.carry_out(
            deployed,
            goal,
            service=one,
            reason=why,
            used=None,
            say=_unheard,
            measure=_unmeasured,
            deploy=self._deploying(name),
            validate=lambda: self.validate(name),
        )
        return done.decision

    def restore_backup(self, name: str) -> None:
        """Restore the backup of the last promotion to an environment."""
        path = self.backups[name]
        kept = backup.Backup.parse(path.read_bytes(), source=path.name)
        backup.restore(self.hub.client(), self._spaces[name], kept)

    def _promoter(self, source: str, target: str) -> Promoter:
        return Promoter(
            source=self.connect(source),
            target=self.connect(target),
            reports=self.reports,
            policy=None,
            used=None,
            say=_unheard,
            check=lambda: None,
            deploy=self._deploying(target),
            validate=lambda: self.validate(target),
            roll_back=lambda why: self.rollback(target, why=why),
            soak=Soak(),
        )

    def _deploying(self, name: str) -> Deploy:
        deployed = self.connect(name)

        def deploy(pinned: Mapping[str, int]) -> None:
            units = deployed.units()
            approval.require_open(deployed, [units[slug] for slug in sorted(pinned)])
            for slug in UNITS:
                if slug in pinned:
                    apply(deployed, units[slug], Deadline(NO_TIME), revision=pinned[slug])

        return deploy


def _is_ill(data: bytes, name: str) -> bool:
    versions = {value.value for value in values_of(data) if value.field == "version"}
    return BAD in versions or (name == "prod" and BAD_IN_PROD in versions)


def _evidence(
    run: Run, deployed: DeployedEnvironment, units: Mapping[str, UnitRevision], at: dt.datetime
) -> Evidence:
    return Evidence(
        run=run.name,
        kind="validate",
        state=EvidenceState.CLOSED,
        environment=deployed.identity,
        cluster=Cluster(kind="in process", context="h", version="v1"),
        provenance="stand-ins",
        units_before=units,
        units_after=units,
        pods_before=PODS,
        pods_after=PODS,
        seed=1,
        policy="",
        policy_sha256="",
        tool_version="0",
        started_at=at,
        ended_at=at,
        required=(),
        results=(),
        timeline=(),
        exit_status=0,
    )


def _used() -> BreakGlass:
    return BreakGlass(command="deploy", reason="a history", by="h", at=dt.datetime.now(dt.UTC))


def _unheard(_text: str) -> None:
    """Take what is said to nobody."""


def _unmeasured() -> Impact:
    return Impact(
        at=dt.datetime.now(dt.UTC), answers=(), orders=Orders(sent=0, accepted=0, settled=0)
    )
