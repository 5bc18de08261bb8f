"""The web page: the page itself, and everything that it loads from its own server."""

from collections.abc import Iterator
from html.parser import HTMLParser

from traderx_gate.traderx import Ask
from traderx_gate.verdict import Observation

ROOT_ELEMENT = "<app-root"
"""Where the application is rendered; a lost asset is answered with this page, and 200."""
_KINDS = {"script": "javascript", "stylesheet": "css", "icon": "image"}


class _Assets(HTMLParser):
    """Gathers what a page loads from its own server: path and kind."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take scripts, style sheets and icons."""
        values = dict(attrs)
        source = values.get("src") if tag == "script" else values.get("href")
        kind = "script" if tag == "script" else values.get("rel") if tag == "link" else None
        if source and kind in _KINDS and "//" not in source:
            self.found.append(("/" + source.lstrip("./"), str(kind)))


def loaded(ask: Ask, *, where: str) -> Iterator[Observation]:
    """Load the page and its assets; tell of each, and of there being a script at all."""
    page = ask("GET", "/")
    right = page.status == 200 and ROOT_ELEMENT in page.body
    expected = f"200 with {ROOT_ELEMENT}>"
    yield Observation(
        subject="the page",
        expected=expected,
        seen=expected if right else page.seen,
        met=right,
        where=where,
    )
    assets = _Assets()
    assets.feed(page.body if right else "")
    scripts = [path for path, kind in assets.found if kind == "script"]
    yield Observation(
        subject="scripts of the page",
        expected="at least one",
        seen="at least one" if scripts else "none",
        met=bool(scripts),
        where=where,
    )
    for path, kind in assets.found:
        yield _asset(ask, path, kind, where=where)


def _asset(ask: Ask, path: str, kind: str, *, where: str) -> Observation:
    reply = ask("GET", path)
    types = {name.lower(): value for name, value in reply.headers.items()}
    content_type = types.get("content-type", "no type")
    met = (
        reply.status == 200
        and _KINDS[kind] in content_type
        and bool(reply.body)
        and ROOT_ELEMENT not in reply.body
    )
    return Observation(
        subject=f"{kind} {path}",
        expected=f"200, {_KINDS[kind]}",
        seen=f"200, {_KINDS[kind]}" if met else f"{content_type}, {reply.seen}",
        met=met,
        where=where,
    )
