"""Kubernetes as this project needs it: about ten verbs over the official client.

Neither the client library's types nor its exceptions leave this package.
"""

from traderx_gate.kube.client import Kube, current_context
from traderx_gate.kube.endpoint_slices import SERVICE_NAME, is_ready, port_numbers, slices_of
from traderx_gate.kube.execution import Executed
from traderx_gate.kube.objects import (
    ContainerState,
    Deployment,
    Manifest,
    ObjectRef,
    Pod,
    images_of,
    owners_of,
    parse_manifests,
    parse_time,
)
from traderx_gate.kube.ownership import PROJECT_LABEL, UNNAMED, project_of, require_own

__all__ = [
    "PROJECT_LABEL",
    "SERVICE_NAME",
    "UNNAMED",
    "ContainerState",
    "Deployment",
    "Executed",
    "Kube",
    "Manifest",
    "ObjectRef",
    "Pod",
    "current_context",
    "images_of",
    "is_ready",
    "owners_of",
    "parse_manifests",
    "parse_time",
    "port_numbers",
    "project_of",
    "require_own",
    "slices_of",
]
