"""What a function is called, what it takes, and whether a call of it fits.

Names, order and types are those of ConfigHub's function signatures: `cub run` makes its flags of
them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from traderx_embedded.confighub.functions.errors import FunctionError
from traderx_embedded.confighub.functions.parameter import Parameter


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
    """

    name: str
    description: str
    run: Callable[..., Any]
    parameters: tuple[Parameter, ...] = ()
    output: tuple[str, str] = ("", "")
    mutating: bool = False
    repeated: bool = False

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
            FunctionError: The arguments do not fit.
        """
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
