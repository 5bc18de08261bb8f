"""The command line: the composition root. Options in, exit codes out; the work is elsewhere.

Exit codes: 0 done or PASS; 1 FAIL; 2 refused before the first effect; 3 INCONCLUSIVE, or evidence
missing, void or tampered with; 130 interrupted.
"""

import sys
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from traderx_gate import github, interruption, rendering
from traderx_gate.cli import (  # noqa: F401 - they add their commands
    blue_green,
    cluster,
    delivery,
    inspection,
    promotion,
    units,
    validation,
    worker,
    worker_control,
)
from traderx_gate.cli.app import app
from traderx_gate.errors import (
    ConfigurationError,
    EvidenceError,
    GateError,
    RefusedError,
    UnreachableError,
)


def main() -> NoReturn:
    """Run the command line; a user's mistake is one line, never a traceback."""
    interruption.remember()
    try:
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
    except TyperException as error:
        if not _message(error):  # the help was shown for want of a command
            sys.exit(2)
        _fail(f"{_message(error)}; see `traderx-gate {_command()}--help`", 2)
    except (ConfigurationError, RefusedError, UnreachableError) as error:
        _fail(str(error), 2)
    except EvidenceError as error:
        _fail(str(error), 3)
    except GateError as error:
        _fail(str(error), 1)
    sys.exit(code if isinstance(code, int) else 0)


def _message(error: TyperException) -> str:
    say = getattr(error, "format_message", error.__str__)
    return " ".join(str(say()).split()).rstrip(".")


def _command() -> str:
    known = {
        info.name or info.callback.__name__ for info in app.registered_commands if info.callback
    }
    return next((f"{word} " for word in sys.argv[1:2] if word in known), "")


def _fail(text: str, code: int) -> NoReturn:
    typer.echo(f"traderx-gate: {text}", err=True)
    if github.is_listening():
        typer.echo(rendering.refusal(text), err=True)
    sys.exit(code)
