"""The first page of H2's web console: all that a deployment can be checked by."""

import ipaddress
import secrets
from collections.abc import Iterable

from traderx_embedded.traderx.http_server import Request, Response

PAGES = {"/", "/index.html", "/login.jsp"}
# The first lines are H2's, by which it is known; nobody logs in here.
PAGE = """<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" "http://www.w3.org/TR/html4/loose.dtd">
<html><head>
    <meta http-equiv="Content-Type" content="text/html;charset=utf-8" />
    <title>H2 Console</title>
<script type="text/javascript">
location.href = 'login.jsp?jsessionid={session}';
</script>
</head>
<body style="margin: 20px;">

<h1>Welcome to H2</h1>
<p>A stand-in: there is no login behind this page.</p>

</body></html>
"""


class Console:
    """The console; it answers only to names of its own."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = {"localhost", *(name.strip() for name in allowed if name.strip())}

    async def handle(self, request: Request) -> Response:
        """Answer a request."""
        name = request.headers.get("host", "").rpartition("@")[2].partition(":")[0]
        if name not in self._allowed and not _is_address(name):
            return _plain(404, f"Host {name} not found")
        if request.path not in PAGES:
            return _plain(404, f"File not found: {request.path.lstrip('/')}")
        headers = (("Content-Type", "text/html"), ("Cache-Control", "no-cache"))
        page = PAGE.format(session=secrets.token_hex(16))
        return Response(status=200, headers=headers, body=page.encode())


def failure(_: Request) -> Response:
    """Return the answer of a console that fails altogether."""
    return _plain(500, "Internal Server Error")


def _is_address(name: str) -> bool:
    # H2 compares with the machine's own addresses. A pod cannot know under which of them the node
    # shows it, and no request for another machine's address arrives here.
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _plain(status: int, text: str) -> Response:
    return Response(status=status, body=text.encode())
