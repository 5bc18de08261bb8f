"""Blue-green: another version takes over, and what cannot be two at once is refused."""

from fixtures.delivery import Deliver, Line
from fixtures.evidence import Observe
from traderx_gate.inspection import delivery

STATELESS = "reference-data"
SINGLETON = "trade-processor"


def test_version_takes_over(line: Line, blue_green: Deliver, observe: Observe) -> None:
    """A version takes a service over; no unit is left of the switch, and every head is live."""
    slugs = sorted(line.units("dev"))
    done = blue_green(STATELESS, "v1.2.2", "--watch-s", "10")
    units = line.units("dev")
    text = units[f"{STATELESS}-deployment"].data.decode()
    assert (
        observe(
            [
                delivery.ended(done.command, code=done.code, said=done.said, expected=0),
                delivery.same("units", expected=slugs, seen=sorted(units)),
                delivery.told("the unit", said=text, words=":v1.2.2"),
                delivery.live("dev", units.values()),
            ]
        )
        == ()
    )


def test_singleton_is_refused(line: Line, blue_green: Deliver, observe: Observe) -> None:
    """A service of which two would do harm is refused before anything is made."""
    before = line.units("dev")
    done = blue_green(SINGLETON, "v1.2.2")
    assert (
        observe(
            [
                delivery.ended(done.command, code=done.code, said=done.said, expected=2),
                delivery.unchanged("dev", before, line.units("dev")),
            ]
        )
        == ()
    )
