"""Reads config maps and secrets, for variables and for volumes."""

from traderx_embedded.kubernetes.node.api import Api, ApiError, Json
from traderx_embedded.kubernetes.node.environment import Reference, SourceError


async def read(namespace: str, reference: Reference, api: Api) -> Json | None:
    """Return the object; None if there is none.

    Raises:
        SourceError: The API does not answer.
    """
    kind = "configmaps" if reference.kind == "ConfigMap" else "secrets"
    try:
        return await api.get(f"/api/v1/namespaces/{namespace}/{kind}/{reference.name}")
    except ApiError as error:
        if error.status == 404:
            return None
        raise SourceError(str(error)) from error
