"""Blue-green where ConfigHub asks for approval: with proof from the environment before, or not."""

from tests.integration.promotion.line import Line

STOCKS = "reference-data"


def test_only_what_is_proven_before_goes_live(line: Line) -> None:
    """A version goes live in staging beside the old one once it is live and proven in dev."""
    old = line.live_image("dev", STOCKS)
    new = f"{old.rpartition(':')[0]}:{'v1.2.3' if old.endswith('v1.2.2') else 'v1.2.2'}"
    words = ("blue-green", STOCKS, new.rpartition(":")[2], "staging", "--watch-s", "5")
    before = line.data("staging")
    elsewhere = line.run(*words)
    assert (elsewhere.returncode, f"{new} is not proven in dev" in elsewhere.stderr) == (2, True)
    line.must("set-image", "dev", STOCKS, new.rpartition(":")[2])
    line.must("deploy", "dev")
    unproven = line.run(*words)
    assert (unproven.returncode, "no evidence of kind validate" in unproven.stderr) == (3, True)
    assert line.data("staging") == before

    line.must("validate", "dev")
    done = line.must(*words)
    assert "staging is not proven so yet" in done.stdout
    assert line.live_image("staging", STOCKS) == new
    assert (line.data("staging").keys(), line.is_settled("staging")) == (before.keys(), True)
    line.must("validate", "staging")
    line.must("promote", "dev", "staging")
