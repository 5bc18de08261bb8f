"""Kubernetes quantities (`128Mi`, `500m`), as exact numbers."""

from decimal import ROUND_CEILING, Decimal

_FACTORS = {
    **{
        suffix: Decimal(1024) ** power
        for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)
    },
    **{
        suffix: Decimal(1000) ** power
        for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"), 1)
    },
    "n": Decimal("0.000000001"),
    "u": Decimal("0.000001"),
    "m": Decimal("0.001"),
}


def parse(text: str) -> Decimal:
    """Return the quantity as a number."""
    for suffix, factor in _FACTORS.items():
        if text.endswith(suffix):
            return Decimal(text.removesuffix(suffix)) * factor
    return Decimal(text)


def divide(text: str, divisor: str) -> int:
    """Return how often the divisor fits, rounded up as the downward API does."""
    unit = parse(divisor) or Decimal(1)
    return int((parse(text) / unit).to_integral_value(rounding=ROUND_CEILING))
