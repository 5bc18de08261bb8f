"""Tokens: plain files, and what `cub auth login` leaves behind in both of its layouts.

Layouts (`reference/confighub.md` 3): `session.json` beside `context.json`, and since late 2025
`config.yaml` with `tokens/<context>.json`. Tokens stay in files and never get into an argv.
"""

import base64
import binascii
import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from traderx_gate.errors import ConfigurationError

HOSTED = "https://hub.confighub.com"
LOG_IN = "log in again with `cub auth login`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What `cub` is logged in to.

    Attributes:
        url: The server, without `/api`.
        token_file: The file that holds the token, of one of the forms that `authorization` reads.
    """

    url: str
    token_file: Path


def cub_login(environ: Mapping[str, str]) -> Login | None:
    """Return what `cub` is logged in to; None where it is not.

    Args:
        environ: CUB_CONFIG and HOME say where its files are, CONFIGHUB_URL overrules the server of
            the older layout, as it does for `cub`.

    Raises:
        ConfigurationError: A file of it cannot be read, or is not of the known form.
    """
    folder = Path(environ.get("HOME") or Path.home()) / ".confighub"
    config = Path(environ.get("CUB_CONFIG") or folder / "config.yaml")
    if config.is_file():
        return _from_config(config)
    session = folder / "session.json"
    if not session.is_file():
        return None
    context = folder / "context.json"
    known = _json(context).get("confighub_url") if context.is_file() else None
    return Login(url=environ.get("CONFIGHUB_URL") or known or HOSTED, token_file=session)


def _from_config(path: Path) -> Login:
    try:
        body = yaml.safe_load(path.read_text())
        current = body["currentContext"]
        (context,) = [one for one in body["contexts"] if one["name"] == current]
        url = str(context["coordinate"]["serverURL"])
        given = (context.get("metadata") or {}).get("tokenFile")
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{path}: no current context with a server can be read ({type(error).__name__}); "
            f"{LOG_IN}"
        ) from error
    token_file = path.parent / (given or Path("tokens") / f"{current}.json")
    return Login(url=url.rstrip("/"), token_file=token_file)


def authorization(path: Path, *, now: dt.datetime | None = None) -> str:
    """Return the Authorization header that a file makes.

    The file holds a token alone, or is one of `cub`'s: JSON with `access_token` (with `auth_type`
    Basic: an email and password), or with `accessToken`.

    Args:
        path: The file.
        now: For tests.

    Raises:
        ConfigurationError: It cannot be read, holds no token, or one that has expired.
    """
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"ConfigHub token file {path}: {error}") from error
    if text.startswith("{"):
        return _of_cub(path, now)
    return _bearer(path, text, now)


def _of_cub(path: Path, now: dt.datetime | None) -> str:
    body = _json(path)
    if body.get("auth_type") == "Basic":
        user = body.get("user")
        email = user.get("email") if isinstance(user, dict) else None
        password = body.get("basic_auth_password")
        if not (isinstance(email, str) and isinstance(password, str)):
            raise ConfigurationError(f"{path}: no email and password in it; {LOG_IN}")
        return f"Basic {base64.b64encode(f'{email}:{password}'.encode()).decode()}"
    token = body.get("access_token") or body.get("accessToken") or ""
    return _bearer(path, str(token), now)


def _bearer(path: Path, token: str, now: dt.datetime | None) -> str:
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigurationError(f"ConfigHub token file {path} holds no token; {LOG_IN}")
    ends = _expiry(token)
    if ends is not None and ends <= (now or dt.datetime.now(dt.UTC)):
        raise ConfigurationError(
            f"the token in {path} expired at {ends:%Y-%m-%d %H:%M} UTC; {LOG_IN}"
        )
    return f"Bearer {token}"


def _expiry(token: str) -> dt.datetime | None:
    """Return when a JSON Web Token ends; None for other tokens: the server judges them."""
    parts = token.split(".")
    if len(parts) != 3:  # header, claims, signature
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return dt.datetime.fromtimestamp(claims["exp"], dt.UTC)
    except (binascii.Error, ValueError, KeyError, TypeError, OverflowError, OSError):
        return None


def _json(path: Path) -> dict[str, Any]:
    try:
        body = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: not JSON ({type(error).__name__}); {LOG_IN}") from error
    if not isinstance(body, dict):
        raise ConfigurationError(f"{path}: not a JSON object; {LOG_IN}")
    return body
