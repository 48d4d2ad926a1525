"""What `crosstrail coverage` prints: a picture with a character a day, or rows.

Decides how many days a character stands for, and what is said below the picture. Names of regions and reasons come from
logs: no control character of them reaches the terminal. Colour only repeats what the characters say.
"""

from __future__ import annotations

import calendar
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import anyio
from rich.console import Console
from rich.text import Text

from crosstrail.answers.log_coverage import (
    MEANINGS,
    WORDS,
    WORST_FIRST,
    LogCoverage,
    RegionCoverage,
    log_coverage,
    never_logged,
    run_list,
    summary,
)
from crosstrail.answers.render import listed
from crosstrail.cli.coverage_rows import print_lines, print_rows
from crosstrail.cli.output import CommandOutput
from crosstrail.cli.progress import progress_line
from crosstrail.cli.translation import translated
from crosstrail.cli.words import say
from crosstrail.coverage import DayMap, DayState, StateRun, day_bits
from crosstrail.settings.config import Settings
from crosstrail.text import clean, shorten
from crosstrail.timerange import parse_range
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace

PICTURE = "picture"
_MAX_READ = 1_000_000
"""A command may take its time to read which regions data files are of."""
_STYLES = {
    DayState.PROVED: ("█", "#", "green"),
    DayState.COLLECTED: ("▒", "=", "cyan"),
    DayState.PARTLY: ("░", "-", "yellow"),
    DayState.MISSING: ("×", "x", "bold red"),
    DayState.NEVER: ("·", ".", "dim"),
}
"""The character of a state, the one where the terminal knows ASCII alone, and its colour."""
_NARROW = 24
"""Characters; where fewer are left for days, the numbers behind them are left out."""
_ELSEWHERE = 120
"""Columns of what is no terminal."""
_MAX_REGIONS, _MAX_LINES = 60, 200
"""More regions are drawn together, a line an account; more lines are left out, the best first."""
_Next = Callable[[date], date]
_MAX_HOLES, _NAMES, _LABEL = 8, 5, 34


def print_coverage(
    settings: Settings, account: str, region: str, between: tuple[str, str], output: CommandOutput
) -> None:
    """`between`: since and until, as written."""
    with progress_line("Reading the lake"):
        found = anyio.run(_coverage, settings, account, region, between)
    if output.older:
        print_lines(found, output)
    elif output.form == PICTURE:
        _Picture(found, output).print()
    else:
        print_rows(found, output)
        for line in [*summary(found), *(f"Never logged in {which}: {names}." for which, names in never_logged(found))]:
            say(line)


async def _coverage(settings: Settings, account: str, region: str, between: tuple[str, str]) -> LogCoverage:
    span = parse_range(*between, now=datetime.now(UTC), default_age=None)
    workspace = Workspace(settings)
    try:
        return await log_coverage(ScopedWorkspace(workspace), account, region, span, most=_MAX_READ)
    finally:
        await workspace.aclose()


class _Group(NamedTuple):
    """The days of one character."""

    first: date
    last: date


class _Line(NamedTuple):
    label: str
    map: DayMap | None
    """None for the name of an account above its regions."""


