"""`crosstrail doctor`: every part of this installation looked at, side by side, with what to do about each."""

from __future__ import annotations

import click

from crosstrail.cli import CONFIG_HELP
from crosstrail.cli.command import Command
from crosstrail.cli.output import Cell, CommandOutput, Meaning, RowColumn, RowType, with_output
from crosstrail.cli.statuses import DONE, FAILED, PARTLY


def _meaning(cell: Cell) -> Meaning | None:
    return {"failed": Meaning.FAILED, "warning": Meaning.WARNING}.get(str(cell))


DOCTOR = RowType(
    "doctor",
    (
        RowColumn("status", whole=True, meaning=_meaning, about="ok, warning or failed."),
        RowColumn("area", whole=True, about="What was looked at: accounts, lake, clients, ..."),
        RowColumn("subject", about="What of it; empty where the area says all."),
        RowColumn("found", about="What was found. No secret is in it."),
        RowColumn("remedy", about="What to do; empty where nothing has to be done."),
    ),
)


@click.command(cls=Command)
@click.option("--offline", is_flag=True, help="Ask no network and start nothing.")
@click.option("--config", metavar="FILE", default="", help=CONFIG_HELP)
@click.option("--lake", metavar="FOLDER", default="", help="Folder of the lake (else lake.path).")
@with_output(DOCTOR)
def doctor(offline: bool, config: str, lake: str, output: CommandOutput) -> int:
    """Look at everything that has to work: what was found, and what to do where something is wrong.

    The configuration, each account's credentials and permissions, the clock, the lake, SQL engines, the record of calls, the
    settings of a server, proxies and certificates, MCP clients and versions. Nothing is changed, no secret is shown.

    Exit status 1: the configuration cannot be read, so accounts were not looked at; 3: something else failed.
    """
    from crosstrail.cli.doctor_looks import examine, print_findings

    findings, is_configured = examine(config, lake, offline=offline)
    if output.on_terminal and not output.names:
        print_findings(findings)
    else:
        with output.rows(DOCTOR) as rows:
            rows.write_all([one.status.value, one.area, one.subject, one.found, one.remedy] for one in findings)
    if not is_configured:
        return FAILED
    return PARTLY if any(one.status.value == "failed" for one in findings) else DONE
