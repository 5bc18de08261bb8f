"""Certificates of one cluster: an authority of its own, made at its first start."""

import base64
import datetime as dt
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from traderx_embedded import state as state_directory
from traderx_embedded.state import Settings, State

LIFETIME = dt.timedelta(days=365)
CONTEXT = "traderx-embedded"
ADMINISTRATORS = "system:masters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A key and its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def write(self, folder: Path, name: str) -> None:
        """Write `name.key` and `name.crt`."""
        state_directory.write(folder / f"{name}.key", _pem(self.key))
        encoded = self.certificate.public_bytes(serialization.Encoding.PEM)
        state_directory.write(folder / f"{name}.crt", encoded)


def make(state: State, settings: Settings) -> None:
    """Make every certificate and kubeconfig of a cluster; those that exist stay.

    Kubeconfigs are written anew each time, since ports may move.
    """
    state.pki.mkdir(mode=0o700, exist_ok=True)
    if not (state.pki / "complete").exists():
        authority = _sign("traderx-embedded-ca")
        authority.write(state.pki, "ca")
        loopback = ("127.0.0.1", "localhost")
        service = f"{settings.service_network}.0.1"
        names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")
        _sign("kube-apiserver", authority, hosts=(*loopback, service, *names)).write(
            state.pki, "server"
        )
        # The node also serves metrics, under the name of their service.
        kubelet = (*loopback, "metrics-server.kube-system.svc")
        _sign("kubelet", authority, hosts=kubelet).write(state.pki, "kubelet")
        for name, user, group in (
            ("kubelet-client", "kube-apiserver-kubelet-client", ADMINISTRATORS),
            ("node", f"system:node:{settings.node_name}", ADMINISTRATORS),
            ("admin", "traderx-gate", ADMINISTRATORS),
            ("controller-manager", "system:kube-controller-manager", ""),
            ("scheduler", "system:kube-scheduler", ""),
            ("front-proxy", "front-proxy-client", ""),
        ):
            _sign(user, authority, group=group).write(state.pki, name)
        _write_service_account_keys(state.pki)
        state_directory.write(state.pki / "complete", "")
    for name in ("controller-manager", "scheduler"):
        _write_kubeconfig(state, settings, name, state.pki / f"{name}.kubeconfig")
    _write_kubeconfig(state, settings, "admin", state.kubeconfig)


def _sign(
    common_name: str,
    authority: Signed | None = None,
    *,
    group: str = "",
    hosts: Sequence[str] = (),
) -> Signed:
    key = ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if group:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    name = x509.Name(attributes)
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(authority.certificate.subject if authority else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), critical=True)
    )
    if authority:
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if hosts:
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    certificate = builder.sign(authority.key if authority else key, hashes.SHA256())
    return Signed(key=key, certificate=certificate)


def _general_name(host: str) -> x509.GeneralName:
    if host[0].isdigit():
        return x509.IPAddress(ipaddress.ip_address(host))
    return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write_service_account_keys(folder: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    state_directory.write(folder / "service-account.key", _pem(key))
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    state_directory.write(folder / "service-account.pub", public)


def _write_kubeconfig(state: State, settings: Settings, user: str, path: Path) -> None:
    def encoded(name: str) -> str:
        return base64.b64encode((state.pki / name).read_bytes()).decode()

    cluster = {
        "server": f"https://127.0.0.1:{settings.ports.apiserver}",
        "certificate-authority-data": encoded("ca.crt"),
    }
    credentials = {
        "client-certificate-data": encoded(f"{user}.crt"),
        "client-key-data": encoded(f"{user}.key"),
    }
    name = f"{CONTEXT}-{settings.slot}"
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": name, "user": user}}],
        "current-context": CONTEXT,
    }
    state_directory.write(path, json.dumps(body, indent=1))
