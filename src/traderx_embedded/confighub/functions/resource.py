"""The resources in a unit's data, and the containers in those that have any."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from traderx_embedded.confighub.functions import nodes
from traderx_embedded.confighub.functions.document import Document
from traderx_embedded.confighub.functions.errors import FunctionError
from traderx_embedded.confighub.functions.values import Path, dotted

_TEMPLATE: Path = ("spec", "template", "spec")
_POD_SPECS: dict[str, Path] = {
    "apps/v1/Deployment": _TEMPLATE,
    "apps/v1/ReplicaSet": _TEMPLATE,
    "apps/v1/DaemonSet": _TEMPLATE,
    "apps/v1/StatefulSet": _TEMPLATE,
    "batch/v1/Job": _TEMPLATE,
    "batch/v1/CronJob": ("spec", "jobTemplate", *_TEMPLATE),
    "v1/Pod": ("spec",),
}
_CONTAINER_LISTS = ("containers", "initContainers", "ephemeralContainers")


@dataclass(frozen=True, slots=True)
class Resource:
    """One Kubernetes resource: a document with a type and a name."""

    document: Document

    @property
    def type(self) -> str:
        """Its type, such as `apps/v1/Deployment`."""
        return f"{self._text('apiVersion')}/{self._text('kind')}"

    @property
    def plain_name(self) -> str:
        """Its name without the namespace."""
        return self._text("metadata", "name")

    @property
    def name(self) -> str:
        """Its name with the namespace; nothing stands before the slash where there is none."""
        return f"{self._text('metadata', 'namespace')}/{self.plain_name}"

    def info(self) -> dict[str, Any]:
        """Return how answers name the resource."""
        return {
            "ResourceName": self.name,
            "ResourceNameWithoutScope": self.plain_name,
            "ResourceType": self.type,
            "ResourceCategory": "Resource",
        }

    def containers(self, name: str = "*") -> Iterator[Path]:
        """Yield the paths of the containers of a name; `*` is all of them."""
        pod_spec = _POD_SPECS.get(self.type)
        if pod_spec is None:
            return
        for kind in _CONTAINER_LISTS:
            path = (*pod_spec, kind)
            for index in range(len(nodes.items(self.document.node(path)))):
                if name in {"*", self.document.value((*path, index, "name"))}:
                    yield (*path, index)

    def attribute(self, path: Path, value: Any, name: str = "") -> dict[str, Any]:
        """Return one entry of an AttributeValueList."""
        return {
            **self.info(),
            "Path": dotted(path),
            "AttributeName": name or "attribute-value",
            "DataType": {int: "int", bool: "bool"}.get(type(value), "string"),
            "Value": value,
        }

    def _text(self, *path: str) -> str:
        value = self.document.value(path)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a function works on.

    Attributes:
        documents: The unit's documents, whose text functions edit.
        slug: The unit's, for messages.
        approvers: How many have approved the revision; none as soon as the data differs from it.
        original: The data as the revision has it.
    """

    documents: Sequence[Document]
    slug: str = ""
    approvers: int = 0
    original: str = ""

    @classmethod
    def read(cls, data: bytes, *, slug: str = "", approvers: int = 0) -> "Subject":
        """Return the subject of a unit's bytes.

        Raises:
            FunctionError: They are not YAML that functions work on.
        """
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise FunctionError(f"not UTF-8: {error}") from error
        documents = [Document(part) for part in nodes.documents(text)]
        return cls(documents=documents, slug=slug, approvers=approvers, original=text)

    @property
    def text(self) -> str:
        """The data as it stands now."""
        return "".join(document.text for document in self.documents)

    @property
    def resources(self) -> list[Resource]:
        """All resources; documents that are empty or no mapping are none."""
        return [
            Resource(document) for document in self.documents if isinstance(document.value(), dict)
        ]
