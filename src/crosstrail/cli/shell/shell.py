"""What the shell does with a statement or a command, wherever it came from.

Decides that an error ends the statement and never the shell, and what each command shows. It reads no keyboard.
"""

from __future__ import annotations

import re
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import click

from crosstrail.answers.saved_queries import saved_queries
from crosstrail.answers.sql_examples import SQL_EXAMPLES
from crosstrail.answers.sql_reference import column_fields, function_groups, functions_of, signatures
from crosstrail.cli.account_rows import ACCOUNTS, account_row
from crosstrail.cli.output import table_on_stdout
from crosstrail.cli.output.options import FORMS
from crosstrail.cli.query_source import decoded, named_values, print_saved
from crosstrail.cli.shell.commands import COMMANDS, ENDS, Action, command_named
from crosstrail.cli.shell.listing import print_listing
from crosstrail.cli.shell.printing import SHOWN_ROWS, Printer
from crosstrail.cli.shell.statements import ShellCommand, TypedStatement, parted
from crosstrail.cli.sql_excerpt import excerpts_of
from crosstrail.cli.sql_session import SqlSession
from crosstrail.cli.translation import translated
from crosstrail.cli.words import out, out_document, say, say_excerpt
from crosstrail.errors import CrosstrailError, InvalidRequest, SqlRejected
from crosstrail.settings.config import Settings

_EXPLAIN = re.compile(r"explain\b", re.IGNORECASE)
_SHOWN_AFTER = 1.0
"""Seconds after which a statement that runs says so."""
_MOST_BYTES = 1_000_000
_MOST_NESTED = 5


class Shell:
    """`draft`: what the next prompt begins with. `ended`: whether somebody asked to leave."""

    def __init__(self, settings: Settings, session: SqlSession, printer: Printer) -> None:
        self.ended = False
        self.draft = ""
        self.failed = 0
        self.done = 0
        self._settings = settings
        self._session = session
        self._printer = printer
        self._last = ""
        self._reading = 0

    async def execute(self, part: TypedStatement | ShellCommand, *, numbered: bool = False) -> None:
        """Says what goes wrong, and counts it. `numbered`: with the line where the part begins."""
        place = f"line {part.line} of the input: " if numbered else ""
        try:
            if isinstance(part, TypedStatement):
                await self._run(part)
            else:
                await self._command(part)
            self.done += 1
        except CrosstrailError as error:
            self.failed += 1
            say(f"{place}{error.operators_text}")
            say_excerpt(error.excerpt if isinstance(error, SqlRejected) else ())
        except click.ClickException as error:  # wrong usage, or an editor that does not run
            self.failed += 1
            say(f"{place}{error.format_message()}")
        except BrokenPipeError:  # whoever read has gone
            raise
        except OSError as error:
            self.failed += 1
            say(f"{place}{error.strerror or type(error).__name__}{f': {error.filename}' if error.filename else ''}")

    async def _run(self, statement: TypedStatement) -> None:
        self._last = statement.sql
        sql = statement.sql
        if explained := _EXPLAIN.match(sql):
            sql = " " * explained.end() + sql[explained.end() :]  # so that places stay what they are
            with excerpts_of(sql):
                out(await self._session.explained(sql))
            return
        began = time.monotonic()
        with excerpts_of(sql):
            try:
                answer = await self._session.ask(sql, progress=_progress)
            finally:
                _end_progress()
        await self._printer.show(answer, time.monotonic() - began, vertical=statement.vertical)

    async def _command(self, command: ShellCommand) -> None:
        form = command_named(command.name)
        if command.pending:
            self.draft = command.pending
        match form.action:
            case "quit":
                self.ended = True
            case "edit":
                self.draft = _edited(command.pending or self._last)
            case "accounts":
                await self._show_accounts()
            case "coverage":
                self._printer.say_coverage()
            case "explain":
                await self._run(TypedStatement(f"EXPLAIN {command.argument.rstrip(';')}"))
            case "read":
                await self._read(command.argument)
            case "saved":
                await self._saved(command.argument)
            case action:
                self._simple[action](command.argument)

    @property
    def _simple(self) -> Mapping[Action, Callable[[str], None]]:
        return {
            "examples": self._examples,
            "format": self._format,
            "functions": _show_functions,
            "help": _show_help,
            "limit": self._limit,
            "output": self._output,
            "schema": _show_schema,
            "timing": self._timing,
            "vertical": self._vertical,
        }

    async def _show_accounts(self) -> None:
        found = await self._session.accounts()
        with table_on_stdout().rows(ACCOUNTS) as rows:
            rows.write_all(account_row(account, held) for account, held in found)
        say("FROM events reads all of them; FROM takes each by alias, id or store.")

    async def _read(self, argument: str) -> None:
        if self._reading == _MOST_NESTED:
            raise InvalidRequest("files that read one another are nested too deeply")
        parts = _parts_of(_one(argument, ".read FILE"))
        self._reading += 1
        try:
            for part in parts:
                await self.execute(part)
        finally:
            self._reading -= 1

    async def _saved(self, argument: str) -> None:
        words = _words(argument)
        if not words:
            print_saved(self._settings, self._printer.output)
            return
        query = saved_queries(self._session.saved_folder).named(words[0])
        await self._run(TypedStatement(query.filled(named_values(words[1:], ".saved NAME"))))

    def _examples(self, argument: str) -> None:
        if not argument:
            print_listing([(f"{number:>2}", one.title) for number, one in enumerate(SQL_EXAMPLES, 1)])
            say(".examples NUMBER puts one here, to edit and run.")
            return
        number = _number(argument, 1, len(SQL_EXAMPLES))
        self.draft = f"{SQL_EXAMPLES[number - 1].sql};"
        if not sys.stdin.isatty():
            out_document(self.draft)

    def _format(self, argument: str) -> None:
        if not argument:
            out(self._printer.output.form)
            return
        form = argument.lower()
        if form not in FORMS:
            raise InvalidRequest(f"there is no format {argument[:30]!r}", hint=f"Formats: {', '.join(FORMS)}.")
        if form == "parquet":
            raise InvalidRequest("Parquet is not for a terminal", hint="Write .output FILE.parquet.")
        self._printer.output = replace(self._printer.output, form=form)

    def _limit(self, argument: str) -> None:
        if argument:
            self._printer.limit = _number(argument, 1, 10**9)
        out(f"At most {self._printer.limit or SHOWN_ROWS:,} rows are shown.")

    def _output(self, argument: str) -> None:
        words = _words(argument)
        overwrite = "--overwrite" in words
        paths = [word for word in words if word != "--overwrite"]
        if len(paths) > 1:
            raise InvalidRequest("one file at a time", hint="Put a name with blanks in quotes.")
        if paths:
            self._printer.to_file(Path(paths[0]).expanduser(), overwrite=overwrite)
        else:
            self._printer.to_terminal()

    def _timing(self, argument: str) -> None:
        self._printer.timing = _switch(argument, self._printer.timing, "off")
        out("Timing is on." if self._printer.timing else "Timing is off.")

    def _vertical(self, argument: str) -> None:
        vertical = _switch(argument, self._printer.output.vertical, "auto")
        self._printer.output = replace(self._printer.output, vertical=vertical)
        out("Each row is a block of lines." if vertical else "Rows are a table where they fit.")


