"""TraderX as its clients see it: asks a service by its own contract and judges the answer."""

from traderx_gate.traderx.asking import Ask, Direct, Nowhere, Reply, Through
from traderx_gate.traderx.clients import Account, Accounts, Database, Reading, ReferenceData, Stock
from traderx_gate.traderx.identity import Answer, identify
from traderx_gate.traderx.trading import (
    RESERVED_ACCOUNT,
    Order,
    Position,
    Positions,
    Side,
    Trade,
    Trading,
)

__all__ = [
    "RESERVED_ACCOUNT",
    "Account",
    "Accounts",
    "Answer",
    "Ask",
    "Database",
    "Direct",
    "Nowhere",
    "Order",
    "Position",
    "Positions",
    "Reading",
    "ReferenceData",
    "Reply",
    "Side",
    "Stock",
    "Through",
    "Trade",
    "Trading",
    "identify",
]
