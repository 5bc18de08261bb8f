"""Promotion is refused in one line, with the right exit code, and changes nothing."""

import json
from collections.abc import Callable

import pytest

from tests.integration.promotion.line import Line
from traderx_gate.kube import ObjectRef

USAGE = {
    "to itself": (["promote", "dev", "dev"], "dev does not come after dev"),
    "skipping one": (["promote", "dev", "prod"], "`traderx-gate promote dev staging`"),
    "from the base": (["promote", "base", "dev"], "base is promoted nowhere"),
    "unknown": (["promote", "dev", "stging"], "did you mean staging?"),
    "unknown policy": (["promote", "dev", "staging", "--policy", "x"], "no promotion policy 'x'"),
    "no reason": (["promote", "dev", "staging", "--unverified"], "--unverified and --reason"),
    "reason alone": (["deploy", "staging", "--reason", "x"], "--unverified and --reason"),
    "unknown revision": (["rollback", "dev", "web-gui", "--to", "999"], "has no revision 999"),
    "revision of all": (["rollback", "dev", "--to", "1"], "name the service"),
    "unknown run": (["rollback", "dev", "--to", "yesterday"], "no run that passed in dev"),
    "unverified revision": (["rollback", "dev", "web-gui", "--to", "1"], "--unverified --reason"),
    "nothing under way": (["resume", "staging"], "no promotion to staging is under way"),
    "no backup": (["restore-backup", "/dev/null"], "is no backup"),
    "prod from a pipe": (["rollback", "prod"], "--yes-really prod"),
    "another name": (["rollback", "prod", "--yes-really", "staging"], "'staging' is not 'prod'"),
}


def test_usage_is_refused(line: Line) -> None:
    """What cannot be meant is refused with exit code 2, and what would do instead."""
    before = {env: line.data(env) for env in ("dev", "staging")}
    seen = {}
    for name, (words, told) in USAGE.items():  # one test: each would wait for its turn
        done = line.run(*words)
        seen[name] = (done.returncode, len(done.stderr.splitlines()), told in done.stderr)
    assert seen == dict.fromkeys(USAGE, (2, 1, True))
    assert {env: line.data(env) for env in ("dev", "staging")} == before


def _edited(line: Line) -> None:
    path = line.newest("validate", "dev") / "evidence.json"
    path.write_text(path.read_text().replace('"met": true', '"met": false', 1))


def _signed_by_another(line: Line) -> None:
    path = line.newest("validate", "dev") / "evidence.dsse.json"
    body = json.loads(path.read_text())
    body["signatures"][0]["keyid"] = "0" * 64
    path.write_text(json.dumps(body, indent=1))


def _of_staging(line: Line) -> None:
    theirs, ours = line.newest("validate", "staging"), line.newest("validate", "dev")
    for name in ("evidence.json", "evidence.dsse.json"):
        (ours / name).write_bytes((theirs / name).read_bytes())


@pytest.mark.parametrize(
    ("damage", "verify_code"),
    [
        (_edited, 3),
        (_signed_by_another, 3),
        (_of_staging, 0),  # it is what was signed, only not of this run
    ],
)
def test_damaged_evidence_is_refused(
    line: Line, damage: Callable[[Line], None], verify_code: int
) -> None:
    """Evidence that is edited, signed by nobody known, or another's promotes nothing: code 3."""
    run = line.newest("validate", "dev")
    kept = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}
    before = line.data("staging")
    try:
        damage(line)
        done = line.run("promote", "dev", "staging")
        gate = line.run("gate", "dev")
        verified = line.run("verify", str(run))
    finally:
        for path, content in kept.items():
            path.write_bytes(content)
    assert [done.returncode, gate.returncode, verified.returncode] == [3, 3, verify_code]
    assert len(done.stderr.splitlines()) == 1
    assert run.name in done.stderr
    assert line.data("staging") == before
    line.must("verify", str(run))
    line.must("gate", "dev")


def test_held_back_until_proven(line: Line) -> None:
    """An edit of staging is held back by ConfigHub itself, whoever would apply it."""
    before = line.data("staging")["web-gui-deployment"]
    unit = line.edit("staging", "web-gui-deployment", "metadata:", "metadata:  # edited")
    assert unit.apply_gates == {"verdict/is-approved"}
    refused = line.run("deploy", "staging")
    promoted = line.run("promote", "dev", "staging")
    line.confighub.unit_update(unit, before, change="repaired")
    assert (refused.returncode, promoted.returncode) == (2, 2)
    assert "verdict/is-approved" in refused.stderr
    assert "it would go along without proof" in promoted.stderr


def test_evidence_against_it_is_refused(line: Line) -> None:
    """What its newest evidence speaks against is not promoted: exit code 1."""
    namespace = "line-dev"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "stray"}}
    body["metadata"] |= {"namespace": namespace}  # type: ignore[operator]
    line.kube.apply(body, manager="somebody")
    failed = line.run("validate", "dev")
    done = line.run("promote", "dev", "staging")
    line.kube.delete(ObjectRef.of(body))
    assert (failed.returncode, done.returncode) == (1, 1)
    assert "namespace.nothing_is_unmanaged" in done.stderr
    line.must("validate", "dev")
