"""Rules of this code that neither ruff nor import-linter can say."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = ("bench", "fixtures", "src", "suites", "tests")
CONFTEST_LINES = 60
VAGUE_NAMES = {"common", "general", "helpers", "infra", "misc", "util", "utilities", "utils"}
CLOCK_AND_FILES = {"now", "today", "utcnow", "open", "read_text", "read_bytes", "write_text"}
MODULES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def called(path: Path) -> Iterator[str]:
    """Every call's last name, such as `sleep` of `time.sleep(1)`."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func).rpartition(".")[2]


def names(path: Path) -> Iterator[str]:
    """Every dotted name in a module, and every `module.name` that it imports."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute):
            yield ast.unparse(node)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def claims_of(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name[:5] == "test_":
            yield node


def test_no_conftest_is_long() -> None:
    """A conftest has at most 60 lines; what is longer is a module with a name."""
    files = [ROOT / "conftest.py", *(path for path in MODULES if path.name == "conftest.py")]
    long = [named(f) for f in files if len(f.read_text().splitlines()) > CONFTEST_LINES]
    assert long == []


def test_root_conftest_declares_plugins_and_options_only() -> None:
    """The root's conftest holds the tuple of plugins and one function, and imports only pytest."""
    body = tree(ROOT / "conftest.py").body[1:]
    shapes = [ast.unparse(node).split("(")[0].splitlines()[0] for node in body]
    assert shapes == ["import pytest", "pytest_plugins = ", "def pytest_addoption"]


def test_no_module_has_a_vague_name() -> None:
    """No module or folder is a dumping ground by its name."""
    assert [named(path) for path in MODULES if VAGUE_NAMES & {path.stem, path.parent.name}] == []


def test_every_test_states_its_claim() -> None:
    """Every test has a docstring whose first line is a sentence."""
    silent = [
        f"{named(path)}::{test.name}"
        for path in MODULES
        if path.name.startswith("test_")
        for test in claims_of(path)
        if not (ast.get_docstring(test) or "").partition("\n\n")[0].rstrip().endswith(".")
    ]
    assert silent == []


def test_nothing_is_skipped_or_expected_to_fail() -> None:
    """No test is skipped, expected to fail, or run again."""
    pattern = re.compile(r"(pytest\.|mark\.)(skip|skipif|xfail|importorskip|flaky)\b")
    found = [
        f"{named(path)}: {name}" for path in MODULES for name in names(path) if pattern.search(name)
    ]
    assert found == []


def test_only_waiting_sleeps() -> None:
    """In library, fixtures and suites, only traderx_gate.waiting sleeps."""
    sleepers = [
        named(path)
        for folder in ("src/traderx_gate", "fixtures", "suites")
        for path in (ROOT / folder).rglob("*.py")
        if "time.sleep" in names(path)
    ]
    assert sleepers == ["src/traderx_gate/waiting.py"]


def test_verdict_reads_no_clock_and_no_file() -> None:
    """The verdict calls nothing that reads the time or a file; both are given to it."""
    found = [
        f"{named(path)}: {name}"
        for path in (ROOT / "src/traderx_gate/verdict").glob("*.py")
        for name in called(path)
        if name in CLOCK_AND_FILES
    ]
    assert found == []


@pytest.mark.parametrize("name", ["Makefile", ".ci/gate", ".ci/run"])
def test_no_command_hides_a_failure(name: str) -> None:
    """Neither make nor CI goes on after a command that failed."""
    text = (ROOT / name).read_text()
    assert re.findall(r"\|\|\s*(?:true|:)|^\t-", text, re.MULTILINE) == []
