"""Damages of the programs that run."""

from collections.abc import Mapping

from tests.integration.gate.damages.damage import (
    ACCOUNTS,
    APPLICATION,
    ASSETS,
    ASTRAY,
    DATABASE,
    ENDPOINTS,
    EVENTS,
    FEED,
    INGRESS,
    INVALID,
    LEADS,
    MOVED,
    NODES,
    PAGE,
    PEOPLE,
    POSITIONS,
    PROCESSOR,
    REACHED,
    RESTARTED,
    ROLLOUT,
    ROUND_TRIPS,
    ROUTES,
    SETTLED,
    STOCKS,
    SUMS,
    TOLD,
    TRADE,
    TRADES,
    UNKNOWN,
    Damage,
    Inflict,
    of,
)
from tests.integration.gate.damages.programs import (
    crashed,
    frozen,
    killed_for_good,
    replaced,
    switched,
    with_fresh_books,
)

Switched = tuple[str, str, frozenset[str], str]
Races = Mapping[tuple[str, str], frozenset[str]]

SWITCHED: tuple[Switched, ...] = (
    (FEED, "lose-some", frozenset({TOLD}), "lost"),
    (FEED, "lose-trades", frozenset({TOLD}), "1 lost, 0 duplicate"),
    (FEED, "duplicate-all", ROUND_TRIPS, "1 duplicate"),
    (FEED, "duplicate-trades", frozenset({TOLD}), "0 lost, 1 duplicate"),
    (FEED, "ignore-subscriptions", ROUND_TRIPS, "did not confirm a subscription"),
    (FEED, "wrong-application", of(FEED, APPLICATION, ROUTES) | ROUND_TRIPS | {INGRESS}, "TraderX"),
    (TRADES, "publish-nothing", ROUND_TRIPS, "1 lost"),
    (TRADES, "publish-twice", ROUND_TRIPS, "1 duplicate"),
    (TRADES, "publish-wrong-quantity", ROUND_TRIPS, "1 lost"),
    (PROCESSOR, "book-twice", ROUND_TRIPS, "1 duplicate"),
    (PROCESSOR, "book-wrong-quantity", ROUND_TRIPS, "1 lost"),
    (PROCESSOR, "ignore-orders", ROUND_TRIPS, "1 lost"),
    (PROCESSOR, "publish-nothing", frozenset({TOLD}), "1 lost, 0 duplicate"),
    (POSITIONS, "stale-data", ROUND_TRIPS, "1 lost"),
    (POSITIONS, "wrong-positions", frozenset({MOVED, TOLD, SUMS}), "position of account"),
    (POSITIONS, "trades-missing", of(POSITIONS, ROUTES) | {MOVED, SUMS}, "sum of its trades"),
    (POSITIONS, "trades-repeated", of(POSITIONS, ROUTES) | {MOVED, TOLD, SUMS}, "is there twice"),
    (
        POSITIONS,
        "empty-data",
        of(POSITIONS, APPLICATION, ROUTES) | ROUND_TRIPS | {SUMS, INGRESS},
        "200 []",
    ),
    (STOCKS, "empty-data", of(STOCKS, APPLICATION, ROUTES) | {INGRESS}, "200 []"),
    (PEOPLE, "empty-data", of(PEOPLE, APPLICATION, ROUTES) | {INGRESS}, "404"),
    (PEOPLE, "everybody-known", of(PEOPLE, ROUTES), "200"),
    (PAGE, "script-missing", frozenset({ASSETS}), "text/html"),
    (PAGE, "blank-page", of(PAGE, APPLICATION, ROUTES) | {ASSETS, INGRESS}, "200"),
    (
        DATABASE,
        "wrong-application",
        of(DATABASE, APPLICATION, ROUTES),
        "TraderX",
    ),
    (DATABASE, "slow", of(DATABASE, APPLICATION, ROUTES), "no answer"),
    (
        DATABASE,
        "unavailable",
        of(DATABASE, APPLICATION, ROUTES)
        | of(ACCOUNTS, APPLICATION, ROUTES)
        | of(POSITIONS, APPLICATION, ROUTES)
        | TRADE
        | {INGRESS},
        "500",
    ),
    (
        DATABASE,
        "empty-data",
        of(ACCOUNTS, APPLICATION, ROUTES)
        | of(POSITIONS, APPLICATION, ROUTES)
        | ROUND_TRIPS
        | {SUMS, INVALID, INGRESS},
        "200 []",
    ),
)
"""Defects of programs that leave what is stored as it should be: service, switch, claims, words."""
BEHIND_THE_DATABASE = (
    of(ACCOUNTS, APPLICATION, ROUTES) | of(POSITIONS, APPLICATION, ROUTES) | {INGRESS}
)
RACES: Races = {
    # which messages are lost is chance; an order that is lost is not settled either
    (FEED, "lose-some"): frozenset({SETTLED, MOVED}),
    # the trade that is missing, or there twice, is one of a round trip or an older one
    (POSITIONS, "trades-missing"): frozenset({SETTLED, TOLD, INGRESS}) | of(POSITIONS, APPLICATION),
    (POSITIONS, "trades-repeated"): frozenset({SETTLED}),
    # its readiness probe asks for people: after three failures it is not ready
    (PEOPLE, "empty-data"): of(PEOPLE, ROLLOUT, ASTRAY, ENDPOINTS) | {EVENTS, REACHED, LEADS},
    # who asks the database waits with it, or is tried again by its probe in time, or not
    (DATABASE, "slow"): BEHIND_THE_DATABASE | TRADE,
    (DATABASE, "unavailable"): of(POSITIONS, ROLLOUT, ASTRAY, ENDPOINTS)
    | of(DATABASE, RESTARTED, ROLLOUT, ASTRAY, ENDPOINTS)
    | {EVENTS, LEADS, REACHED},
    (DATABASE, "empty-data"): frozenset({EVENTS, UNKNOWN}),
    # whether the books are read before or after the orders of the other claims
    (PROCESSOR, "never-settle"): frozenset({MOVED}),
    (PROCESSOR, "position-unmoved"): frozenset({SUMS}),
    (PROCESSOR, "position-reversed"): frozenset({SUMS}),
}
"""What may be false too, by service and switch."""
SPOILING: tuple[Switched, ...] = (
    (TRADES, "accept-unknown", frozenset({UNKNOWN}), "unknown security"),
    (PROCESSOR, "never-settle", frozenset({SETTLED, SUMS}), "states New"),
    (PROCESSOR, "position-unmoved", frozenset({MOVED, TOLD}), "position in AAPL after"),
    (PROCESSOR, "position-reversed", frozenset({MOVED, TOLD}), "position in AAPL after"),
)
"""Those that do not."""


