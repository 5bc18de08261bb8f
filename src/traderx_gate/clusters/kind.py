"""A kind cluster of ours: made, found again and removed; one of somebody else is never touched.

Ours is one that has our folder mounted: the engine says so even of a cluster that is stopped.
"""

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from traderx_gate.clusters import program
from traderx_gate.clusters.engine import Engine
from traderx_gate.errors import NotReachedError, RefusedError, UnreachableError

NAME = "traderx-gate"
OLDEST = (0, 33)
"""A node image may not start under another kind release than its own; ours is of v0.33.0."""
NODE_IMAGE = (
    "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"
)
INGRESS = (
    "https://raw.githubusercontent.com/kubernetes/ingress-nginx/"
    "controller-v1.14.1/deploy/static/provider/kind/deploy.yaml"
)
METRICS = (
    "https://github.com/kubernetes-sigs/metrics-server/releases/download/v0.8.1/components.yaml"
)
MARK = "/traderx-gate"
"""Where our folder is mounted in every node."""
ASK_TIMEOUT_S = 60.0
CREATE_TIMEOUT_S = 900.0
LOAD_TIMEOUT_S = 600.0
ROLLOUT_TIMEOUT_S = 300.0

ADVICE: Mapping[str, str] = {
    r"no space left on device": "the engine's disk is full; make room, for instance with "
    "`{engine} system prune`",
    r"port is already allocated|address already in use": "port {port} of 127.0.0.1 is taken; "
    "free it, or choose another ingress port",
    r"failed to pull image": "the node image {image} cannot be pulled; check the network, or load "
    "it into {engine} and run the same again",
    r"requires cgroup v2|Delegate=yes": "{engine} runs without root and lacks what kind needs; "
    "see https://kind.sigs.k8s.io/docs/user/rootless/",
}
"""What kind says when it cannot make a cluster, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is wanted of a kind cluster.

    Attributes:
        state: Our folder: it marks the cluster, and its kubeconfig lies there.
        images: Images of the engine to load into the nodes; none for those of a registry.
        ingress: The ingress controller's manifest, path or URL; empty for none.
        metrics: The metrics server's manifest, likewise.
    """

    state: Path
    images: Sequence[str] = ()
    node_image: str = NODE_IMAGE
    ingress_port: int = 80
    ingress: str = INGRESS
    metrics: str = METRICS

    @property
    def kubeconfig(self) -> Path:
        """The cluster's kubeconfig."""
        return self.state / "kind.kubeconfig"


def up(engine: Engine, options: Options) -> tuple[Path, str]:
    """Make the cluster, or take the one that is there; returns its kubeconfig and context.

    Raises:
        RefusedError: Something is missing, taken or somebody else's; says what to do.
        UnreachableError, NotReachedError: It did not come up in time.
    """
    require_kind()
    missing = engine.missing(options.images)
    if missing:
        raise RefusedError(
            f"{engine.name} has no image {missing[0]} (and {len(missing) - 1} more); "
            "build them with `make image`"
        )
    for manifest in (options.ingress, options.metrics):
        if manifest and not _is_url(manifest) and not Path(manifest).is_file():
            raise RefusedError(f"{manifest} is no file; give a manifest's path or URL")
    if is_up(engine, options.state):
        _kind(engine, "export", "kubeconfig", *_named(options), timeout_s=ASK_TIMEOUT_S)
    else:
        _create(engine, options)
    if options.images:
        _load(engine, options)
    _add(engine, options.ingress)
    _add(engine, options.metrics)
    if options.metrics:
        _trust_kubelets(engine)
    return options.kubeconfig, f"kind-{NAME}"


def down(engine: Engine, state: Path) -> bool:
    """Remove our cluster and its kubeconfig; returns whether there was one.

    Raises:
        RefusedError: The cluster of that name is not ours.
    """
    if not is_up(engine, state):
        return False
    options = Options(state=state)
    _kind(engine, "delete", "cluster", *_named(options), timeout_s=CREATE_TIMEOUT_S)
    options.kubeconfig.unlink(missing_ok=True)
    return True


def is_up(engine: Engine, state: Path) -> bool:
    """Return whether our cluster is there, running or not.

    Raises:
        RefusedError: One of that name is, and it is not ours.
    """
    if NAME not in _kind(engine, "get", "clusters", timeout_s=ASK_TIMEOUT_S).split():
        return False
    mounted = engine.mounts(f"{NAME}-control-plane").get(MARK)
    if mounted != str(state):
        whose = f"it belongs to {mounted}" if mounted else "it was not made by traderx-gate"
        raise RefusedError(
            f"there is a kind cluster {NAME} and {whose}; nothing was changed. Remove it "
            f"yourself if you can do without it: `kind delete cluster --name {NAME}`"
        )
    return True


