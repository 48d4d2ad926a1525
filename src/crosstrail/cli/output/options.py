"""The options that every command with rows has: --format, -o, --columns, --wide, --tz, --local-time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click

from crosstrail.cli.output.columns import RowType
from crosstrail.cli.output.command_output import CommandOutput, chosen_columns
from crosstrail.cli.output.destination import Destination, opened_destination
from crosstrail.cli.output.zones import Zone, ZoneType

StatusT = TypeVar("StatusT")
FORMS = ("table", "json", "jsonl", "csv", "parquet")
FORM_OF_SUFFIX = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".tsv": "table",
    ".txt": "table",
}


def with_output(
    rows: RowType | None, *, forms: Sequence[str] = (), default: str = "table", json_flag: str = ""
) -> Callable[[Callable[..., StatusT]], Callable[..., StatusT]]:
    """Give a command these options, and in their place one argument: `output`, a CommandOutput.

    `rows`: None where the command knows its columns only once it has an answer. `forms`: of its own, beside FORMS; `default`
    may be one of them. `json_flag`: the form that its older --json stands for; without one it has no such option.
    """

    def decorated(command: Callable[..., StatusT]) -> Callable[..., StatusT]:
        def run(
            output_format: str | None,
            output_file: Path | None,
            output_columns: str,
            output_zone: Zone | None,
            *,
            output_overwrite: bool,
            output_wide: bool,
            output_local: bool,
            output_json: bool = False,
            **rest: object,
        ) -> StatusT:
            file = None if output_file == Path("-") else output_file
            form = output_format or (json_flag if output_json else _form_of(file, default))
            names = tuple(name.strip() for name in output_columns.split(",") if name.strip())
            zone = _zone(output_zone, local=output_local)
            older = output_json and not output_format
            with _opened(rows, form, file, names, overwrite=output_overwrite) as destination:
                answer = CommandOutput(form, destination, names, output_wide, zone, older)
                return command(output=answer, **rest)

        run.__doc__ = command.__doc__
        run.__name__ = command.__name__  # click names a command by it
        run.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
        return _with_options(run, [*FORMS, *forms], json_flag)

    return decorated


@contextmanager
def _opened(
    rows: RowType | None, form: str, file: Path | None, names: Sequence[str], *, overwrite: bool
) -> Iterator[Destination]:
    """Raises click.UsageError, InvalidRequest, OSError."""
    if rows and names:
        chosen_columns(rows, names)
    with opened_destination(file, overwrite=overwrite) as destination:
        if form == "parquet" and destination.on_terminal:
            raise click.UsageError("Parquet is not for a terminal: name a file with -o FILE.")
        yield destination


def _with_options(run: Callable[..., StatusT], forms: Sequence[str], json_flag: str) -> Callable[..., StatusT]:
    if json_flag:
        run = click.option("--json", "output_json", is_flag=True, hidden=True)(run)
    run = click.option(
        "--local-time", "output_local", is_flag=True, help="Show times in the time zone of this machine."
    )(run)
    run = click.option(
        "--tz", "output_zone", type=ZoneType(), default=None, help="Show times there: Europe/Paris, +08:00."
    )(run)
    run = click.option("--wide", "output_wide", is_flag=True, help="Every column, however narrow the terminal is.")(run)
    run = click.option(
        "--columns", "output_columns", metavar="NAMES", default="", help="Only these columns, in this order: a,b,c."
    )(run)
    run = click.option("--overwrite", "output_overwrite", is_flag=True, help="With -o: replace a file of that name.")(
        run
    )
    path = click.Path(path_type=Path)
    run = click.option(
        "-o",
        "--output",
        "output_file",
        metavar="FILE",
        type=path,
        default=None,
        help="Write to this file, which only you may read.",
    )(run)
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(forms),
        default=None,
        help="How the answer is written; else as the name of -o says, or for people.",
    )(run)


def _form_of(file: Path | None, default: str) -> str:
    """What the file's name says. Raises click.UsageError where it says nothing."""
    if file is None:
        return default
    if form := FORM_OF_SUFFIX.get(file.suffix.lower()):
        return form
    raise click.UsageError(
        f"The name of {file.name[:60]!r} does not say in which format to write: add --format, or end it in .csv, .json, "
        ".jsonl, .parquet or .tsv."
    )


def _zone(zone: Zone | None, *, local: bool) -> Zone:
    """Raises click.UsageError where both are given."""
    if zone and local:
        raise click.UsageError("--tz and --local-time do not go together.")
    return Zone(None) if local else zone or Zone()


__all__ = ["FORMS", "FORM_OF_SUFFIX", "with_output"]
