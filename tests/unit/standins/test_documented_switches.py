import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

from traderx_embedded import traderx
from traderx_embedded.traderx.switches import Effect, Switch

DOCUMENT = Path(__file__).parents[3] / "docs" / "fidelity-standins.md"
DEFECTS, REPAIRS = "A **defect**", "A **repair**"


def declared(effect: Effect) -> Iterator[str]:
    """The names of the switches that the stand-ins declare."""
    for module in pkgutil.iter_modules(traderx.__path__, f"{traderx.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Switch) and value.effect is effect:
                yield value.name


def documented(text: str) -> set[str]:
    """The names in the second column of a table."""
    rows = re.findall(r"^\| [^|]+ \| ([^|]+) \|", text, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)}


def test_defects() -> None:
    """The documented defects are those that stand-ins can be given."""
    text = DOCUMENT.read_text("utf-8").partition(DEFECTS)[2].partition(REPAIRS)[0]
    assert documented(text) == set(declared(Effect.DEFECT))


def test_repairs() -> None:
    """The documented repairs are those that stand-ins can be given."""
    text = DOCUMENT.read_text("utf-8").partition(REPAIRS)[2]
    assert documented(text) == set(declared(Effect.REPAIR))
