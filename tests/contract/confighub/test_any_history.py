from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.contract.confighub import confighub_process
from tests.contract.confighub.confighub_process import (
    ConfigHubProcess,
    base64_of,
    make_space,
    make_unit,
    ok,
    text_of,
    unit_path,
)
from tests.contract.confighub.scripted_worker import connected, make_target, make_worker

SLUGS = (f"m{number}" for number in count())
texts = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2)).map(
    lambda values: "keep: 1\n" + "".join(f"{key}: {values[key]}\n" for key in sorted(values))
)


@dataclass(slots=True, eq=False)
class Model:
    """What is expected of one unit; revision n is `texts[n - 1]`."""

    path: str
    texts: list[str]
    upstream: "Model | None" = None
    upstream_revision: int = 0
    applied: int = 0
    live: int = 0
    previous: int = 0
    restored: dict[int, int] = field(default_factory=dict)

    def write(self, text: str) -> None:
        """Take a text as the head; the same text is no revision."""
        if text != self.texts[-1]:
            self.texts.append(text)

    def expected_merge(self) -> dict[str, Any]:
        """Return what an upgrade is to come to: upstream's changes, ours where they contradict."""
        assert self.upstream is not None
        base, theirs, ours = (
            yaml.safe_load(text)
            for text in (
                self.upstream.texts[self.upstream_revision - 1],
                self.upstream.texts[-1],
                self.texts[-1],
            )
        )
        merged = {}
        for key in base.keys() | theirs.keys() | ours.keys():
            one, its, mine = base.get(key), theirs.get(key), ours.get(key)
            merged[key] = its if mine == one else mine
        return {key: value for key, value in merged.items() if value is not None}


