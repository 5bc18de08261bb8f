"""The catalogue of claims and the suites say the same."""

import ast
from pathlib import Path

import pytest

from traderx_gate import application, policies
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


@pytest.mark.parametrize("policy", sorted(policies.policy_names()))
def test_policies_that_come_with_the_project_are_well_formed(policy: str) -> None:
    """Every policy of the project can be read and requires something of every service."""
    required = policies.load_policy(policy, application.load().slugs).required
    assert {key.service for key in required} >= set(application.load().slugs)
