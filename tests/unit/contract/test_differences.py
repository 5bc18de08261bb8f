"""The table of differences names tests that there are, and what it leaves out is said."""

import ast
from pathlib import Path

import pytest

from tests.contract.kubernetes import differences

FOLDER = Path(differences.__file__).parent
TESTS = {
    f"{path.name}::{node.name}"
    for path in FOLDER.glob("test_*.py")
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
}


def test_it_names_tests_that_there_are() -> None:
    """A test that was renamed is not left in the table, where it would leave out nothing."""
    files = {name.partition("::")[0] for name in TESTS}
    named = {test for difference in differences.table() for test in difference.tests}
    assert named <= TESTS | files


def test_what_is_lacking_is_left_out() -> None:
    """What a cluster lacks leaves out its tests, and no others; every kubelet's differences go."""
    names = ("test_ingress.py", "test_termination.py")
    some, more = differences.of_a_cluster([]), differences.of_a_cluster(["ingress"])
    ids = [f"tests/contract/kubernetes/{name}" for name in sorted(TESTS)]
    left = [
        {i for i in ids if any(d.is_about(f"{i}[a/b]") for d in found)} for found in (some, more)
    ]
    assert left[1] - left[0] == {i for i in ids if f"/{names[0]}::" in i}
    assert {i.rpartition("/")[2].partition("::")[0] for i in left[0]} >= {names[1]}


def test_a_slip_is_told() -> None:
    """What nothing in the table is about is refused, with what there is."""
    with pytest.raises(ValueError, match="known are curl-image, ingress"):
        differences.of_a_cluster(["curl_image"])
