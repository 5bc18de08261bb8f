"""A policy: which claims an environment has to prove, how fresh, and which risks are accepted."""

import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from traderx_gate.errors import ConfigurationError
from traderx_gate.tables import Fields, read_toml
from traderx_gate.verdict.claims import Claim, ClaimCatalogue, ClaimKey

KINDS = ("validate", "load", "soak", "failure-injection", "delivery")
"""The kinds of evidence (design 4)."""
SUITE_OF = {kind: kind.replace("-", "_") for kind in KINDS} | {"validate": "validate_deployment"}
"""The suite that gathers each kind: a folder of `suites/`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedRisk:
    """A known defect: this claim, failing in this way, until that day, does not count as FAIL.

    Attributes:
        signature: A regular expression that has to match all of what was seen.
        expires: The last day on which it is accepted, in UTC.
    """

    claim: ClaimKey
    signature: re.Pattern[str]
    reason: str
    owner: str
    expires: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a verdict is measured against.

    Attributes:
        kind: The kind of evidence it judges.
        required: Every claim that needs proof; never what a run happened to collect.
        max_age: How old evidence may be when it is judged.
        sha256: The hash of the policy's text and of the required claims, hexadecimal.
    """

    name: str
    kind: str
    required: Mapping[ClaimKey, Claim]
    max_age: dt.timedelta
    accepted_risks: tuple[AcceptedRisk, ...]
    sha256: str

    @classmethod
    def from_toml(cls, text: str, *, source: str, catalogue: ClaimCatalogue) -> Self:
        """Read a policy and multiply it with the catalogue.

        Raises:
            ConfigurationError: Malformed; names `source` and the line or key.
        """
        take = Fields(read_toml(text, source=source), where=source)
        if take.number("schema", at_least=1) != 1:
            raise ConfigurationError(f"{source}: schema: this version reads schema 1")
        kind = take.choice("kind", KINDS)
        required = catalogue.keys(
            take.texts("claims"),
            source=source,
            suite=SUITE_OF[kind],
            writes=take.any("writes", bool),
            left_out=take.texts("left_out", default=()),
        )
        risks = tuple(
            _accepted_risk(table, where=f"{source}: accepted_risk {number}", required=required)
            for number, table in enumerate(take.tables("accepted_risk"), start=1)
        )
        bound = "\n".join([text, *sorted(map(str, required))])
        policy = cls(
            name=take.text("name"),
            kind=kind,
            required=required,
            max_age=dt.timedelta(seconds=take.number("max_age_s", at_least=1)),
            accepted_risks=risks,
            sha256=hashlib.sha256(bound.encode()).hexdigest(),
        )
        take.nothing_else()
        return policy


def _accepted_risk(
    table: object, *, where: str, required: Mapping[ClaimKey, Claim]
) -> AcceptedRisk:
    take = Fields(table, where=where)
    claim = ClaimKey.parse(take.text("claim"))
    if claim not in required:
        raise ConfigurationError(f"{where}: claim {claim} is not required by this policy")
    try:
        signature = re.compile(take.text("signature"))
    except re.error as error:
        raise ConfigurationError(f"{where}: signature is no regular expression: {error}") from error
    expires = take.any("expires", dt.date)
    risk = AcceptedRisk(
        claim=claim,
        signature=signature,
        reason=take.text("reason"),
        owner=take.text("owner"),
        expires=expires.date() if isinstance(expires, dt.datetime) else expires,
    )
    take.nothing_else()
    return risk
