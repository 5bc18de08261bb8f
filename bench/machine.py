"""The machine that figures were measured on."""

import datetime as dt
import os
import platform
from typing import Any


def machine() -> dict[str, Any]:
    """Say what the figures were measured on."""
    return {
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "cpus": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "python": f"Python {platform.python_version()}",
        "system": platform.platform(),
    }
