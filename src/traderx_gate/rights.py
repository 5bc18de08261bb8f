"""The rights that this tool needs in a cluster: files to be applied, checked before anything else.

`application/rights/*.yaml` is the one list: an administrator binds it, we ask the API about it.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml

from traderx_gate import application
from traderx_gate.errors import ConfigurationError, RefusedError
from traderx_gate.kube import PROJECT_LABEL, Kube, Manifest

CLUSTER = "cluster.yaml"
ENVIRONMENT = "environment.yaml"
OF_WORKER = "-worker"
"""What names of the rights of a worker inside the cluster end in."""
AT_ONCE = 8
FEW = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One thing that may be done.

    Attributes:
        resource: Such as `pods` or `pods/log`; `*` for every one.
        group: API group; empty for the core, `*` for every one.
        namespace: Empty for the whole cluster.
    """

    verb: str
    resource: str
    group: str
    namespace: str

    def __str__(self) -> str:
        """Return `patch deployments.apps in traderx-dev`."""
        named = self.resource if self.group in {"", "*"} else f"{self.resource}.{self.group}"
        what = "everything" if self.resource == "*" else named
        return f"{self.verb} {what}" + (f" in {self.namespace}" if self.namespace else "")


def needed(namespaces: Sequence[str]) -> tuple[Right, ...]:
    """Return the rights for environments in these namespaces."""
    cluster = _rights(_role(CLUSTER), namespace="")
    role = _role(ENVIRONMENT)
    return (*cluster, *(right for name in namespaces for right in _rights(role, namespace=name)))


def missing(kube: Kube, namespaces: Sequence[str]) -> tuple[Right, ...]:
    """Return the rights that the kubeconfig's user lacks; asking changes nothing.

    Raises:
        UnreachableError, KubernetesError: The API does not say.
    """

    def may(right: Right) -> bool:
        return kube.may(right.verb, right.resource, group=right.group, namespace=right.namespace)

    wanted = needed(namespaces)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return tuple(
            right for right, has in zip(wanted, pool.map(may, wanted), strict=True) if not has
        )


def require(kube: Kube, namespaces: Sequence[str]) -> None:
    """Refuse where rights are missing.

    Raises:
        RefusedError: Names them, and what to do.
    """
    lacking = missing(kube, namespaces)
    if lacking:
        more = f" and {len(lacking) - FEW} more" if len(lacking) > FEW else ""
        raise RefusedError(
            f"the kubeconfig's user may not {', '.join(map(str, lacking[:FEW]))}{more}; "
            "`traderx-gate rights` prints what an administrator has to apply"
        )


def binding_names(project: str) -> tuple[str, ...]:
    """Return the names of what binds our rights, and a worker's, in an environment's namespace."""
    name = f"{_role(ENVIRONMENT)['metadata']['name']}-{project}"
    return (name, f"{name}{OF_WORKER}")


def manifests(
    project: str, namespaces: Sequence[str], subject: str, *, suffix: str = ""
) -> tuple[Manifest, ...]:
    """Return what an administrator applies: roles, namespaces, and who has the roles there.

    Args:
        project: Whose label everything carries.
        namespaces: The environments'.
        subject: `User:NAME`, `Group:NAME` or `ServiceAccount:NAMESPACE/NAME`.
        suffix: Of the names of roles and bindings, so that two subjects do not share them.

    Raises:
        ConfigurationError: The subject is of another form.
    """
    who = _subject(subject)
    cluster, environment = _role(CLUSTER), _role(ENVIRONMENT)
    labels = {PROJECT_LABEL: project}

    def labelled(body: Manifest, name: str = "") -> dict[str, Any]:
        metadata = {**body["metadata"], "labels": labels}
        return {**body, "metadata": {**metadata, "name": name or metadata["name"]}}

    # cluster-wide names are shared: each project has its own
    roles = [
        labelled(role, f"{role['metadata']['name']}-{project}{suffix}")
        for role in (cluster, environment)
    ]
    bindings = [_binding("ClusterRoleBinding", roles[0], who, {})]
    placed = []
    for name in namespaces:
        placed.append(
            labelled({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        )
        bindings.append(_binding("RoleBinding", roles[1], who, {"namespace": name}))
    return (*roles, *placed, *bindings)


def _binding(kind: str, role: Manifest, subject: Manifest, place: dict[str, str]) -> dict[str, Any]:
    group = "rbac.authorization.k8s.io"
    metadata = role["metadata"]
    return {
        "apiVersion": f"{group}/v1",
        "kind": kind,
        "metadata": {"name": metadata["name"], "labels": metadata["labels"], **place},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": metadata["name"]},
        "subjects": [subject],
    }


def _subject(text: str) -> dict[str, str]:
    kind, _, name = text.partition(":")
    namespace, _, account = name.rpartition("/")
    if kind == "ServiceAccount" and namespace and account:
        return {"kind": kind, "name": account, "namespace": namespace}
    if kind in {"User", "Group"} and name:
        return {"kind": kind, "name": name, "apiGroup": "rbac.authorization.k8s.io"}
    raise ConfigurationError(
        f"subject {text!r}: expected User:NAME, Group:NAME or ServiceAccount:NAMESPACE/NAME"
    )


def _role(name: str) -> Manifest:
    text = files(application).joinpath("rights", name).read_text()
    role: Manifest = yaml.safe_load(text)
    return role


def _rights(role: Manifest, *, namespace: str) -> Iterator[Right]:
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    yield Right(verb=verb, resource=resource, group=group, namespace=namespace)
