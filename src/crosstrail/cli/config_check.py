"""`crosstrail config check`: everything that is wrong with a file of settings, each with its line and column.

Decides how it is printed: as compilers do, which editors and CI read, or as rows.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crosstrail.cli.command import Command
from crosstrail.cli.output import CommandOutput, RowColumn, RowType, with_output
from crosstrail.cli.statuses import DONE, FAILED, PARTLY
from crosstrail.cli.words import say

if TYPE_CHECKING:
    from crosstrail.workspace.settings_check import SettingFinding

FINDINGS = RowType(
    "config check",
    (
        RowColumn("source", cut="middle", about="The file, or the variable of the environment."),
        RowColumn("line", "integer", optional=True, about="Counted from 1."),
        RowColumn("column", "integer", optional=True, about="Counted from 1."),
        RowColumn(
            "severity",
            about="error: crosstrail refuses these settings. warning: they are taken, and do not do what they say.",
        ),
        RowColumn("setting", about="Its name; empty where the whole file is meant."),
        RowColumn("problem", about="What is wrong."),
        RowColumn("hint", about="What to do about it."),
    ),
)


@click.command("check", cls=Command)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@with_output(FINDINGS, forms=("text",), default="text")
def check(output: CommandOutput, file: Path | None) -> int:
    """Check a file of settings, and the environment beside it, without asking any cloud.

    FILE is crosstrail.yaml of this folder or of your configuration folder, if not given. All that is wrong is said at once. Exit
    status 1: crosstrail refuses these settings. 3: it takes them, and something in them does not do what it says.
    """
    from crosstrail.settings.config import config_file
    from crosstrail.settings.environment import environment
    from crosstrail.workspace.settings_check import Severity, read_settings
    from crosstrail.workspace.settings_review import review

    found = config_file(str(file) if file else "")
    environ = environment()
    findings = review(read_settings(found, environ), environ, datetime.now(UTC))
    if output.form == "text":
        _print_lines(output, findings)
    else:
        with output.rows(FINDINGS) as rows:
            rows.write_all(_row(one) for one in findings)
    errors = sum(one.severity is Severity.ERROR for one in findings)
    checked = str(found) if found else "the environment alone, as there is no configuration file"
    say(f"Checked {checked}. Errors: {errors:,}. Warnings: {len(findings) - errors:,}.")
    if errors:
        return FAILED
    return PARTLY if findings else DONE


def _print_lines(output: CommandOutput, findings: Sequence[SettingFinding]) -> None:
    """One line each, as editors read them; on a terminal broken between words."""
    from crosstrail.cli.cells import wrapped

    width = shutil.get_terminal_size().columns
    for one in findings:
        lines = wrapped(_line(one), width, rest="  ") if output.destination.on_terminal else [_line(one)]
        for line in lines:
            output.line(line)


def _line(one: SettingFinding) -> str:
    place = f"{one.source}:{one.place.line}:{one.place.column}" if one.place else one.source
    setting = f"{one.setting}: " if one.setting else ""
    ending = "" if one.problem.endswith((".", "?", "!")) else "."
    return f"{place}: {one.severity}: {setting}{one.problem}{ending} {one.hint}".rstrip()


def _row(one: SettingFinding) -> list[str | int | None]:
    place = one.place
    where = [place.line, place.column] if place else [None, None]
    return [one.source, *where, one.severity.value, one.setting, one.problem, one.hint]
