"""The function yq: what jq's and yq's languages have in common, evaluated by jq.

That is: paths (`.a."b.c"[0]`), `[]`, `select` with `==` and `!=`, `length`, and pipes between them.
All else is refused, because jq would mean something else by it, or might not come to an end.
Comments are not part of what is returned.
"""

import re
from typing import Any

import jq

from traderx_embedded.confighub.functions import scalars
from traderx_embedded.confighub.functions.errors import FunctionError
from traderx_embedded.confighub.functions.parameter import Parameter
from traderx_embedded.confighub.functions.resource import Subject
from traderx_embedded.confighub.functions.signature import Function

_LENGTH_LIMIT = 1024
_STRING = r'"[^"\\]*"'
_STEP = rf"\.[A-Za-z_][A-Za-z0-9_]*|\.{_STRING}|\.?\[(?:{_STRING}|[0-9]{{1,9}})\]"
_PATH = rf"(?:\.(?![\w\"\[])|(?=\.)(?:{_STEP})+)"
_PATHS = rf"(?:\.(?![\w\"\[])|(?=\.)(?:{_STEP}|\.?\[\])+)"
_LITERAL = rf"(?:{_STRING}|-?[0-9]{{1,15}}|true|false|null)"
_CONDITION = rf"{_PATH}\s*(?:==|!=)\s*{_LITERAL}"
_SELECT = rf"select\(\s*{_CONDITION}(?:\s+(?:and|or)\s+{_CONDITION})*\s*\)"
_TERM = rf"(?:{_PATHS}|{_SELECT}|length)"
_EXPRESSION = re.compile(rf"\s*{_TERM}(?:\s*\|\s*{_TERM})*\s*")

_ITERATION = re.compile(rf"(?P<all>{_STRING})|\[\]")


def _yq(subject: Subject, expression: str) -> dict[str, Any]:
    if len(expression) > _LENGTH_LIMIT or _EXPRESSION.fullmatch(expression) is None:
        raise FunctionError(
            f"yq: {expression[:80]!r} is beyond what is evaluated here: paths such as "
            '.a."b-c"[0], [], select(.a == "b"), length, and pipes'
        )
    try:
        # what cannot be gone through gives nothing in yq, an error in jq
        program = jq.compile(_ITERATION.sub(lambda match: match["all"] or "[]?", expression))
        found = [program.input_value(item).all() for item in _values(subject)]
    except ValueError as error:
        raise FunctionError(f"yq expression evaluation failed: {error}") from error
    documents = ["".join(map(_written, results)) for results in found if results]
    return {"Payload": "---\n".join(documents)}


def _values(subject: Subject) -> list[Any]:
    return [document.value() for document in subject.documents if document.root is not None]


def _written(value: Any) -> str:
    if isinstance(value, dict | list) and value:
        return "".join(f"{line}\n" for line in scalars.block(value, indent=0, offset=2))
    return f"{value if isinstance(value, str) else scalars.flow(value)}\n"


FUNCTIONS = (
    Function(
        name="yq",
        description="Get what a yq expression gives: paths, select, length, and pipes of them",
        parameters=(
            Parameter(
                name="yq-expression",
                description="yq expression",
                example=".spec.template.spec.containers[0].image",
            ),
        ),
        run=_yq,
        output=("yq output", "YAML"),
    ),
)
