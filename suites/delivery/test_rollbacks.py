"""Rollbacks: to what was live and verified, byte for byte, also out of a rollout that is stuck."""

from fixtures.delivery import Deliver, Line
from fixtures.evidence import Observe
from traderx_gate.inspection import delivery

SERVICE = "trade-service"
NOSUCH = "v9.9.9"


def test_stuck_rollout_is_ended(
    line: Line, deploy: Deliver, rollback: Deliver, observe: Observe
) -> None:
    """A rollout to an image that is not there fails, says so, and is ended by a rollback."""
    before = line.units("dev")
    line.must("set-image", "dev", SERVICE, NOSUCH, on="dev")
    stuck = deploy()
    back = rollback("dev", SERVICE)
    after = line.units("dev")
    assert (
        observe(
            [
                delivery.ended(stuck.command, code=stuck.code, said=stuck.said, expected=1),
                delivery.told(stuck.command, said=stuck.said, words=f"{SERVICE}:{NOSUCH}"),
                delivery.ended(back.command, code=back.code, said=back.said, expected=0),
                delivery.unchanged("dev", before, after),
                delivery.live("dev", after.values()),
            ]
        )
        == ()
    )


def test_unverified_is_refused(line: Line, rollback: Deliver, observe: Observe) -> None:
    """A revision that nobody verified is taken with a reason only; reports tell it until a PASS."""
    before = line.units("dev")
    refused = rollback("dev", SERVICE, "--to", "1")
    after = line.units("dev")
    assert (
        observe(
            [
                delivery.ended(refused.command, code=refused.code, said=refused.said, expected=2),
                delivery.told(refused.command, said=refused.said, words="--unverified --reason"),
                delivery.unchanged("dev", before, after),
            ]
        )
        == ()
    )
