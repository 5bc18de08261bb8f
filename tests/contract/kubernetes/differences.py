"""Which tests of the contract do not hold on a cluster that is not the embedded one, and why."""

import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Self

LACKING = "TRADERX_CLUSTER_WITHOUT"
TABLE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Tests that are left out.

    Attributes:
        tests: Their file, or `file::function`.
        why: What the cluster does instead.
        without: What the cluster has to lack for it; empty where every kubelet differs.
    """

    tests: tuple[str, ...]
    why: str
    without: str = ""

    @classmethod
    def from_toml(cls, body: dict[str, object]) -> Self:
        """Read one of the table."""
        tests = body["tests"]
        assert isinstance(tests, list)
        return cls(tests=tuple(tests), why=str(body["why"]), without=str(body.get("without") or ""))

    def is_about(self, node_id: str) -> bool:
        """Whether a test, by pytest's name of it, is one of them."""
        name = node_id.partition("[")[0].rpartition("/")[2]
        return name in self.tests or name.partition("::")[0] in self.tests


def table() -> tuple[Difference, ...]:
    """Return all of them."""
    return tuple(map(Difference.from_toml, tomllib.loads(TABLE.read_text())["difference"]))


def of_a_cluster(lacking: Collection[str]) -> tuple[Difference, ...]:
    """Return those of a cluster that is not the embedded one and lacks these things.

    Raises:
        ValueError: Nothing in the table is about one of them; says what there is.
    """
    known = {difference.without for difference in table()} - {""}
    if unknown := set(lacking) - known:
        raise ValueError(f"without {min(unknown)!r}: known are {', '.join(sorted(known))}")
    return tuple(d for d in table() if not d.without or d.without in lacking)
