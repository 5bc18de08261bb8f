"""The policies and the claim catalogue that come with the project, read from beside this file."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from traderx_gate.errors import ConfigurationError
from traderx_gate.verdict import ClaimCatalogue, Policy, PromotionPolicy

CATALOGUE = "claims.toml"
PROMOTION = "promotion"


def load_catalogue(services: Sequence[str]) -> ClaimCatalogue:
    """Return all claims, for these services."""
    text = files(__name__).joinpath(CATALOGUE).read_text()
    return ClaimCatalogue.from_toml(text, source=f"policies/{CATALOGUE}", services=services)


def load_policy(name: str, services: Sequence[str]) -> Policy:
    """Return a policy, multiplied with the catalogue.

    Raises:
        ConfigurationError: The policy or the catalogue is malformed, or there is no such policy.
    """
    return _policy(name, tuple(services))


@cache
def _policy(name: str, services: tuple[str, ...]) -> Policy:
    if name not in policy_names():
        raise ConfigurationError(
            f"no policy {name!r}; there are: {', '.join(sorted(policy_names()))}"
        )
    text = files(__name__).joinpath(f"{name}.toml").read_text()
    return Policy.from_toml(
        text, source=f"policies/{name}.toml", catalogue=load_catalogue(services)
    )


def policy_names() -> frozenset[str]:
    """Return the names of all policies that come with the project."""
    folder = files(__name__)
    return frozenset(
        path.name.removesuffix(".toml")
        for path in folder.iterdir()
        if path.name.endswith(".toml") and path.name != CATALOGUE
    )


def load_promotion_policy(name: str) -> PromotionPolicy:
    """Return a promotion policy.

    Raises:
        ConfigurationError: It is malformed, or there is none of this name.
    """
    known = promotion_policy_names()
    if name not in known:
        raise ConfigurationError(
            f"no promotion policy {name!r}; there are: {', '.join(sorted(known))}"
        )
    text = files(__name__).joinpath(PROMOTION, f"{name}.toml").read_text()
    return PromotionPolicy.from_toml(text, source=f"policies/{PROMOTION}/{name}.toml")


def promotion_policy_names() -> frozenset[str]:
    """Return the names of all promotion policies that come with the project."""
    folder = files(__name__).joinpath(PROMOTION)
    return frozenset(
        path.name.removesuffix(".toml") for path in folder.iterdir() if path.name.endswith(".toml")
    )