def _repaired(service: str, inflict: Inflict) -> Inflict:
    """Replace the database after a defect of it: a probe that failed stays a warning for long."""
    return with_fresh_books(inflict) if service == DATABASE else inflict


OF_PROGRAMS: tuple[Damage, ...] = (
    Damage(
        name="a process crashed",
        inflict=crashed,
        claims=of(STOCKS, RESTARTED),
        says="1 restarts",
    ),
    Damage(
        name="another application answers",
        inflict=switched(ACCOUNTS, "wrong-application"),
        claims=of(ACCOUNTS, APPLICATION, ROUTES) | ROUND_TRIPS | {UNKNOWN, INVALID, INGRESS},
        says="<title>TraderX</title>",
    ),
    Damage(
        name="a pod killed that cannot come back",
        inflict=killed_for_good,
        claims=of(POSITIONS, ROLLOUT, ASTRAY, APPLICATION, ENDPOINTS, RESTARTED, ROUTES)
        | TRADE
        | {LEADS, INGRESS}
        | {EVENTS, NODES},
        says="0 ready",
    ),
    Damage(
        name="an application without data",
        inflict=switched(ACCOUNTS, "empty-data"),
        # one account is found still: orders go through
        claims=of(ACCOUNTS, APPLICATION, ROUTES) | {INGRESS},
        says="200 []",
    ),
    Damage(
        name="an application that fails",
        inflict=switched(TRADES, "unavailable"),
        claims=of(TRADES, APPLICATION, ROUTES) | ROUND_TRIPS | {UNKNOWN, INVALID, INGRESS},
        says="500",
    ),
    Damage(
        name="a slow application",
        inflict=switched(POSITIONS, "slow"),
        claims=of(POSITIONS, APPLICATION, ROUTES) | {INGRESS},
        says="no answer",
        races=TRADE,  # 2 s late is too late for a probe, and in time for a settlement that is quick
    ),
    Damage(
        name="one of two pods frozen",
        inflict=frozen,
        claims=of(PAGE, ROLLOUT, ASTRAY) | {EVENTS},
        says="1 ready",
        races=of(PAGE, RESTARTED),  # its liveness probe ends it at last
    ),
    *(
        Damage(
            name=f"{service} is {switch}",
            inflict=_repaired(service, switched(service, switch)),
            claims=claims,
            says=says,
            races=RACES.get((service, switch), frozenset()),
        )
        for service, switch, claims, says in SWITCHED
    ),
    *(
        Damage(
            name=f"{service} is {switch}",
            inflict=with_fresh_books(switched(service, switch)),
            claims=claims,
            says=says,
            races=RACES.get((service, switch), frozenset()),
        )
        for service, switch, claims, says in SPOILING
    ),
    *(
        Damage(
            name=f"{service} {how} while the checks run",
            inflict=inflict,
            claims=frozenset(),
            says="pods were replaced or restarted while the checks ran",
            while_it_runs=True,
        )
        for service, how, inflict in (
            (DATABASE, "restarted", with_fresh_books(replaced(DATABASE))),
            (FEED, "restarted", with_fresh_books(replaced(FEED))),
            (PROCESSOR, "pod killed", replaced(PROCESSOR)),
            (PEOPLE, "pod killed", replaced(PEOPLE)),
        )
    ),
)
