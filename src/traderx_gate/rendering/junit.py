"""JUnit XML: one testcase a claim. FAIL is a failure, INCONCLUSIVE an error: neither is green.

ElementTree of the standard library: it is five elements, and the libraries for them do not deal
with what XML cannot hold, which is the one hard part.
"""

from collections import Counter
from xml.etree import ElementTree as ET

from traderx_gate.rendering.line import one_line
from traderx_gate.rendering.standing import Standing, standings
from traderx_gate.verdict import Decision, Evidence, Outcome, Reason, Verdict

RUN = "the run as a whole"
TAGS = {Verdict.FAIL: "failure", Verdict.INCONCLUSIVE: "error"}


def junit(evidence: Evidence, decision: Decision) -> bytes:
    """Return `junit.xml`."""
    cases = [_case(standing) for standing in standings(evidence, decision)]
    count = Counter(child.tag for case in cases for child in case)
    ended = evidence.ended_at or evidence.started_at
    totals = {
        "tests": str(len(cases)),
        "failures": str(count["failure"]),
        "errors": str(count["error"]),
        "skipped": str(count["skipped"]),
        "time": f"{(ended - evidence.started_at).total_seconds():.3f}",
    }
    root = ET.Element("testsuites", totals)
    suite = ET.SubElement(
        root,
        "testsuite",
        {
            "name": one_line(f"{evidence.kind} {evidence.environment.name}"),
            **totals,
            "timestamp": evidence.started_at.isoformat(),
        },
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in {
        "verdict": decision.verdict.value,
        "run": evidence.run,
        "seed": str(evidence.seed),
        "policy": decision.policy,
        "policy_sha256": decision.policy_sha256,
        "cluster": evidence.cluster.kind,
        "provenance": evidence.provenance,
    }.items():
        ET.SubElement(properties, "property", {"name": name, "value": one_line(value)})
    suite.extend(cases)
    ET.indent(root, " ")
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _case(standing: Standing) -> ET.Element:
    module, _, name = standing.key.partition(".")
    result = standing.result
    case = ET.Element(
        "testcase",
        {
            "classname": one_line(module) or "run",
            "name": one_line(name) or RUN,
            "time": f"{result.duration_s if result else 0:.3f}",
        },
    )
    if standing.reasons:
        _add_reasons(case, standing.reasons)
    elif standing.accepted:
        ET.SubElement(case, "system-out").text = one_line(f"accepted risk {standing.accepted}")
    elif not standing.proven and (result is None or result.outcome is not Outcome.PASSED):
        seen = result.outcome.value if result else "no result"
        ET.SubElement(case, "skipped", {"message": f"not required by the policy: {seen}"})
    return case


def _add_reasons(case: ET.Element, reasons: tuple[Reason, ...]) -> None:
    """Add one failure or error: readers show a testcase's first only, so it holds them all."""
    worst = min(reasons, key=lambda reason: reason.verdict is not Verdict.FAIL)
    element = ET.SubElement(
        case,
        TAGS[worst.verdict],
        {"type": worst.verdict.value, "message": one_line(worst.text)},
    )
    element.text = "\n".join(line for reason in reasons for line in _lines(reason))


def _lines(reason: Reason) -> list[str]:
    said = {"expected": reason.expected, "seen": reason.seen, "look at": reason.where}
    return [
        one_line(f"{reason.verdict.value}: {reason.text}"),
        *(f"  {word}: {one_line(text)}" for word, text in said.items() if text),
    ]
