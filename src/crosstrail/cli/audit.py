"""`crosstrail audit`: who asked what of which accounts, from the record that servers write."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from io import BufferedReader, FileIO
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crosstrail.cli import with_settings
from crosstrail.cli.command import Command
from crosstrail.cli.output import Cell, CommandOutput, Meaning, RowColumn, RowType, with_output
from crosstrail.cli.shared_options import account_option, since_option, until_option

if TYPE_CHECKING:
    from crosstrail.record.question import AccountFilter, Question
    from crosstrail.record.reader import FoundLine, RecordReader
    from crosstrail.settings.config import Settings

_TABLE_LINES = 1_000
_MAX_CELL_ACCOUNTS = 3


def _outcome(value: Cell) -> Meaning | None:
    if value in ("failed", "refused"):
        return Meaning.FAILED
    return Meaning.WARNING if value in ("limited", "cancelled") else None


RECORD = RowType(
    "audit",
    (
        RowColumn("time", "time", whole=True, about="When it was asked."),
        RowColumn("who", cut="apart", about="Name or subject of the caller."),
        RowColumn("tool", about="The tool, or method and path of a request that never came to one."),
        RowColumn("outcome", whole=True, meaning=_outcome, about="done, failed, limited, refused or cancelled."),
        RowColumn("reason", about="Status, reason and error, where it was not done."),
        RowColumn("accounts", about="Ids of the accounts that it asked; `N of M` where that are many."),
        RowColumn("regions", "list", about="The regions that it asked."),
        RowColumn("address", about="Where the request came from."),
        RowColumn("client", about="The program that asked."),
        RowColumn("requests", "integer", optional=True, about="Requests to clouds that it took."),
        RowColumn("record", "record", by_name=True, about="The whole line, with all ids of an account set."),
    ),
    first_to_go=("requests", "client", "regions", "address", "reason"),
)


@click.command(cls=Command)
@click.argument("files", metavar="[FILE]...", nargs=-1)
@click.option("--who", default="", help="Name or subject of the caller, such as ann@example.com or '*@example.com'.")
@account_option()
@since_option()
@until_option()
@click.option("--tool", default="", help="A tool's name, or a pattern with *.")
@click.option("--outcome", default="", help="done, failed, limited, refused or cancelled.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=None, help="Only the newest; on a terminal a table stops at 1,000."
)
@with_output(RECORD)
@with_settings
def audit(
    settings: Settings,
    files: tuple[str, ...],
    who: str,
    account: str,
    since: str,
    until: str,
    tool: str,
    outcome: str,
    output: CommandOutput,
    limit: int | None,
) -> int:
    """Show who asked what of which accounts, the oldest first, from the record of `crosstrail serve`.

    Reads the configured audit file with those that were put away beside it, or each FILE with those beside it; - is stdin.
    Exit status 3: a part of the record could not be read; 1: nothing of it could.
    """
    from crosstrail.record.question import Question
    from crosstrail.record.reader import RecordReader
    from crosstrail.timerange import parse_range

    span = parse_range(since, until, now=datetime.now(UTC), default_age=None)
    question = Question(span, who, tool, outcome, _account_filter(settings, account) if account else None)
    paths, stdin = _paths(settings, files)
    reader = RecordReader(question, paths, BufferedReader(FileIO(0, closefd=False)) if stdin else None)
    found = _write(reader, output, limit or (_TABLE_LINES if output.on_terminal else None))
    return _said(reader, question, found, len(paths) + stdin)


def _paths(settings: Settings, named: Sequence[str]) -> tuple[list[Path], bool]:
    """(each file once, whether stdin is read). Raises ConfigError, InvalidRequest."""
    from crosstrail.errors import ConfigError, InvalidRequest
    from crosstrail.record.files import compressed_name, record_files

    if not named and settings.audit.to in ("", "off", "stderr"):
        raise ConfigError(
            f"the record goes to {settings.audit.to or 'no file'}: there is nothing to read",
            hint="Name a file with such lines, or - for stdin; audit.to (CROSSTRAIL_AUDIT) names the file of a server.",
        )
    found: dict[tuple[int, int], Path] = {}
    for name in named or (settings.audit.to,):
        if name == "-":
            continue
        path = Path(name).expanduser().absolute()
        beside = record_files(path) if path.parent.is_dir() else []
        if not beside:
            raise InvalidRequest(f"there is no record at {name}", hint="Check the name.")
        for file in beside if path in beside else [*beside, *([path] if path.exists() else [])]:
            about = file.stat()
            found.setdefault((about.st_dev, about.st_ino), file)
    paths = set(found.values())
    return sorted(path for path in paths if compressed_name(path) not in paths), "-" in named


def _account_filter(settings: Settings, selector: str) -> AccountFilter:
    """What the workspace knows by these names; and the names as they are, since accounts come and go."""
    import anyio

    from crosstrail.cli.words import say
    from crosstrail.errors import CrosstrailError
    from crosstrail.record.question import AccountFilter

    parts = tuple(part.strip() for part in selector.split(",") if part.strip())
    names = {part.lower() for part in parts}
    if not all(part.isdigit() for part in parts):  # an id says all
        try:
            names |= anyio.run(_known, settings, parts)
        except CrosstrailError as error:
            say(f"The accounts cannot be listed, so {selector} is compared with ids alone: {error.operators_text}")
    return AccountFilter(frozenset(names), tuple(part for part in parts if "*" in part))


async def _known(settings: Settings, parts: Sequence[str]) -> set[str]:
    """Ids and aliases, in small letters, of the accounts that these selectors name. Raises CrosstrailError."""
    from crosstrail.errors import AccountNotFound
    from crosstrail.workspace.workspace import Workspace

    workspace = Workspace(settings)
    names: set[str] = set()
    try:
        registry = (await workspace.listed()).registry
        for part in parts:
            try:
                chosen = registry.select(part)
            except AccountNotFound:
                continue
            names |= {name.lower() for account in chosen for name in (account.id, account.alias) if name}
    finally:
        await workspace.aclose()
    return names


def _write(reader: RecordReader, output: CommandOutput, limit: int | None) -> int:
    """How many there are; with a limit the newest are shown, else each as it is read."""
    from crosstrail.cli.words import say

    count = 0

    def counted() -> Iterator[FoundLine]:
        nonlocal count
        for one in reader.found():
            count += 1
            yield one

    found = counted() if limit is None else deque(counted(), limit)
    with output.rows(RECORD) as rows:
        rows.write_all(_row(one, reader) for one in found)
    if limit is not None and count > limit:
        say(f"The newest {limit:,} of {count:,}; --limit {count}, a pipe or -o FILE gives all.")
    return count


def _row(one: FoundLine, reader: RecordReader) -> list[Cell]:
    """The whole line with all ids in the place of an account set."""
    from crosstrail.json_values import items, text
    from crosstrail.record.question import outcome_of
    from crosstrail.record.reader import inline_accounts

    record = one.record
    what = text(record.get("tool")) or " ".join(filter(None, (text(record.get("method")), text(record.get("path")))))
    causes = _number(record.get("status")), text(record.get("reason")), text(record.get("error"))
    if more := _number(record.get("more")):
        what = f"{more} more"
    calls = record.get("upstream_calls")
    ids = reader.accounts_of(record)
    return [
        one.time.replace(microsecond=0),
        text(record.get("principal")),
        what,
        outcome_of(record),
        " ".join(filter(None, causes)),
        _accounts(one.matched or inline_accounts(record), _number(record.get("account_count"))),
        [text(region) for region in items(record.get("regions"))],
        text(record.get("address")),
        text(record.get("client")) or text(record.get("client_info")),
        calls if isinstance(calls, int) else None,
        {**record, "accounts": ids} if ids else record,
    ]


def _number(value: object) -> str:
    return str(value) if isinstance(value, int | float) else ""


def _accounts(ids: Sequence[str], count: str) -> str:
    shown = " ".join(ids[:_MAX_CELL_ACCOUNTS])
    return f"{shown} of {count}".strip() if count.isdigit() and int(count) > len(ids[:_MAX_CELL_ACCOUNTS]) else shown


def _said(reader: RecordReader, question: Question, found: int, sources: int) -> int:
    """What was read and what was not, on stderr; the exit status."""
    from crosstrail.cli.statuses import status_of
    from crosstrail.cli.words import say
    from crosstrail.timerange import iso

    start = question.span.start
    if reader.first is None:
        say("There is no line of a record in it.")
    else:
        first, last = (iso(one.replace(microsecond=0)) for one in (reader.first, reader.last or reader.first))
        lines = "1 line" if found == 1 else f"{found:,} lines"
        say(f"{lines} found. The record reaches from {first} to {'beyond the span' if reader.goes_on else last}.")
        if start and start < reader.first:
            begin = iso(start.replace(microsecond=0))
            say(f"It begins after the span does: who asked from {begin} to {first} it does not say.")
    if damaged := reader.damaged.total():
        say(
            f"Lines that are no records, and were passed over: {damaged:,} ({', '.join(reader.places)}{', ...' * (damaged > len(reader.places))})."
        )
    for name, reason in reader.unreadable.items():
        say(f"{name} cannot be read to its end: {reason}.")
    if reader.unknown_sets:
        say(
            f"Calls that may have asked these accounts, too: {reader.unknown_sets:,}. No line defines the sets that they name."
        )
    failed = len(reader.unreadable) + bool(damaged) + bool(reader.unknown_sets)
    return status_of(done=sources - len(reader.unreadable), failed=failed)
