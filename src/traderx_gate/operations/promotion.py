"""Promotion as an operation: proof, plan, backup, upgrade, approval, apply, proof again.

Whatever was checked is checked again, against the same revisions, before the first write and before
the first apply. Until then everything is taken back at the first doubt. From then on the target's
space says that a promotion is under way until it has ended: `resume` goes on, `abort` goes back.
"""

import enum
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from traderx_gate import runs
from traderx_gate.application.catalogue import Soak
from traderx_gate.confighub import Unit
from traderx_gate.delivery import (
    approval,
    blue_green_preflight,
    break_glass,
    promotion,
    under_way,
    unfinished,
)
from traderx_gate.delivery.backup import Backup
from traderx_gate.delivery.break_glass import BreakGlass
from traderx_gate.delivery.deployment import Deploy
from traderx_gate.delivery.promotion import Plan
from traderx_gate.delivery.under_way import UnderWay
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import DeliveryError, EvidenceError, GateError, RefusedError
from traderx_gate.operations import health, promotion_gate
from traderx_gate.runs import Run
from traderx_gate.verdict import Decision, PromotionDecision, Verdict
from traderx_gate.waiting import FOREVER, polling

KIND = "promote"
BACKUP = "backup.json"
Say = Callable[[str], None]
Validate = Callable[[], Decision]
RollBack = Callable[[str], Decision]
"""Rolls the target back, for a reason, and decides about what is live then; raises where it cannot.
"""


class RefutedError(GateError):
    """The evidence says that the source is bad: exit code 1, nothing was changed."""


