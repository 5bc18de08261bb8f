"""The verdict: PASS only with positive proof, whatever is missing, wrong or damaged."""

import dataclasses
import datetime as dt
import json
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from traderx_gate.errors import EvidenceError
from traderx_gate.verdict import (
    ClaimCatalogue,
    ClaimResult,
    Cluster,
    Decision,
    Environment,
    Evidence,
    EvidenceState,
    Observation,
    Outcome,
    PodIdentity,
    Policy,
    Subject,
    UnitRevision,
    Verdict,
    evaluate,
)

CATALOGUE = ClaimCatalogue.from_toml(
    """
    [[claim]]
    name = "images.running_image_is_the_units"
    suite = "validate_deployment"
    title = "Every pod runs its unit's image."
    per = "service"
    min_samples = 2

    [[claim]]
    name = "namespace.nothing_is_unmanaged"
    suite = "validate_deployment"
    title = "Nothing in the namespace is unmanaged."
    per = "environment"
    min_samples = 1
    """,
    source="claims.toml",
    services=("database", "account-service"),
)
POLICY_TEXT = """
schema = 1
name = "validate"
kind = "validate"
max_age_s = 3600
claims = ["*"]
writes = true

[[accepted_risk]]
claim = "namespace.nothing_is_unmanaged"
signature = "ConfigMap .*/left-over"
reason = "known left-over"
owner = "release"
expires = 2026-12-31
"""
POLICY = Policy.from_toml(POLICY_TEXT, source="policy.toml", catalogue=CATALOGUE)
START = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)
END = START + dt.timedelta(seconds=10)
DEV = Environment(project="p", name="dev", space="p-dev", namespace="traderx-dev")
UNITS = {"database-deployment": UnitRevision(sha256="aa", head=1, applied=1, live=1)}
POD = PodIdentity(uid="u1", containers={"database": "sha256:1"}, restarts={"database": 0})
PODS = {"database-1": POD}
NOW = Subject(environment=DEV, at=END + dt.timedelta(seconds=1), units=UNITS)
MET = Observation(subject="pod a", expected="x:1", seen="x:1", met=True)
UNMET = Observation(subject="pod a", expected="x:1", seen="x:2", met=False, where="kubectl get pod")


def proof(key: str) -> ClaimResult:
    return ClaimResult(
        key=key,
        outcome=Outcome.PASSED,
        at=START + dt.timedelta(seconds=5),
        duration_s=0.1,
        samples=2,
        observations=(MET,),
    )


GOOD = Evidence(
    run="r1",
    kind="validate",
    state=EvidenceState.CLOSED,
    environment=DEV,
    cluster=Cluster(kind="embedded", context="c", version="v1"),
    provenance="stand-ins",
    units_before=UNITS,
    units_after=UNITS,
    pods_before=PODS,
    pods_after=PODS,
    seed=1,
    policy="validate",
    policy_sha256=POLICY.sha256,
    tool_version="0",
    started_at=START,
    ended_at=END,
    required=tuple(sorted(map(str, POLICY.required))),
    results=tuple(proof(str(key)) for key in POLICY.required),
    timeline=(),
    exit_status=0,
)


def decide(evidence: Evidence, subject: Subject = NOW) -> Decision:
    return evaluate(POLICY, evidence, subject)


def with_result(evidence: Evidence, index: int, **changes: object) -> Evidence:
    results = list(evidence.results)
    if results:
        at = index % len(results)
        results[at] = dataclasses.replace(results[at], **changes)  # type: ignore[arg-type]
    return dataclasses.replace(evidence, results=tuple(results))


def _key(result: ClaimResult) -> str:
    return result.key


def without_result(evidence: Evidence, index: int) -> Evidence:
    results = list(evidence.results)
    if results:
        del results[index % len(results)]
    return dataclasses.replace(evidence, results=tuple(results))


def doubled(evidence: Evidence, index: int) -> Evidence:
    again = evidence.results[index % len(evidence.results) :][:1] if evidence.results else ()
    return dataclasses.replace(evidence, results=evidence.results + again)


def changed(**changes: object) -> Callable[[Evidence, int], Evidence]:
    return lambda evidence, _: dataclasses.replace(evidence, **changes)  # type: ignore[arg-type]


