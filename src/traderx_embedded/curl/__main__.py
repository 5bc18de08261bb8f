"""A request over HTTP, and the exit code that curl would end with.

Options: -f -s -S -o -w -m -X -H -d and their long names; of -w, `%{http_code}`. No redirects, no
TLS, no progress meter.
"""

import argparse
import http.client
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

UNSUPPORTED_PROTOCOL, UNKNOWN_OPTION, MALFORMED_URL = 1, 2, 3
UNKNOWN_HOST, NO_CONNECTION, HTTP_ERROR, UNWRITABLE = 6, 7, 22, 23
TIMED_OUT, EMPTY_REPLY, BROKEN = 28, 52, 56
CONNECT_TIMEOUT_S = 300.0


class CurlError(Exception):
    """The request failed; the code is curl's exit code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"curl: ({code}) {text}")
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came; status 0 if nothing did."""

    status: int = 0
    body: bytes = b""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(UNKNOWN_OPTION, f"curl: {message}\n")


def _options(argv: list[str]) -> argparse.Namespace:
    parser = _Parser(prog="curl", allow_abbrev=False)
    parser.add_argument("-f", "--fail", action="store_true")
    parser.add_argument("-s", "--silent", action="store_true")
    parser.add_argument("-S", "--show-error", action="store_true")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("-w", "--write-out", default="")
    parser.add_argument("-m", "--max-time", type=float, default=0.0)
    parser.add_argument("-X", "--request")
    parser.add_argument("-H", "--header", action="append", default=[])
    parser.add_argument("-d", "--data")
    parser.add_argument("url")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Send one request and return the exit code."""
    # The image's entry point lets curl be named as well: `kubectl run ... -- curl URL`.
    options = _options(argv[1:] if argv[:1] == ["curl"] else argv)
    answer, code = Answer(), 0
    try:
        with _deadline(options.max_time):
            answer = _ask(options)
        if options.fail and answer.status >= 400:
            raise CurlError(HTTP_ERROR, f"The requested URL returned error: {answer.status}")
        _write(answer.body, options.output)
    except CurlError as error:
        code = error.code
        if options.show_error or not options.silent:
            sys.stderr.write(f"{error}\n")
    told = options.write_out.replace("\\n", "\n").replace("%{http_code}", f"{answer.status:03}")
    sys.stdout.write(told)
    sys.stdout.flush()
    return code


def _ask(options: argparse.Namespace) -> Answer:
    url = urlsplit(options.url if "://" in options.url else f"http://{options.url}")
    if url.scheme != "http":
        raise CurlError(UNSUPPORTED_PROTOCOL, f"Protocol {url.scheme!r} not supported")
    try:
        host, port = url.hostname, url.port or 80
    except ValueError:
        host, port = None, 0
    if not host:
        raise CurlError(MALFORMED_URL, "URL using bad/illegal format or missing URL")
    target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
    headers = {"User-Agent": "curl/8.0", "Accept": "*/*"}
    if options.data is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    headers |= {name.strip(): value.strip() for name, _, value in _split(options.header)}
    method = options.request or ("GET" if options.data is None else "POST")
    body = None if options.data is None else options.data.encode()
    with closing(http.client.HTTPConnection(host, port, timeout=CONNECT_TIMEOUT_S)) as connection:
        _connect(connection)
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            return Answer(status=response.status, body=response.read())
        except http.client.RemoteDisconnected as error:
            raise CurlError(EMPTY_REPLY, "Empty reply from server") from error
        except (OSError, http.client.HTTPException) as error:
            raise CurlError(BROKEN, f"Recv failure: {error}") from error


def _split(headers: list[str]) -> list[tuple[str, str, str]]:
    return [header.partition(":") for header in headers]


def _connect(connection: http.client.HTTPConnection) -> None:
    host, port = connection.host, connection.port
    try:
        connection.connect()
    except socket.gaierror as error:
        raise CurlError(UNKNOWN_HOST, f"Could not resolve host: {host}") from error
    except TimeoutError as error:
        raise CurlError(TIMED_OUT, f"Failed to connect to {host} port {port}") from error
    except OSError as error:
        text = f"Failed to connect to {host} port {port}: Could not connect to server"
        raise CurlError(NO_CONNECTION, text) from error


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """End what is in the block after so many seconds; 0 lets it take its time."""

    def end(*_: object) -> NoReturn:
        raise CurlError(TIMED_OUT, f"Operation timed out after {seconds * 1000:.0f} milliseconds")

    signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _write(body: bytes, output: Path | None) -> None:
    if output is None or str(output) == "-":
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(body)
    except OSError as error:
        raise CurlError(UNWRITABLE, f"Failed writing {output}: {error.strerror}") from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
