"""Signatures over evidence: DSSE envelopes around an in-toto test-result, with a local key."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from cryptography.hazmat.primitives.serialization import (
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import (  # type: ignore[attr-defined]  # no __all__ there
    CryptoSigner,
    Key,
    SSlibKey,
)

from traderx_gate.errors import ConfigurationError, EvidenceError

PublicKey: TypeAlias = Key
"""What a signature is checked with."""
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"


def key_file() -> Path:
    """Return where the signing key is: TRADERX_GATE_KEY, else in the user's configuration."""
    configured = os.environ.get("TRADERX_GATE_KEY")
    if configured:
        return Path(configured)
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "traderx-gate" / "evidence-key.pem"


def load_signer(path: Path) -> CryptoSigner:
    """Return the signer of a key file, which is made (mode 0600) when it is missing.

    Raises:
        ConfigurationError: The file cannot be read or made, or holds no Ed25519 key.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            made = path.with_name(f"{path.name}.{os.getpid()}")
            descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(CryptoSigner.generate_ed25519().private_bytes)
            try:
                os.link(made, path)  # unlike a rename, never replaces the key of another run
            except FileExistsError:
                pass  # another run was first: its key is the key
            finally:
                made.unlink()
        return CryptoSigner(load_pem_private_key(path.read_bytes(), password=None))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"signing key {path}: {error}; name another file in TRADERX_GATE_KEY"
        ) from error


def load_key(path: Path) -> PublicKey:
    """Return the public key of a PEM file, private or public; never makes one.

    Raises:
        ConfigurationError: The file cannot be read, or holds no key that we sign with.
    """
    try:
        content = path.read_bytes()
        if b"PRIVATE KEY" in content:
            return CryptoSigner(load_pem_private_key(content, password=None)).public_key
        return SSlibKey.from_crypto(load_pem_public_key(content))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"key {path}: {error}; name the one that the evidence was signed with: --key FILE"
        ) from error


def sign(name: str, content: bytes, predicate: Mapping[str, Any], signer: CryptoSigner) -> bytes:
    """Return a signed envelope that binds a file's name and bytes to a test result."""
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": hashlib.sha256(content).hexdigest()}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": dict(predicate),
    }
    envelope = Envelope(json.dumps(statement, sort_keys=True).encode(), PAYLOAD_TYPE, {})
    envelope.sign(signer)
    return _written(envelope)


def verify(name: str, content: bytes, envelope: bytes, key: PublicKey) -> None:
    """Check that an envelope of ours covers exactly this file.

    Raises:
        EvidenceError: It is malformed, signed by another key, or of another file or other bytes.
    """
    if covered(name, content, envelope, key) != name:
        raise EvidenceError(f"{name}: was changed or exchanged after it was signed")


def covered(told: str, content: bytes, envelope: bytes, key: PublicKey) -> str:
    """Return the name under which an envelope of ours covers these bytes.

    Args:
        told: The file's name, for messages.
        content: The file.
        envelope: Its envelope; a byte of it that is not as we write it is a change, too.
        key: Which it has to be signed by.

    Raises:
        EvidenceError: It is malformed, signed by another key, or of other bytes.
    """
    try:
        parsed = Envelope.from_dict(json.loads(envelope))
        parsed.verify([key], 1)
        statement = json.loads(parsed.payload)
        subject = statement["subject"][0]
        name, digest = str(subject["name"]), subject["digest"]["sha256"]
        as_written = _written(parsed) == envelope
    except VerificationError as error:
        raise EvidenceError(f"{told}: its signature is not by this key: {error}") from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise EvidenceError(f"{told}: its signature is malformed: {error!r}") from error
    if digest != hashlib.sha256(content).hexdigest() or not as_written:
        raise EvidenceError(f"{told}: was changed or exchanged after it was signed")
    return name


def _written(envelope: Envelope) -> bytes:
    return json.dumps(envelope.to_dict(), indent=1).encode()
