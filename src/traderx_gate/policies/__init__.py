"""The policies and the claim catalogue that come with the project, read from beside this file."""

from collections.abc import Sequence
from importlib.resources import files

from traderx_gate.verdict import ClaimCatalogue, Policy


def load_catalogue(services: Sequence[str]) -> ClaimCatalogue:
    """Return all claims, for these services."""
    text = files(__name__).joinpath("claims.toml").read_text()
    return ClaimCatalogue.from_toml(text, source="policies/claims.toml", services=services)


def load_policy(name: str, services: Sequence[str]) -> Policy:
    """Return a policy, multiplied with the catalogue.

    Raises:
        ConfigurationError: The policy or the catalogue is malformed.
    """
    text = files(__name__).joinpath(f"{name}.toml").read_text()
    return Policy.from_toml(
        text, source=f"policies/{name}.toml", catalogue=load_catalogue(services)
    )
