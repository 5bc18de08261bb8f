"""Where nothing was brought up, ConfigHub is the one that `cub` is logged in to."""

import json
from pathlib import Path

import pytest

from traderx_gate import settings
from traderx_gate.errors import ConfigurationError

SERVER = "https://hub.example.com"


@pytest.fixture(autouse=True)
def nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home without a login, and a state in which nothing was brought up."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TRADERX_GATE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("TRADERX_PROJECT", "p")
    for name in ("CUB_CONFIG", "CONFIGHUB_URL", "CONFIGHUB_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)


def log_in(home: Path) -> Path:
    """Leave behind what `cub auth login` does; returns the token's file."""
    folder = home / ".confighub"
    folder.mkdir()
    (folder / "context.json").write_text(json.dumps({"confighub_url": SERVER}))
    session = folder / "session.json"
    session.write_text(json.dumps({"access_token": "t"}))
    return session


def test_login_is_used(tmp_path: Path) -> None:
    """With a kubeconfig named, server and token are those of the login; options overrule them."""
    session = log_in(tmp_path)
    found = settings.resolve(kubeconfig="k")
    assert (found.confighub_url, found.token_file) == (SERVER, session)
    other = settings.resolve(kubeconfig="k", confighub="http://127.0.0.1:1")
    assert (other.confighub_url, other.token_file) == ("http://127.0.0.1:1", session)


def test_login_alone_is_no_cluster(tmp_path: Path) -> None:
    """Without a kubeconfig nothing is guessed: it is said what to bring up."""
    log_in(tmp_path)
    with pytest.raises(ConfigurationError, match="traderx-gate up"):
        settings.resolve()


def test_without_login_it_is_said() -> None:
    """Without any login it is said what to bring up."""
    with pytest.raises(ConfigurationError, match="traderx-gate up"):
        settings.resolve(kubeconfig="k")
