"""Functions that say whether data is valid: the ones that triggers make gates of."""

import importlib
import operator
from collections.abc import Callable
from typing import Any

from traderx_embedded.confighub import where
from traderx_embedded.confighub.functions import attributes, paths
from traderx_embedded.confighub.functions.errors import FunctionError
from traderx_embedded.confighub.functions.parameter import Parameter
from traderx_embedded.confighub.functions.resource import Resource, Subject
from traderx_embedded.confighub.functions.signature import Function
from traderx_embedded.confighub.where import Operator, Relation, WhereError

_PLACEHOLDER_TEXT = "replaceme"
_PLACEHOLDER_NUMBER = 999_999_999
_COMPARISONS: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQUAL: operator.eq,
    Operator.NOT_EQUAL: operator.ne,
    Operator.LESS: operator.lt,
    Operator.GREATER: operator.gt,
    Operator.AT_MOST: operator.le,
    Operator.AT_LEAST: operator.ge,
}


def result(*, passed: bool, details: list[str] | None = None) -> dict[str, Any]:
    """Return a ValidationResult; `Index` is set by the invocation."""
    shown: dict[str, Any] = {"Passed": passed, "Index": 0}
    return shown | ({"Details": details} if details else {})


def _placeholders(subject: Subject) -> list[dict[str, Any]]:
    return [
        resource.attribute(path, value)
        for resource in subject.resources
        for path, value in attributes.scalars(resource)
        if _is_placeholder(value)
    ]


def _is_placeholder(value: Any) -> bool:
    if isinstance(value, str):
        return _PLACEHOLDER_TEXT in value
    return type(value) is int and value == _PLACEHOLDER_NUMBER


def _no_placeholders(subject: Subject) -> dict[str, Any]:
    found = _placeholders(subject)
    details = [f"{item['ResourceName']}: {item['Path']} is a placeholder" for item in found]
    return result(passed=not found, details=details)


def _is_approved(subject: Subject, approvers: int | None) -> dict[str, Any]:
    needed = 1 if approvers is None else approvers
    unchanged = subject.text == subject.original
    return result(passed=unchanged and subject.approvers >= needed)


def _where_filter(subject: Subject, resource_type: str, expression: str) -> dict[str, Any]:
    try:
        relations = where.parse(expression)
    except WhereError as error:
        raise FunctionError(str(error)) from error
    for relation in relations:
        if relation.operator not in _COMPARISONS or not isinstance(relation.right, where.Literal):
            raise FunctionError(
                f"where-filter: {relation.operator.value}: known are {', '.join(_known())} "
                "between a path and a literal"
            )
    matched = any(
        all(_holds(resource, relation) for relation in relations)
        for resource in attributes.of_type(subject, resource_type)
    )
    return result(passed=matched)


def _cel_validate(subject: Subject, expression: str) -> dict[str, Any]:
    # imported when it is needed: 15 MiB that most servers never use
    cel = importlib.import_module("traderx_embedded.confighub.functions.cel")
    holds = cel.compiled(expression)
    details = []
    for resource in subject.resources:
        try:
            if not holds(resource.document.value()):
                details.append(
                    f"resource {resource.name} failed validation expression {expression}"
                )
        except ValueError as error:
            details.append(
                f"validation expression {expression} could not be evaluated on resource "
                f"{resource.name}: {error}"
            )
    return result(passed=not details, details=details)


def _known() -> list[str]:
    return [known.value for known in _COMPARISONS]


def _holds(resource: Resource, relation: Relation) -> bool:
    if not isinstance(relation.left, where.Name) or not isinstance(relation.right, where.Literal):
        raise FunctionError("where-filter: expected a path on the left and a literal on the right")
    wanted = relation.right.value
    compare = _COMPARISONS[relation.operator]
    seen = [
        resource.document.value(path)
        for path in paths.matching(resource.document, paths.parse(relation.left.text))
    ]
    return any(type(value) is type(wanted) and compare(value, wanted) for value in seen)


FUNCTIONS = (
    Function(
        name="get-placeholders",
        description="Get the values that contain 'replaceme' or are 999999999",
        run=_placeholders,
        output=("path", "AttributeValueList"),
    ),
    Function(
        name="no-placeholders",
        description="Pass if no value contains 'replaceme' or is 999999999",
        run=_no_placeholders,
        output=("passed", "ValidationResult"),
    ),
    Function(
        name="is-approved",
        description="Pass if enough users approved this revision",
        parameters=(
            Parameter(
                name="num-approvers",
                description="Number of approvers; 1 if not given",
                data_type="int",
                required=False,
                minimum=0,
                example="1",
            ),
        ),
        run=_is_approved,
        output=("passed", "ValidationResult"),
    ),
    Function(
        name="cel-validate",
        description="Pass if a CEL expression is true of every resource",
        parameters=(
            Parameter(
                name="validation-expr",
                description="CEL expression; r is the resource",
                data_type="CEL",
                example="r.kind != 'Deployment' || r.spec.replicas > 1",
            ),
        ),
        run=_cel_validate,
        output=("passed", "ValidationResult"),
    ),
    Function(
        name="where-filter",
        description="Pass if all relations hold for at least one resource of a type",
        parameters=(
            attributes.TYPE,
            Parameter(
                name="where-expression",
                description="Relations between a path and a literal, joined by AND",
                example="spec.replicas > 1 AND spec.template.spec.containers.0.name = 'web'",
            ),
        ),
        run=_where_filter,
        output=("matched", "ValidationResult"),
    ),
)