class _Picture:
    """Lines on a terminal, or in a file: the same, without colour."""

    def __init__(self, found: LogCoverage, output: CommandOutput) -> None:
        self._found = found
        self._console = Console(
            file=output.destination.text,
            highlight=False,
            soft_wrap=True,
            color_system="auto" if output.colour else None,
        )
        self._width = self._console.width if self._console.is_terminal else _ELSEWHERE
        self._glyph = {state: glyphs[self._is_ascii()] for state, glyphs in _STYLES.items()}

    def print(self) -> None:
        found = self._found
        first, *more = summary(found)
        self._say(first, style="bold")
        for line in more:
            self._say(line)
        if found.rows:
            self._console.print()
            self._draw()
        for line in _explained(found):
            self._say(line)
        for which, names in never_logged(found):
            self._say(f"{self._glyph[DayState.NEVER]} Never logged in {which}: {names}.")

    def _draw(self) -> None:
        lines, left = _lines(self._found)
        notes = [_note(line.map) if line.map else "" for line in lines]
        label = min(max(len(line.label) for line in lines), max(self._width // 3, 12))
        room = self._width - label - 2 - max(map(len, notes)) - 2
        if room < _NARROW:
            notes, room = [""] * len(lines), self._width - label - 2
        groups, unit = grouped(self._found.first, self._found.last, max(room, 10))
        for header in _headers(groups, unit):
            self._console.print(Text(f"{' ' * (label + 2)}{header}".rstrip(), style="dim"))
        bits = [day_bits([group]) for group in groups]
        for line, note in zip(lines, notes, strict=True):
            text = Text(shorten(line.label, label).ljust(label + 2), style="" if line.map else "bold")
            if line.map:
                text.append_text(self._cells(line.map, bits))
                text.append(f"  {note}", style="dim")
            text.rstrip()
            self._console.print(text)
        if left:
            self._say(f"... and {left:,} more; name fewer by --account or --region, or take --format csv for all.")
        self._console.print()
        self._legend(unit)

    def _cells(self, days: DayMap, groups: Sequence[int]) -> Text:
        of_state = [(state, days.bits(state)) for state in WORST_FIRST]
        text = Text()
        for group in groups:
            state = next((state for state, bits in of_state if bits & group), DayState.NEVER)
            text.append(self._glyph[state], style=_STYLES[state][2])
        return text

    def _legend(self, unit: str) -> None:
        legend = Text()
        for state in MEANINGS:
            said = f" {WORDS[state]}"
            if legend and len(legend.plain.rpartition("\n")[2]) + 3 + len(self._glyph[state] + said) > self._width:
                legend.append("\n")
            elif legend:
                legend.append("   ")
            legend.append(self._glyph[state], style=_STYLES[state][2])
            legend.append(said)
        self._console.print(legend)
        of_it = "" if unit == "day" else ": the worst of its days"
        self._say(f"A character a {unit}{of_it}.", style="dim")
        self._console.print()

    def _say(self, words: str, style: str = "") -> None:
        text = Text(translated(clean(words, 2_000)), style=style)
        lines = text.wrap(self._console, self._width) if self._console.is_terminal else [text]
        for line in lines:
            line.rstrip()
            self._console.print(line)

    def _is_ascii(self) -> bool:
        try:
            "".join(glyph for glyph, _, _ in _STYLES.values()).encode(sys.stdout.encoding or "ascii")
        except (UnicodeError, LookupError):
            return True
        return False


def grouped(first: date, last: date, most: int) -> tuple[list[_Group], str]:
    """The days as at most `most` groups, the smallest unit that fits, and what that is called."""
    days = (last - first).days + 1
    if days <= most:
        return [_Group(day, day) for day in (first + timedelta(days=number) for number in range(days))], "day"
    for unit, next_one in (("week", _next_week), ("month", _next_month), ("year", _next_year)):
        groups = list(_units(first, last, next_one, most + 1))
        if len(groups) <= most:
            return groups, unit
    each = -(-days // most)
    return [
        _Group(day, min(day + timedelta(days=each - 1), last)) for day in _every(first, last, each)
    ], f"{each:,} days"


def _every(first: date, last: date, step: int) -> Iterator[date]:
    return (first + timedelta(days=number) for number in range(0, (last - first).days + 1, step))


def _units(first: date, last: date, next_one: _Next, most: int) -> Iterator[_Group]:
    for _ in range(most):
        following = next_one(first)
        yield _Group(first, min(following - timedelta(days=1), last))
        if following > last:
            return
        first = following


def _next_week(day: date) -> date:
    return day + timedelta(days=7 - day.weekday())


def _next_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def _next_year(day: date) -> date:
    return date(day.year + 1, 1, 1)


def _headers(groups: Sequence[_Group], unit: str) -> list[str]:
    """Months above days and weeks, and above days the Mondays; years above months."""
    months: list[tuple[int, str]] = []
    for place, group in enumerate(groups):
        starts = place == 0 or (group.last.year, group.last.month) != (
            groups[place - 1].last.year,
            groups[place - 1].last.month,
        )
        new_year = place == 0 or group.last.year != groups[place - 1].last.year
        if starts and unit in ("day", "week"):
            name = calendar.month_abbr[group.last.month]
            months.append((place, f"{name} {group.last.year}" if new_year else name))
        elif new_year and unit not in ("day", "week"):
            months.append((place, str(group.last.year)))
    lines = [_placed(months, len(groups))]
    if unit == "day":
        mondays = [(place, f"{group.first.day}") for place, group in enumerate(groups) if group.first.weekday() == 0]
        lines.append(_placed(mondays, len(groups)))
    return lines


def _placed(labels: Iterable[tuple[int, str]], width: int) -> str:
    """The labels at their places; one that would run into the next, or over the edge, is left out or shortened."""
    line = ""
    labels = list(labels)
    for number, (place, label) in enumerate(labels):
        end = labels[number + 1][0] - 1 if number + 1 < len(labels) else width + 8
        if place < len(line) or end - place < min(len(label), 3):
            continue
        word = label if len(label) <= end - place else label.split(" ")[0]
        line = line.ljust(place) + word + " "
    return line.rstrip()


def _lines(found: LogCoverage) -> tuple[list[_Line], int]:
    """What is drawn, and how many accounts are not."""
    by_account: dict[tuple[str, str], list[RegionCoverage]] = {}
    for row in found.rows:
        by_account.setdefault(row.account.key, []).append(row)
    if len(found.rows) > _MAX_REGIONS:
        together = sorted(map(_together, by_account.values()), key=lambda row: row.badness)
        lines = [_Line(f"{_name(row)} {row.region}", row.map) for row in together[:_MAX_LINES]]
        return lines, max(len(together) - _MAX_LINES, 0)
    lines = []
    for rows in by_account.values():
        if len(rows) == 1:
            lines.append(_Line(f"{_name(rows[0])} {_region(rows[0])}", rows[0].map))
        else:
            lines.append(_Line(_full_name(rows[0]), None))
            lines += [_Line(f"  {_region(row)}", row.map) for row in rows]
    return lines, 0


def _together(rows: Sequence[RegionCoverage]) -> RegionCoverage:
    """The regions of one account as one row: of each day the worst of those that were ever logged."""
    first = rows[0]
    parts, taken = [], 0
    for state in WORST_FIRST:
        bits = 0
        for row in rows:
            bits |= row.map.bits(state)
        parts.append((state, bits & ~taken, ""))
        taken |= bits
    return replace(first, region=f"x {len(rows)}", map=replace(first.map, parts=tuple(parts)))


def _name(row: RegionCoverage) -> str:
    return row.account.name


def _full_name(row: RegionCoverage) -> str:
    account = row.account
    return f"{account.alias} ({account.id})" if account.alias else account.id


def _region(row: RegionCoverage) -> str:
    return clean(row.region, _LABEL) or "(region not known)"


def _note(days: DayMap) -> str:
    """`2 missing, 1 partly`, or nothing."""
    found = [(state, days.days(state)) for state in (DayState.MISSING, DayState.PARTLY)]
    return ", ".join(f"{count:,} {WORDS[state]}" for state, count in found if count)


def _explained(found: LogCoverage) -> list[str]:
    """Why days are missing or partly held: what only one region has first, then what many have alike."""
    alike: dict[tuple[DayState, str], list[tuple[RegionCoverage, list[StateRun]]]] = {}
    for row in found.rows:
        by_reason: dict[tuple[DayState, str], list[StateRun]] = {}
        for run in row.map.runs(DayState.MISSING, DayState.PARTLY):
            by_reason.setdefault((run.state, run.reason), []).append(run)
        for what, of_it in by_reason.items():
            alike.setdefault(what, []).append((row, of_it))
    in_order = sorted(alike.items(), key=lambda item: (len(item[1]), WORST_FIRST.index(item[0][0])))
    lines = []
    for (state, reason), rows in in_order[:_MAX_HOLES]:
        if len(rows) == 1:
            row, of_it = rows[0]
            lines.append(f"{_name(row)} {_region(row)}: {run_list(of_it, _NAMES)}: {reason}.")
        else:
            names = [f"{_name(row)} {_region(row)} {_counted(of_it)}" for row, of_it in rows]
            lines.append(f"{WORDS[state]}: {reason}: {listed(names, _NAMES)}.")
    left = sum(len(rows) for _, rows in in_order[_MAX_HOLES:])
    return [*lines, f"... and {left:,} more; --format json has the reason of every day."] if left else lines


def _counted(found: Sequence[StateRun]) -> str:
    days = sum(run.days for run in found)
    return str(found[0].first) if days == 1 else f"{days} days"
