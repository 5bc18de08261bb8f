"""Worker: ConfigHub's worker of the environment is connected."""

import datetime as dt

from fixtures.evidence import Observe
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.inspection import project


def test_is_connected(environment: DeployedEnvironment, observe: Observe) -> None:
    """Every unit's target belongs to a worker that is ready and was seen within 30 s."""
    hub, space = environment.confighub, environment.space
    unmet = observe(
        project.workers_of_targets(
            sorted({unit.target_id for unit in environment.units().values()}),
            {target.id: target for target in hub.target_list(space)},
            {worker.id: worker for worker in hub.worker_list(space)},
            now=dt.datetime.now(dt.UTC),
        )
    )
    assert unmet == ()
