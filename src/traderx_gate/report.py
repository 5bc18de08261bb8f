"""The report: views of evidence and decision, for people and for CI; makes no decision."""

import jinja2

from traderx_gate import rendering, runs
from traderx_gate.application import load
from traderx_gate.checkout import ROOT
from traderx_gate.errors import GateError
from traderx_gate.operations import validation
from traderx_gate.operations.promotion import Promotion
from traderx_gate.operations.rollback import Rollback
from traderx_gate.policies import load_policy
from traderx_gate.runs import Run
from traderx_gate.verdict import Decision, Evidence, Rollout, ServiceTimeline

TEMPLATES = ROOT / "reports" / "templates"
BAR_WIDTH = 620
MOST_TICKS = 10
TICKS_S = tuple(base * 10.0**power for power in range(-2, 7) for base in (1, 2, 5))


def write_report(run: Run, evidence: Evidence, decision: Decision) -> None:
    """Write `report.html`, `summary.md` and `junit.xml`, and the index of all runs beside the run.

    Raises:
        RefusedError: A file cannot be written.
    """
    runs.write_atomically(run.path / runs.JUNIT, rendering.junit(evidence, decision))
    summary = rendering.summary(evidence, decision)
    runs.write_atomically(run.path / runs.SUMMARY, summary.encode())
    policy = load_policy(evidence.policy, load().slugs)
    by_key = {result.key: result for result in evidence.results}
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(
            decision=decision,
            evidence=evidence,
            required=sorted(
                ((key, title, by_key.get(key)) for key, title in validation.titles(policy).items()),
                key=lambda row: (row[0] in decision.proven, row[0]),
            ),
            bars=_bars(evidence.timeline),
            steps=_steps(evidence.rollout),
            ticks=_ticks(evidence.rollout),
            width=BAR_WIDTH,
        )
    )
    runs.write_atomically(run.path / runs.REPORT, page.encode())
    write_index(run)


def write_delivery_report(
    run: Run, *, promotion: Promotion | None = None, rollback: Rollback | None = None
) -> None:
    """Write `report.html` of a promotion or a rollback.

    Raises:
        RefusedError: It cannot be written.
    """
    page = (
        _environment()
        .get_template("delivery.html.j2")
        .render(run=run.name, promotion=promotion, rollback=rollback)
    )
    runs.write_atomically(run.path / runs.REPORT, page.encode())


def write_index(run: Run) -> None:
    """Write `index.html` over the past runs of the folder that a run lies in."""
    rows: list[tuple[str, Evidence | None, Decision | None, str]] = []
    for past in runs.past(run.path.parent):
        try:
            evidence = past.read_evidence()
            decision = past.read_decision() if past.is_decided else None
        except GateError as error:
            rows.append((past.name, None, None, str(error)))
        else:
            words = decision.summary() if decision else "did not come to an end"
            rows.append((past.name, evidence, decision, words))
    page = _environment().get_template("index.html.j2").render(rows=rows)
    runs.write_atomically(run.path.parent / "index.html", page.encode())


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _scale(rollout: Rollout) -> float:
    return BAR_WIDTH / max([*(service.healthy_s for service in rollout.services), 0.1])


def _steps(rollout: Rollout | None) -> list[dict[str, object]]:
    """Return each service's bar in three parts, in the order in which they began."""
    if rollout is None:
        return []
    scale = _scale(rollout)
    in_order = sorted(rollout.services, key=lambda service: (service.began_s, service.healthy_s))
    return [
        {
            "service": service.service,
            "y": 24 * row,
            "x": round(service.began_s * scale, 1),
            "applying": round((service.applied_s - service.began_s) * scale, 1),
            "readying": round((service.ready_s - service.applied_s) * scale, 1),
            "answering": round((service.healthy_s - service.ready_s) * scale, 1),
            "end": round(service.healthy_s * scale, 1),
            "healthy_s": service.healthy_s,
        }
        for row, service in enumerate(in_order)
    ]


def _ticks(rollout: Rollout | None) -> list[dict[str, object]]:
    """Return the marks of the time axis: at most ten, at round numbers of seconds."""
    if rollout is None:
        return []
    scale = _scale(rollout)
    longest = BAR_WIDTH / scale
    every = next(step for step in TICKS_S if longest / step <= MOST_TICKS)
    count = int(longest / every) + 1
    return [{"x": round(n * every * scale, 1), "label": f"{n * every:g} s"} for n in range(count)]


def _bars(timeline: tuple[ServiceTimeline, ...]) -> list[dict[str, object]]:
    """Return each pod's bar: from created over started to ready, scaled to the width."""
    ends = [pod.ready_s or pod.started_s or pod.created_s for pod in timeline]
    scale = BAR_WIDTH / max([*ends, 1.0])
    return [_bar(pod, y=24 * row, scale=scale) for row, pod in enumerate(timeline)]


def _bar(pod: ServiceTimeline, *, y: int, scale: float) -> dict[str, object]:
    started = pod.created_s if pod.started_s is None else pod.started_s
    ready = started if pod.ready_s is None else max(started, pod.ready_s)
    return {
        "pod": pod,
        "y": y,
        "x": round(pod.created_s * scale, 1),
        "starting": round((started - pod.created_s) * scale, 1),
        "warming": round((ready - started) * scale, 1),
    }
