"""What can be wrong with the feed, and what can be repaired of the real one."""

from typing import Any

from traderx_embedded.traderx.switches import (
    SLOW,
    UNAVAILABLE,
    WRONG_APPLICATION,
    Effect,
    Switch,
    Switches,
)

LOSE_SOME = Switch(name="lose-some", meaning="every third message reaches nobody")
LOSE_TRADES = Switch(name="lose-trades", meaning="messages of type Trade reach nobody")
DUPLICATE_ALL = Switch(name="duplicate-all", meaning="every message comes twice")
DUPLICATE_TRADES = Switch(name="duplicate-trades", meaning="messages of type Trade come twice")
IGNORE_SUBSCRIPTIONS = Switch(
    name="ignore-subscriptions", meaning="new subscriptions are announced and have no effect"
)
REPAIR_EMPTY_PUBLISH = Switch(
    name="repair-empty-publish",
    meaning="a publish event without a message is ignored and kills nothing",
    effect=Effect.REPAIR,
)
REPAIR_LOST_ORDERS = Switch(
    name="repair-lost-orders",
    meaning="orders that nobody hears are kept for the next subscriber of their topic",
    effect=Effect.REPAIR,
)
REPAIR_UNSUBSCRIBE = Switch(
    name="repair-unsubscribe",
    meaning="unsubscribe is understood also where it is spelt correctly",
    effect=Effect.REPAIR,
)
SWITCHES = (
    UNAVAILABLE,
    WRONG_APPLICATION,
    SLOW,
    LOSE_SOME,
    LOSE_TRADES,
    DUPLICATE_ALL,
    DUPLICATE_TRADES,
    IGNORE_SUBSCRIPTIONS,
    REPAIR_EMPTY_PUBLISH,
    REPAIR_LOST_ORDERS,
    REPAIR_UNSUBSCRIBE,
)


class Delivery:
    """How many times a message is delivered: once, unless a switch is on."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._seen = 0

    def copies(self, envelope: dict[str, Any]) -> int:
        """Return the number of copies; notices of the feed itself are never touched."""
        if envelope["from"] == "System":
            return 1
        self._seen += 1
        is_trade = envelope["type"] == "Trade"
        on = self._switches.is_on
        if (on(LOSE_SOME) and self._seen % 3 == 0) or (on(LOSE_TRADES) and is_trade):
            return 0
        if on(DUPLICATE_ALL) or (on(DUPLICATE_TRADES) and is_trade):
            return 2
        return 1
