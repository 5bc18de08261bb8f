"""Promotion: what is proven goes on, all of it or nothing; what is not proven stays."""

import json
import signal
from typing import NoReturn

import pytest

from tests.integration.promotion.line import Line
from traderx_gate.application.catalogue import Soak
from traderx_gate.errors import DeliveryError
from traderx_gate.operations.promotion import Promoter, Say
from traderx_gate.runs import create

WEB = "web-gui-deployment"
IMAGE = "ghcr.io/finos/traderx/web-front-end-angular"


def _other(line: Line) -> str:
    """Return the version of the web page that dev does not run."""
    return "v1.2.2" if line.live_image("dev", "web-gui").endswith("v1.2.3") else "v1.2.3"


def change_dev(line: Line) -> str:
    """Have dev run another version of the web page than staging, proven; returns the version."""
    running, theirs = (line.live_image(name, "web-gui") for name in ("dev", "staging"))
    if running != theirs:  # an earlier test did not promote it
        return running.rpartition(":")[2]
    version = _set_dev(line)
    line.must("deploy", "dev")
    line.must("validate", "dev")
    return version


def _set_dev(line: Line) -> str:
    """Make a head of dev that there never was, with another version of the web page."""
    version = _other(line)
    memory = 64 + line.units("dev")[WEB].head_revision
    line.must("set-image", "dev", "web-gui", version)
    line.must("set-resources", "dev", "web-gui", "--memory", f"{memory}Mi")
    return version


def test_change_is_promoted_and_rolled_back(line: Line) -> None:
    """A change reaches staging by promotion alone, goes by rollback, and comes back again."""
    line.must("promote", "dev", "staging")  # they are alike, and both proven
    before = line.data("staging")
    version = _set_dev(line)
    unproven = line.run("promote", "dev", "staging")
    assert (unproven.returncode, "is not what is live" in unproven.stderr) == (3, True)
    line.must("deploy", "dev")
    untested = line.run("promote", "dev", "staging")
    assert (untested.returncode, "no evidence of kind validate" in untested.stderr) == (3, True)
    assert line.data("staging") == before
    line.must("validate", "dev")

    dry = line.must("promote", "dev", "staging", "--dry-run")
    assert f"{IMAGE}:{version}" in dry.stdout
    assert line.data("staging") == before
    line.must("promote", "dev", "staging")
    assert line.live_image("staging", "web-gui") == f"{IMAGE}:{version}"
    assert line.is_settled("staging")
    record = line.read("promote", "staging", "promotion.json")
    assert (record["proof"], record["verdict"]) == ("PASS", "PASS")
    assert line.read("validate", "staging", "decision.json")["verdict"] == "PASS"
    page = (line.newest("promote", "staging") / "report.html").read_text()
    assert f"{IMAGE}:{version}" in page
    line.must("diff", "dev", "staging")

    line.must("rollback", "staging", "--reason", "the page is blank")
    assert line.data("staging") == before
    assert line.is_settled("staging")
    assert line.read("rollback", "staging", "rollback.json")["verdict"] == "PASS"
    assert "the page is blank" in (line.newest("rollback", "staging") / "report.html").read_text()
    differing = line.run("diff", "dev", "staging")
    assert (differing.returncode, f"{IMAGE}:{version}" in differing.stdout) == (1, True)

    line.must("promote", "dev", "staging")
    assert line.live_image("staging", "web-gui") == f"{IMAGE}:{version}"


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("units upgraded", signal.SIGKILL),
        ("namespace: applied", signal.SIGKILL),
        ("units upgraded", signal.SIGINT),
    ],
    ids=["upgraded", "applying", "interrupted"],
)
def test_killed_promotion_is_taken_back(line: Line, said: str, number: int) -> None:
    """A promotion that is killed at any step holds up all else until it is taken back whole."""
    change_dev(line)
    before, image = line.data("staging"), line.live_image("staging", "web-gui")
    line.killed_at(said, "promote", "dev", "staging", number=number)
    if number == signal.SIGINT:  # it has taken itself back, and applied nothing
        assert line.data("staging") == before
        line.must("rollback", "staging")
    else:
        for command in (("deploy", "staging"), ("promote", "dev", "staging")):
            refused = line.run(*command)
            assert refused.returncode == 2
            assert "traderx-gate resume staging" in refused.stderr
        line.must("abort", "staging")
    assert line.data("staging") == before
    assert line.live_image("staging", "web-gui") == image
    assert line.run("abort", "staging").returncode == 2


