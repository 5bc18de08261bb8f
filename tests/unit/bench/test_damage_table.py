"""The table of damages beside what stand-ins can be given: no defect is left out unseen."""

import importlib
import pkgutil

from tests.integration.gate.damages.of_programs import SPOILING, SWITCHED
from traderx_embedded import traderx
from traderx_embedded.traderx.switches import Effect, Switch

NO_DAMAGE = {
    "settle-slowly": "no claim says how long a settlement may take, only that it comes",
}
"""Defects that the gate is not meant to see, and why."""


def test_every_defect_is_a_damage() -> None:
    """Every defect that a stand-in can be given is in the table, or it is said why it is not."""
    declared = {
        value.name
        for module in pkgutil.iter_modules(traderx.__path__, f"{traderx.__name__}.")
        for value in vars(importlib.import_module(module.name)).values()
        if isinstance(value, Switch) and value.effect is Effect.DEFECT
    }
    inflicted = {switch for _, switch, _, _ in (*SWITCHED, *SPOILING)}
    assert declared - inflicted == set(NO_DAMAGE)
