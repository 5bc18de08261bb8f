"""Real servers that answer where ConfigHub or a Kubernetes API is expected, and are neither."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedAnswer:
    """What a server says to every request."""

    status: int
    body: str
    location: str = ""


ANSWERS = {
    "html": FixedAnswer(status=200, body="<!doctype html>\n<title>Log in</title>"),
    "elsewhere": FixedAnswer(status=302, body="", location="http://127.0.0.1:1/login"),
    "broken": FixedAnswer(status=500, body='{"Message": "out of order"}'),
    "forbidding": FixedAnswer(status=403, body='{"Message": "not for you"}'),
    "null": FixedAnswer(status=200, body="null"),
    "number": FixedAnswer(status=200, body="3"),
    "list": FixedAnswer(status=200, body='[{"a": 1}]'),
    "kubernetes forbidding": FixedAnswer(
        status=403,
        body='{"kind": "Status", "reason": "Forbidden", "message": "nodes is forbidden"}',
    ),
}


@contextmanager
def answering(answer: FixedAnswer) -> Iterator[str]:
    """Serve one answer to everything; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = answer.body.encode()
            self.send_response(answer.status)
            if answer.location:
                self.send_header("Location", answer.location)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = respond  # noqa: N815 - the name that http.server looks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def silent() -> Iterator[str]:
    """Accept connections, as the kernel does, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def speaking_something_else() -> Iterator[str]:
    """Greet every connection as an SSH server does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:  # closed: the end
                    return
                with connection:
                    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        address = listener.getsockname()
        try:
            yield f"http://127.0.0.1:{address[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextmanager
def all_of_them() -> Iterator[Mapping[str, str]]:
    """Run every impostor; yields their addresses by name."""
    with ExitStack() as stack:
        yield {
            **{name: stack.enter_context(answering(answer)) for name, answer in ANSWERS.items()},
            "silent": stack.enter_context(silent()),
            "ssh": stack.enter_context(speaking_something_else()),
            "nobody": "http://127.0.0.1:1",
        }
