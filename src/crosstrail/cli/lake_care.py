"""`crosstrail lake`: how the lake is, whether its files are sound, and what keeps it small."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import click

from crosstrail.cli import with_settings
from crosstrail.cli.command import Group
from crosstrail.cli.lake_ddl import ddl
from crosstrail.cli.lake_init import init
from crosstrail.cli.lake_opened import opened
from crosstrail.cli.lake_repair import repair
from crosstrail.cli.lake_rows import COMPACTED, DAMAGED, EXPIRED, HELD, size_text
from crosstrail.cli.output import Cell, CommandOutput, with_output
from crosstrail.cli.progress import progress_line
from crosstrail.cli.shared_options import dry_run_option
from crosstrail.cli.statuses import DONE, verdict
from crosstrail.cli.words import out, say
from crosstrail.lake.format import FORMAT
from crosstrail.text import clean
from crosstrail.timerange import iso

if TYPE_CHECKING:
    from crosstrail.coverage import Verified
    from crosstrail.lake.data_file_verification import DataFileVerification
    from crosstrail.lake.status import AccountStatus, LakeStatus
    from crosstrail.settings.config import Settings

_MAX_LISTED = 20


@click.group(cls=Group)
def lake() -> None:
    """Care for the lake: see how it is; verify, repair, compact, expire, move it."""


lake.add_command(repair)
lake.add_command(ddl)
lake.add_command(init)


@lake.command("status")
@with_output(HELD, json_flag="json")
@with_settings
def status(settings: Settings, output: CommandOutput) -> int:
    """What the lake holds: events, files and bytes, each account's newest event, days without events, verified share."""
    from crosstrail.lake.status import status as status_of_lake

    with opened(settings) as table:
        found = status_of_lake(table, datetime.now(UTC))
    if output.older:
        output.json_document(asdict(found))
        return DONE
    _about(found, str(settings.lake.folder))
    if output.on_terminal and found.accounts:
        output.line("")
    with output.rows(HELD) as rows:
        rows.write_all(map(_account, found.accounts))
    return DONE


def _about(found: LakeStatus, folder: str) -> None:
    say(f"Lake       {clean(folder, 300)}")
    if found.format < FORMAT:
        say(f"Format     {found.format}, of an older version: crosstrail lake migrate")
    say(f"Events     {found.events:,} of {_several(len(found.accounts), 'account')}")
    say(
        f"Files      {found.files:,} in {found.partitions:,} partitions, {size_text(found.bytes)}; {size_text(found.disk)} on disk"
    )
    say(f"Verified   {_share(found.verified)}")
    if found.committed and found.as_of:
        kept = _several(found.snapshots, "snapshot")
        say(f"Snapshot   {found.snapshot}, {iso(found.committed)}; {kept}, --as-of back to {iso(found.as_of)}")
    if found.crowded:
        say(f"Compaction {found.crowded:,} partitions have many small files: crosstrail lake compact")
    if found.unhashed:
        say(
            f"Hashes     {found.unhashed:,} files of an older version have none: crosstrail lake compact gives them one"
        )


def _account(one: AccountStatus) -> list[Cell]:
    return [
        one.account,
        one.cloud,
        one.events,
        one.bytes,
        one.first.replace(microsecond=0),
        one.last.replace(microsecond=0),
        one.lag,
        one.days,
        _gaps(one.gaps),
        _share(one.verified),
        sum((last - first).days + 1 for first, last in one.gaps),
    ]


def _gaps(gaps: tuple[tuple[date, date], ...]) -> str:
    """The newest two, and how many more."""
    named = [f"{first}" if first == last else f"{first}..{last}" for first, last in reversed(gaps)]
    return ", ".join(named[:2]) + (f" and {len(named) - 2} more" if len(named) > 2 else "")


def _share(verified: Verified) -> str:
    total = verified.valid + verified.failed + verified.untried
    if not verified.valid and not verified.failed:
        return "none"
    failed = f", {verified.failed:,} failed" if verified.failed else ""
    return f"{100 * verified.valid // max(total, 1)} %{failed}"


