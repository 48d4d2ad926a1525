"""Findings on stdout: as blocks on a terminal, as lines of a table in a pipe, as JSON, CSV, Timesketch's and OCSF's lines.

Decides how one looks. Every text comes cleaned: no control character of a log reaches a terminal, no formula a spreadsheet. Colour
only repeats what the words say, and is left out where NO_COLOR is set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from crosstrail.cli.output import Cell, CommandOutput, RowColumn, Rows, RowType
from crosstrail.cli.output.colour import level_meaning, rich_style
from crosstrail.detections.findings import DetectionFinding
from crosstrail.detections.forms import event_object, group_text, rule_object, timesketch_lines
from crosstrail.models import AccountKey
from crosstrail.text import clean, visible

if TYPE_CHECKING:
    from rich.text import Text

_MARGIN = "  "


_FLAT = (
    RowColumn("level", whole=True, meaning=level_meaning, about="Sigma's level, informational to critical."),
    RowColumn("title", about="The title of its rule."),
    RowColumn("principal", cut="apart", about="Who did it."),
    RowColumn("cloud", about="aws, volcengine, alibaba, or what a distribution brings."),
    RowColumn("account", about="The account's id."),
    RowColumn("first", "time", about="Time of the first event of it."),
    RowColumn("last", "time", about="Time of the last event of it."),
    RowColumn("count", "integer", thousands=True, about="How many events it is made of."),
    RowColumn("events", "list", about="Ids of some of them."),
    RowColumn("attack", "list", about="ATT&CK ids of its tactics and techniques."),
    RowColumn("rule", about="The id of its rule."),
    RowColumn("kind", about="rule, correlation or new."),
    RowColumn("author", about="Who wrote the rule."),
    RowColumn("license", about="Under which licence."),
    RowColumn("link", about="Where the rule is published."),
    RowColumn("group", about="What else its events have in common, as name=value."),
    RowColumn("note", about="What must be known beside it."),
    RowColumn("finding", about="Its key, which stays the same when it is found again."),
)
FINDING_CELLS = RowType("detect, as table, CSV and Parquet", _FLAT)
FINDINGS = RowType(
    "detect",
    (
        RowColumn("finding", about="Its key, which stays the same when it is found again."),
        RowColumn(
            "rule",
            "record",
            about="Id, title, level, kind, description, author, license, link, attack, false_positives.",
        ),
        *_FLAT[3:5],
        _FLAT[2],
        *_FLAT[5:8],
        RowColumn("group", "record", about="What else its events have in common."),
        RowColumn("note", about="What must be known beside it."),
        RowColumn(
            "events", "list", about="Some of them: cloud, account, id, time, name, source, region, address, error."
        ),
    ),
)


def rows_of(output: CommandOutput) -> RowType:
    """JSON has findings as they are, all else a cell for each of their parts."""
    return FINDINGS if output.form in ("json", "jsonl") else FINDING_CELLS


class FindingPrinter:
    """Writes findings as they come, in one form: within it what begins and ends them is written once."""

    def __init__(self, output: CommandOutput) -> None:
        """Raises click.UsageError for a column that there is not."""
        self._output = output
        self._nested = rows_of(output) is FINDINGS
        output.columns(rows_of(output))
        self._as_rows = output.form not in ("timesketch", "ocsf") and (bool(output.names) or not output.on_terminal)
        self._rows: Rows | None = None
        self._opened = ExitStack()

    def close(self) -> None:
        """Write what ends them, and what begins them where there are none."""
        self._begin()
        self._opened.close()

    def _begin(self) -> None:
        if not self._rows and self._as_rows:
            self._rows = self._opened.enter_context(self._output.rows(rows_of(self._output)))

    def print(self, findings: Sequence[DetectionFinding], names: Mapping[AccountKey, str]) -> None:
        """Flushed when it returns. `names`: what accounts are called."""
        self._begin()
        if self._rows:
            self._rows.write_all(map(_nested if self._nested else _cells, findings))
        elif self._output.on_terminal:
            _Blocks(names, self._output).print(findings)
        else:
            for finding in findings:
                for line in timesketch_lines(finding) if self._output.form == "timesketch" else _ocsf(finding):
                    self._output.json_line(line)
            self._output.flush()


def _nested(finding: DetectionFinding) -> list[Cell]:
    return [
        *(finding.key, rule_object(finding.rule), *finding.account, finding.principal, finding.first, finding.last),
        *(finding.count, dict(finding.group), finding.note, [event_object(event) for event in finding.events]),
    ]


def _cells(finding: DetectionFinding) -> list[Cell]:
    rule = finding.rule
    return [
        *(rule.level, rule.title, finding.principal, *finding.account, finding.first, finding.last, finding.count),
        *([event.id for event in finding.events], list(rule.attack), rule.id, rule.kind, rule.author, rule.license),
        *(rule.link, group_text(finding), finding.note, finding.key),
    ]


def _ocsf(finding: DetectionFinding) -> Iterator[dict[str, object]]:
    from crosstrail.detections.ocsf.findings import ocsf_finding

    yield ocsf_finding(finding)


class _Blocks:
    """A finding in some lines of a terminal. Only a rule's link may be longer than a line: cut, it leads nowhere."""

    def __init__(self, names: Mapping[AccountKey, str], output: CommandOutput) -> None:
        from rich.console import Console

        self._names = names
        self._zone = output.zone
        self._console = Console(highlight=False, soft_wrap=True, color_system="auto" if output.colour else None)
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
        text = Text(f" {level.upper()} ", style=rich_style(level_meaning(level)))
        text.append(f" {clean(finding.rule.title)}", style="bold")
        self._put(text)

    def _lines(self, finding: DetectionFinding) -> Iterator[str]:
        events, rule = finding.events, finding.rule
        count = f"{finding.count:,} event{'s' * (finding.count != 1)}"
        account = self._names.get(finding.account) or finding.account[1]
        last = "" if finding.first == finding.last else f" to {self._zone.text(finding.last)}"
        yield f"{finding.principal or 'nobody named'} in {account}"
        yield f"{count}, {self._zone.text(finding.first)}{last}"
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
