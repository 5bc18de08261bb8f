import http.client
import re
from collections.abc import Iterator

import pytest

from tests.contract.traderx import stand_in_process
from tests.contract.traderx.stand_in_process import ADMIN, StandIn, ask, switched

PORT = 18093
SCRIPT = re.compile(r'<script src="(main-[A-Z2-7]{8}\.js)" type="module">')
STYLE = re.compile(r'<link rel="stylesheet" href="(styles-[A-Z2-7]{8}\.css)">')


@pytest.fixture(scope="module")
def gui() -> Iterator[StandIn]:
    """A running web-gui."""
    address = stand_in_process.own_address()
    with stand_in_process.running("web-gui", address, **ADMIN) as stand_in:
        yield stand_in


def get(stand_in: StandIn, path: str, **headers: str) -> tuple[int, http.client.HTTPMessage, str]:
    """Send a GET request; return status, headers and body."""
    connection = http.client.HTTPConnection(stand_in.address, PORT, timeout=9)
    try:
        connection.request(
            "GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


def asset(stand_in: StandIn, name: re.Pattern[str]) -> str:
    """The path of a file that the page names."""
    found = name.search(get(stand_in, "/")[2])
    assert found, name
    return f"/{found[1]}"


@pytest.mark.parametrize(
    "path",
    ["/", "/index.html", "/trade", "/account", "/health", "/account-service/account/", "/a/b"],
)
def test_page(gui: StandIn, path: str) -> None:
    """Every path that is no file is answered 200 with the page: a 200 proves nothing."""
    status, headers, body = get(gui, path)
    assert (status, headers["Content-Type"], body) == (200, "text/html", get(gui, "/")[2])
    assert "<app-root></app-root>" in body


@pytest.mark.parametrize(
    ("name", "content_type", "text"),
    [
        (SCRIPT, "application/javascript", 'querySelector("app-root")'),
        (STYLE, "text/css", "body {"),
    ],
    ids=["script", "style"],
)
def test_assets(gui: StandIn, name: re.Pattern[str], content_type: str, text: str) -> None:
    """Script and style load under the hashed names that the page gives them."""
    status, headers, body = get(gui, asset(gui, name))
    assert (status, headers["Content-Type"], text in body) == (200, content_type, True)


@pytest.mark.parametrize("prefix", ["/a/..", "/.", "/"])
def test_path_in_other_words(gui: StandIn, prefix: str) -> None:
    """A file is found however its path is written."""
    path = asset(gui, SCRIPT)
    assert get(gui, prefix + path)[2] == get(gui, path)[2]


def test_other_hash(gui: StandIn) -> None:
    """A script of another build is not there, which shows in its type only."""
    status, headers, _ = get(gui, "/main-AAAAAAAA.js")
    assert (status, headers["Content-Type"]) == (200, "text/html")


def test_cached(gui: StandIn) -> None:
    """A file that the client has already is not sent again."""
    path = asset(gui, SCRIPT)
    tag = get(gui, path)[1]["ETag"]
    status, headers, body = get(gui, path, If_None_Match=tag)
    assert (status, headers["ETag"], body) == (304, tag, "")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "/", 200),
        ("POST", "/", 405),
        ("POST", "/account-service/account/", 405),
        ("GET", "/../etc/passwd", 400),
        ("GET", "/%2e%2e/etc/passwd", 400),
        ("GET", "/a/../trade", 200),
        ("GET", "/trade?x=/../..", 200),
    ],
)
def test_requests(gui: StandIn, method: str, path: str, status: int) -> None:
    """Files can be read only, and only below the page's folder."""
    assert ask(gui.address, PORT, method, path)[0] == status


def test_script_missing(gui: StandIn) -> None:
    """A page without its script is a page all the same, until one looks at the script."""
    path = asset(gui, SCRIPT)
    with switched(gui, "script-missing"):
        page, script = get(gui, "/"), get(gui, path)
    assert (page[0], asset(gui, SCRIPT)) == (200, path)
    assert (script[0], script[1]["Content-Type"]) == (200, "text/html")


@pytest.mark.parametrize(
    ("switch", "status", "title"),
    [
        ("wrong-application", 200, "<title>Welcome to nginx!</title>"),
        ("blank-page", 200, "<title>FINOS | TraderX Sample Application</title>"),
        ("unavailable", 500, "<title>500 Internal Server Error</title>"),
    ],
)
def test_no_application(gui: StandIn, switch: str, status: int, title: str) -> None:
    """A page of another application, an empty one and a failure have no `app-root`."""
    with switched(gui, switch):
        seen, _, body = get(gui, "/")
    assert (seen, title in body, "app-root" in body) == (status, True, False)


def test_no_data_to_be_without(gui: StandIn) -> None:
    """A page has no data of its own that could be empty."""
    status, body = ask(gui.address, gui.port("admin"), "PUT", "/switches/empty-data", "true")
    assert (status, "script-missing" in body) == (404, True)


def test_port_variable() -> None:
    """The port is that of `WEB_SERVICE_PORT`."""
    address = stand_in_process.own_address()
    with stand_in_process.running("web-gui", address, WEB_SERVICE_PORT="18193"):
        assert ask(address, 18193, "GET", "/")[0] == 200