def _several(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


@lake.command("verify")
@with_output(DAMAGED, json_flag="json")
@with_settings
def verify(settings: Settings, output: CommandOutput) -> int:
    """Read every data file and compare it with its hash. Exit status 1: something is damaged or missing.

    What a damaged file held is named: the account, the day, and the log files its events came from.
    """
    from crosstrail.lake.data_file_verification import verify as verify_lake

    with opened(settings) as table, progress_line("Verifying", "files") as bar:
        found = verify_lake(table, progress=bar.count)
    if output.older:
        output.json_document(asdict(found) | {"sound": found.sound})
    elif output.form == "table":
        _print_verification(found, output.line)
    else:
        with output.rows(DAMAGED) as rows:
            rows.write_all(
                [one.path, one.reason, one.account, str(one.day), one.rows, list(one.sources)] for one in found.damaged
            )
        _print_verification(found, say)
    return verdict(passed=found.sound)


def _print_verification(found: DataFileVerification, out: Callable[[str], None]) -> None:
    for one in found.damaged[:_MAX_LISTED]:
        say(f"damaged: {clean(one.path, 300)} {one.reason}: {one.rows:,} events of {one.account} on {one.day}")
        for source in one.sources[:_MAX_LISTED]:
            say(f"  from {clean(source, 300)}")
    if len(found.damaged) > _MAX_LISTED:
        say(f"... and {len(found.damaged) - _MAX_LISTED:,} more; --format json lists all")
    if found.list_damage:
        say(f"damaged: the table's list of files: {found.list_damage}")
    sound = found.files - len(found.damaged)
    out(f"Files   {sound:,} of {found.files:,} sound, {found.events:,} events, {size_text(found.bytes)}")
    if found.unhashed:
        out(f"        {found.unhashed:,} of them have no hash, and were compared with their page checksums alone")
    if found.copies_dropped:
        out(
            f"        {found.copies_dropped:,} copies of them on this machine were damaged, and are fetched anew when they are read"
        )


@lake.command("compact")
@with_output(COMPACTED, json_flag="jsonl")
@with_settings
def compact(settings: Settings, output: CommandOutput) -> int:
    """Make larger files of the small ones, also where a collection would not bother yet. Queries go on meanwhile."""
    from crosstrail.lake.compact import compact as compact_lake
    from crosstrail.lake.compact import give_hashes
    from crosstrail.lake.runs import Run

    with opened(settings, writes=True) as table:
        before = len(table.snapshot().files)
        with progress_line("Compacting"), Run(table) as run:
            keep = settings.lake.keeping(settings.accounts).snapshots
            replaced = compact_lake(table, run.name, max_files=1, keep=keep)
            named = give_hashes(table, run.name)
        after = len(table.snapshot().files)
    if output.form != "table":
        with output.rows(COMPACTED) as rows:
            rows.write([replaced, before, after, named])
        return DONE
    output.line(
        f"Files   {before:,} before, {after:,} now; {replaced:,} replaced, kept a while for queries that read them"
    )
    if named:
        output.line(f"Hashes  {named:,} files of an older version were given one")
    return DONE


@lake.command("expire")
@dry_run_option("--plan", "plan")
@click.option("--everything", is_flag=True, help="Also where no event of the lake would be left.")
@with_output(EXPIRED, json_flag="json")
@with_settings
def expire(settings: Settings, plan: bool, everything: bool, output: CommandOutput) -> int:
    """Drop the days of events that are older than lake.retention, and what was replaced longer ago than lake.keep_snapshots.

    Queries under way go on: files are deleted when they were replaced or dropped for as long as lake.keep_snapshots says.
    """
    from crosstrail.lake.expiry import expire as expire_events
    from crosstrail.lake.expiry import expired
    from crosstrail.lake.runs import Run

    now = datetime.now(UTC)
    keeping = settings.lake.keeping(settings.accounts)
    with opened(settings, writes=not plan) as table:
        if plan:
            dropped = expired(table, keeping, now)
        else:
            with progress_line("Expiring"), Run(table):  # which removes what runs that died left
                dropped = expire_events(table, keeping, now, everything=everything)
                table.expire(now - keeping.snapshots)
    if output.older:
        output.json_document({"dropped": [asdict(one) for one in dropped], "plan": plan})
        return DONE
    if output.form != "table":
        with output.rows(EXPIRED) as rows:
            rows.write_all(
                [one.account, one.events, one.days, str(one.first), str(one.last), one.files] for one in dropped
            )
        return DONE
    out = output.line
    verb = "would be dropped" if plan else "dropped"
    for one in dropped[:_MAX_LISTED]:
        out(f"        {one.account}  {one.events:,} events of {_several(one.days, 'day')}, {one.first} to {one.last}")
    out(f"Events  {sum(one.events for one in dropped):,} {verb}, {_several(sum(one.files for one in dropped), 'file')}")
    return DONE


@lake.command("migrate")
@with_settings
def migrate(settings: Settings) -> int:
    """Bring a lake that an older version made up to this version's format.

    Lists of files are written anew, with locations as URIs (file:///...), as Trino and Athena want them, and columns are added; no event
    is copied or read, and queries go on meanwhile. `collect` does the same by itself.
    """
    folder = clean(str(settings.lake.folder.resolve()), 300)
    with opened(settings) as table:
        before, location = table.format, table.location
    with progress_line("Migrating"), opened(settings, writes=True) as table:
        renamed = table.location != location
    if before < FORMAT:
        out(f"The lake has format {FORMAT} now, it had format {before}: {folder}")
    elif renamed:
        out(f"Its files are named where they are now: {folder}")
    else:
        out(f"Nothing to do: the lake has format {FORMAT}, as this version writes it: {folder}")
    return DONE


@lake.command("move")
@with_settings
def move(settings: Settings) -> int:
    """Name the files of a lake where they lie now, after its folder was moved or copied.

    `lookup`, `query` and `collect` read a moved lake without that, and `collect` does it by itself; other programs that read
    the table need it. With a catalog server, move the folder first, then run this with --lake NEW-FOLDER.
    """
    from crosstrail.lake import require_libraries
    from crosstrail.lake.relocate import rename_files
    from crosstrail.workspace.lake_catalog import opened_catalog

    require_libraries()
    folder = settings.lake.folder.resolve()
    with opened_catalog(settings) as catalog, progress_line("Naming files"):
        done = rename_files(folder, catalog, moved=True)
    out(f"{'Its files are named where they are now' if done else 'Nothing to do: its files are named right'}: {folder}")
    return DONE
