"""Random histories of deliveries: whatever is done, whatever fails and whoever is killed meanwhile.

`TRADERX_HISTORIES` says how many; `make campaign` asks for more. The same histories every time,
unless `TRADERX_HISTORIES_SEED` says otherwise.
"""

import dataclasses
import functools
import itertools
import os
import shutil
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.histories.hub import NOT_CARRIED, Fault
from tests.histories.place import (
    BAD,
    BAD_IN_PROD,
    ENVIRONMENTS,
    SERVICES,
    UPSTREAM,
    Ended,
    Place,
    Value,
    values_of,
)
from traderx_gate.errors import RefusedError

HISTORIES = int(os.environ.get("TRADERX_HISTORIES", "500"))
SEED = int(os.environ.get("TRADERX_HISTORIES_SEED", "1"))
AT_A_TIME = 25
STEPS = 8
MOST_REQUESTS = 70
"""A promotion makes about fifty, and a rollback thirty."""
MOST_WRITES = 12
"""So many of them change something, at the most."""

NAMES = st.sampled_from(ENVIRONMENTS)
TARGETS = st.sampled_from(sorted(UPSTREAM))
ONE_OR_ALL = st.sampled_from(["", *SERVICES])
NEW = "new"
"""A version that there never was."""
VALUES = st.builds(
    Value,
    service=st.sampled_from(SERVICES),
    field=st.just("version"),
    value=st.sampled_from([NEW, NEW, NEW, "v1", BAD, BAD_IN_PROD]),
) | st.builds(
    Value, service=st.sampled_from(SERVICES), field=st.just("replicas"), value=st.sampled_from("23")
)
KINDS = st.sampled_from(["killed before", "killed after", "lost", "doubled", *NOT_CARRIED])
FAULTS = st.builds(
    Fault, kind=KINDS, at=st.integers(0, MOST_WRITES), writes=st.just(value=True)
) | st.builds(Fault, kind=KINDS, at=st.integers(0, MOST_REQUESTS), writes=st.just(value=False))


