"""What the plugin leaves out of a run whose policy does not ask for claims that write."""

import pytest

pytest_plugins = ("pytester",)

CONFTEST = """
from fixtures.evidence import SESSION, Session

def pytest_configure(config):
    config.stash[SESSION] = Session(
        run=None, settings=None, environment="prod", seed=1, required=frozenset({required})
    )
"""
CLAIMS = """
import pytest

@pytest.mark.writes
def test_is_settled():
    raise RuntimeError("an order was sent")

def test_is_read():
    pass
"""


def outcomes(pytester: pytest.Pytester, required: set[str]) -> dict[str, int]:
    """Run a claim that writes and one that does not, under a policy that requires some."""
    pytester.makeini("[pytest]\nmarkers = writes\n")
    pytester.makeconftest(CONFTEST.replace("{required}", repr(required)))
    pytester.makepyfile(test_trade=CLAIMS)
    return pytester.runpytest_inprocess("-p", "fixtures.evidence").parseoutcomes()


def test_left_out_where_the_policy_does_not_ask(pytester: pytest.Pytester) -> None:
    """A claim that writes is not run where the policy requires only claims that read."""
    assert outcomes(pytester, {"trade.is_read"}) == {"passed": 1, "deselected": 1}


def test_run_where_the_policy_asks(pytester: pytest.Pytester) -> None:
    """A claim that writes is run where the policy requires it."""
    assert outcomes(pytester, {"trade.is_read", "trade.is_settled"}) == {"passed": 1, "failed": 1}
