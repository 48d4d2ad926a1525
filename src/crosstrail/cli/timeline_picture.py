"""What `crosstrail timeline` prints or writes: bars and lanes of characters, or the page as a file.

Decides how a count becomes a character. Names come from logs: no control character of them reaches the terminal. Colour only
repeats what the characters say.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import anyio
from rich.console import Console
from rich.text import Text

from crosstrail.answers.observe import Observed
from crosstrail.answers.timeline import TimelineQuestion, now, step_words, summary, timeline
from crosstrail.answers.timeline_data import Timeline, left_out_lines
from crosstrail.answers.timeline_page import page
from crosstrail.cli.private_file import check_free, write_private
from crosstrail.cli.progress import progress_line
from crosstrail.cli.statuses import DONE, FAILED, PARTLY
from crosstrail.cli.translation import translated
from crosstrail.cli.words import out, say
from crosstrail.detections.timeline import Counts, Lane, LaneKind
from crosstrail.filters import KEYS, accepted
from crosstrail.lookup.fanout import Progress
from crosstrail.models import Filter
from crosstrail.settings.config import Settings
from crosstrail.text import clean, shorten
from crosstrail.timerange import iso, parse_range
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace

_ELSEWHERE = 120
"""Columns of what is no terminal."""
_ROWS = 7
"""Lines of the histogram."""
_LANES = 16
_FINDINGS = 8
_EIGHTHS, _ASCII_EIGHTHS = " ▁▂▃▄▅▆▇█", " ...::###"
_SHADES, _ASCII_SHADES = "·░▒▓█", ".-=+#"
_KINDS = (("read", "cyan"), ("write", "yellow"), ("denied", "bold red"))
_MARK, _ASCII_MARK = "◆", "*"


@dataclass(frozen=True, slots=True)
class TimelineArguments:
    """The arguments of the command; empty texts say nothing. `filters`: (key, value)."""

    account: str
    region: str
    between: tuple[str, str]
    filters: tuple[tuple[str, str], ...]
    lanes: str
    limit: int
    detect: bool


def print_timeline(settings: Settings, wanted: TimelineArguments, output: Path | None, *, overwrite: bool) -> int:
    """The exit status. Raises InvalidRequest where the name is taken, and what observe raises."""
    if output is not None:
        check_free(output, overwrite=overwrite)
    console = Console(highlight=False, soft_wrap=True)
    width = console.width if console.is_terminal else _ELSEWHERE
    with progress_line("Reading events", "targets") as bar:
        found, seen = anyio.run(_found, settings, wanted, 0 if output else _columns_for_time(width), bar.counted)
    if output is not None:
        write_private(output, page(found), overwrite=overwrite)
        out(f"Written: {output}")
        _say_all([*summary(found), *left_out_lines(found), *found.coverage])
    else:
        _Picture(found, console, width).print()
        _say_all(found.coverage)
    if seen.complete:
        return DONE
    return PARTLY if found.counts or seen.of_lake else FAILED


async def _found(
    settings: Settings, wanted: TimelineArguments, columns: int, progress: Progress
) -> tuple[Timeline, Observed]:
    """`columns`: of a terminal; 0 for a page."""
    given = accepted([Filter(key, value) for key, value in wanted.filters], KEYS)
    span = parse_range(*wanted.between, now=now(), default_age=None)
    lanes = cast(LaneKind, wanted.lanes)
    question = TimelineQuestion(wanted.account, wanted.region, span, given, lanes, wanted.limit, detect=wanted.detect)
    if columns:
        question = replace(question, events=0, record_bytes=0, bins=columns)
    workspace = Workspace(settings)
    try:
        return await timeline(ScopedWorkspace(workspace), question, progress=progress)
    finally:
        await workspace.aclose()


def _say_all(lines: Sequence[str]) -> None:
    for line in lines:
        say(line)


def _label_width(width: int) -> int:
    return max(min(width // 3, 36), 12)


def _columns_for_time(width: int) -> int:
    return max(width - _label_width(width) - 2 - 8, 16)


class _Picture:
    """Lines on a terminal, or in a file: the same, without colour."""

    def __init__(self, found: Timeline, console: Console, width: int) -> None:
        self._found, self._console, self._width = found, console, width
        self._ascii = not _encodes(_EIGHTHS + _SHADES + _MARK)
        self._label = _label_width(width)

    def print(self) -> None:
        for number, line in enumerate(summary(self._found)):
            self._say(line, "bold" if not number else "")
        counts = self._found.counts
        if counts is None:
            self._say("No event.")
            return
        self._console.print()
        self._marks(counts)
        self._histogram(counts)
        self._axis(counts)
        for lane in counts.lanes[:_LANES]:
            self._lane(lane, counts)
        if counts.lane_count > _LANES:
            self._say(f"... and {counts.lane_count - min(len(counts.lanes), _LANES):,} more; -o FILE has them.", "dim")
        self._console.print()
        self._legend(counts)
        self._findings()

    def _each(self, counts: Counts) -> int:
        """Columns of a bin."""
        return max(_columns_for_time(self._width) // len(counts.bins.counts), 1)

    def _marks(self, counts: Counts) -> None:
        """Where events of findings are."""
        times = [one.time for each in self._found.findings or () for one in each.events]
        places = {int((time - counts.bins.first) / counts.bins.step) for time in times}
        if not places:
            return
        each, mark = self._each(counts), _ASCII_MARK if self._ascii else _MARK
        line = Text("findings".rjust(self._label) + "  ", style="magenta")
        line.append("".join((mark if place in places else " ").ljust(each) for place in range(len(counts.bins.counts))))
        self._print(line)

    def _findings(self) -> None:
        findings = self._found.findings or ()
        if findings:
            self._console.print()
        for one in findings[:_FINDINGS]:
            count = f"{one.count:,} event{'s' * (one.count != 1)}"
            self._say(
                f"{_ASCII_MARK if self._ascii else _MARK} {one.rule.level} {iso(one.first)} {one.rule.title}: {one.principal}, "
                f"{self._found.name_of(one.account)}, {count} (rule by {one.rule.author or 'nobody named'})"
            )
        if len(findings) > _FINDINGS:
            self._say(f"... and {len(findings) - _FINDINGS:,} more: crosstrail detect.", "dim")

    def _histogram(self, counts: Counts) -> None:
        """Bars of _ROWS lines: what was denied on top, writes below it, reads at the foot."""
        most = max(sum(cells) for cells in counts.bins.counts)
        each, levels = self._each(counts), _ASCII_EIGHTHS if self._ascii else _EIGHTHS
        shades = _ASCII_SHADES if self._ascii else _SHADES
        for row in reversed(range(_ROWS)):
            label = f"{most:,}" if row == _ROWS - 1 else "0" if not row else ""
            line = Text(label.rjust(self._label) + "  ", style="dim")
            for cells in counts.bins.counts:
                filled = sum(cells) / most * _ROWS - row
                eighths = min(max(round(filled * 8), int(not row and any(cells))), 8)
                kind = _kind_at(cells, row / _ROWS * most)
                sign = levels[eighths] if not kind or not eighths else shades[2] if kind == 1 else "x"
                line.append(sign * each, style=_KINDS[kind][1])
            self._print(line)

    def _axis(self, counts: Counts) -> None:
        each, labels, end = self._each(counts), "", -1
        day = ""
        for place in range(len(counts.bins.counts)):
            at = counts.bins.first + place * counts.bins.step
            word = _tick(at, counts.bins.step, day)
            column = place * each
            if column > end and (not day or _is_round(at, counts.bins.step)):
                labels = labels.ljust(column) + word
                end, day = len(labels) + 1, f"{at:%Y-%m-%d}"
        self._print(Text(" " * (self._label + 2) + labels, style="dim"))

    def _lane(self, lane: Lane, counts: Counts) -> None:
        most = max(sum(cells) for one in counts.lanes for cells in one.counts)
        shades, each = (_ASCII_SHADES if self._ascii else _SHADES), self._each(counts)
        name = shorten(clean(self._name(lane.name), 200), self._label)
        line = Text(name.ljust(self._label) + "  ")
        for cells in lane.counts:
            total = sum(cells)
            grade = 0 if not total else min(1 + int(3.999 * (total / most) ** 0.5), 4)
            kind = 2 if cells[2] else 1 if cells[1] else 0
            sign = ("x" if cells[2] else shades[grade]) if total else shades[0]
            line.append(sign * each, style=_KINDS[kind][1] if total else "dim")
        line.append(f"  {lane.total:,}", style="dim")
        self._print(line)

    def _name(self, lane: str) -> str:
        if self._found.lanes == "account":
            cloud, _, account = lane.partition("/")
            return self._found.name_of((cloud, account))
        return lane or "(none)"

    def _legend(self, counts: Counts) -> None:
        shades = _ASCII_SHADES if self._ascii else _SHADES
        legend = Text("Bars: ")
        for (word, style), sign in zip(_KINDS, ("#" if self._ascii else "█", shades[2], "x"), strict=True):
            legend.append(f"{sign} ", style=style)
            legend.append(f"{word}  ")
        legend.append(f"Lanes: {shades[1:]} few to many, x denied.  A bin is {_a_step(counts)}, UTC.")
        for line in legend.wrap(self._console, self._width):
            self._print(line)

    def _say(self, words: str, style: str = "") -> None:
        text = Text(translated(clean(words, 2_000)), style=style)
        for line in text.wrap(self._console, self._width) if self._console.is_terminal else [text]:
            self._print(line)

    def _print(self, line: Text) -> None:
        line.rstrip()
        self._console.print(line)


def _a_step(counts: Counts) -> str:
    words = step_words(counts.bins.step)
    return words if words[0].isdigit() else f"an {words}" if words == "hour" else f"a {words}"


def _kind_at(cells: tuple[int, int, int], height: float) -> int:
    """The kind at that height of a bar; one that is there at all is seen: what was denied reaches down to the last line of it."""
    read, write, _ = cells
    if height < read and read:
        return 0
    return 1 if height < read + write and write else 2 if cells[2] else 1 if write else 0


def _tick(at: datetime, step: timedelta, day: str) -> str:
    if step >= timedelta(days=1):
        return f"{at:%Y-%m-%d}"
    return f"{at:%H:%M}" if day == f"{at:%Y-%m-%d}" else f"{at:%m-%d %H:%M}"


def _is_round(at: datetime, step: timedelta) -> bool:
    """Whether a label belongs there: at whole hours where bins are minutes, at whole days where they are hours."""
    seconds = step.total_seconds()
    for unit in (60, 600, 3_600, 21_600, 86_400):
        if seconds * 8 <= unit:
            return at.timestamp() % unit == 0
    return True


def _encodes(signs: str) -> bool:
    try:
        signs.encode(sys.stdout.encoding or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True