MOVED = {"database-deployment": UnitRevision(sha256="bb", head=2, applied=2, live=2)}
DAMAGES: dict[str, Callable[[Evidence, int], Evidence]] = {
    "missing": without_result,
    "zero collected": changed(results=()),
    "deselected, zero units": changed(units_before={}, units_after={}),
    **{
        outcome.value: lambda evidence, i, o=outcome: with_result(evidence, i, outcome=o)  # type: ignore[misc]
        for outcome in Outcome
        if outcome is not Outcome.PASSED
    },
    "duplicated": doubled,
    "no observation": lambda e, i: with_result(e, i, observations=()),
    "unmet observation": lambda e, i: with_result(e, i, observations=(MET, UNMET)),
    "too few samples": lambda e, i: with_result(e, i, samples=0),
    "stale claim": lambda e, i: with_result(e, i, at=START - dt.timedelta(seconds=1)),
    "future claim": lambda e, i: with_result(e, i, at=END + dt.timedelta(seconds=1)),
    "stale run": changed(
        started_at=START - dt.timedelta(hours=3), ended_at=END - dt.timedelta(hours=2)
    ),
    "from the future": changed(ended_at=END + dt.timedelta(days=1)),
    "never closed": changed(state=EvidenceState.STARTED),
    "no end": changed(ended_at=None),
    "interrupted": changed(exit_status=2),
    "internal error": changed(exit_status=3),
    "usage error": changed(exit_status=4),
    "nothing collected": changed(exit_status=5),
    "no exit status": changed(exit_status=None),
    "wrong environment": changed(environment=dataclasses.replace(DEV, name="prod")),
    "wrong space": changed(environment=dataclasses.replace(DEV, space="q-dev")),
    "wrong kind": changed(kind="soak"),
    "another policy": changed(policy_sha256="0" * 64),
    "units unknown before": changed(units_before={}),
    "units unknown after": changed(units_after={}),
    "units moved meanwhile": changed(units_before=MOVED),
    "pods unknown before": changed(pods_before={}),
    "pods unknown after": changed(pods_after={}),
    "pods unknown": changed(pods_before={}, pods_after={}),
    **{
        f"pod {what} meanwhile": changed(pods_after=pods)
        for what, pods in {
            "replaced": {"database-2": dataclasses.replace(POD, uid="u2")},
            "made again": {"database-1": dataclasses.replace(POD, uid="u2")},
            "restarted": {"database-1": dataclasses.replace(POD, restarts={"database": 1})},
            "of another image": {
                "database-1": dataclasses.replace(POD, containers={"database": "sha256:2"})
            },
            "added": {**PODS, "database-2": dataclasses.replace(POD, uid="u2")},
        }.items()
    },
    "other revisions live": changed(units_before=MOVED, units_after=MOVED),
}


def test_complete_proof_passes() -> None:
    """Evidence with proof for every required claim is a PASS, with all of them listed."""
    decision = decide(GOOD)
    assert (decision.verdict, decision.reasons) == (Verdict.PASS, ())
    assert len(decision.proven) == decision.required == 3


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("index", range(3))
def test_each_damage_alone_is_no_pass(damage: str, index: int) -> None:
    """Every single damage takes the PASS away and gives a reason."""
    decision = decide(DAMAGES[damage](GOOD, index))
    assert decision.verdict is not Verdict.PASS
    assert decision.reasons


@given(st.lists(st.tuples(st.sampled_from(sorted(DAMAGES)), st.integers(0, 9)), min_size=1))
def test_no_combination_of_damages_passes(damages: list[tuple[str, int]]) -> None:
    """No combination of damages cancels out to a PASS."""
    evidence = GOOD
    for name, index in damages:
        evidence = DAMAGES[name](evidence, index)
    # "missing" after "duplicated" may restore the evidence: then nothing is damaged
    restored = dataclasses.replace(evidence, results=tuple(sorted(evidence.results, key=_key)))
    assume(restored != dataclasses.replace(GOOD, results=tuple(sorted(GOOD.results, key=_key))))
    assert decide(evidence).verdict is not Verdict.PASS


def test_restarted_pod_is_named() -> None:
    """A pod that was restarted while the checks ran makes INCONCLUSIVE, and is named with both."""
    again = {"database-1": dataclasses.replace(POD, restarts={"database": 1})}
    decision = decide(dataclasses.replace(GOOD, pods_after=again))
    assert decision.verdict is Verdict.INCONCLUSIVE
    (reason,) = decision.reasons
    assert reason.text == "pods were replaced or restarted while the checks ran"
    life = "uid u1, database restarted {} times, image sha256:1"
    assert reason.seen == f"database-1: {life.format(0)} -> {life.format(1)}"


