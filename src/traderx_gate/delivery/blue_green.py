"""Blue-green: another version of a service beside the old one, and back to one, without a gap.

Where a run stands is read from the units alone, so that a killed one is finished, or taken back,
by whoever comes next:

==========  ================  =====================  =======================
green       Service leads to  blue's unit            what is next
==========  ================  =====================  =======================
not there   blue              old image              nothing was begun
there       blue              old image              prove green, switch
there       green             old image              watch, roll blue out
there       green             new image              roll blue out, return
there       blue              new image              watch, remove green
not there   blue              new image              nothing: done
==========  ================  =====================  =======================
"""

from collections.abc import Callable
from dataclasses import dataclass

from traderx_gate import interruption, traderx
from traderx_gate.application import Service
from traderx_gate.delivery import colours, green
from traderx_gate.delivery.colours import Change
from traderx_gate.delivery.health_stream import EVERY_S, HealthStream
from traderx_gate.delivery.service_rollout import apply, await_replicas, nothing
from traderx_gate.delivery.traffic import lead, watch
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import DeliveryError, GateError
from traderx_gate.waiting import Deadline, polling
from traderx_gate.workloads import described

WATCH_S = 15.0
"""How long green carries the traffic before blue is touched, unless somebody says otherwise."""
DRAIN_S = 5.0
"""How long pods go on serving after the traffic was led away from them, at the least: until every
node's data path has followed the EndpointSlices, and what had begun has ended."""

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlueGreen:
    """One service's change to another version; every step may be done again.

    Attributes:
        report: Told, in words, of each step that is done.
        timeout_s: For each rollout, and for each change of traffic.
        watch_s: How long green carries the traffic before blue is touched.
    """

    deployed: DeployedEnvironment
    change: Change
    report: Report
    timeout_s: float
    watch_s: float = WATCH_S

    def carry_out(self) -> None:
        """Do everything that is left to do; at any deviation all is taken back.

        Raises:
            DeliveryError: There was a deviation, or green cannot be removed; says what is left.
        """
        try:
            self._carry_out()
        except (GateError, KeyboardInterrupt) as error:
            interruption.answer()
            why = _words(error)
            self.report(f"{self._slug}: taking it back: {why}")
            self._take_back_after(why)
        except BaseException:  # a defect of ours: its traceback is what helps
            self.take_back()
            raise
        try:
            self._remove_green()
        except (GateError, KeyboardInterrupt) as error:  # by now blue is proven: it stays
            interruption.answer()
            raise DeliveryError(
                f"{_words(error)}\n{self._slug} is at {self.change.version}, but green is not "
                f"gone: {self._command} removes it"
            ) from error

    def _take_back_after(self, why: str) -> None:
        try:
            self.take_back()
        except (GateError, KeyboardInterrupt) as error:
            interruption.answer()
            raise DeliveryError(
                f"{why}\nIt could not be taken back: {_words(error)}\n{self._slug} is between "
                f"versions: {self._command} finishes it, with --abort it is taken back"
            ) from error
        raise DeliveryError(f"{why}\n{self._slug} is at {self.change.old_version}, as it was")

    def _carry_out(self) -> None:
        change, deployed = self.change, self.deployed
        service = change.service
        is_new = self._image() == change.after
        if not is_new:
            green.make(deployed, change)
            green.prove(deployed, change, self._deadline())
            self.report(f"{change.green.slug}: {change.version} is ready, and answers")
        with HealthStream(deployed.ask(service), service) as stream:
            if not is_new:
                self._lead(change.green, stream)
                answers = watch(deployed, change.green, self.watch_s, stream)
                self.report(
                    f"{self._slug}: green carried the traffic for {self.watch_s:g} s, "
                    f"{answers} of {answers} answers right"
                )
            self._roll_out(change.after, stream)
            green.require_version(deployed, change, service)
            self.report(f"{self._slug}: {change.version} is ready, and answers")
            self._lead(service, stream)
            watch(deployed, service, DRAIN_S, stream)
            self.report(
                f"{self._slug}: {stream.answers - stream.wrong} of {stream.answers} answers right"
            )

    def _remove_green(self) -> None:
        if green.remove(self.deployed, self.change):
            self.report(f"{self.change.green.slug}: removed")

    def take_back(self) -> None:
        """Have everything as it was: the traffic with blue, at its old version, and no green.

        Blue is rolled back while green carries the traffic, where green can.

        Raises:
            NotReachedError, DeliveryError: It could not be done; whoever tries again goes on.
        """
        change, deployed = self.change, self.deployed
        service = change.service
        led = False
        unit, _ = described(deployed, service, "Deployment")
        if self._image() != change.before or unit.is_pending():
            led = self._lead(change.green if self._is_green_right() else service)
            self._roll_out(change.before)
            self.report(f"{self._slug}: {change.old_version} is ready again")
        led = self._lead(service) or led
        if led:  # green goes on serving until everybody has heard of it
            self._drain()
        self._remove_green()

    def _drain(self) -> None:
        """Leave green alone until everybody has heard that the traffic goes to blue."""
        service = self.change.service
        ask = self.deployed.ask(service)
        answers = list(
            polling(
                lambda: traderx.identify(ask, service),
                every_s=EVERY_S,
                deadline=Deadline(DRAIN_S),
            )
        )
        right = sum(answer.matches for answer in answers)
        self.report(f"{self._slug}: since then {right} of {len(answers)} answers right")

    def _is_green_right(self) -> bool:
        units = self.deployed.units()
        if any(slug not in units for slug in self.change.green.units):
            return False
        return traderx.identify(self.deployed.ask(self.change.green), self.change.green).matches

    def _lead(self, to: Service, stream: HealthStream | None = None) -> bool:
        interruption.check()
        changed = lead(
            self.deployed,
            self.change.service,
            to,
            self._deadline(),
            approves=self.change.approves,
            stream=stream,
        )
        if changed:
            self.report(f"{self._slug}: the traffic is led to {to.slug}")
        return changed

    def _roll_out(self, image: str, stream: HealthStream | None = None) -> None:
        """Give blue an image, unless it has it, and wait until all of its pods do."""
        interruption.check()
        service, deadline = self.change.service, self._deadline()
        unit, manifest = described(self.deployed, service, "Deployment")
        source = f"unit {unit.slug}"
        data = colours.with_image(service, manifest, unit.data, image, source=source)
        if data != unit.data:
            change = f"blue-green: image {image}"
            unit = self.deployed.confighub.unit_update(unit, data, change=change)
        deviation, wake = (stream.deviation, stream.wake) if stream else (nothing, None)
        if unit.is_pending():
            apply(
                self.deployed,
                unit,
                deadline,
                service,
                deviation=deviation,
                approves=self.change.approves,
            )
        await_replicas(self.deployed, service, deadline, deviation=deviation, wake=wake)

    def _image(self) -> str:
        unit, manifest = described(self.deployed, self.change.service, "Deployment")
        return colours.image_of(self.change.service, manifest, source=f"unit {unit.slug}")

    def _deadline(self) -> Deadline:
        return Deadline(self.timeout_s)

    @property
    def _slug(self) -> str:
        return self.change.service.slug

    @property
    def _command(self) -> str:
        environment = self.deployed.spec.name
        return f"`traderx-gate blue-green {self._slug} {self.change.version} {environment}`"


def _words(error: BaseException) -> str:
    return str(error) or "interrupted"