def require_kind() -> None:
    """Check that kind is there and new enough.

    Raises:
        RefusedError: It is not.
    """
    if not program.is_there("kind"):
        raise RefusedError(
            "kind is not on PATH; install it with `go install sigs.k8s.io/kind@v0.33.0` or see "
            "https://kind.sigs.k8s.io/docs/user/quick-start/"
        )
    said = program.run(["kind", "version"], timeout_s=ASK_TIMEOUT_S).strip()
    match = re.search(r"v(\d+)\.(\d+)", said)
    if match is None or (int(match[1]), int(match[2])) < OLDEST:
        raise RefusedError(
            f"kind is too old or unknown ({said!r}); at least v{OLDEST[0]}.{OLDEST[1]} is needed"
        )


def configuration(options: Options) -> str:
    """Return the cluster's configuration: ours, with port and mark."""
    body: dict[str, Any] = yaml.safe_load(files(__package__).joinpath("kind.yaml").read_text())
    for node in body["nodes"]:
        mark = {"hostPath": str(options.state), "containerPath": MARK, "readOnly": True}
        node["extraMounts"] = [mark]
        for port in node.get("extraPortMappings", ()):
            port["hostPort"] = options.ingress_port
    return yaml.safe_dump(body)


def _create(engine: Engine, options: Options) -> None:
    options.state.mkdir(parents=True, exist_ok=True)
    words = ["create", "cluster", *_named(options), "--config", "-", "--wait", "180s"]
    words += ["--image", options.node_image]
    try:
        _kind(engine, *words, given=configuration(options), timeout_s=CREATE_TIMEOUT_S)
    except program.FailedProgramError as error:
        raise RefusedError(_advice(error.said, engine, options) or str(error)) from error
    except (UnreachableError, KeyboardInterrupt):
        down(engine, options.state)  # kind removes what it could not finish, unless it is killed
        raise


def _advice(said: str, engine: Engine, options: Options) -> str:
    for pattern, advice in ADVICE.items():
        if re.search(pattern, said):
            return advice.format(
                engine=engine.name, port=options.ingress_port, image=options.node_image
            )
    return ""


def _load(engine: Engine, options: Options) -> None:
    """Load images as an archive, which works with every engine."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "images.tar"
        engine.save(options.images, archive)
        words = ("load", "image-archive", str(archive), "--name", NAME)
        _kind(engine, *words, timeout_s=LOAD_TIMEOUT_S)


def _add(engine: Engine, manifest: str) -> None:
    if not manifest:
        return
    given = "" if _is_url(manifest) else Path(manifest).read_text(encoding="utf-8")
    words = ("apply", "--filename", "-" if given else manifest)
    node = f"{NAME}-control-plane"
    try:
        engine.kubectl(node, *words, given=given, timeout_s=ROLLOUT_TIMEOUT_S)
    except program.FailedProgramError as error:
        raise NotReachedError(
            f"{manifest} could not be applied: {error}; without a network give its path"
        ) from error


def _trust_kubelets(engine: Engine) -> None:
    """Have the metrics server take kubelets' own certificates, which is all that kind has."""
    value = "--kubelet-insecure-tls"
    node, where = f"{NAME}-control-plane", ("--namespace", "kube-system")
    args = engine.kubectl(
        node,
        *(*where, "get", "deployment", "metrics-server", "--output"),
        "jsonpath={.spec.template.spec.containers[0].args}",
        timeout_s=ASK_TIMEOUT_S,
    )
    if value in args:
        return
    path = "/spec/template/spec/containers/0/args/-"
    patch = yaml.safe_dump([{"op": "add", "path": path, "value": value}], default_flow_style=True)
    words = ("patch", "deployment", "metrics-server", "--type", "json", "--patch", patch)
    engine.kubectl(node, *where, *words, timeout_s=ASK_TIMEOUT_S)


def _is_url(manifest: str) -> bool:
    return manifest.startswith(("https://", "http://"))


def _named(options: Options) -> tuple[str, ...]:
    return ("--name", NAME, "--kubeconfig", str(options.kubeconfig))


def _kind(engine: Engine, *words: str, given: str = "", timeout_s: float) -> str:
    return program.run(["kind", *words], given=given, timeout_s=timeout_s, env=engine.environment())