def test_killed_promotion_is_gone_on_with(line: Line) -> None:
    """A promotion that was killed while it applied comes to its end by `resume`, proven."""
    version = change_dev(line)
    line.killed_at("namespace: applied", "promote", "dev", "staging")
    line.must("resume", "staging")
    assert line.live_image("staging", "web-gui") == f"{IMAGE}:{version}"
    assert line.is_settled("staging")
    line.must("diff", "dev", "staging")


@pytest.mark.parametrize(
    ("name", "said"),
    [("staging", "before the first write"), ("dev", "units upgraded")],
    ids=["target before", "source after"],
)
def test_unit_edited_meanwhile_stops_it(
    line: Line, name: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unit of either side that is edited after the check is not promoted; nothing is applied."""
    monkeypatch.setenv("TRADERX_GATE_KEY", line.environ["TRADERX_GATE_KEY"])
    before = line.data("staging")
    images = line.live_image("staging", "web-gui")
    change_dev(line)
    edited: list[int] = []

    def say(text: str) -> None:
        if said in text:
            unit = line.edit(name, WEB, "metadata:", "metadata:  # edited meanwhile")
            edited.append(unit.head_revision)

    promoter = _promoter(line, say)
    found = promoter.preflight()
    say("before the first write")
    with pytest.raises(DeliveryError, match=f"{WEB}"):
        promoter.carry_out(found, create(line.reports, f"run-{name}-{said[:5]}"), going_on=None)
    after = line.data("staging")
    assert edited
    assert {**after, WEB: b""} == {**before, WEB: b""}
    assert line.live_image("staging", "web-gui") == images
    assert line.run("abort", "staging").returncode == 2  # nothing is under way
    if name == "staging":
        unit = line.units("staging")[WEB]
        line.confighub.unit_update(unit, before[WEB], change="repaired")


def _promoter(line: Line, say: Say) -> Promoter:
    def never(*_: object) -> NoReturn:
        raise AssertionError("nothing is to be validated, or rolled back")

    return Promoter(
        source=line.settings.connect("dev"),
        target=line.settings.connect("staging"),
        reports=line.reports,
        policy=None,
        used=None,
        say=say,
        check=lambda: None,
        deploy=never,
        validate=never,
        roll_back=never,
        soak=Soak(),
    )


def test_backup_is_restored(line: Line) -> None:
    """The backup of a promotion brings its target's units back, which can be promoted to again."""
    version = change_dev(line)
    before, image = line.data("staging"), line.live_image("staging", "web-gui")
    line.must("promote", "dev", "staging")
    assert line.data("staging") != before
    backup = line.newest("promote", "staging") / "backup.json"
    line.must("restore-backup", str(backup))
    assert line.data("staging") == before
    assert line.live_image("staging", "web-gui") != image  # nothing is applied yet
    line.must("rollback", "staging")
    assert line.live_image("staging", "web-gui") == image
    assert f"{IMAGE}:{version}" in line.must("promote", "dev", "staging", "--dry-run").stdout
    edited = json.loads(backup.read_text())
    edited["units"][0]["sha256"] = "0" * 64
    (backup.parent / "edited.json").write_text(json.dumps(edited))
    refused = line.run("restore-backup", str(backup.parent / "edited.json"))
    assert (refused.returncode, "was changed" in refused.stderr) == (2, True)
    assert line.data("staging") == before


def test_break_glass_is_told_until_a_pass(line: Line) -> None:
    """What was deployed without proof is in every report, with its reason, until the next PASS."""
    line.must("validate", "staging")
    before = line.data("staging")
    line.edit("staging", WEB, "metadata:", "metadata:  # hot fix")
    line.must("deploy", "staging", "--unverified", "--reason", "INC-7: orders lost")
    told = []
    for _ in range(2):
        line.must("validate", "staging")
        told.append(line.read("validate", "staging", "evidence.json")["break_glass"])
        page = (line.newest("validate", "staging") / "report.html").read_text()
        assert ("INC-7: orders lost" in page) == bool(told[-1])
    assert ("INC-7: orders lost" in told[0], told[1]) == (True, "")
    line.must("rollback", "staging")
    assert line.data("staging") == before
