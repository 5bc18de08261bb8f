"""One parameter of a function, and which values it takes.

What does not fit is said in the words of ConfigHub's own executor.
"""

import re
from dataclasses import dataclass
from typing import Any

from traderx_embedded.confighub.functions.errors import FunctionError

# Values that are held against a pattern; Python's engine is not linear as Go's is.
_PATTERN_INPUT_LIMIT = 1024
_INT = re.compile(r"[+-]?[0-9]{1,18}")
_BOOLS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a function.

    Attributes:
        name: As in `--name` of `cub run`.
        description: For its help.
        data_type: `string`, `int`, `bool`, `enum` or `CEL`; all but two travel as strings.
        required: Whether a call must give it.
        regexp: What a string must match as a whole.
        minimum: The least integer.
        maximum: The greatest integer.
        choices: The values of an enum.
        example: For its help.
    """

    name: str
    description: str
    data_type: str = "string"
    required: bool = True
    regexp: str = ""
    minimum: int | None = None
    maximum: int | None = None
    choices: tuple[str, ...] = ()
    example: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the parameter as signatures show it."""
        shown: dict[str, Any] = {
            "ParameterName": self.name,
            "Description": self.description,
            "Required": self.required,
            "DataType": self.data_type,
        }
        constraints = {
            "Example": self.example or None,
            "Regexp": self.regexp or None,
            "Min": self.minimum,
            "Max": self.maximum,
            "EnumValues": list(self.choices) or None,
        }
        return shown | {name: value for name, value in constraints.items() if value is not None}

    def parse(self, value: object, *, cast: bool = True) -> str | int | bool:
        """Return a value in the parameter's type.

        Raises:
            FunctionError: It is of another type, or breaks the parameter's constraints.
        """
        if not cast and isinstance(value, str) and self.data_type in {"int", "bool"}:
            raise self._wrong_type(value)
        if self.data_type == "int":
            return self._parse_int(value)
        if self.data_type == "bool":
            return self._parse_bool(value)
        if not isinstance(value, str):
            raise self._wrong_type(value)
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise FunctionError(f"argument {self.name} is not valid Unicode") from error
        if self.regexp and not self._matches(value):
            raise FunctionError(
                f"value {value[:200]} for argument {self.name} failed to match {self.regexp}"
            )
        if self.choices and value not in self.choices:
            choices = " ".join(self.choices)
            raise FunctionError(
                f"value {value[:200]} for argument {self.name} is not in enum values [{choices}]"
            )
        return value

    def _matches(self, value: str) -> bool:
        if len(value) > _PATTERN_INPUT_LIMIT:
            return False
        return re.fullmatch(self.regexp, value) is not None

    def _parse_int(self, value: object) -> int:
        if isinstance(value, str):
            if not _INT.fullmatch(value):
                raise FunctionError(
                    f"cannot convert argument {self.name} value {value[:200]} to int"
                )
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
            raise self._wrong_type(value)
        low, high = self.minimum, self.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            bounds = ",".join("" if bound is None else str(bound) for bound in (low, high))
            raise FunctionError(f"argument {self.name} value {value} is out of range [{bounds}]")
        return value

    def _parse_bool(self, value: object) -> bool:
        if isinstance(value, str):
            if value not in _BOOLS:
                raise FunctionError(
                    f"cannot convert argument {self.name} value {value[:200]} to bool"
                )
            return _BOOLS[value]
        if not isinstance(value, bool):
            raise self._wrong_type(value)
        return value

    def _wrong_type(self, value: object) -> FunctionError:
        return FunctionError(
            f"argument {self.name}: {ascii(value)[:80]} is not of type {self.data_type}"
        )
