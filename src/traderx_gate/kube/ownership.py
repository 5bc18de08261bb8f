"""Whose an object is: every object of a project carries its label, and no other is changed."""

from traderx_gate.errors import RefusedError
from traderx_gate.kube.objects import Manifest, ObjectRef

PROJECT_LABEL = "traderx-gate/project"
"""Its value is the project's name."""
UNNAMED = "unnamed"
"""The label's value in the units that come with the project; `install` puts the name there."""


def project_of(manifest: Manifest) -> str:
    """Return the project that an object belongs to; empty for none."""
    return str((manifest["metadata"].get("labels") or {}).get(PROJECT_LABEL, ""))


def require_own(wanted: Manifest, live: Manifest) -> None:
    """Refuse to change a live object of somebody else.

    An object that names no project may be changed by whoever describes it.

    Raises:
        RefusedError: The object belongs to another project, or to none.
    """
    project, found = project_of(wanted), project_of(live)
    if project and found != project:
        whose = f"belongs to project {found}" if found else f"lacks the label {PROJECT_LABEL}"
        raise RefusedError(
            f"{ObjectRef.of(live)} exists already and {whose}: it is not changed by project "
            f"{project}; remove it, or label it {PROJECT_LABEL}={project}"
        )
