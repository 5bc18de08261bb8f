"""Functions of ConfigHub that are known here but not run.

Their languages, CEL and yq, have no library for Python that is well kept and free of compiled
dependencies; nothing that this project promises needs them. They are listed, so that clients parse
their arguments and say what this server says.
"""

from traderx_embedded.confighub.functions.parameter import Parameter
from traderx_embedded.confighub.functions.signature import Function

FUNCTIONS = (
    Function(
        name="yq",
        description="Not run by this server: return what a yq expression gives",
        parameters=(
            Parameter(name="yq-expression", description="yq expression", example=".spec.replicas"),
        ),
        run=str,
        output=("yq output", "YAML"),
        refusal="this server evaluates no yq expressions; get-string-path, get-int-path and "
        "get-bool-path read values by their path",
    ),
    Function(
        name="cel-validate",
        description="Not run by this server: pass if a CEL expression holds for all resources",
        parameters=(
            Parameter(
                name="validation-expr",
                description="CEL expression; r is the resource",
                data_type="CEL",
                example="r.kind != 'Deployment' || r.spec.replicas > 1",
            ),
        ),
        run=str,
        output=("passed", "ValidationResult"),
        refusal="this server evaluates no CEL expressions; where-filter compares values by their "
        "path",
    ),
)
