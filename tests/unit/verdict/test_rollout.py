import datetime as dt
import json

from traderx_gate.schemas import check
from traderx_gate.verdict import Rollout, ServiceRollout

ROLLOUT = Rollout(
    environment="dev",
    space="shop-dev",
    started_at=dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC),
    services=(
        ServiceRollout(service="database", began_s=0, applied_s=0.5, ready_s=2.25, healthy_s=3),
        ServiceRollout(service="web-gui", began_s=3, applied_s=4, ready_s=5, healthy_s=6),
    ),
    units={"database-deployment": "a" * 64},
)


def test_rollout_survives_its_file() -> None:
    """A rollout read back from its JSON is the same, and fits its schema."""
    body = json.loads(json.dumps(ROLLOUT.to_json()))
    check("rollout", 1, body, source="rollout.json")
    assert Rollout.from_json(body) == ROLLOUT