class Histories(RuleBasedStateMachine):
    """What users do with dev, staging and prod, in any order, and what has to hold after it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="traderx-history-"))
        self.place = Place(self.folder)
        self.numbers = itertools.count(2)

    def changed(self, value: Value) -> Value:
        """Return a value, made a new one where it is to be one."""
        if value.value != NEW:
            return value
        return dataclasses.replace(value, value=f"v{next(self.numbers)}")

    @rule(name=NAMES, value=VALUES)
    def edit(self, name: str, value: Value) -> None:
        """Somebody changes a unit, and leaves it at that."""
        self.place.edit(self.changed(value), name)

    @rule(name=NAMES, value=VALUES)
    def change(self, name: str, value: Value) -> None:
        """Somebody changes a unit, deploys it, and gathers evidence."""
        self.place.edit(self.changed(value), name)
        self.deploy(name, unverified=True, fault=None)
        self.place.validate(name)

    @rule(value=VALUES, into=TARGETS, fault=FAULTS)
    def carry(self, value: Value, into: str, fault: Fault) -> None:
        """A change of dev is to be carried on, as far as it goes."""
        self.change("dev", value)
        if into == "prod":
            self.promote("staging", "", None)
        self.promote(into, "", fault)

    @rule(name=NAMES, unverified=st.booleans(), fault=FAULTS)
    def deploy(self, name: str, *, unverified: bool, fault: Fault | None) -> None:
        """Somebody deploys; where a promotion has not ended that is refused."""
        hindered, before = self.place.is_under_way(name), self.place.data(name)
        ended = self.place.ended(
            lambda: self.place.deploy(name, unverified=unverified and name != "dev"), fault
        )
        assert self.place.data(name) == before
        if ended.well:
            assert not hindered
            self.everything_is_live(name)

    @rule(into=TARGETS, only=ONE_OR_ALL, fault=FAULTS)
    def promote(self, into: str, only: str, fault: Fault | None) -> None:
        """Somebody promotes: it arrives whole, or nothing changes, or it is still under way."""
        hindered, before = self.place.is_under_way(into), self.place.data(into)
        ended = self.place.ended(lambda: self.place.promote(UPSTREAM[into], into, only=only), fault)
        if ended.well:
            assert not hindered
        if not self.place.is_under_way(into):
            concerned = [f"{only}-deployment"] if only else sorted(before)
            self.ended_whole(into, before, ended, concerned)

    @precondition(lambda self: any(map(self.place.is_under_way, UPSTREAM)))
    @rule(forward=st.booleans(), fault=FAULTS)
    def end_it(self, *, forward: bool, fault: Fault | None) -> None:
        """Somebody goes on with a promotion that did not end, or back."""
        for target in filter(self.place.is_under_way, UPSTREAM):
            concerned, before = self.place.under_way(target), self.place.data(target)
            work = self.place.resume if forward else self.place.abort
            ended = self.place.ended(functools.partial(work, target), fault)
            if self.place.is_under_way(target):
                continue
            if forward:
                self.ended_whole(target, before, ended, concerned)
            else:
                self.is_taken_back(target, concerned)

    @rule(name=NAMES, service=ONE_OR_ALL, fault=FAULTS)
    def rollback(self, name: str, service: str, fault: Fault | None) -> None:
        """Somebody rolls back: the units concerned are, byte for byte, what was proven here."""
        before, begun = self.place.data(name), set(self.place.under_way(name))
        ended = self.place.ended(lambda: self.place.rollback(name, service), fault)
        if isinstance(ended.error, RefusedError) and fault is None:
            assert self.place.data(name) == before
        if ended.well:
            slugs = [f"{service}-deployment"] if service else sorted(before)
            self.is_proven(name, slugs)
            assert self.place.is_under_way(name) == bool(begun - set(slugs))

    @rule(into=TARGETS)
    @precondition(lambda self: bool(self.place.backups))
    def restore_backup(self, into: str) -> None:
        """Somebody restores the backup of the last promotion."""
        if into in self.place.backups and self.place.backups[into].exists():
            assert self.place.ended(lambda: self.place.restore_backup(into), None).well

    @rule(name=NAMES)
    def worker_goes_or_comes(self, name: str) -> None:
        """The worker of an environment is gone, or there again."""
        worker = self.place.worker(name)
        if worker.id in self.place.hub.down:
            self.place.hub.connect(worker)
        else:
            self.place.hub.down.add(worker.id)

    @invariant()
    def live_revision_is_what_is_live(self) -> None:
        """ConfigHub's live revision of every unit is, byte for byte, what is in the cluster."""
        for name in ENVIRONMENTS:
            for unit in self.place.units(name).values():
                live = self.place.hub.live[unit.id]
                if unit.is_pending():
                    history = self.place.hub.client().revision_list(unit)
                    assert live == next(r.data for r in history if r.number == unit.live_revision)
                else:
                    assert live == unit.data

    @invariant()
    def nothing_is_live_without_proof(self) -> None:
        """Nothing is applied to staging or prod that no evidence, and no break-glass, spoke for."""
        assert self.place.wrong == []

    def ended_whole(
        self, target: str, before: Mapping[str, bytes], ended: Ended, concerned: Collection[str]
    ) -> None:
        """A promotion that has ended arrived with its units, or took itself back."""
        now, live = self.place.data(target), self.place.live(target)
        if not ended.well:
            assert now in [before, *self.place.proven[target]]
            return
        assert {slug: live[slug] for slug in concerned} == {slug: now[slug] for slug in concerned}
        source = self.place.data(UPSTREAM[target])
        for slug in () if ended.rolled_back else concerned:
            arrived = values_of(now[slug])
            for value in values_of(source[slug]):
                own = (value.service, value.field) in self.place.own[target]
                assert own or value in arrived, (target, value, arrived)

    def is_taken_back(self, target: str, before: Mapping[str, bytes]) -> None:
        """The units of a promotion are what they were before it, and live."""
        now, live = self.place.data(target), self.place.live(target)
        assert {slug: now[slug] for slug in before} == before
        assert {slug: live[slug] for slug in before} == before

    def everything_is_live(self, name: str) -> None:
        """Every head of an environment is live."""
        assert self.place.live(name) == self.place.data(name)

    def is_proven(self, name: str, slugs: list[str]) -> None:
        """These units of an environment are live, and as they were in one state that passed."""
        live, data = self.place.live(name), self.place.data(name)
        part = {slug: live[slug] for slug in slugs}
        assert part == {slug: data[slug] for slug in slugs}
        assert part in [{slug: s[slug] for slug in slugs} for s in self.place.proven[name]]

    def teardown(self) -> None:
        """Whatever had happened: every promotion can be taken back, and every environment too."""
        try:
            for name in ENVIRONMENTS:
                self.place.hub.connect(self.place.worker(name))
            for target in filter(self.place.is_under_way, UPSTREAM):
                concerned = self.place.under_way(target)
                self.place.abort(target)
                self.is_taken_back(target, concerned)
            for name in ENVIRONMENTS:
                ended = self.place.ended(functools.partial(self.place.rollback, name), None)
                if ended.well:
                    self.is_proven(name, sorted(self.place.data(name)))
                else:
                    assert isinstance(ended.error, RefusedError), ended.error
            self.nothing_is_live_without_proof()
        finally:
            self.place.close()
            shutil.rmtree(self.folder)


@pytest.mark.timeout(900)  # to shrink what it found takes it minutes
@pytest.mark.parametrize("part", range(HISTORIES // AT_A_TIME))
def test_no_history_ends_in_between(
    part: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is done, and whatever fails meanwhile: heads, live objects and proof agree."""
    monkeypatch.setenv("TRADERX_GATE_KEY", str(tmp_path / "key.pem"))
    machine = type(f"Histories{part}", (Histories,), {})
    run_state_machine_as_test(
        hypothesis.seed(SEED * HISTORIES + part)(machine),
        settings=hypothesis.settings(
            max_examples=AT_A_TIME,
            stateful_step_count=STEPS,
            database=None,
            deadline=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        ),
    )