PODS_SEEN = st.dictionaries(
    st.sampled_from(["a", "b"]),
    st.builds(
        PodIdentity,
        uid=st.sampled_from(["u1", "u2"]),
        containers=st.dictionaries(st.just("c"), st.sampled_from(["i1", "i2"])),
        restarts=st.dictionaries(st.just("c"), st.integers(0, 2)),
    ),
)


@given(PODS_SEEN, PODS_SEEN)
def test_pass_implies_the_same_pods_throughout(
    before: dict[str, PodIdentity], after: dict[str, PodIdentity]
) -> None:
    """Otherwise complete proof passes if, and only if, the same pods lived from begin to end."""
    decision = decide(dataclasses.replace(GOOD, pods_before=before, pods_after=after))
    assert (decision.verdict is Verdict.PASS) == (bool(before) and before == after)


def test_policy_that_requires_nothing_proves_nothing() -> None:
    """A policy without a required claim is INCONCLUSIVE, not vacuously a PASS."""
    decision = evaluate(dataclasses.replace(POLICY, required={}), GOOD, NOW)
    assert decision.verdict is Verdict.INCONCLUSIVE


def test_the_limits_of_time_count_as_inside() -> None:
    """A claim measured at the first or last instant counts, and evidence is fresh at its age."""
    instant = dataclasses.replace(
        GOOD,
        ended_at=START,
        results=tuple(dataclasses.replace(result, at=START) for result in GOOD.results),
    )
    oldest = dataclasses.replace(NOW, at=START + POLICY.max_age)
    assert decide(instant, oldest).verdict is Verdict.PASS


RISK = "namespace.nothing_is_unmanaged"
LEFT_OVER = Observation(subject="o", expected="-", seen="ConfigMap a/left-over", met=False)
RESULTS = st.builds(
    ClaimResult,
    key=st.sampled_from([*map(str, POLICY.required), "other.claim"]),
    outcome=st.sampled_from(Outcome),
    at=st.sampled_from([START, END, START - dt.timedelta(1), END + dt.timedelta(1)]),
    duration_s=st.just(0.0),
    samples=st.integers(0, 3),
    observations=st.lists(st.sampled_from([MET, UNMET, LEFT_OVER]), max_size=2).map(tuple),
    message=st.just(""),
)


@given(
    st.lists(RESULTS, max_size=6).map(tuple),
    st.sampled_from(EvidenceState),
    st.sampled_from([None, 0, 1, 2, 5]),
)
def test_pass_implies_a_proof_of_every_claim(
    results: tuple[ClaimResult, ...], state: EvidenceState, exit_status: int | None
) -> None:
    """Whatever the evidence, a decision is made; PASS means one clean or accepted result each."""
    evidence = dataclasses.replace(GOOD, results=results, state=state, exit_status=exit_status)
    decision = decide(evidence)
    if decision.verdict is Verdict.PASS:
        for key in map(str, POLICY.required):
            (result,) = [r for r in results if r.key == key]
            accepted = key == RISK and result.outcome is Outcome.FAILED
            assert accepted or result.outcome is Outcome.PASSED
            assert result.samples >= 1
            assert result.observations
            assert START <= result.at <= END
            assert set(result.unmet()) == ({LEFT_OVER} if accepted else set())
        assert (state, exit_status in (0, 1)) == (EvidenceState.CLOSED, True)
    else:
        assert decision.reasons


def test_fail_outweighs_missing_proof() -> None:
    """A failed claim makes FAIL also where other claims have no proof, and comes first."""
    failed = with_result(GOOD, 0, outcome=Outcome.FAILED, observations=(UNMET,))
    decision = decide(without_result(failed, 1))
    assert decision.verdict is Verdict.FAIL
    assert [reason.verdict for reason in decision.reasons] == [Verdict.FAIL, Verdict.INCONCLUSIVE]
    first = decision.reasons[0]
    assert (first.expected, first.seen, first.where) == ("x:1", "x:2", "kubectl get pod")


def test_failed_claim_that_nobody_required_fails() -> None:
    """A claim outside of the policy that ran and failed still stops the promotion."""
    extra = dataclasses.replace(proof("extra.claim"), outcome=Outcome.FAILED)
    decision = decide(dataclasses.replace(GOOD, results=(*GOOD.results, extra)))
    assert decision.verdict is Verdict.FAIL


