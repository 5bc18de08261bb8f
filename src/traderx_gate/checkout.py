"""Where things are in a checkout, the only form in which this project is installed."""

import os
from importlib.metadata import version
from pathlib import Path

from traderx_gate.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]
REPORTS = Path(os.environ.get("TRADERX_GATE_REPORTS") or ROOT / "reports" / "out")
TOOL_VERSION = version("traderx-gate")


def require_checkout() -> Path:
    """Return the root of the checkout.

    Raises:
        ConfigurationError: The package is installed without its suites.
    """
    if not (ROOT / "pyproject.toml").is_file() or not (ROOT / "suites").is_dir():
        raise ConfigurationError(
            f"{ROOT} holds no suites: traderx-gate runs from a checkout; clone it and use make"
        )
    return ROOT


def state_directory() -> Path:
    """Return the embedded systems' directory: TRADERX_GATE_STATE, else in the checkout."""
    return Path(os.environ.get("TRADERX_GATE_STATE") or ROOT / ".traderx").absolute()


def locks() -> Path:
    """Return the folder of the environments' locks; it goes with the embedded systems."""
    return state_directory() / "locks"


def logs() -> Path:
    """Return the folder of the commands' logs: TRADERX_GATE_LOGS, else `logs` in the checkout."""
    return Path(os.environ.get("TRADERX_GATE_LOGS") or ROOT / "logs").absolute()
