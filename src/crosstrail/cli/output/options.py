"""The options of every answer (--format, -o), and those that rows have beside them (--columns, --wide, --tz, --local-time)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click

from crosstrail.cli.output.columns import RowType
from crosstrail.cli.output.command_output import CommandOutput, chosen_columns
from crosstrail.cli.output.destination import Destination, opened_destination
from crosstrail.cli.output.zones import Zone, ZoneType
from crosstrail.cli.statuses import FAILED

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


class _Forms(click.Choice[str]):
    """Forms, and more that are looked up only for a value that is none of them."""

    def __init__(self, forms: Sequence[str], more: Callable[[], Iterable[str]]) -> None:
        super().__init__(forms)
        self._more = more

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.choices:
            self.choices = (*self.choices, *self._more())
        return super().convert(value, param, ctx)


def with_output(
    rows: RowType | None,
    *,
    forms: Sequence[str] = (),
    more_forms: Callable[[], Iterable[str]] = tuple,
    default: str = "table",
    json_flag: str = "",
) -> Callable[[Callable[..., StatusT]], Callable[..., StatusT]]:
    """Give a command these options, and in their place one argument: `output`, a CommandOutput.

    `rows`: None where the command knows its columns only once it has an answer. `forms`: of its own, beside FORMS; `default`
    may be one of them. `more_forms`: those that take time to be known, which --help does not list. `json_flag`: the form that its older --json stands for; without one it has no such option.
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

        return _with_options(_standing_for(command, run), _Forms([*FORMS, *forms], more_forms), json_flag)

    return decorated


def with_document(*forms: str, by_name: bool = False) -> Callable[[Callable[..., StatusT]], Callable[..., StatusT]]:
    """The same for a command whose answer is no rows: --format, -o and --overwrite. `forms`: the first is the default.

    `by_name`: whether the name of a file may say another. A command that failed leaves no file.
    """

    def decorated(command: Callable[..., StatusT]) -> Callable[..., StatusT]:
        def run(
            output_format: str | None, output_file: Path | None, *, output_overwrite: bool, **rest: object
        ) -> StatusT:
            file = None if output_file == Path("-") else output_file
            named = file.suffix.lower().removeprefix(".") if file and by_name else ""
            form = output_format or (named if named in forms else forms[0])
            with opened_destination(file, overwrite=output_overwrite) as destination:
                status = command(output=CommandOutput(form, destination), **rest)
                if file and status == FAILED:
                    raise click.exceptions.Exit(FAILED)
                return status

        return _with_file(_standing_for(command, run), click.Choice(forms))

    return decorated


@contextmanager
def opened_output(form: str | None, file: Path | None, *, overwrite: bool, older: bool) -> Iterator[CommandOutput]:
    """For a command whose --format and -o are of rows only sometimes. Raises click.UsageError, InvalidRequest, OSError."""
    file = None if file == Path("-") else file
    form = form or ("jsonl" if older else _form_of(file, "table"))
    with _opened(None, form, file, (), overwrite=overwrite) as destination:
        yield CommandOutput(form, destination, older=older)


def _standing_for(command: Callable[..., StatusT], run: Callable[..., StatusT]) -> Callable[..., StatusT]:
    """`run`, which click and its help take for the command."""
    run.__doc__ = command.__doc__
    run.__name__ = command.__name__  # click names a command by it
    run.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    return run


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


def _with_options(run: Callable[..., StatusT], forms: click.Choice[str], json_flag: str) -> Callable[..., StatusT]:
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
    return _with_file(run, forms)


def _with_file(run: Callable[..., StatusT], forms: click.Choice[str]) -> Callable[..., StatusT]:
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
        type=forms,
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


__all__ = ["FORMS", "FORM_OF_SUFFIX", "opened_output", "with_document", "with_output"]