def failing_risk(*observations: Observation) -> Evidence:
    index = [result.key for result in GOOD.results].index(RISK)
    return with_result(GOOD, index, outcome=Outcome.FAILED, observations=observations)


def test_accepted_risk_with_its_signature_passes() -> None:
    """A failure that an accepted risk covers, by claim and signature, is stated and passes."""
    decision = decide(failing_risk(LEFT_OVER))
    assert decision.verdict is Verdict.PASS
    assert decision.accepted == (f"{RISK}: known left-over (release, until 2026-12-31)",)


@pytest.mark.parametrize(
    "evidence",
    [failing_risk(UNMET), failing_risk(LEFT_OVER, UNMET), failing_risk()],
    ids=["another failure", "one more failure", "failure without an observation"],
)
def test_accepted_risk_covers_only_its_signature(evidence: Evidence) -> None:
    """Any failure beyond the accepted signature is a FAIL."""
    assert decide(evidence).verdict is Verdict.FAIL


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.FAILED])
def test_accepted_risk_covers_no_broken_check(outcome: Outcome) -> None:
    """A check that broke, was skipped or says it passed is not covered, whatever it had seen."""
    index = [result.key for result in GOOD.results].index(RISK)
    evidence = with_result(failing_risk(LEFT_OVER), index, outcome=outcome)
    assert decide(evidence).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    "changes", [{"samples": 0}, {"at": START - dt.timedelta(1)}, {"at": END + dt.timedelta(1)}]
)
def test_accepted_risk_needs_a_sound_result(changes: dict[str, object]) -> None:
    """A failure that was not looked at enough, or outside of the run, is not covered."""
    index = [result.key for result in GOOD.results].index(RISK)
    evidence = with_result(failing_risk(LEFT_OVER), index, **changes)
    assert decide(evidence).verdict is Verdict.FAIL


def test_expired_risk_is_a_failure() -> None:
    """An accepted risk counts until its last day and not a day longer."""
    policy = dataclasses.replace(POLICY, max_age=dt.timedelta(days=90))
    evidence = failing_risk(LEFT_OVER)
    last_day = dt.datetime(2026, 12, 31, 23, 59, tzinfo=dt.UTC)
    day_after = last_day + dt.timedelta(minutes=1)
    verdicts = [
        evaluate(policy, evidence, dataclasses.replace(NOW, at=at)).verdict
        for at in (last_day, day_after)
    ]
    assert verdicts == [Verdict.PASS, Verdict.FAIL]


def test_evidence_survives_json() -> None:
    """Evidence read back from its JSON is the same value."""
    evidence = failing_risk(LEFT_OVER)
    assert Evidence.from_json(json.loads(json.dumps(evidence.to_json()))) == evidence


@given(
    st.sampled_from([*GOOD.to_json()]),
    st.sampled_from([None, 1, "x", [], {}, [1], {"a": 1}, float("inf")]),
)
def test_malformed_evidence_is_refused_in_words(key: str, value: object) -> None:
    """Evidence with any field replaced by nonsense is read as something, or refused as evidence."""
    body = {**json.loads(json.dumps(GOOD.to_json())), key: value}
    try:
        evidence = Evidence.from_json(body)
    except EvidenceError:
        return
    decide(evidence)


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("has", [True, False, None])
def test_claim_beyond_the_cluster_is_not_proven(*, outcome: Outcome, has: bool | None) -> None:
    """What needs a capability that the cluster lacks is no PASS, and a failure stays one."""
    needy = dataclasses.replace(CATALOGUE.claims[1], needs="ingress")
    required = {
        key: needy if claim.name == needy.name else claim for key, claim in POLICY.required.items()
    }
    policy = dataclasses.replace(POLICY, required=required, accepted_risks=())
    cluster = dataclasses.replace(
        GOOD.cluster, capabilities={} if has is None else {"ingress": has}
    )
    results = tuple(
        dataclasses.replace(result, outcome=outcome) if result.key == needy.name else result
        for result in GOOD.results
    )
    evidence = dataclasses.replace(GOOD, cluster=cluster, results=results)
    decision = evaluate(policy, evidence, NOW)
    lacking = [r for r in decision.reasons if r.text == "the cluster lacks the capability ingress"]
    failed = outcome is Outcome.FAILED
    assert len(lacking) == (has is False and not failed)
    assert (decision.verdict is Verdict.FAIL) == failed
    assert (decision.verdict is Verdict.PASS) == (outcome is Outcome.PASSED and has is not False)
