"""What a collection prints of itself, whatever it collected from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from crosstrail.cli.words import out, say
from crosstrail.text import clean

if TYPE_CHECKING:
    from crosstrail.lake.collector import CollectionReport

_MAX_LISTED = 20
_MAX_LETTERS = 60


def print_report(report: CollectionReport, folder: Path, *, files_read: bool = True) -> None:
    """`files_read`: whether files were, and not what accounts themselves answered."""
    for problem in report.problems[:_MAX_LISTED]:
        say(f"unreadable: {named(problem.path)}, {problem.position}: {problem.reason}")
    if report.problem_count > _MAX_LISTED:
        say(f"... and {report.problem_count - _MAX_LISTED:,} more; --json lists up to 1,000")
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
        _print_files(report)
    out(f"Events  {', '.join(events)}")
    for account, count in sorted(report.kept_out.items(), key=lambda item: -item[1])[:_MAX_LISTED]:
        out(f"        {count:,} of {account} kept out: list it under `accounts` of the archive, if it speaks for it")
    speed = f", {rate:,.0f} events/s" if report.new + report.known else ""
    out(f"Time    {report.seconds:.1f} s{speed}")
    out(f"Lake    {folder}")


def _print_files(report: CollectionReport) -> None:
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
