"""Routes: every documented read route answers as documented."""

from fixtures.evidence import Observe
from traderx_gate.application import Service
from traderx_gate.application.routes import read_routes
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.inspection import routes


def test_answer_as_documented(
    environment: DeployedEnvironment, service: Service, observe: Observe
) -> None:
    """Every documented read route of a service answers by status, schema and content."""
    ask = environment.ask(service)
    where = f"kubectl -n {environment.spec.namespace} logs deployment/{service.slug}"
    unmet = observe(
        routes.judged(route, ask("GET", route.path, headers=route.headers), where=where)
        for route in read_routes(service.slug)
    )
    assert unmet == ()