class Histories(RuleBasedStateMachine):
    """Units that are written, cloned, upgraded, restored and applied; a server that is killed."""

    units: Bundle[Model] = Bundle("units")

    def __init__(self, server: ConfigHubProcess) -> None:
        super().__init__()
        self.server = server
        self.client = server.client()
        self.models: list[Model] = []
        self.sent: list[tuple[Model, int]] = []
        self.kills = 0

    @initialize(target=units, text=texts)
    def make_scene(self, text: str) -> Any:
        """Make a space of this run alone, with a worker, a target, a unit and a clone of it."""
        self.space = make_space(self.client, next(SLUGS))
        self.worker = make_worker(self.client, self.space)
        self.target = make_target(self.client, self.space, self.worker)
        unit = self._create(text)
        return multiple(unit, self._clone(unit))

    @rule(target=units, text=texts)
    def create(self, text: str) -> Model:
        """Make a unit."""
        return self._create(text)

    def _create(self, text: str) -> Model:
        made = make_unit(self.client, self.space, next(SLUGS), text, TargetID=self.target)
        return self._kept(Model(path=unit_path(made), texts=[text]))

    @rule(target=units, upstream=units)
    def clone(self, upstream: Model) -> Model:
        """Clone a unit."""
        return self._clone(upstream)

    def _clone(self, upstream: Model) -> Model:
        query = {
            "upstream_space_id": self.space,
            "upstream_unit_id": upstream.path.rsplit("/", 1)[1],
        }
        body = {"Slug": next(SLUGS), "ToolchainType": "Kubernetes/YAML", "TargetID": self.target}
        made = ok(self.client.post(f"/space/{self.space}/unit", params=query, json=body))
        return self._kept(
            Model(
                path=unit_path(made),
                texts=[upstream.texts[-1]],
                upstream=upstream,
                upstream_revision=len(upstream.texts),
            )
        )

    @rule(unit=units, text=texts)
    def update(self, unit: Model, text: str) -> None:
        """Write another text."""
        ok(self.client.patch(unit.path, json={"Data": base64_of(text)}))
        unit.write(text)
        self._check(unit)

    @rule()
    def upgrade(self) -> None:
        """Bring all clones what their upstreams changed; doing it again brings nothing more."""
        for unit in self.models * 2:
            if unit.upstream is None:
                continue
            expected = unit.expected_merge()
            query = {"upgrade": "true"}
            text = text_of(ok(self.client.patch(unit.path, params=query, content=b"null")))
            assert yaml.safe_load(text) == expected
            unit.write(text)
            unit.upstream_revision = len(unit.upstream.texts)
            self._check(unit)

    @rule(unit=units, data=st.data())
    def restore(self, unit: Model, data: st.DataObject) -> None:
        """Bring the bytes of a revision back as the head."""
        named = {"LiveRevisionNum": unit.live, "PreviousLiveRevisionNum": unit.previous}
        numbers = {str(number): number for number in range(1, len(unit.texts) + 1)}
        text, number = data.draw(st.sampled_from([*named.items(), *numbers.items()]))
        answer = self.client.patch(unit.path, params={"restore": text}, content=b"null")
        assert answer.status_code == (200 if number else 400), answer.text
        if number:
            heads = len(unit.texts)
            unit.write(unit.texts[number - 1])
            if len(unit.texts) > heads:
                unit.restored[len(unit.texts)] = number
        self._check(unit)

    @rule(unit=units)
    def apply(self, unit: Model) -> None:
        """Send the head to the worker, who is not there."""
        ok(self.client.post(f"{unit.path}/apply"))
        unit.applied = len(unit.texts)
        self.sent.append((unit, unit.applied))
        self._check(unit)

    @precondition(lambda self: self.sent)
    @rule()
    def work(self) -> None:
        """Have a worker come and complete what was sent, each revision as it was then."""
        with connected(self.server, self.worker) as stream:
            while self.sent:
                operation = stream.next_operation()
                unit, number = next(
                    item for item in self.sent if item[0].path.endswith(operation["UnitID"])
                )
                assert operation["RevisionNum"] == number
                assert text_of(operation) == unit.texts[number - 1]
                ok(stream.report(operation, "ApplyCompleted", "Completed"))
                self.sent.remove((unit, number))
                if unit.live != number:
                    unit.live, unit.previous = number, unit.live
        for model in self.models:
            self._check(model)

    @precondition(lambda self: self.kills < 1)
    @rule(written=st.booleans())
    def kill(self, *, written: bool) -> None:
        """Kill the server, maybe with an operation at the worker, and start it again."""
        self.kills += 1
        if written and self.sent:
            with connected(self.server, self.worker) as stream:
                stream.next_operation()
                self.server.kill()
        else:
            self.server.kill()
        self.client.close()
        self.server.start()
        self.client = self.server.client()
        for model in self.models:
            self._check(model)

    def teardown(self) -> None:
        """Compare every revision and mutation of every unit."""
        try:
            for model in self.models:
                self._check_history(model)
        finally:
            self.client.close()

    def _check_history(self, model: Model) -> None:
        self._check(model)
        revisions = ok(self.client.get(f"{model.path}/revision"))
        found = [(i["Revision"]["RevisionNum"], text_of(i["Revision"])) for i in revisions]
        assert found == list(enumerate(model.texts, start=1))
        mutations = [i["Mutation"] for i in ok(self.client.get(f"{model.path}/mutation"))]
        assert [m["MutationNum"] for m in mutations] == list(range(1, len(model.texts) + 1))
        restored = {m["RevisionNum"]: m["RestoredRevisionNum"] for m in mutations}
        assert {number: of for number, of in restored.items() if of} == model.restored

    def _kept(self, model: Model) -> Model:
        self.models.append(model)
        self._check(model)
        return model

    def _check(self, model: Model) -> None:
        unit = ok(self.client.get(model.path))["Unit"]
        assert text_of(unit) == model.texts[-1]
        seen = {
            "HeadRevisionNum": len(model.texts),
            "HeadMutationNum": len(model.texts),
            "LastAppliedRevisionNum": model.applied,
            "LiveRevisionNum": model.live,
            "PreviousLiveRevisionNum": model.previous,
            "UpstreamRevisionNum": model.upstream_revision,
        }
        assert {name: unit[name] for name in seen} == seen


@pytest.fixture(name="server")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConfigHubProcess]:
    with confighub_process.running(tmp_path_factory.mktemp("confighub")) as server:
        yield server


def test_any_history_is_kept(server: ConfigHubProcess) -> None:
    """Whatever is done to units in any order, and a kill in between, each revision is as it was."""

    class OnThisServer(Histories):
        def __init__(self) -> None:
            super().__init__(server)

    run_state_machine_as_test(
        OnThisServer,
        settings=settings(
            max_examples=10,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate,),  # a failure is told with its steps, not searched for minutes
        ),
    )
