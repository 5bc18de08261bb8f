from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rendering.samples import (
    REASONS,
    decision,
    evidence,
    failure,
    gap,
    result,
    started,
)
from traderx_gate.rendering import junit, one_line
from traderx_gate.verdict import Decision, Evidence, Outcome, Reason


def cases(seen: Evidence, decided: Decision) -> dict[str, list[str]]:
    """Return each testcase's children, by the claim's key."""
    root = ET.fromstring(junit(seen, decided))  # noqa: S314 - it is ours
    return {
        f"{case.get('classname')}.{case.get('name')}": [child.tag for child in case]
        for case in root.iter("testcase")
    }


def test_each_claim_is_one_testcase_by_its_standing() -> None:
    """Proven and accepted claims pass, a false one is a failure, one without proof an error."""
    seen = evidence(result("a.proven"), result("a.false[database]", Outcome.FAILED))
    decided = decision(
        failure("a.false[database]"),
        gap("a.lost"),
        proven=("a.proven",),
        accepted=("a.risky: known (me, until 2027-01-01)",),
    )
    assert cases(seen, decided) == {
        "a.false[database]": ["failure"],
        "a.lost": ["error"],
        "a.proven": [],
        "a.risky": ["system-out"],
    }


def test_void_run_is_red_though_every_claim_is_proven() -> None:
    """A run that is void as a whole has a testcase of its own, which is not green."""
    seen = cases(evidence(result("a.b")), decision(gap("", "units changed"), proven=("a.b",)))
    assert seen == {"a.b": [], "run.the run as a whole": ["error"]}


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.PASSED])
def test_result_that_proves_nothing_is_not_green(outcome: Outcome) -> None:
    """A claim that nobody required and that did not pass is shown as skipped, never as passed."""
    assert cases(evidence(result("a.b", outcome)), decision()) == {"a.b": ["skipped"]}


def test_failure_outweighs_missing_proof() -> None:
    """A claim with reasons of both kinds is a failure, and its text holds both."""
    root = ET.fromstring(junit(evidence(), decision(gap(), failure())))  # noqa: S314 - it is ours
    (element,) = root.iter("failure")
    assert (element.text or "").splitlines() == ["INCONCLUSIVE: was skipped", "FAIL: no answer"]


def test_killed_run_has_its_junit_too() -> None:
    """Evidence that was never closed makes a file: what is open in it is an error."""
    decided = decision(gap("a.b", "no result"), gap("", "the run did not end"))
    assert set(map(tuple, cases(started(), decided).values())) == {("error",)}


@given(st.lists(REASONS, max_size=4))
def test_any_words_make_well_formed_xml_that_keeps_them(reasons: list[Reason]) -> None:
    """Whatever was seen, the file is XML, its totals are right, and the words are in it."""
    root = ET.fromstring(junit(evidence(), decision(*reasons)))  # noqa: S314 - it is ours
    red = [child for case in root.iter("testcase") for child in case]
    totals = [int(root.get(name, "-1")) for name in ("tests", "failures", "errors", "skipped")]
    tags = [element.tag for element in red]
    assert totals == [len(red), tags.count("failure"), tags.count("error"), 0]
    text = "\n".join(element.text or "" for element in red)
    assert all(one_line(reason.seen) in text for reason in reasons)
