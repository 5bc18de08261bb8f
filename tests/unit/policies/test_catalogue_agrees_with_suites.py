"""The catalogue of claims and the suites say the same."""

import ast
from pathlib import Path

import pytest

from traderx_gate import application, capabilities, policies
from traderx_gate.operations.validation import SUITES, key_of

ROOT = Path(__file__).resolve().parents[3]
CATALOGUE = policies.load_catalogue(application.load().slugs)


def suite_claims(suite: str) -> dict[str, str]:
    """Return the first docstring line of every test of a suite, by claim name."""
    found = {}
    for path in sorted((ROOT / "suites" / suite).glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                name = str(key_of(path.stem, node.name, ""))
                found[name] = (ast.get_docstring(node) or "").splitlines()[0]
    return found


@pytest.mark.parametrize("suite", SUITES)
def test_every_claim_of_the_catalogue_has_its_test(suite: str) -> None:
    """Each suite proves exactly the claims that the catalogue lists for it, in the same words."""
    listed = {claim.name: claim.title for claim in CATALOGUE.claims if claim.suite == suite}
    assert suite_claims(suite) == listed


def test_per_service_claims_ask_for_a_service() -> None:
    """A claim is parametrized by service exactly when the catalogue says so."""
    for claim in CATALOGUE.claims:
        module, function = claim.name.split(".")
        text = (ROOT / "suites" / claim.suite / f"test_{module}.py").read_text()
        (test,) = [
            node
            for node in ast.parse(text).body
            if isinstance(node, ast.FunctionDef) and node.name == f"test_{function}"
        ]
        asks = "service" in [argument.arg for argument in test.args.args]
        assert asks is claim.per_service, claim.name


def test_claims_that_write_are_marked() -> None:
    """A claim whose test is marked as writing is listed as such, and no other is."""
    listed = {claim.name for claim in CATALOGUE.claims if claim.writes}
    marked = {
        str(key_of(path.stem, node.name, ""))
        for path in sorted((ROOT / "suites").glob("*/test_*.py"))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(decorator) == "pytest.mark.writes" for decorator in node.decorator_list)
    }
    assert marked == listed


@pytest.mark.parametrize("name", sorted(policies.policy_names()))
def test_policies_that_come_with_the_project_are_well_formed(name: str) -> None:
    """Every policy can be read; those that validate require something of every service."""
    policy = policies.load_policy(name, application.load().slugs)
    assert policy.required
    if policy.kind == "validate":
        assert {key.service for key in policy.required} >= set(application.load().slugs)


@pytest.mark.parametrize("name", sorted(policies.promotion_policy_names()))
def test_promotion_policies_name_what_there_is(name: str) -> None:
    """Every promotion policy can be read, is called as its file, and names policies there are."""
    policy = policies.load_promotion_policy(name)
    assert policy.name == name
    assert {need.policy for need in policy.needs} - {""} <= policies.policy_names()


def test_needs_are_known_capabilities() -> None:
    """What a claim needs of a cluster is something that is probed."""
    needs = {claim.needs for claim in CATALOGUE.claims if claim.needs}
    assert needs
    assert needs <= capabilities.KNOWN


def test_policy_without_ingress_asks_for_all_else() -> None:
    """The policy for clusters without ingress asks for what `validate` does, but what needs one."""
    whole, less = (
        policies.load_policy(name, application.load().slugs)
        for name in ("validate", "validate-without-ingress")
    )
    missing = {claim.needs for key, claim in whole.required.items() if key not in less.required}
    assert (missing, set(less.required) < set(whole.required)) == ({"ingress"}, True)
    assert (less.kind, less.max_age) == (whole.kind, whole.max_age)
    assert [(r.claim, r.signature, r.expires) for r in less.accepted_risks] == [
        (r.claim, r.signature, r.expires) for r in whole.accepted_risks
    ]
