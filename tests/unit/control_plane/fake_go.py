"""A Go command that takes no time: answers what a build asks, and fails the way it is told to.

The file that FAKE_GO_MODE names holds the way: `build`, `hang`, `full`, `offline`, `old`.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = {
    "server": "etcd Version: 3.7.0",
    "kube-apiserver": "Kubernetes v1.37.2",
    "kube-controller-manager": "Kubernetes v1.37.2",
    "kube-scheduler": "Kubernetes v1.37.2",
}


def main(words: list[str]) -> int:
    """Do what `go env`, `go list` or `go build` would."""
    mode = Path(os.environ["FAKE_GO_MODE"]).read_text()
    if words[0] == "env":
        print("go1.2.3" if mode == "old" else "go1.99.0")  # noqa: T201
        return 0
    if words[0] == "list":
        if mode == "offline":
            print("go: k8s.io/api@v0.37.2: dial tcp: lookup failed", file=sys.stderr)  # noqa: T201
            return 1
        print("a/b\nc/d")  # noqa: T201
        return 0
    return build(Path(words[words.index("-o") + 1]), mode)


def build(folder: Path, mode: str) -> int:
    """Write the programs, or half of one."""
    print("a/b", file=sys.stderr, flush=True)  # noqa: T201
    if mode == "full":
        print("c/d: write x.a: no space left on device", file=sys.stderr)  # noqa: T201
        return 1
    if mode == "hang":
        (folder / "kube-apiserver").write_bytes(b"half")
        (Path(os.environ["GOTMPDIR"]) / "go-build1").mkdir()
        with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]):
            Path(os.environ["FAKE_GO_MODE"]).with_name("hangs").touch()
            time.sleep(600)
    for name, version in PROGRAMS.items():
        (folder / name).write_text(f"#!/bin/sh\necho {version}\n")
        (folder / name).chmod(0o755)
    with Path(os.environ["FAKE_GO_MODE"]).with_name("builds").open("a") as builds:
        builds.write("x")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
