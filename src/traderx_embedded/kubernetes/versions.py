"""What the control plane is built from: the modules that `control_plane/go.mod` pins."""

import re
from dataclasses import dataclass
from pathlib import Path

from traderx_embedded.errors import BuildError

MODULE = Path(__file__).parent / "control_plane"
NAMES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
PACKAGES = (
    "go.etcd.io/etcd/server/v3",
    *(f"k8s.io/kubernetes/cmd/{name}" for name in NAMES if name != "etcd"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """The versions that `go.mod` pins, each like `v1.37.2`."""

    kubernetes: str
    etcd: str
    go: str

    @classmethod
    def pinned(cls) -> "Versions":
        """Read them."""
        text = (MODULE / "go.mod").read_text(encoding="utf-8")

        def find(pattern: str) -> str:
            match = re.search(pattern, text, re.MULTILINE)
            if match is None:
                raise BuildError(f"{MODULE / 'go.mod'}: no line like {pattern}")
            return match[1]

        return cls(
            kubernetes=find(r"k8s\.io/kubernetes (v[0-9.]+)"),
            etcd=find(r"go\.etcd\.io/etcd/server/v3 (v[0-9.]+)"),
            go=find(r"^go ([0-9.]+)$"),
        )


def linker_flags(versions: Versions) -> str:
    """Return the flags that give the programs their version; without them they say v0.0.0."""
    major, minor, _ = versions.kubernetes.removeprefix("v").split(".")
    variable = "k8s.io/component-base/version"
    stamps = {"gitVersion": versions.kubernetes, "gitMajor": major, "gitMinor": minor}
    return " ".join(["-s -w", *(f"-X {variable}.{name}={value}" for name, value in stamps.items())])