class Phase(enum.Enum):
    """How far a promotion came."""

    CHECKED = "checked"
    UPGRADED = "upgraded"
    APPLIED = "applied"
    VALIDATED = "validated"
    ROLLED_BACK = "rolled back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """Everything that was found out before the first write, and holds the rest to it.

    Attributes:
        decision: About the source. With break-glass it may be anything.
        source_units: The source's units as they were checked.
        target_units: The target's.
    """

    plan: Plan
    decision: PromotionDecision
    source_units: Mapping[str, Unit]
    target_units: Mapping[str, Unit]

    def lines(self) -> list[str]:
        """Return what would change, and what would not because it is the target's own."""
        found = []
        for slug, step in self.plan.steps.items():
            if step.is_due:
                kept = {change.path for change in step.conflicts}
                found += [f"{slug}: {c}" for c in step.changes if c.path not in kept]
                if not step.changes:
                    found.append(f"{slug}: a revision without a difference")
            found += [
                f"{slug}: conflict at {change.path}: stays {change.old}, {self.plan.source} has "
                f"{change.new}"
                for change in step.conflicts
            ]
        return found or ["nothing differs: the heads are what they would become"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """A promotion that came to an end.

    Attributes:
        heads: Each unit's head in the target, by slug.
        verdict: About the target as the promotion left it.
        validated: The run that gathered the evidence for it.
        soak: Looks at its health that found something, in words; None where there was no soak.
    """

    run: str
    preflight: Preflight
    phase: Phase
    heads: Mapping[str, int]
    verdict: Verdict
    validated: str
    soak: tuple[str, ...] | None

    def to_json(self) -> dict[str, Any]:
        """Return `promotion.json`."""
        plan = self.preflight.plan
        return {
            "schema": "traderx-gate/promotion",
            "version": 1,
            "run": self.run,
            "source": plan.source,
            "target": plan.target,
            "evidence": dict(self.preflight.decision.runs),
            "proof": self.preflight.decision.verdict.value,
            "phase": self.phase.value,
            "units": {
                slug: {
                    "source_revision": step.wanted,
                    "from": step.unit.head_revision,
                    "to": self.heads.get(slug, step.unit.head_revision),
                    "changes": [str(change) for change in step.changes],
                    "conflicts": [str(change) for change in step.conflicts],
                }
                for slug, step in plan.steps.items()
            },
            "verdict": self.verdict.value,
            "validated": self.validated,
            "soak": None if self.soak is None else list(self.soak),
        }


@dataclass(frozen=True, kw_only=True)
class Promoter:
    """Carries promotions from one environment to the next.

    Attributes:
        used: Break-glass: promote without proof.
        check: Raises where the target could not be deployed to.
        deploy: Makes the target's upgraded units live.
        validate: Gathers evidence of the target and decides.
        roll_back: Takes a target that failed back to what was verified.
    """

    source: DeployedEnvironment
    target: DeployedEnvironment
    reports: Path
    policy: str | None
    used: BreakGlass | None
    say: Say
    check: Callable[[], object]
    deploy: Deploy
    validate: Validate
    roll_back: RollBack
    soak: Soak

    def preflight(
        self, *, only: Collection[str] = (), going_on: UnderWay | None = None
    ) -> Preflight:
        """Find out everything there is to know; changes nothing.

        Raises:
            EvidenceError: There is no proof that the source is good.
            RefutedError: There is proof that it is not.
            RefusedError: A unit cannot be promoted as it is, or a promotion is under way.
        """
        if going_on is None:
            unfinished.require_none(self.target)
        blue_green_preflight.require_none(self.source)
        self.check()
        decision = self._decide()
        self._require_proof(decision)
        plan = promotion.plan(self.source, self.target, only=only, under_way=going_on)
        if going_on is not None:
            for slug, wanted in going_on.wanted.items():
                if slug in plan.steps and plan.steps[slug].wanted != wanted:
                    raise RefusedError(
                        f"unit {slug} of {plan.source} has revision {plan.steps[slug].wanted} by "
                        f"now; {going_on.run} began with {wanted}; `traderx-gate abort "
                        f"{plan.target}`, and promote anew"
                    )
        return Preflight(
            plan=plan,
            decision=decision,
            source_units=self.source.units(),
            target_units=self.target.units(),
        )

    def carry_out(self, found: Preflight, run: Run, *, going_on: UnderWay | None) -> Promotion:
        """Promote what the preflight found, and nothing else.

        Raises:
            DeliveryError: It did not get there. Before the first apply everything is as it was;
                one that is gone on with stays under way.
        """
        plan, hub, space = found.plan, self.target.confighub, self.target.space
        backup = Backup.of(plan.target, space, found.target_units)
        runs.write_atomically(run.path / BACKUP, json.dumps(backup.to_json(), indent=1).encode())
        self._check_again(found, {})
        record = going_on or plan.under_way(run.name)
        record.write(hub, space)
        try:
            if self.used is not None:
                break_glass.record(hub, space, self.used)
            why = f"promotion of {plan.source}, {record.run}"
            heads = promotion.upgrade(self.target, plan, why=why)
            self.say(f"{plan.target}: {len(heads)} units upgraded from {plan.source}")
            self._check_again(found, heads)
            approval.approve(self.target, pinned=heads)
            promotion.require_unchanged(
                {s: u for s, u in found.source_units.items() if s in heads},
                self.source.units(),
                plan.source,
            )
        except BaseException as error:  # Ctrl-C too: nothing may be left half upgraded
            if going_on is None:
                self._take_back(record, error)
            elif isinstance(error, GateError):  # units may be live already: heads alone are no way
                raise DeliveryError(f"{error}\n{self._ways()}") from error
            raise
        self.say(f"{plan.target}: approved by the evidence of {plan.source}")
        try:
            self.deploy(heads)
        except GateError as error:
            self._failed_to_apply(error)
        return self._judge(found, run, heads)

    def _decide(self) -> PromotionDecision:
        return promotion_gate.decide(
            self.source,
            reports=self.reports,
            target_provenance=self.target.provenance(),
            policy=self.policy,
        )

    def _require_proof(self, decision: PromotionDecision) -> None:
        if decision.verdict is Verdict.PASS or self.used is not None:
            return
        name = self.source.spec.name
        if decision.verdict is Verdict.FAIL:
            raise RefutedError(f"{name} is not promoted: {decision.summary()}")
        first = decision.reasons[0]
        seen = f"; seen: {first.seen}" if first.seen else ""
        raise EvidenceError(
            f"{name} is not promoted: {decision.summary()}{seen}; `traderx-gate validate {name}`, "
            f"then `traderx-gate gate {name}`"
        )

    def _check_again(self, found: Preflight, heads: Mapping[str, int]) -> None:
        """Make sure that what was proven is what would be promoted, and where to."""
        plan = found.plan
        promotion.require_unchanged(found.source_units, self.source.units(), plan.source)
        decision = self._decide()
        if self.used is None and decision.verdict is not Verdict.PASS:
            raise DeliveryError(f"{plan.source} is not proven any more: {decision.summary()}")
        now = self.target.units()
        for slug, unit in found.target_units.items():
            expected = heads.get(slug, unit.head_revision)
            if slug not in now or now[slug].head_revision != expected:
                has = now[slug].head_revision if slug in now else "none"
                raise DeliveryError(
                    f"unit {slug} of {plan.target} was changed meanwhile: revision {expected} was "
                    f"expected, its head is {has}"
                )

    def _take_back(self, record: UnderWay, error: BaseException) -> None:
        name = self.target.spec.name
        try:
            promotion.take_back(self.target, record.before, why=f"{record.run} was not carried out")
            under_way.clear(self.target.confighub, self.target.space)
        except GateError as worse:
            raise DeliveryError(
                f"{error}; and the heads of {name} could not be taken back: {worse}; nothing was "
                f"applied; try `traderx-gate abort {name}`"
            ) from worse
        if isinstance(error, GateError):
            raise DeliveryError(
                f"{error}; the heads of {name} are again what they were, nothing was applied; "
                f"promote again, or make them live: `traderx-gate rollback {name}`"
            ) from error

    def _failed_to_apply(self, error: GateError) -> NoReturn:
        """Say what a promotion that could not be applied leaves; raises in any case."""
        name = self.target.spec.name
        if not self.target.spec.confirmed:
            raise DeliveryError(f"{error}\n{self._ways()}") from error
        self.say(f"{name}: {error}")
        try:
            decision = self.roll_back(
                f"the promotion of {self.source.spec.name} could not be applied"
            )
        except GateError as worse:
            raise DeliveryError(
                f"{error}\n{name} is not rolled back: {worse}\n{self._ways()}"
            ) from error
        raise DeliveryError(f"{error}\n{name} was rolled back: {decision.summary()}") from error

    def _ways(self) -> str:
        """Return what can be done with a promotion that has not ended."""
        name = self.target.spec.name
        return f"go on with `traderx-gate resume {name}`, or back with `traderx-gate abort {name}`"

    def _judge(self, found: Preflight, run: Run, heads: Mapping[str, int]) -> Promotion:
        decision = self.validate()
        verdict, phase = decision.verdict, Phase.VALIDATED
        ills: tuple[str, ...] | None = None
        if verdict is Verdict.PASS and self.soak.checks:
            ills = self._soak()
            verdict = Verdict.FAIL if ills else verdict
        name = self.target.spec.name
        if verdict is Verdict.FAIL and self.target.spec.confirmed:
            why = ills[0] if ills else decision.summary()
            try:
                self.roll_back(f"after the promotion of {self.source.spec.name}: {why}")
                phase = Phase.ROLLED_BACK
                under_way.clear(self.target.confighub, self.target.space)
            except GateError as error:  # it stays under way: nothing else begins before it is back
                self.say(f"{name}: not rolled back: {error}")
        else:
            under_way.clear(self.target.confighub, self.target.space)
        if verdict is not Verdict.PASS and phase is not Phase.ROLLED_BACK:
            self.say(f"{name}: promoted, and not proven: `traderx-gate rollback {name}` goes back")
        return Promotion(
            run=run.name,
            preflight=found,
            phase=phase,
            heads=heads,
            verdict=verdict,
            validated=decision.run,
            soak=ills,
        )

    def _soak(self) -> tuple[str, ...]:
        """Look at the health of every service so many times; the first ill look ends it."""
        name, checks = self.target.spec.name, self.soak.checks
        looks = polling(self._ills, every_s=self.soak.every_s, deadline=FOREVER)
        for number, ills in enumerate(looks, start=1):
            told = "; ".join(ills) or "all services healthy"
            self.say(f"{name}: soak {number} of {checks}: {told}")
            if ills or number >= checks:
                return ills
        return ("the soak did not end",)  # polling without a deadline ends only with us

    def _ills(self) -> tuple[str, ...]:
        try:
            return tuple(
                f"{line.service} {line.name}: {line.seen}"
                for service in self.target.application.services
                for line in health.lines(self.target, service)
                if not line.healthy
            )
        except GateError as error:
            return (str(error),)


def abort(target: DeployedEnvironment, record: UnderWay, *, say: Say, deploy: Deploy) -> None:
    """Bring an environment back to before a promotion that did not end.

    Heads that have never been live are put back, and not applied; the others are applied.

    Raises:
        DeliveryError: A head or a service did not get there.
    """
    hub, name = target.confighub, target.spec.name
    heads = promotion.take_back(target, record.before, why=f"abort of {record.run}")
    say(f"{name}: {len(heads)} units are what they were before {record.run}")
    units = target.units()
    live = {slug: heads[slug] for slug in heads if units[slug].live_revision}
    touched = {slug: head for slug, head in live.items() if units[slug].live_revision != head}
    if touched:
        approval.approve(target, pinned=touched)
        deploy(touched)
    under_way.clear(hub, target.space)