def _show_help(_: str) -> None:
    print_listing([*((one.shown, one.about) for one in COMMANDS), *ENDS])


def _show_schema(argument: str) -> None:
    wanted = argument.strip().rstrip(";").lower()
    fields = column_fields()
    if not wanted or wanted == "events":
        print_listing([(one.path, _short(one.type), one.description) for one in fields if "." not in one.path])
        return
    found = [one for one in fields if one.path == wanted or one.path.startswith(f"{wanted}.")]
    if not found:
        raise InvalidRequest(f"there is no column {wanted[:60]}", hint=".schema lists the columns.")
    if found[0].description:
        out(found[0].description)
    whole = len(found) == 1
    print_listing([(one.path, one.type if whole else _short(one.type)) for one in found])


def _show_functions(argument: str) -> None:
    wanted = argument.strip().rstrip("(;").lower()
    groups = function_groups()
    if not wanted:
        print_listing([(one.key, ", ".join(each.name for each in one.functions)) for one in groups])
        say(".functions GROUP or NAME says what they take and give.")
        return
    if group := next((one for one in groups if one.key == wanted), None):
        print_listing([(line,) for line in functions_of(group).splitlines()])
        return
    named = tuple(each for one in groups for each in one.functions if each.name.startswith(wanted))
    if not named:
        raise InvalidRequest(f"there is no function {wanted[:60]}", hint=".functions lists them.")
    print_listing([(line,) for line in signatures(named)])


def _short(kind: str) -> str:
    return f"{kind.partition('(')[0]}(...)" if kind.startswith(("row(", "array(row(")) else kind


def _parts_of(path: str) -> tuple[TypedStatement | ShellCommand, ...]:
    """Of a file; its last statement need not end with `;`. Raises OSError, click.UsageError."""
    with Path(path).expanduser().open("rb") as file:
        found = parted(decoded(file.read(_MOST_BYTES + 1), path))
    return (*found.parts, *([TypedStatement(found.rest)] if found.rest else []))


def _edited(text: str) -> str:
    """What the user's editor leaves of it; the same where nothing was saved."""
    changed = click.edit(text, extension=".sql")
    return (text if changed is None else changed).strip()


def _words(argument: str) -> list[str]:
    try:
        return shlex.split(argument)
    except ValueError:
        raise InvalidRequest("a quote is never closed") from None


def _one(argument: str, usage: str) -> str:
    words = _words(argument)
    if len(words) != 1:
        raise InvalidRequest("one file is needed", hint=f"Write {usage}.")
    return words[0]


def _number(argument: str, least: int, most: int) -> int:
    text = argument.strip().replace(",", "")
    if not text.isdecimal() or not least <= int(text[:12]) <= most:
        raise InvalidRequest(f"a number from {least:,} to {most:,} is needed")
    return int(text)


def _switch(argument: str, now: bool, off: str) -> bool:
    """Without an argument the other one."""
    words = {"": not now, "on": True, off: False}
    if argument.lower() not in words:
        raise InvalidRequest(f"on or {off} is needed")
    return words[argument.lower()]


async def _progress(seconds: float, state: str) -> None:
    if seconds >= _SHOWN_AFTER and sys.stderr.isatty():
        told = translated(f"{state.lower()} for {seconds:.0f} s; Ctrl-C cancels it")
        click.echo(f"\r{told}", nl=False, err=True)


def _end_progress() -> None:
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)
