"""Functions of ConfigHub that are known here but not run.

They are listed, so that clients parse their arguments and say what this server says.
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
)
