"""Units: all there, each with its upstream, and filters and sets as installed."""

from fixtures.evidence import Observe
from traderx_gate.application.layout import load_layout
from traderx_gate.environment import DeployedEnvironment
from traderx_gate.inspection import project


def test_have_their_upstream(environment: DeployedEnvironment, observe: Observe) -> None:
    """Every unit is cloned from the unit of the same name in the upstream environment."""
    upstream = environment.spec.upstream
    above = environment.units_in(upstream)
    assert observe(project.upstreams(environment.units(), above, upstream=upstream)) == ()


def test_filters_and_sets_are_as_installed(
    environment: DeployedEnvironment, observe: Observe
) -> None:
    """The project's filters and sets exist and say what was installed."""
    hub, name, layout = environment.confighub, environment.project, load_layout()
    filters, base = environment.find_space("filters"), environment.find_space("base")
    stored = hub.filter_list(filters) if filters else ()
    sets = hub.set_list(base) if base else ()
    known = sets if hub.generation.has_sets else None
    unmet = observe(
        [
            *project.filters(stored, layout, project=name),
            *project.sets(known, layout, project=name),
        ]
    )
    assert unmet == ()
