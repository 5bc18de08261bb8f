"""Validation as an operation: begin evidence, close it, decide. pytest runs in between."""

import dataclasses
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from traderx_gate import rights, runs, workloads
from traderx_gate.capabilities import probe
from traderx_gate.checkout import TOOL_VERSION
from traderx_gate.delivery import break_glass
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.errors import (
    ConfigurationError,
    EvidenceError,
    RefusedError,
    before_the_first_effect,
)
from traderx_gate.policies import load_policy, policy_names
from traderx_gate.runs import Run
from traderx_gate.settings import Settings
from traderx_gate.verdict import (
    SUITE_OF,
    ClaimKey,
    ClaimResult,
    Cluster,
    Decision,
    Evidence,
    EvidenceState,
    Policy,
    Rollout,
    Subject,
    UnitRevision,
    evaluate,
)

SUITES: Mapping[str, str] = {SUITE_OF[kind]: kind for kind in ("validate", "delivery")}
"""The kind of evidence that each suite gathers that is there."""
POLICIES: Mapping[str, str] = {"delivery": "delivery"}
"""The policy of a suite whose claims are the same in every environment; else the environment's."""


SESSION_FILE = "session.json"
"""What the processes of a run need to attach to it, in its directory."""
RESULTS_FILE = "results.jsonl"
"""Each claim's result as it comes, one JSON object a line: for progress, and of a killed run."""
RUN_VARIABLE = "TRADERX_GATE_RUN"
"""Names the run's directory to a pytest that the command line started."""
PARENT_VARIABLE = "TRADERX_GATE_PARENT"
"""The descriptor of a pipe that closes when the command line that started pytest ends."""


def now() -> dt.datetime:
    """Return the time, in UTC."""
    return dt.datetime.now(dt.UTC)


def begin(
    environment: DeployedEnvironment, *, policy: Policy, seed: int, cluster: str, reports: Path
) -> tuple[Run, Evidence]:
    """Write evidence as started, every required claim open, before anything is checked.

    Raises:
        UnreachableError, ConfigurationError: Cluster, ConfigHub or the space are not there, or a
            unit is malformed; nothing was written.
        RefusedError: The reports folder cannot be written, or a system refuses to be read.
    """
    started = now()
    with before_the_first_effect():
        version = environment.kube.version()
        rights.require(environment.kube, [environment.spec.namespace])
        provenance = environment.provenance()
        environment.well_formed_units()
        units = environment.revisions()
        pods = workloads.identities(environment)
        capabilities = probe(environment)
        without_proof = break_glass.last(environment.confighub, environment.space)
    run = runs.create(reports, runs.new_run_name(policy.kind, environment.spec.name, started))
    evidence = Evidence(
        run=run.name,
        kind=policy.kind,
        state=EvidenceState.STARTED,
        environment=environment.identity,
        cluster=Cluster(
            kind=cluster,
            context=environment.kube.context,
            version=version,
            capabilities=capabilities,
        ),
        provenance=provenance,
        units_before=units,
        units_after={},
        pods_before=pods,
        pods_after={},
        seed=seed,
        policy=policy.name,
        policy_sha256=policy.sha256,
        tool_version=TOOL_VERSION,
        started_at=started,
        ended_at=None,
        required=tuple(sorted(map(str, policy.required))),
        results=(),
        timeline=(),
        exit_status=None,
        break_glass=without_proof,
    )
    try:
        run.write_evidence(evidence)
    except RefusedError:
        run.remove()
        raise
    return run, evidence


def begin_session(
    resolved: Settings,
    *,
    environment: str,
    suite: str,
    seed: int,
    reports: Path,
    policy_name: str | None = None,
) -> tuple[Run, Evidence]:
    """Begin a run's evidence, and leave what its processes need to attach to it.

    Without a policy's name the environment's own is taken.
    """
    deployed = resolved.connect(environment)
    chosen_policy = policy_name or POLICIES.get(suite, deployed.spec.policy)
    policy = load_policy(chosen_policy, deployed.application.slugs)
    if policy.kind != SUITES[suite]:
        raise ConfigurationError(
            f"policy {policy.name} of {environment} is for evidence of kind {policy.kind}, "
            f"suites/{suite} gathers {SUITES[suite]}"
        )
    run, evidence = begin(
        deployed, policy=policy, seed=seed, cluster=resolved.cluster, reports=reports
    )
    # every process of the run reaches the services in the way that was recorded
    reach = deployed.reach()
    chosen = dataclasses.replace(resolved, reach=reach.value if reach else "")
    body = {
        "settings": chosen.to_json(),
        "environment": environment,
        "seed": seed,
        "required": list(evidence.required),
    }
    runs.write_atomically(run.path / SESSION_FILE, json.dumps(body).encode())
    return run, evidence


def close(
    run: Run,
    evidence: Evidence,
    environment: DeployedEnvironment,
    *,
    results: Sequence[ClaimResult],
    exit_status: int,
) -> Evidence:
    """Write evidence as closed, with the results, and units and pods as they are now.

    Raises:
        UnreachableError: Cluster or ConfigHub do not answer any more; evidence stays started.
    """
    units = environment.revisions()
    closed = dataclasses.replace(
        evidence,
        state=EvidenceState.CLOSED,
        units_after=units,
        pods_after=workloads.identities(environment),
        rollout=_rollout_of(run, evidence, units),
        timeline=environment.timeline(),
        results=tuple(results),
        exit_status=exit_status,
        ended_at=now(),
    )
    run.write_evidence(closed)
    return closed


def _rollout_of(run: Run, evidence: Evidence, units: Mapping[str, UnitRevision]) -> Rollout | None:
    """Return the deployment on record if it brought exactly these units, else nothing."""
    found = runs.newest_rollout(run.path.parent, space=evidence.environment.space)
    hashes = {slug: unit.sha256 for slug, unit in units.items()}
    return found if found is not None and found.units == hashes else None


def decide(run: Run, services: Sequence[str]) -> tuple[Evidence, Decision]:
    """Evaluate the evidence of a run as it is on disk, for the environment it names.

    Raises:
        EvidenceError: Missing, void or tampered with.
    """
    evidence = run.read_evidence()
    if evidence.policy not in policy_names():
        raise EvidenceError(f"{run.name}: no policy {evidence.policy!r} in this version")
    policy = load_policy(evidence.policy, services)
    subject = Subject(environment=evidence.environment, at=now())
    return evidence, evaluate(policy, evidence, subject)


def titles(policy: Policy) -> Mapping[str, str]:
    """Return each required claim's sentence, by key."""
    return {str(key): claim.title for key, claim in policy.required.items()}


def key_of(module: str, function: str, service: str) -> ClaimKey:
    """Return the key of a test: its names without `test_`."""
    return ClaimKey(
        module.rpartition(".")[2].removeprefix("test_"), function.removeprefix("test_"), service
    )
