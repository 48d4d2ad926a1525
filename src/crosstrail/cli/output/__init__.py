"""What commands print rows with: `with_output` gives a command its options, `RowType` says what its rows are, `CommandOutput` takes them.

    @click.command()
    @with_output(THINGS)
    @with_settings
    def things(settings: Settings, output: CommandOutput) -> int:
        with output.rows(THINGS) as rows:
            rows.write([name, count, moment])

docs/output.md is the convention.
"""

from __future__ import annotations

from crosstrail.cli.output.colour import Meaning
from crosstrail.cli.output.columns import Cell, RowColumn, RowType
from crosstrail.cli.output.command_output import CommandOutput, Rows, table_on_stdout
from crosstrail.cli.output.options import FORMS, opened_output, with_document, with_output

__all__ = [
    "FORMS",
    "Cell",
    "CommandOutput",
    "Meaning",
    "RowColumn",
    "RowType",
    "Rows",
    "opened_output",
    "table_on_stdout",
    "with_document",
    "with_output",
]
