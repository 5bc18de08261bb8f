"""What a damage is, and the names that damages are written with."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.integration.gate.gate_command import Gate

DEADLINE_S = 60.0
ACCOUNTS = "account-service"
DATABASE = "database"
FEED = "trade-feed"
PAGE = "web-gui"
PEOPLE = "people-service"
POSITIONS = "position-service"
PROCESSOR = "trade-processor"
STOCKS = "reference-data"
TRADES = "trade-service"

Inflict = Callable[[Gate], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One thing that somebody did, or that happened.

    Attributes:
        inflict: Does it; what a deployment does not repair is taken back when it is left.
        claims: Every claim that has to be false then, no more and no fewer.
        races: Claims that may be false too: which of two programs is first decides it.
        says: What the reasons have to say of it.
        while_it_runs: Whether it happens after the first claim was checked; which claims it
            makes false is then a matter of time, and none is declared.
    """

    name: str
    inflict: Inflict
    claims: frozenset[str]
    says: str
    races: frozenset[str] = frozenset()
    while_it_runs: bool = False


def of(service: str, *claims: str) -> frozenset[str]:
    """Return the keys of a service's claims."""
    return frozenset(f"{claim}[{service}]" for claim in claims)


IMAGES = "images.running_image_is_the_units"
ROLLOUT = "rollout.replicas_are_complete"
APPLICATION = "application.right_application_answers"
LIVE = "live_objects.equal_their_unit"
REVISIONS = "revisions.head_is_applied_and_live"
CONFIGURED = "pods.configured_as_the_unit_says"
ASTRAY = "pods.none_is_astray"
RESTARTED = "pods.none_restarted_lately"
ENDPOINTS = "endpoints.lead_to_the_ready_pods"
SHARED_LIVE = "live_objects.shared_objects_equal_their_unit"
SHARED_REVISIONS = "revisions.shared_head_is_applied_and_live"
UNMANAGED = "namespace.nothing_is_unmanaged"
EVENTS = "events.warn_of_nothing"
NODES = "nodes.are_fit"
SINGLETONS = "singletons.are_single"
WORKER = "worker.is_connected"
UPSTREAM = "units.have_their_upstream"
LAYOUT = "units.filters_and_sets_are_as_installed"
ROUTES = "routes.answer_as_documented"
SETTLED = "trade.is_settled_exactly_once"
MOVED = "trade.moves_the_position_by_its_quantity"
TOLD = "trade.is_told_once_on_the_feed"
SUMS = "trade.positions_equal_their_trades"
UNKNOWN = "trade.unknown_is_refused"
INVALID = "trade.invalid_quantity_is_refused"
REACHED = "dependencies.are_reached_from_inside"
ASSETS = "web_page.loads_with_its_assets"
LEADS = "ingress.routes_lead_to_services"
INGRESS = "ingress.routes_answer"

ROUND_TRIPS = frozenset({SETTLED, MOVED, TOLD})
TRADE = ROUND_TRIPS | {SUMS, UNKNOWN, INVALID}
"""What nobody can prove without position-service."""
