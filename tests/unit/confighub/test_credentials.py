"""Tokens are read as `cub` leaves them, in both layouts; what is wrong with one is said."""

import base64
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from traderx_gate.confighub.credentials import Login, authorization, cub_login
from traderx_gate.errors import ConfigurationError

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
SERVER = "https://hub.example.com"


def written(path: Path, body: object) -> Path:
    """Write a file, JSON unless it is text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(body if isinstance(body, str) else json.dumps(body))
    return path


def jwt(**claims: Any) -> str:
    """Return a token whose claims can be read."""
    parts = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode() for p in ({}, claims)]
    return ".".join([part.rstrip("=") for part in parts] + ["signature"])


def newer(home: Path, **metadata: str) -> Path:
    """Write the newer layout; returns its configuration."""
    contexts = [
        {"name": "other", "coordinate": {"serverURL": "https://other.example.com"}},
        {"name": "work", "coordinate": {"serverURL": f"{SERVER}/"}, "metadata": metadata},
    ]
    body = {"apiVersion": "v1", "kind": "Config", "currentContext": "work", "contexts": contexts}
    return written(home / ".confighub" / "config.yaml", yaml.safe_dump(body))


@pytest.mark.parametrize(
    ("body", "header"),
    [
        ("plain-token\n", "Bearer plain-token"),
        ({"access_token": "old"}, "Bearer old"),
        ({"accessToken": "new", "refreshToken": "r"}, "Bearer new"),
        (
            {
                "auth_type": "Basic",
                "user": {"email": "a@b.c"},
                "basic_auth_password": "pw",
                "access_token": "not this",
            },
            f"Basic {base64.b64encode(b'a@b.c:pw').decode()}",
        ),
        ({"access_token": jwt(exp=NOW.timestamp() + 1)}, None),
        (jwt(exp="soon"), None),
        (jwt(sub="nobody"), None),
        ("a.b.c", "Bearer a.b.c"),
    ],
)
def test_every_form_is_read(tmp_path: Path, body: object, header: str | None) -> None:
    """A token alone, or a file of `cub`'s, gives the header; of odd tokens the server is judge."""
    found = authorization(written(tmp_path / "token", body), now=NOW)
    assert found == header or (header is None and found.startswith("Bearer "))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "holds no token"),
        ("two words", "holds no token"),
        ("schlüssel", "holds no token"),
        ("{", "not JSON"),
        ({}, "holds no token"),
        ({"access_token": jwt(exp=NOW.timestamp())}, "expired at 2026-11-24 12:00 UTC"),
        (jwt(exp=NOW.timestamp() - 3600), "expired at 2026-11-24 11:00 UTC"),
        ({"auth_type": "Basic", "user": {"email": "a@b.c"}}, "no email and password"),
        ({"auth_type": "Basic", "user": "a@b.c", "basic_auth_password": "p"}, "no email and"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, body: object, said: str) -> None:
    """A file that gives no token, or one that has ended, is named, with what to do."""
    path = written(tmp_path / "token", body)
    with pytest.raises(ConfigurationError, match=said) as caught:
        authorization(path, now=NOW)
    assert str(path) in str(caught.value)
    assert "cub auth login" in str(caught.value)


def test_missing_file_is_said(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(ConfigurationError, match="nowhere"):
        authorization(tmp_path / "nowhere")


def test_older_layout(tmp_path: Path) -> None:
    """`session.json` is the token, `context.json` or CONFIGHUB_URL the server, or it is hosted."""
    environ = {"HOME": str(tmp_path)}
    assert cub_login(environ) is None
    session = written(tmp_path / ".confighub" / "session.json", {"access_token": "t"})
    hosted = Login(url="https://hub.confighub.com", token_file=session)
    assert cub_login(environ) == hosted
    written(session.with_name("context.json"), {"confighub_url": SERVER})
    assert cub_login(environ) == Login(url=SERVER, token_file=session)
    other = {**environ, "CONFIGHUB_URL": "http://127.0.0.1:1"}
    assert cub_login(other) == Login(url="http://127.0.0.1:1", token_file=session)


def test_newer_layout(tmp_path: Path) -> None:
    """The current context says server and token file; it goes before the older layout."""
    written(tmp_path / ".confighub" / "session.json", {"access_token": "t"})
    config = newer(tmp_path)
    tokens = config.parent / "tokens" / "work.json"
    assert cub_login({"HOME": str(tmp_path)}) == Login(url=SERVER, token_file=tokens)
    moved = config.rename(tmp_path / "mine.yaml")
    found = cub_login({"HOME": "/nowhere", "CUB_CONFIG": str(moved)})
    assert found == Login(url=SERVER, token_file=tmp_path / "tokens" / "work.json")


def test_token_file_of_a_context(tmp_path: Path) -> None:
    """A context that names its token file has it there."""
    config = newer(tmp_path, tokenFile="elsewhere/t.json")
    found = cub_login({"HOME": str(tmp_path)})
    assert found == Login(url=SERVER, token_file=config.parent / "elsewhere" / "t.json")


@pytest.mark.parametrize(
    "text", ["", "[", "currentContext: x", "currentContext: x\ncontexts: [{name: y}]", "- 1"]
)
def test_configuration_that_says_nothing(tmp_path: Path, text: str) -> None:
    """A configuration without a current context's server is named, with what to do."""
    config = written(tmp_path / ".confighub" / "config.yaml", text)
    with pytest.raises(ConfigurationError, match="cub auth login") as caught:
        cub_login({"HOME": str(tmp_path)})
    assert str(config) in str(caught.value)
