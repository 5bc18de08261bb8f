"""Whether somebody is there to apply: the worker of an environment, before anything is changed."""

from collections.abc import Callable

from traderx_gate.confighub import ConfigHub, Space, Worker
from traderx_gate.delivery import worker_control
from traderx_gate.delivery.installation import CONNECTED, worker_condition
from traderx_gate.errors import ConfigurationError, NotReachedError, RefusedError, UnreachableError
from traderx_gate.waiting import Deadline, polling, until

DEADLINE_S = 20.0
POLL_S = 0.1

Revive = Callable[[Space, Worker], None]
"""Starts the worker of a space if it is one that we manage; refuses otherwise."""


def require(hub: ConfigHub, space: Space, revive: Revive) -> str:
    """Make sure that the worker of a space is connected; returns what was done for it, in words.

    Raises:
        RefusedError: There is none, and none can be started from here.
    """
    worker = worker_control.find(hub, space)
    if worker.condition == CONNECTED:
        return ""
    worker_control.require_enabled(space, worker)
    try:
        revive(space, worker)
        until(
            polling(
                lambda: worker_condition(hub, space),
                every_s=POLL_S,
                deadline=Deadline(DEADLINE_S),
            ),
            lambda seen: seen == CONNECTED,
            what=f"the worker of {space.slug} to connect",
        )
    except (ConfigurationError, RefusedError, UnreachableError, NotReachedError) as error:
        raise RefusedError(
            f"the worker of {space.slug} is {worker.condition or 'unknown'}, so nothing can be "
            f"applied: {error}"
        ) from error
    return f"{space.slug}: the worker was {worker.condition or 'unknown'}; it was started again"
