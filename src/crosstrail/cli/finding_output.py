"""Findings on stdout: as blocks on a terminal, as lines of a table in a pipe, as JSON, CSV, Timesketch's and OCSF's lines.

Decides how one looks. Every text comes cleaned: no control character of a log reaches a terminal, no formula a spreadsheet. Colour
only repeats what the words say, and is left out where NO_COLOR is set.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from crosstrail.cli.tables import print_table
from crosstrail.cli.words import out_json
from crosstrail.detections.findings import DetectionFinding
from crosstrail.detections.forms import CSV_COLUMNS, csv_row, finding_object, group_text, timesketch_lines
from crosstrail.models import AccountKey
from crosstrail.text import clean, csv_cell, visible
from crosstrail.timerange import iso

if TYPE_CHECKING:
    from rich.text import Text

_STYLES = {
    "critical": "bold white on red",
    "high": "bold red",
    "medium": "yellow",
    "low": "cyan",
    "informational": "dim",
}
_LEVEL = 8
_MARGIN = "  "


class FindingPrinter:
    """Prints findings as they come, in one form; CSV begins with its header, once."""

    def __init__(self, form: str) -> None:
        self._form = form
        self._began = False

    def begin(self) -> None:
        """What stands above the findings, even where there are none."""
        if self._form == "csv" and not self._began:
            self._write_csv([CSV_COLUMNS])
        self._began = True

    def print(self, findings: Sequence[DetectionFinding], names: Mapping[AccountKey, str]) -> None:
        """Flushed when it returns. `names`: what accounts are called."""
        self.begin()
        {
            "table": lambda: _print_table(findings, names),
            "json": lambda: _print_objects(findings, lambda one: iter([finding_object(one)])),
            "csv": lambda: self._write_csv(map(csv_row, findings)),
            "timesketch": lambda: _print_objects(findings, timesketch_lines),
            "ocsf": lambda: _print_objects(findings, _ocsf),
        }[self._form]()
        sys.stdout.flush()

    def _write_csv(self, rows: Iterator[list[str]] | Sequence[Sequence[str]]) -> None:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([csv_cell(value) for value in row] for row in rows)


def _ocsf(finding: DetectionFinding) -> Iterator[dict[str, object]]:
    from crosstrail.detections.ocsf.findings import ocsf_finding

    yield ocsf_finding(finding)


def _print_objects(
    findings: Sequence[DetectionFinding], objects: Callable[[DetectionFinding], Iterator[dict[str, object]]]
) -> None:
    for finding in findings:
        for one in objects(finding):
            out_json(one)


def _print_table(findings: Sequence[DetectionFinding], names: Mapping[AccountKey, str]) -> None:
    if sys.stdout.isatty():
        _Blocks(names).print(findings)
    elif findings:
        print_table(CSV_COLUMNS, [csv_row(finding) for finding in findings])


class _Blocks:
    """A finding in some lines of a terminal. Only a rule's link may be longer than a line: cut, it leads nowhere."""

    def __init__(self, names: Mapping[AccountKey, str]) -> None:
        from rich.console import Console

        self._names = names
        self._console = Console(highlight=False, soft_wrap=True)
        self._width = max(self._console.width, 40)

    def print(self, findings: Sequence[DetectionFinding]) -> None:
        for finding in findings:
            self._head(finding)
            for line in self._lines(finding):
                self._put(_plain(f"{_MARGIN}{line}"))
            if link := clean(finding.rule.link):
                self._console.print(f"{_MARGIN}{link}", style="dim", markup=False, crop=False, overflow="ignore")
            self._console.print()

    def _head(self, finding: DetectionFinding) -> None:
        from rich.text import Text

        level = finding.rule.level
        text = Text(f" {level.upper()} ", style=_STYLES[level])
        text.append(f" {clean(finding.rule.title)}", style="bold")
        self._put(text)

    def _lines(self, finding: DetectionFinding) -> Iterator[str]:
        events, rule = finding.events, finding.rule
        count = f"{finding.count:,} event{'s' * (finding.count != 1)}"
        account = self._names.get(finding.account) or finding.account[1]
        last = "" if finding.first == finding.last else f" to {iso(finding.last)}"
        yield f"{finding.principal or 'nobody named'} in {account}"
        yield f"{count}, {iso(finding.first)}{last}"
        did = ", ".join(dict.fromkeys(f"{one.name}{f' ({one.error})' * bool(one.error)}" for one in events))
        addresses = ", ".join(dict.fromkeys(one.address for one in events if one.address))
        yield did + (f" from {addresses}" if addresses else "")
        if finding.group:
            yield f"by {group_text(finding)}"
        if finding.note:
            yield finding.note
        room = max((self._width - 11) // 38, 1)
        for start in range(0, len(events), room):
            ids = ", ".join(clean(one.id) for one in events[start : start + room])
            yield f"{'       ' if start else 'events '}{ids}"
        credit = (f"rule by {rule.author}" if rule.author else "", rule.license)
        yield "; ".join(filter(None, (" ".join(rule.attack), *credit)))

    def _put(self, text: Text) -> None:
        text.truncate(self._width, overflow="ellipsis")
        self._console.print(text)


def _plain(line: str) -> Text:
    from rich.text import Text

    return Text(visible(line))
