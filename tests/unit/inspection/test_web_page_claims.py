from collections.abc import Mapping

import pytest

from traderx_gate.inspection import web_page
from traderx_gate.traderx import Reply

PAGE = (
    '<html><head><link rel="icon" href="favicon.ico"><link rel="stylesheet" href="./styles.css">'
    '<link rel="preconnect" href="/no/asset"><link rel="stylesheet" href="https://else.where/x">'
    '</head><body><app-root></app-root><script src="main.js"></script><script>1</script>'
    '<a href="other.html">x</a></body></html>'
)
ROOT = "200 with <app-root>"


def asset(kind: str, body: str = "x") -> Reply:
    """An asset of a content type."""
    return Reply(status=200, body=body, headers={"Content-Type": kind})


GOOD = {
    "/": asset("text/html", PAGE),
    "/favicon.ico": asset("image/x-icon"),
    "/styles.css": asset("text/css"),
    "/main.js": asset("text/javascript; charset=utf-8"),
}


def loaded(changes: Mapping[str, Reply]) -> list[tuple[str, str, str, bool]]:
    """Subject, expected, seen and met of everything that a server's page loads."""
    replies = {**GOOD, **changes}

    def ask(method: str, path: str, *, headers: Mapping[str, str] | None = None) -> Reply:
        assert (method, headers) == ("GET", None)
        return replies[path]

    return [(o.subject, o.expected, o.seen, o.met) for o in web_page.loaded(ask, where="x")]


RIGHT = [
    ("the page", ROOT, ROOT, True),
    ("scripts of the page", "at least one", "at least one", True),
    ("icon /favicon.ico", "200, image", "200, image", True),
    ("stylesheet /styles.css", "200, css", "200, css", True),
    ("script /main.js", "200, javascript", "200, javascript", True),
]


def test_page_with_its_assets() -> None:
    """The page, its script, style sheet and icon are looked at; links to elsewhere are not."""
    assert loaded({}) == RIGHT


@pytest.mark.parametrize(
    ("reply", "seen"),
    [
        (Reply(status=500, body=f"{PAGE[:9]}"), "500 <html><he"),
        (asset("text/html", "<html>other"), "200 <html>other"),
        (Reply(status=None, body="refused"), "no answer: refused"),
        (Reply(status=404, body="<app-root></app-root>"), "404 <app-root></app-root>"),
    ],
)
def test_wrong_page(reply: Reply, seen: str) -> None:
    """A page that is none, or another one, is told, and that it has no script."""
    assert loaded({"/": reply}) == [
        ("the page", ROOT, seen, False),
        ("scripts of the page", "at least one", "none", False),
    ]


def test_page_without_script() -> None:
    """A page that loads no script shows nothing, whatever else it loads."""
    page = '<app-root></app-root><link rel="stylesheet" href="/styles.css">'
    told = loaded({"/": asset("text/html", page)})
    assert [met for *_, met in told] == [True, False, True]


@pytest.mark.parametrize(
    ("reply", "seen"),
    [
        (Reply(status=404, body="x", headers={"content-type": "text/javascript"}), "404 x"),
        (asset("text/html"), "200 x"),
        (asset("text/javascript", ""), "200 "),
        (asset("text/javascript", "<app-root>"), "200 <app-root>"),
        (Reply(status=200, body="x"), "200 x"),
    ],
    ids=["lost", "other type", "empty", "the page instead", "no type"],
)
def test_wrong_asset(reply: Reply, seen: str) -> None:
    """A lost asset is told, also where the page is answered in its place."""
    kind = {k.lower(): v for k, v in reply.headers.items()}.get("content-type", "no type")
    wrong = ("script /main.js", "200, javascript", f"{kind}, {seen}", False)
    assert loaded({"/main.js": reply}) == [*RIGHT[:-1], wrong]
