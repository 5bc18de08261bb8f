"""Bad input: one clear line on standard error, exit code 2, nothing begun and nothing changed."""

import base64
import datetime as dt
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.integration.gate import impostors
from tests.integration.gate.gate_command import COMMAND, COMMAND_TIMEOUT_S, PROJECT, Gate
from tests.run_cluster import RunCluster

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The good input, which every case spoils in one place.

    Attributes:
        folder: A place for the files of one case; its `reports` must not come to be.
        impostors: Addresses of servers that are not what is expected.
    """

    gate: Gate
    folder: Path
    kubeconfig: Path
    pki: Path
    impostors: Mapping[str, str]

    def options(self) -> dict[str, str]:
        """Return the options of a command that would succeed."""
        confighub = self.gate.status["confighub"]
        return {
            "--kubeconfig": str(self.kubeconfig),
            "--confighub": confighub["url"],
            "--confighub-token-file": confighub["token_file"],
            "--project": PROJECT,
        }

    def written(self, content: str | bytes) -> str:
        """Write a file; returns its path."""
        path = self.folder / "file"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def kubeconfig_with(self, **changes: Mapping[str, Any]) -> str:
        """Write the kubeconfig with its cluster or user changed; returns its path."""
        body = json.loads(self.kubeconfig.read_text())
        for kind, fields in changes.items():
            body[f"{kind}s"][0][kind] |= fields
        return self.written(json.dumps(body))

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command with reports and locks of its own."""
        return self.gate.run(
            *words,
            TRADERX_GATE_LOGS=str(self.folder / "logs"),
            TRADERX_GATE_REPORTS=str(self.folder / "reports"),
            TRADERX_GATE_STATE=str(self.folder / "state"),
            **variables,
        )


@pytest.fixture(scope="session")
def addresses() -> Iterator[Mapping[str, str]]:
    """The addresses of all impostors."""
    with impostors.all_of_them() as running:
        yield running


@pytest.fixture
def good(
    deployed: Gate, cluster: RunCluster, addresses: Mapping[str, str], tmp_path: Path
) -> Surroundings:
    """Input that is good."""
    return Surroundings(
        gate=deployed,
        folder=tmp_path,
        kubeconfig=cluster.kubeconfig,
        pki=cluster.state / "pki",
        impostors=addresses,
    )


def assert_refused(done: subprocess.CompletedProcess[str], good: Surroundings, says: str) -> None:
    """Check that a command was refused in one line, before it began anything."""
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith("traderx-gate: ")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    for left in ("logs", "reports"):
        assert not list((good.folder / left).glob("*"))


