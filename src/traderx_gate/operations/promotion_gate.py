"""Whether an environment may be promoted: what is live there, against the evidence there is."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path

from traderx_gate import runs
from traderx_gate.application import EnvironmentSpec
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import EvidenceError
from traderx_gate.operations.validation import now
from traderx_gate.policies import load_policy, load_promotion_policy, policy_names
from traderx_gate.verdict import (
    Candidate,
    Policy,
    PromotionDecision,
    Subject,
    UnitRevision,
    evaluate_promotion,
    is_of,
)


def decide(
    source: DeployedEnvironment, *, reports: Path, target_provenance: str, policy: str | None = None
) -> PromotionDecision:
    """Decide whether exactly what is live in an environment may be promoted, now.

    Args:
        source: The environment; its units are read anew.
        reports: Where its runs lie.
        target_provenance: What runs where it would be promoted to.
        policy: The promotion policy; the environment's own where it is left out.
    """
    promotion = load_promotion_policy(policy or source.spec.promotion_policy)
    units = source.revisions()
    kinds = dict.fromkeys(need.kind for need in promotion.needs)
    found = [_candidates(reports, kind, source.spec, units) for kind in kinds]
    return evaluate_promotion(
        promotion,
        _policies(source),
        tuple(itertools.chain.from_iterable(found)),
        Subject(environment=source.identity, at=now(), units=units),
        own_policy=source.spec.policy,
        target_provenance=target_provenance,
    )


def _candidates(
    reports: Path, kind: str, spec: EnvironmentSpec, units: Mapping[str, UnitRevision]
) -> Iterator[Candidate]:
    """Yield runs of a kind, newest first, up to the first that speaks of these revisions."""
    for run in runs.named(reports, kind, spec.name):
        try:
            evidence = run.read_evidence()
        except EvidenceError as error:
            yield Candidate(run=run.name, kind=kind, evidence=None, problem=str(error))
            continue
        yield Candidate(run=run.name, kind=kind, evidence=evidence)
        if evidence.environment.name == spec.name and is_of(evidence, units):
            return


def _policies(source: DeployedEnvironment) -> Mapping[str, Policy]:
    services = source.application.slugs
    return {name: load_policy(name, services) for name in policy_names()}
