"""What a function is called, what it takes, and whether a call of it fits.

Names, order and types are those of ConfigHub's function signatures: `cub run` makes its flags of
them. What does not fit is said in the words of ConfigHub's own executor.
"""

import re
from collections.abc import Callable, Sequence
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument as it was sent; without a name, its place counts."""

    value: object
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function: its signature, and what it does.

    Attributes:
        name: In kebab case.
        description: For its help.
        parameters: In the order in which unnamed arguments fill them.
        run: Takes the data to work on and the arguments in order; returns the output, if any.
        output: What is returned, and its `OutputType`; empty where nothing is.
        mutating: Whether it changes data.
        repeated: Whether the last parameter may be given more than once.
        refusal: Why this server does not run it; empty where it does.
    """

    name: str
    description: str
    run: Callable[..., Any]
    parameters: tuple[Parameter, ...] = ()
    output: tuple[str, str] = ("", "")
    mutating: bool = False
    repeated: bool = False
    refusal: str = ""

    @property
    def validating(self) -> bool:
        """Whether it says if the data is valid."""
        return self.output[1] == "ValidationResult"

    def to_json(self) -> dict[str, Any]:
        """Return the signature."""
        name, output_type = self.output
        return {
            "FunctionName": self.name,
            "Parameters": [parameter.to_json() for parameter in self.parameters],
            "RequiredParameters": sum(parameter.required for parameter in self.parameters),
            "VarArgs": self.repeated,
            "OutputInfo": {"ResultName": name, "Description": name, "OutputType": output_type}
            if output_type
            else None,
            "Mutating": self.mutating,
            "Validating": self.validating,
            "Hermetic": True,
            "Idempotent": True,
            "Description": self.description,
            "FunctionType": "Custom",
            "AffectedResourceTypes": ["*"],
        }

    def bind(self, arguments: Sequence[Argument], *, cast: bool = True) -> list[Any]:
        """Return the values of the parameters, in order; those of a repeated one follow.

        Args:
            arguments: As they were sent.
            cast: Whether integers and booleans may be given as strings.

        Raises:
            FunctionError: The arguments do not fit, or this server does not run the function.
        """
        if self.refusal:
            raise FunctionError(f"{self.name}: {self.refusal}")
        given: dict[str, list[Any]] = {}
        for position, argument in enumerate(arguments):
            parameter = self._parameter(argument, position, len(arguments))
            values = given.setdefault(parameter.name, [])
            if values and not (self.repeated and parameter is self.parameters[-1]):
                raise FunctionError(
                    f"argument {parameter.name} appears multiple times in function {self.name}"
                )
            values.append(parameter.parse(argument.value, cast=cast))
        missing = [p.name for p in self.parameters if p.required and p.name not in given]
        if missing:
            raise FunctionError(
                f"insufficient arguments: got {len(arguments)}; missing required parameter "
                f"{', '.join(missing)} for function {self.name}"
            )
        return [value for p in self.parameters for value in given.get(p.name, [None])]

    def _parameter(self, argument: Argument, position: int, total: int) -> Parameter:
        if argument.name:
            for parameter in self.parameters:
                if parameter.name == argument.name:
                    return parameter
            raise FunctionError(
                f"argument {argument.name[:80]} is not a valid parameter of function {self.name}"
            )
        if position < len(self.parameters):
            return self.parameters[position]
        if self.repeated:
            return self.parameters[-1]
        raise FunctionError(
            f"too many arguments: got {total}, expected {len(self.parameters)} "
            f"for function {self.name}"
        )
