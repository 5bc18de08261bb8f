"""Running a row of functions on the data of one unit.

The rules are those of ConfigHub's executor: a function that fails is told and the next one runs,
unless `StopOnError`; a validation that does not pass is a result, not a failure.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from traderx_embedded.confighub.functions import catalogue, mutations
from traderx_embedded.confighub.functions.errors import FunctionError
from traderx_embedded.confighub.functions.resource import Subject
from traderx_embedded.confighub.functions.signature import Argument, Function

_COMBINED = frozenset({"AttributeValueList", "ResourceInfoList", "ResourceList"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One function to run, with its arguments."""

    function: str
    arguments: tuple[Argument, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to run.

    Attributes:
        invocations: The functions, in order.
        stop_on_error: Whether the first failure ends the row.
        combine: Whether validations are told as one result.
        filters: How many of the first validations end the row in silence when they do not pass.
        cast: Whether integers and booleans may be given as strings.
    """

    invocations: tuple[Invocation, ...]
    stop_on_error: bool = False
    combine: bool = False
    filters: int = 0
    cast: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """The unit that functions see: its bytes, its toolchain, its name, and who approved it."""

    data: bytes
    toolchain_type: str
    slug: str
    approvers: int = 0


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of it.

    Attributes:
        data: The bytes as the functions leave them.
        success: Whether all functions ran.
        messages: What failed, and which validations did not pass.
        output: What they returned, combined.
        output_type: Its type.
        mutators: Which functions changed the data, by their number.
        mutations: What they changed.
    """

    data: bytes
    success: bool = True
    messages: list[str] = field(default_factory=list)
    output: Any = None
    output_type: str = ""
    mutators: list[int] = field(default_factory=list)
    mutations: list[dict[str, Any]] = field(default_factory=list)

    def failed(self, message: str) -> None:
        """Take note of a failure."""
        self.success = False
        self.messages.append(message)

    def encoded_output(self) -> bytes:
        """Return the output as JSON; nothing where there is none."""
        return b"" if self.output is None else json.dumps(self.output).encode()


def run(unit: Unit, request: Request) -> Outcome:
    """Run the functions of a request on a unit."""
    outcome = Outcome(data=unit.data)
    try:
        subject = Subject.read(unit.data, slug=unit.slug, approvers=unit.approvers)
    except FunctionError as error:
        outcome.failed(f"unit {unit.slug}: {error}")
        return outcome
    _Run(unit, request, subject, outcome).all()
    return outcome


class _Run:
    def __init__(self, unit: Unit, request: Request, subject: Subject, outcome: Outcome) -> None:
        self._unit, self._request = unit, request
        self._subject, self._outcome = subject, outcome
        self._filters = request.filters
        self._changes: dict[int, mutations.Changes] = {}

    def all(self) -> None:
        for index, invocation in enumerate(self._request.invocations):
            try:
                if not self._one(index, invocation):
                    break
            except FunctionError as error:
                self._outcome.failed(str(error))
                if self._request.stop_on_error:
                    break
        if self._outcome.mutators:
            self._outcome.data = self._subject.text.encode()
            self._outcome.mutations = mutations.told(self._subject.resources, self._changes)

    def _one(self, index: int, invocation: Invocation) -> bool:
        function = catalogue.find(self._unit.toolchain_type, invocation.function)
        if function is None:
            raise FunctionError(f"invoke {invocation.function[:80]}: function does not exist")
        arguments = function.bind(invocation.arguments, cast=self._request.cast)
        if function.mutating:
            self._mutate(index, function, arguments)
            return True
        output = function.run(self._subject, *arguments)
        if function.validating and self._filters > 0:
            self._filters -= 1
            if not output["Passed"]:
                return False
        self._combine(index, function, output)
        return True

    def _mutate(self, index: int, function: Function, arguments: Sequence[Any]) -> None:
        texts = [document.text for document in self._subject.documents]
        before = mutations.snapshot(self._subject)
        try:
            function.run(self._subject, *arguments)
        except FunctionError:
            # all of a function or nothing of it
            for document, text in zip(self._subject.documents, texts, strict=True):
                document.read(text)
            raise
        if [document.text for document in self._subject.documents] == texts:
            return
        self._outcome.mutators.append(index)
        after = mutations.snapshot(self._subject)
        for position, (old, new) in enumerate(zip(before, after, strict=True)):
            found = mutations.changes(old, new, index=index)
            self._changes.setdefault(position, {}).update(found)

    def _combine(self, index: int, function: Function, output: Any) -> None:
        outcome, output_type = self._outcome, function.output[1]
        if function.validating:
            output = {**output, "Index": index}
            if not output["Passed"]:
                outcome.messages.append(
                    f"function failed: {function.name} at {index} on {self._unit.slug}"
                )
            output = output if self._request.combine else [output]
        if outcome.output is None:
            outcome.output, outcome.output_type = output, output_type
        elif outcome.output_type != output_type or output_type not in _COMBINED | {
            "ValidationResult"
        }:
            outcome.messages.append(
                f"functions with incompatible output types; output of {function.name} discarded"
            )
        elif isinstance(output, list):
            outcome.output = [*outcome.output, *output]
        else:
            outcome.output = _both(outcome.output, output)


def _both(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    details = [*one.get("Details", ()), *other.get("Details", ())]
    passed = one["Passed"] and other["Passed"]
    return {"Passed": passed, "Index": 0} | ({"Details": details} if details else {})
