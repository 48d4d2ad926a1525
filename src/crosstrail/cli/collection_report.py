"""What a collection prints of itself, whatever it collected from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from crosstrail.cli.output import Cell, CommandOutput, RowColumn, Rows, RowType
from crosstrail.cli.words import say
from crosstrail.text import clean

if TYPE_CHECKING:
    from crosstrail.lake.collector import CollectionReport

_MAX_LISTED = 20
_MAX_LETTERS = 60


COLLECTED = RowType(
    "collect",
    (
        RowColumn("source", about="files, or `event history` with --api."),
        RowColumn("new", "integer", about="Events that the lake did not hold."),
        RowColumn("known", "integer", about="Events that it held."),
        RowColumn("conflicting", "integer", about="Events that came again with other content."),
        RowColumn("expired", "integer", about="Events older than their retention, which were left out."),
        RowColumn("objects_read", "integer", about="Files that were read, those in archives included."),
        RowColumn("objects_known", "integer", about="Files that were read before."),
        RowColumn("objects_ignored", "integer", about="Files without audit events."),
        RowColumn("objects_failed", "integer", about="Files that could not be read."),
        RowColumn("targets", "integer", about="Accounts and regions that were asked, with --api."),
        RowColumn("failed", "integer", about="Of these, those that failed."),
        RowColumn("seconds", "number", about="How long it took."),
        RowColumn("problems", "list", about="What went wrong, at most 1,000 of them."),
        RowColumn("report", "record", about="All that is counted, as --json gave it."),
    ),
)
FOLDERS = RowType(
    "collect --plan",
    (
        RowColumn("cloud", about="Whose folder it is."),
        RowColumn("account", about="The account's id; empty where keys name none."),
        RowColumn("region", about="The region; empty where keys name none."),
        RowColumn("objects", "integer", about="Objects to read."),
        RowColumn("bytes", "integer", about="Their size."),
        RowColumn("first", about="The first day on which one was delivered."),
        RowColumn("last", about="The last."),
    ),
)


class ReportPrinter:
    """Prints what each collection did: text for people, a row where a form with rows was asked for."""

    def __init__(self, output: CommandOutput, *, findings: bool, one_line: bool) -> None:
        """`findings`: whether the rows are findings, beside which the report is said on stderr. `one_line`: whether more
        collections follow."""
        self._output = output
        self._findings = findings
        self._one_line = one_line
        self._opened = ExitStack()
        self._rows: Rows | None = None
        if not (self._as_text or output.older):
            self._rows = self._opened.enter_context(output.rows(COLLECTED))

    @property
    def _as_text(self) -> bool:
        return not self._output.older and (self._findings or self._output.form == "table")

    def print(
        self,
        report: CollectionReport,
        facts: Mapping[str, object],
        problems: Sequence[str],
        text: Callable[[Callable[[str], None]], None],
        *,
        targets: tuple[int, int] = (0, 0),
    ) -> None:
        """`facts`: all of it, as JSON. `text`: writes it line by line. `targets`: those asked of accounts, and those that failed."""
        if self._as_text:
            text(say if self._output.form != "table" else self._output.line)
        elif self._output.older:
            (self._output.json_line if self._one_line else self._output.json_document)(facts)
        elif self._rows:
            self._rows.write_all([_row(report, facts, problems, targets)])
        self._output.flush()

    def close(self) -> None:
        self._opened.close()


def _row(
    report: CollectionReport, facts: Mapping[str, object], problems: Sequence[str], targets: tuple[int, int]
) -> list[Cell]:
    asked, failed = targets
    return [
        "event history" if asked else "files",
        *(report.new, report.known, report.conflicting, report.expired),
        *(report.objects_read, report.objects_known, report.objects_ignored, report.objects_failed),
        *(asked, failed, report.seconds, list(problems), facts),
    ]


def problems_of(report: CollectionReport) -> list[str]:
    return [f"{one.path}, {one.position}: {one.reason}" for one in report.problems]


def print_report(
    report: CollectionReport, folder: Path, out: Callable[[str], None], *, files_read: bool = True
) -> None:
    """`files_read`: whether files were, and not what accounts themselves answered. `out`: takes each line."""
    for problem in report.problems[:_MAX_LISTED]:
        say(f"unreadable: {named(problem.path)}, {problem.position}: {problem.reason}")
    if report.problem_count > _MAX_LISTED:
        say(f"... and {report.problem_count - _MAX_LISTED:,} more; --format json lists up to 1,000")
    for conflict in report.conflicts[:_MAX_LISTED]:
        say(
            f"conflict: account {conflict.account}, event {named(conflict.event_id)} came again with other content in "
            f"{named(conflict.source)}; its row shows which holds, and keeps the other in other_versions"
        )
    if report.conflicting > _MAX_LISTED:
        say(f"... and {report.conflicting - _MAX_LISTED:,} more conflicts")
    events = [f"{report.new:,} new", f"{report.known:,} known"]
    events += [f"{report.conflicting:,} conflicting"] if report.conflicting else []
    events += [f"{report.expired:,} older than their retention"] if report.expired else []
    rate = (report.new + report.known) / report.seconds if report.seconds else 0
    if files_read:
        _print_files(report, out)
    out(f"Events  {', '.join(events)}")
    for account, count in sorted(report.kept_out.items(), key=lambda item: -item[1])[:_MAX_LISTED]:
        out(f"        {count:,} of {account} kept out: list it under `accounts` of the archive, if it speaks for it")
    speed = f", {rate:,.0f} events/s" if report.new + report.known else ""
    out(f"Time    {report.seconds:.1f} s{speed}")
    out(f"Lake    {folder}")


def _print_files(report: CollectionReport, out: Callable[[str], None]) -> None:
    files = [f"{report.objects_read:,} read", f"{report.objects_known:,} known"]
    files += [f"{report.objects_ignored:,} without audit events"] if report.objects_ignored else []
    files += [f"{report.objects_failed:,} unreadable"] if report.objects_failed else []
    out(f"Files   {', '.join(files)}")
    if report.objects_verified or report.objects_unverified or report.objects_not_genuine:
        out(
            f"Proof   {report.objects_verified:,} verified, {report.objects_unverified:,} unverified, "
            f"{report.objects_not_genuine:,} failed verification"
        )
    for kind, one in sorted(report.left_out.items(), key=lambda item: -item[1].files):
        out(f"        {one.files:,} {named(kind)}: {', '.join(map(_short, one.examples))}")


def _short(path: str) -> str:
    """The end of a path, which tells more than its beginning."""
    name = named(path[-200:])
    return name if len(name) <= _MAX_LETTERS else f"...{name[-_MAX_LETTERS:]}"


def named(text: str) -> str:
    """The name of a file or an event's id: hostile, and of any length."""
    return clean(text, 300)
