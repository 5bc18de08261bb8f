"""Web page: the page and everything that it loads."""

from fixtures.evidence import Observe
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.inspection import web_page


def test_loads_with_its_assets(environment: DeployedEnvironment, observe: Observe) -> None:
    """The web page loads, and with it every script, style sheet and icon that it names."""
    ask = environment.ask(environment.application.service("web-gui"))
    where = f"kubectl -n {environment.spec.namespace} logs deployment/web-gui"
    assert observe(web_page.loaded(ask, where=where)) == ()
