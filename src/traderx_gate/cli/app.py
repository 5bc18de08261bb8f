"""The application that every command adds itself to."""

import typer

app = typer.Typer(
    name="traderx-gate",
    pretty_exceptions_enable=False,
    help="The TraderX operations runbook, executable: deploy, validate, gate.\n\n"
    "Exit codes: 0 done or PASS, 1 FAIL, 2 refused (nothing was changed), 3 INCONCLUSIVE.",
)
