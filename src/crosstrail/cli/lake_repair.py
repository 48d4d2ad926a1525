"""`crosstrail lake repair`: damaged data files out of the lake, and their events in again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from crosstrail.cli import with_settings
from crosstrail.cli.command import Command
from crosstrail.cli.lake_rows import REPAIRED
from crosstrail.cli.output import Cell, CommandOutput, with_output
from crosstrail.cli.statuses import DONE, FAILED, PARTLY
from crosstrail.cli.words import say
from crosstrail.text import clean

if TYPE_CHECKING:
    from crosstrail.lake.collector import CollectionReport
    from crosstrail.lake.data_file_verification import DamagedFile, DataFileVerification
    from crosstrail.lake.repair import Lacking, Partition
    from crosstrail.settings.config import Settings

_MAX_LISTED = 20


@click.command("repair", cls=Command)
@with_output(REPAIRED, json_flag="json")
@with_settings
def repair(settings: Settings, output: CommandOutput) -> int:
    """Verify the lake, take damaged and missing data files out, and collect the log files again that their events came from.

    Exit status 3: some days hold fewer events than before, because their log files are gone. 1: the lake cannot be repaired.
    """
    from crosstrail.cli.lake_opened import opened
    from crosstrail.cli.progress import progress_line
    from crosstrail.lake.data_file_verification import verify
    from crosstrail.lake.forgetting import ReadObjects
    from crosstrail.lake.repair import events_of, take_out
    from crosstrail.lake.runs import Run

    with (
        opened(settings, writes=True) as table,
        closing(ReadObjects(settings.lake.folder)) as ledger,
    ):
        with progress_line("Verifying", "files") as bar:
            found = verify(table, progress=bar.count)
        if found.list_damage:
            say(f"the table's list of files is damaged: {found.list_damage}. Restore the lake from a backup.")
            return FAILED
        before = events_of(table, {(one.cloud, one.account, one.day) for one in found.damaged})
        with Run(table):
            take_out(table, ledger, found.damaged)
        names = ledger.forgotten()
        ledger.forget(names)  # also what a killed repair left, and a collection meanwhile found still there
    again, missing, lacks = _collected_again(settings, found.damaged, names, before)
    with closing(ReadObjects(settings.lake.folder)) as ledger:
        ledger.collected()
    if output.older:
        output.json_document(_as_json(found, again, missing, lacks))
        return PARTLY if lacks else DONE
    if output.form != "table":
        with output.rows(REPAIRED) as rows:
            rows.write_all(_rows(found, lacks))
    _print(found, again, missing, lacks, output.line if output.form == "table" else say)
    return PARTLY if lacks else DONE


def _collected_again(
    settings: Settings,
    damaged: tuple[DamagedFile, ...],
    names: list[str],
    before: Mapping[Partition, int],
) -> tuple[CollectionReport, list[str], tuple[Lacking, ...]]:
    """First from the log objects that the files named, then, where that is not everything, from all that may hold a copy."""
    from crosstrail.cli.collect_sources import collect_again
    from crosstrail.cli.lake_opened import opened
    from crosstrail.lake.forgetting import ReadObjects
    from crosstrail.lake.repair import forget, lacking

    report, missing = collect_again(settings, names)
    with opened(settings) as table:
        lacks = lacking(table, before)
    if lacks and damaged:
        with closing(ReadObjects(settings.lake.folder)) as ledger:
            names = forget(ledger, damaged, widely=True)
        more, gone = collect_again(settings, names)
        report.add(more)
        missing = sorted({*missing, *gone})
        with opened(settings) as table:
            lacks = lacking(table, before)
    return report, missing, lacks


def _as_json(
    found: DataFileVerification, again: CollectionReport, missing: list[str], lacks: tuple[Lacking, ...]
) -> dict[str, object]:
    return {
        "taken_out": [asdict(one) for one in found.damaged],
        "collected_again": again.new,
        "missing_log_files": missing,
        "lacking": [asdict(one) for one in lacks],
    }


def _rows(found: DataFileVerification, lacks: tuple[Lacking, ...]) -> Iterator[list[Cell]]:
    lost = {(one.cloud, one.account, one.day): one.before - one.now for one in lacks}
    for one in found.damaged:
        lacking = lost.get((one.cloud, one.account, one.day), 0)
        yield [one.path, one.reason, one.account, str(one.day), one.rows, list(one.sources), lacking]


def _print(
    found: DataFileVerification,
    again: CollectionReport,
    missing: list[str],
    lacks: tuple[Lacking, ...],
    out: Callable[[str], None],
) -> None:
    for one in found.damaged[:_MAX_LISTED]:
        say(f"taken out: {clean(one.path, 300)}, which {one.reason}: {one.rows:,} events of {one.account} on {one.day}")
    for name in missing[:_MAX_LISTED]:
        say(f"not there any more: {clean(name, 300)}")
    for lack in lacks[:_MAX_LISTED]:
        lost = lack.before - lack.now
        say(f"{lost:,} of {lack.before:,} events of {lack.account} on {lack.day} could not be had again")
    out(f"Files   {len(found.damaged):,} of {found.files:,} taken out")
    out(f"Events  {again.new:,} collected again")
