"""Choosing units by what their data says: `where_data` and `resource_type`, given or stored.

The expression is that of the function `where-filter`. A unit whose data no function can work on
says nothing, and is not chosen.
"""

from collections.abc import Callable
from dataclasses import dataclass

from traderx_embedded.confighub.entities import Unit
from traderx_embedded.confighub.errors import bad_request
from traderx_embedded.confighub.functions import catalogue, invocation
from traderx_embedded.confighub.functions.errors import FunctionError
from traderx_embedded.confighub.functions.signature import Argument
from traderx_embedded.confighub.merge import resources

ANY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFilter:
    """What a resource of a unit is to be; an empty expression says nothing about its content."""

    resource_type: str = ANY
    expression: str = ""

    def check(self) -> None:
        """Refuse an expression that is not in the grammar.

        Raises:
            ApiError: It is not.
        """
        if self.expression:
            outcome = self._outcome(b"", toolchain_type=catalogue.KUBERNETES)
            if not outcome.success:
                raise bad_request(f"where_data: {outcome.messages[0]}")

    def matches(self, unit: Unit, read: Callable[[], bytes]) -> bool:
        """Return whether any resource of a unit is as wanted."""
        if unit.toolchain_type != catalogue.KUBERNETES:
            return False
        if self.expression:
            outcome = self._outcome(read(), toolchain_type=unit.toolchain_type)
            return outcome.success and bool(outcome.output["Passed"])
        try:
            found = resources.read(read().decode())
        except (FunctionError, UnicodeDecodeError):
            return False
        return any(resource.type == self.resource_type for resource in found)

    def _outcome(self, data: bytes, *, toolchain_type: str) -> invocation.Outcome:
        arguments = (Argument(value=self.resource_type), Argument(value=self.expression))
        return invocation.run(
            invocation.Unit(data=data, toolchain_type=toolchain_type, slug=""),
            invocation.Request(
                invocations=(invocation.Invocation(function="where-filter", arguments=arguments),),
                combine=True,
            ),
        )
