"""CEL expressions over resources, with an end: each has so many steps and no more.

cel-python evaluates them. It takes 15 MiB, so this module is imported when the first expression
comes, not before.
"""

import functools
import logging
from collections.abc import Callable
from typing import Any

import celpy
import lark
from celpy.adapter import json_to_cel
from celpy.celparser import CELParseError
from celpy.celtypes import BoolType
from celpy.evaluation import Activation, CELEvalError, Evaluator

from traderx_embedded.confighub.functions.errors import FunctionError

# About a second: nested macros multiply, and there is one thread for all requests.
STEP_LIMIT = 100_000
_LENGTH_LIMIT = 2048

# it logs each failed operation as an error, which here is a result
logging.getLogger("celpy").setLevel(logging.CRITICAL)


class _Steps:
    def __init__(self) -> None:
        self._left = STEP_LIMIT

    def take(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise FunctionError(f"the expression takes more than {STEP_LIMIT} steps")


class _Evaluator(Evaluator):
    """An evaluator that counts its steps, together with those that it makes for macros."""

    def __init__(self, ast: lark.Tree[Any], activation: Activation, steps: _Steps) -> None:
        super().__init__(ast, activation)
        self._steps = steps

    def sub_evaluator(self, ast: lark.Tree[Any]) -> "Evaluator":
        return _Evaluator(ast, self.activation, self._steps)

    def visit_children(self, tree: lark.Tree[Any]) -> list[Any]:
        self._steps.take()
        return super().visit_children(tree)


class _Runner(celpy.InterpretedRunner):
    def evaluate(self, context: Any) -> Any:
        return _Evaluator(self.ast, self.new_activation(), _Steps()).evaluate(context)


@functools.lru_cache(maxsize=64)
def compiled(expression: str) -> Callable[[Any], bool]:
    """Return the test that an expression states about a resource, `r`.

    The test raises ValueError where the expression cannot be evaluated on a resource.

    Raises:
        FunctionError: It is not CEL.
    """
    if len(expression) > _LENGTH_LIMIT:
        raise FunctionError(f"{len(expression)} characters; at most {_LENGTH_LIMIT} are read")
    environment = celpy.Environment(runner_class=_Runner)
    try:
        program = environment.program(environment.compile(expression))
    except (CELParseError, RecursionError) as error:
        told = " ".join(str(error).split())[:200]
        raise FunctionError(f"failed to compile expression {expression[:200]}: {told}") from error

    def test(resource: Any) -> bool:
        try:
            value = program.evaluate({"r": json_to_cel(resource)})
        except (CELEvalError, RecursionError, OverflowError) as error:
            told = " ".join(str(error.args[0] if error.args else error).split())
            if told.startswith("undeclared reference"):
                name = told.partition(" (")[0]
                raise FunctionError(
                    f"failed to compile expression {expression[:200]}: {name}"
                ) from error
            raise ValueError(told[:200]) from error
        if not isinstance(value, BoolType):
            raise FunctionError(f"expression {expression[:200]} does not evaluate to a boolean")
        return bool(value)

    return test
