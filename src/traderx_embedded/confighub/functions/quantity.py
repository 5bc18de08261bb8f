"""Kubernetes quantities, such as `500m` and `256Mi`: read, compared, multiplied, written."""

import re
from dataclasses import dataclass
from decimal import Decimal

from traderx_embedded.confighub.functions.errors import FunctionError

_FORM = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)(m|k|[MGTPE]i?|Ki)?")
_DECIMAL = ("", "k", "M", "G", "T", "P", "E")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


@dataclass(frozen=True, slots=True)
class Quantity:
    """An amount, and the suffix that says whether it is written in powers of 1000 or of 1024."""

    amount: Decimal
    suffix: str

    @classmethod
    def parse(cls, text: str) -> "Quantity":
        """Return the quantity of a text.

        Raises:
            FunctionError: It is none.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise FunctionError(f"{text[:40]!r} is not a quantity such as 500m or 256Mi")
        number, suffix = match[1], match[2] or ""
        return cls(Decimal(number) * _factor(suffix), suffix)

    def times(self, factor: int) -> "Quantity":
        """Return the quantity multiplied."""
        return Quantity(self.amount * factor, self.suffix)

    def __str__(self) -> str:
        """Write it with the largest suffix that leaves a whole number, as Kubernetes does."""
        suffixes = _BINARY if self.suffix.endswith("i") else ("m", *_DECIMAL)
        for suffix in reversed(suffixes):
            number = self.amount / _factor(suffix)
            if self.amount and number == number.to_integral_value():
                return f"{number:f}".partition(".")[0] + suffix
        return f"{self.amount.normalize():f}"


def _factor(suffix: str) -> Decimal:
    if suffix == "m":
        return Decimal("0.001")
    if suffix.endswith("i"):
        return Decimal(1024) ** _BINARY.index(suffix)
    return Decimal(1000) ** _DECIMAL.index(suffix)
