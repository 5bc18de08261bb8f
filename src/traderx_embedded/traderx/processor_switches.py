"""What can be wrong with trade-processor, and what can be repaired of the real one."""

from traderx_embedded.traderx.switches import (
    SLOW,
    SLOW_S,
    UNAVAILABLE,
    WRONG_APPLICATION,
    Effect,
    Switch,
)

BOOK_TWICE = Switch(name="book-twice", meaning="every order is booked twice")
BOOK_WRONG_QUANTITY = Switch(
    name="book-wrong-quantity", meaning="one more than was ordered is booked"
)
IGNORE_ORDERS = Switch(name="ignore-orders", meaning="orders of the feed are not booked")
NEVER_SETTLE = Switch(name="never-settle", meaning="trades stay in state New")
POSITION_UNMOVED = Switch(name="position-unmoved", meaning="trades settle, positions stay")
POSITION_REVERSED = Switch(name="position-reversed", meaning="positions move the wrong way")
PUBLISH_NOTHING = Switch(name="publish-nothing", meaning="the feed hears of no booking")
SETTLE_SLOWLY = Switch(name="settle-slowly", meaning=f"every booking takes {SLOW_S:g} s")
REPAIR_ATOMIC = Switch(
    name="repair-atomic",
    meaning="trade and position are saved in one transaction, and concurrent ones add up",
    effect=Effect.REPAIR,
)
REPAIR_BUSY_PINGS = Switch(
    name="repair-busy-pings",
    meaning="pings of the feed are answered also while orders wait to be booked",
    effect=Effect.REPAIR,
)
REPAIR_DUPLICATES = Switch(
    name="repair-duplicates",
    meaning="an order that has an id gives it to its trade, and is booked only once",
    effect=Effect.REPAIR,
)
REPAIR_RESUBSCRIBE = Switch(
    name="repair-resubscribe",
    meaning="orders are subscribed to again at every connection to the feed",
    effect=Effect.REPAIR,
)
SWITCHES = (
    UNAVAILABLE,
    WRONG_APPLICATION,
    SLOW,
    BOOK_TWICE,
    BOOK_WRONG_QUANTITY,
    IGNORE_ORDERS,
    NEVER_SETTLE,
    POSITION_UNMOVED,
    POSITION_REVERSED,
    PUBLISH_NOTHING,
    SETTLE_SLOWLY,
    REPAIR_ATOMIC,
    REPAIR_BUSY_PINGS,
    REPAIR_DUPLICATES,
    REPAIR_RESUBSCRIBE,
)