def expired(good: Surroundings) -> dict[str, str]:
    """Return credentials that the cluster's own authority signed, and that were good yesterday."""
    authority = x509.load_pem_x509_certificate((good.pki / "ca.crt").read_bytes())
    signer = load_pem_private_key((good.pki / "ca.key").read_bytes(), password=None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    admin = x509.load_pem_x509_certificate((good.pki / "admin.crt").read_bytes())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(admin.subject)
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=2))
        .not_valid_after(now - dt.timedelta(days=1))
        .add_extension(x509.ExtendedKeyUsage([x509.OID_CLIENT_AUTH]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {
        "client-certificate-data": base64.b64encode(
            certificate.public_bytes(Encoding.PEM)
        ).decode(),
        "client-key-data": base64.b64encode(pem).decode(),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class BadInput:
    """One thing that is wrong.

    Attributes:
        spoil: The options that differ from the good ones.
        says: What the line has to say.
        commands: The commands that have to refuse it.
    """

    name: str
    says: str
    spoil: Callable[[Surroundings], dict[str, str]] = field(default=lambda _: {})
    commands: tuple[str, ...] = ("validate",)


def confighub(name: str) -> Callable[[Surroundings], dict[str, str]]:
    """Point ConfigHub's address at an impostor."""
    return lambda good: {"--confighub": good.impostors[name]}


def kubernetes(name: str) -> Callable[[Surroundings], dict[str, str]]:
    """Point the kubeconfig at an impostor."""
    return lambda good: {
        "--kubeconfig": good.kubeconfig_with(cluster={"server": good.impostors[name]})
    }


def kubeconfig(content: str | bytes) -> Callable[[Surroundings], dict[str, str]]:
    """Give a kubeconfig of this content."""
    return lambda good: {"--kubeconfig": good.written(content)}


def token(content: str | bytes) -> Callable[[Surroundings], dict[str, str]]:
    """Give a token file of this content."""
    return lambda good: {"--confighub-token-file": good.written(content)}


EVERY = ("validate", "deploy", "install")
USES_THE_CLUSTER = ("validate", "deploy")
NOT_CONFIGHUB = "is not ConfigHub"
NOT_KUBERNETES = "is not a Kubernetes API"
UNKNOWN_FORM = "is not of the known form"

BAD_INPUT = (
    BadInput(name="ConfigHub down", spoil=confighub("nobody"), says="cannot be reached"),
    BadInput(name="ConfigHub says 500", spoil=confighub("broken"), says="500 out of order"),
    BadInput(
        name="ConfigHub says 403",
        spoil=confighub("forbidding"),
        says="403 not for you",
        commands=EVERY,
    ),
    BadInput(name="a web page for ConfigHub", spoil=confighub("html"), says=NOT_CONFIGHUB),
    BadInput(name="a redirection for ConfigHub", spoil=confighub("elsewhere"), says=NOT_CONFIGHUB),
    BadInput(name="SSH for ConfigHub", spoil=confighub("ssh"), says="cannot be reached"),
    BadInput(name="a number for ConfigHub", spoil=confighub("number"), says=UNKNOWN_FORM),
    BadInput(
        name="a list for ConfigHub", spoil=confighub("list"), says=UNKNOWN_FORM, commands=EVERY
    ),
    BadInput(
        name="ConfigHub is silent",
        spoil=confighub("silent"),
        says="is silent: GET /space had no answer in 10 s",
    ),
    BadInput(
        name="wrong token",
        spoil=token("wrong"),
        says="does not accept the token (401",
        commands=EVERY,
    ),
    BadInput(name="empty token file", spoil=token("\n"), says="holds no token"),
    BadInput(name="token that is no text", spoil=token(b"\xff\xfe"), says="token file"),
    BadInput(
        name="no token file",
        spoil=lambda _: {"--confighub-token-file": "/nosuch"},
        says="/nosuch",
    ),
    BadInput(
        name="no kubeconfig",
        spoil=lambda _: {"--kubeconfig": "/nosuch"},
        says="kubeconfig /nosuch: No such file",
        commands=USES_THE_CLUSTER,
    ),
    BadInput(
        name="a folder for a kubeconfig",
        spoil=lambda good: {"--kubeconfig": str(good.folder)},
        says="Is a directory",
    ),
    BadInput(
        name="kubeconfig is not YAML",
        spoil=kubeconfig("a:\n  - b\n c: ["),
        says="not YAML: ",
    ),
    BadInput(
        name="kubeconfig is not text",
        spoil=kubeconfig(b"\xff\xfe\x00"),
        says="cannot use its current context",
    ),
    BadInput(
        name="kubeconfig is empty",
        spoil=kubeconfig(""),
        says="is empty",
    ),
    BadInput(
        name="kubeconfig is a list",
        spoil=kubeconfig("[]"),
        says="cannot use its current context",
    ),
    BadInput(
        name="kubeconfig without an address",
        spoil=lambda good: {"--kubeconfig": good.kubeconfig_with(cluster={"server": "nohost"})},
        says="server 'nohost' is no http:// or https:// address",
    ),
    BadInput(
        name="wrong context",
        spoil=lambda _: {"--context": "production"},
        says="cannot use context 'production'",
    ),
    BadInput(
        name="certificate has expired",
        spoil=lambda good: {"--kubeconfig": good.kubeconfig_with(user=expired(good))},
        says="credentials (401); they may have expired",
        commands=USES_THE_CLUSTER,
    ),
    BadInput(
        name="Kubernetes down",
        spoil=kubernetes("nobody"),
        says="does not answer GET /version",
    ),
    BadInput(
        name="a web page for Kubernetes",
        spoil=kubernetes("html"),
        says=NOT_KUBERNETES,
        commands=USES_THE_CLUSTER,
    ),
    BadInput(
        name="null for Kubernetes",
        spoil=kubernetes("null"),
        says=NOT_KUBERNETES,
    ),
    BadInput(
        name="SSH for Kubernetes",
        spoil=kubernetes("ssh"),
        says="does not answer GET /version",
    ),
    BadInput(
        name="Kubernetes says 403",
        spoil=kubernetes("kubernetes forbidding"),
        says="nodes is forbidden",
        commands=USES_THE_CLUSTER,
    ),
    BadInput(
        name="Kubernetes is silent",
        spoil=kubernetes("silent"),
        says="does not answer GET /version",
    ),
    BadInput(
        name="project not installed",
        spoil=lambda _: {"--project": "other"},
        says="has no space other-dev; make it with `traderx-gate install dev`",
    ),
    BadInput(
        name="project's name",
        spoil=lambda _: {"--project": "no such"},
        says="project 'no such': use lower-case letters",
    ),
)


@pytest.mark.parametrize(
    ("bad", "command"),
    [
        pytest.param(bad, command, id=f"{bad.name}, {command}")
        for bad in BAD_INPUT
        for command in bad.commands
    ],
)
def test_bad_input_is_refused(good: Surroundings, bad: BadInput, command: str) -> None:
    """A command with one thing wrong says so in one line, and begins nothing."""
    options = {**good.options(), **bad.spoil(good)}
    done = good.run(command, "dev", *(word for option in options.items() for word in option))
    assert_refused(done, good, bad.says)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["validate", "devv"], "unknown environment 'devv'; did you mean dev?"),
        (["deploy", "prd"], "unknown environment 'prd'; did you mean prod?"),
        (["deploy", "base"], "is cloned from, never deployed"),
        (["logs", "dev", "acount-service"], "did you mean account-service?"),
        (["validate"], "Missing argument"),
        (["validate", "dev", "--cluster", "moon"], "moon"),
        (["validate", "dev", "--sed", "1"], "--sed"),
        (["validate", "dev", "--seed", "x"], "x"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_words_are_refused(good: Surroundings, words: list[str], says: str) -> None:
    """A word that is not known is refused, with the nearest that is."""
    done = good.gate.run(*words, TRADERX_GATE_REPORTS=str(good.folder / "reports"))
    assert_refused(done, good, says)


@pytest.mark.parametrize("timeout", ["soon", "0", "nan"])
def test_timeout_that_is_none_is_refused(good: Surroundings, timeout: str) -> None:
    """A DEPLOYMENT_TIMEOUT that is no positive number of seconds is refused."""
    words = [word for option in good.options().items() for word in option]
    done = good.run("deploy", "dev", *words, DEPLOYMENT_TIMEOUT=timeout)
    assert_refused(done, good, f"DEPLOYMENT_TIMEOUT must be seconds, is {timeout!r}")


@pytest.mark.parametrize(
    ("path", "old", "new", "says", "command"),
    [
        (
            "policies/validate.toml",
            "max_age_s = 3600",
            "max_age_s = soon",
            "policies/validate.toml: not TOML: Invalid value (at line 5",
            "validate",
        ),
        (
            "policies/validate.toml",
            "max_age_s = 3600",
            'max_age_s = "soon"',
            "policies/validate.toml: max_age_s must be int, is 'soon'",
            "validate",
        ),
        (
            "policies/claims.toml",
            "min_samples = 1",
            "min_sample = 1",
            "policies/claims.toml: claim 1: min_samples is missing",
            "validate",
        ),
        (
            "application/services.toml",
            'layer = "data"',
            'layer = "date"',
            "application/services.toml: service 1: layer must be one of",
            "deploy",
        ),
        (
            "application/services.toml",
            "[[service]]",
            "[[service]",
            "application/services.toml: not TOML",
            "deploy",
        ),
        (
            "application/units/base/database-service.yaml",
            "kind: Service",
            "kind: Service: x",
            "units/base/database-service.yaml, line 2: ",
            "install",
        ),
    ],
    ids=["policy syntax", "policy key", "claims", "catalogue key", "catalogue syntax", "unit"],
)
def test_malformed_file_is_refused(
    good: Surroundings, *, path: str, old: str, new: str, says: str, command: str
) -> None:
    """A malformed policy, catalogue or unit is named with file, and line or key."""
    source = good.folder / "src"
    shutil.copytree(ROOT / "src" / "traderx_gate", source / "traderx_gate")
    file = source / "traderx_gate" / path
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    words = [word for option in good.options().items() for word in option]
    # an installation of its own, so that one that would begin could not spoil the shared one
    done = good.run(command, "dev", *words, "--project", "malformed", PYTHONPATH=str(source))
    assert_refused(done, good, says)


@pytest.mark.parametrize(
    ("command", "old", "new", "says"),
    [
        (
            "validate",
            "kind: Deployment",
            "",
            "unit web-gui-deployment, document 1: kind is missing",
        ),
        ("deploy", "          image:", "          picture:", "[0] needs a name and an image"),
    ],
    ids=["validate", "deploy"],
)
def test_malformed_unit_of_the_environment_is_refused(
    gate: Gate, good: Surroundings, *, command: str, old: str, new: str, says: str
) -> None:
    """A malformed unit in ConfigHub is named with its key, and no other unit is applied."""
    words = [word for option in good.options().items() for word in option]
    with gate.changed_unit("web-gui-deployment", (old, new)):
        first = gate.unit("namespace")
        path = f"/space/{first.space_id}/unit/{first.id}"
        before = gate.ask_confighub("GET", path)
        done = good.run(command, "dev", *words)
        after = gate.ask_confighub("GET", path)
    gate.deploy()
    assert_refused(done, good, says)
    assert before == after


def test_full_disk_is_refused(gate: Gate, good: Surroundings) -> None:
    """Where evidence cannot be written nothing begins, and no half run is left."""
    words = [word for option in good.options().items() for word in option]
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); "
    done = subprocess.run(
        [*COMMAND[:2], full + COMMAND[2], "validate", "dev", *words],
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
        env={
            **gate.environ,
            "TRADERX_GATE_REPORTS": str(good.folder / "reports"),
            "TRADERX_GATE_STATE": str(good.folder / "state"),
        },
    )
    assert_refused(done, good, "evidence.json: File too large")


def test_other_systems_than_linux_are_refused(tmp_path: Path) -> None:
    """The embedded cluster is refused elsewhere, with what to use instead; nothing is made."""
    elsewhere = (
        "import sys; from traderx_embedded.__main__ import main; sys.platform = 'darwin'; "
        "sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", elsewhere, "up", str(tmp_path / "state")],
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "traderx-gate: the embedded cluster runs on Linux only, this is darwin; use --cluster kind"
    ]
    assert not list(tmp_path.iterdir())
