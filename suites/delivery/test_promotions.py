"""Promotions: nothing without proof, nothing half, and nothing of the target's own is lost."""

from fixtures.delivery import Deliver, Line
from fixtures.evidence import Observe
from traderx_gate.inspection import delivery

SERVICE = "web-gui"
UNIT = "web-gui-deployment"


def test_unproven_is_refused(line: Line, promote: Deliver, observe: Observe) -> None:
    """A change that is not live, or live and not validated, is not promoted; staging stays."""
    before = line.units("staging")
    line.must("set-image", "dev", SERVICE, "v1.2.2", on="dev")
    not_live = promote()
    line.must("deploy", "dev", on="dev")
    not_validated = promote()
    assert (
        observe(
            [
                delivery.ended(
                    not_live.command, code=not_live.code, said=not_live.said, expected=3
                ),
                delivery.told(not_live.command, said=not_live.said, words="not what is live"),
                delivery.ended(
                    not_validated.command,
                    code=not_validated.code,
                    said=not_validated.said,
                    expected=3,
                ),
                delivery.told(
                    not_validated.command, said=not_validated.said, words="no evidence of kind"
                ),
                delivery.unchanged("staging", before, line.units("staging")),
            ]
        )
        == ()
    )


def test_edited_evidence_is_refused(line: Line, promote: Deliver, observe: Observe) -> None:
    """Evidence of which one byte was changed promotes nothing; it does when it is put back."""
    evidence = line.newest("validate", "dev") / "evidence.json"
    kept = evidence.read_bytes()
    evidence.write_bytes(kept.replace(b'"met": true', b'"met":  true', 1))
    refused = promote()
    evidence.write_bytes(kept)
    promoted = promote("--dry-run")
    assert (
        observe(
            [
                delivery.ended(refused.command, code=refused.code, said=refused.said, expected=3),
                delivery.ended(
                    promoted.command, code=promoted.code, said=promoted.said, expected=0
                ),
            ]
        )
        == ()
    )


def test_killed_promotion_is_taken_back(line: Line, promote: Deliver, observe: Observe) -> None:
    """A promotion that is killed holds up every other until it is taken back, byte for byte."""
    line.must("set-image", "dev", SERVICE, "v1.2.2", on="dev")
    line.must("deploy", "dev", on="dev")
    line.must("validate", "dev", on="dev")
    before = line.units("staging")
    killed = promote(stop_at="units upgraded")
    second = promote()
    aborted = line.run("abort", "staging", on="staging")
    assert (
        observe(
            [
                delivery.same("the signal that ended it", expected=-9, seen=killed.code),
                delivery.ended(second.command, code=second.code, said=second.said, expected=2),
                delivery.told(second.command, said=second.said, words="traderx-gate resume"),
                delivery.ended(aborted.command, code=aborted.code, said=aborted.said, expected=0),
                delivery.unchanged("staging", before, line.units("staging")),
                delivery.live("staging", line.units("staging").values()),
            ]
        )
        == ()
    )


def test_overrides_are_kept(line: Line, promote: Deliver, observe: Observe) -> None:
    """A value of staging's own stays where dev changed it; that is told, and the rest comes."""
    own, theirs = "replicas: 2", "replicas: 1"
    staging, dev = line.units("staging")[UNIT], line.units("dev")[UNIT]
    hub = line.hub
    hub.unit_update(staging, staging.data.replace(own.encode(), b"replicas: 3"), change="own")
    line.must("deploy", "staging", "--unverified", "--reason", "an override", on="staging")
    hub.unit_update(dev, dev.data.replace(own.encode(), theirs.encode()), change="fewer")
    line.must("set-image", "dev", SERVICE, "v1.2.2", on="dev")
    line.must("deploy", "dev", on="dev")
    line.must("validate", "dev", on="dev")
    done = promote()
    text = line.units("staging")[UNIT].data.decode()
    hub.unit_update(line.units("staging")[UNIT], staging.data, change="as before")
    line.must("deploy", "staging", "--unverified", "--reason", "as before", on="staging")
    hub.unit_update(line.units("dev")[UNIT], dev.data, change="as before")
    assert (
        observe(
            [
                delivery.ended(done.command, code=done.code, said=done.said, expected=0),
                delivery.told(done.command, said=done.said, words="spec.replicas: stays 3"),
                delivery.told("staging's unit", said=text, words="replicas: 3"),
                delivery.told("staging's unit", said=text, words=":v1.2.2"),
            ]
        )
        == ()
    )
