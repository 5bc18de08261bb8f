"""Where each claim's check is written, read from the suites; for annotations beside the code."""

import ast
import os
from collections.abc import Mapping
from pathlib import Path

from traderx_gate.checkout import ROOT
from traderx_gate.rendering import Source


def claim_sources(suites: Path = ROOT / "suites") -> Mapping[str, Source]:
    """Return the place of every test function below `suites`, by `module.function`."""
    return {
        f"{path.stem.removeprefix('test_')}.{node.name.removeprefix('test_')}": Source(
            path=_as_the_repository_has_it(path), line=node.lineno
        )
        for path in sorted(suites.glob("*/test_*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def _as_the_repository_has_it(path: Path) -> str:
    """Return the path from where CI checked out: we may be a folder of somebody's repository."""
    workspace = Path(os.environ.get("GITHUB_WORKSPACE") or ROOT).resolve()
    base = workspace if path.is_relative_to(workspace) else ROOT
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)
