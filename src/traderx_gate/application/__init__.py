"""TraderX as data: services, their order and contracts, environments. Read from `services.toml`."""

from traderx_gate.application.catalogue import (
    Application,
    EnvironmentSpec,
    HealthContract,
    Service,
    load,
    unit_data,
)

__all__ = ["Application", "EnvironmentSpec", "HealthContract", "Service", "load", "unit_data"]
