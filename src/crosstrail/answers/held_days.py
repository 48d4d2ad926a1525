"""Which days of the time asked the lake holds no log of, in words.

Decides what lacking means: a day between two days with events, and those before the first and after the last that were asked for,
unless digests prove that nothing is missing. It asks nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from crosstrail.answers.render import clean, listed
from crosstrail.coverage import NOTHING_PROVED, Days, Hole, Proofs, count, gaps, union, within
from crosstrail.timerange import TimeRange, iso
from crosstrail.vocabulary import words

NAMES, KINDS = 6, 3
"""Accounts named of those that lack the same; kinds of lacking told."""
_RUNS = 4
_HOLE_BYTES = 160
_NO_LOG = (
    "No event there means no log, not that nothing happened; days without any event may be quiet ones or not collected."
)


@dataclass(frozen=True, slots=True)
class Held:
    """What a lake holds of one account, or of one of its regions, that it holds anything of."""

    name: str
    first: datetime
    last: datetime
    days: Days
    proofs: Proofs = NOTHING_PROVED

    def covered(self) -> Days:
        """Days with events, and those of which it is known that there are no more."""
        return union(self.days, self.proofs.complete)

    def has_any_of(self, span: TimeRange) -> bool:
        if within(self.proofs.complete, span):
            return True
        return not (later(span.start, self.last) or later(self.first, span.end)) and bool(within(self.days, span))


def uncovered(held: Sequence[Held], span: TimeRange) -> list[str]:
    """Whose days leave the span asked uncovered. An open span lacks only what lies between two days held."""
    asked = span.start or span.end
    outside = [one for one in held if asked and not one.has_any_of(span)]
    alike: dict[str, list[str]] = {}
    for one in held:
        if one not in outside and (words := _missing(one, span)):
            alike.setdefault(words, []).append(one.name)
    lines = []
    if outside:
        names = listed([f"{one.name} ({TimeRange(one.first, one.last)})" for one in outside], NAMES)
        lines.append(f"No log of the span asked: {names}.")
    lines += [f"{listed(names, NAMES)}: {words}." for words, names in list(alike.items())[:KINDS]]
    left = sum(len(names) for names in list(alike.values())[KINDS:])
    lines += [f"{left} more accounts lack other days of it."] if left else []
    return [*lines, _NO_LOG] if lines else []


def _missing(held: Held, span: TimeRange) -> str:
    """`no events on 2 days: ...; no events after 2026-11-12; asked until 2026-11-17`, or nothing."""
    said = []
    days = held.covered()
    if lacking := days_without_events(days, span):
        said.append(f"no events on {lacking}")
    if missing := _holes(held.proofs.holes, span):
        said.append(f"logs are missing: {missing}")
    first, last = days[0][0], days[-1][1]
    if span.start and span.start.date() < first:
        said.append(f"no events before {first}; asked from {span.start.date()}")
    until = min(span.end or datetime.max.replace(tzinfo=UTC), datetime.now(UTC)).date()
    if (span.start or span.end) and last < until:
        said.append(f"no events after {last}; asked until {until}")
    return ". ".join(part[0].upper() + part[1:] if place else part for place, part in enumerate(said))


def _holes(holes: Sequence[Hole], span: TimeRange) -> str:
    """`2026-11-17T02:41:33Z to 2026-11-17T08:43:01Z (no digest)`: those in the span."""
    inside = [one for one in holes if not (later(span.start, one.end) or later(one.start, span.end))]
    shown = [f"{iso(one.start)} to {iso(one.end)} ({clean(one.reason, _HOLE_BYTES)})" for one in inside[:KINDS]]
    left = len(inside) - KINDS
    return ", ".join(shown) + (f" and {left} more: see {words().coverage}" if left > 0 else "")


def days_without_events(days: Days, span: TimeRange) -> str:
    """`3 days: 2026-11-04 to 2026-11-05, 2026-11-07`: those between two days held, in the span; empty where there is none."""
    lacking = gaps(days, span)
    if not lacking:
        return ""
    number, more = count(lacking), len(lacking) - _RUNS
    shown = ", ".join(_days(*run) for run in lacking[:_RUNS]) + (f" and {more} more" if more > 0 else "")
    return f"{number} day{'s' * (number != 1)}: {shown}"


def _days(first: date, last: date) -> str:
    return str(first) if first == last else f"{first} to {last}"


def held_lines(held: Sequence[Held], span: TimeRange) -> list[str]:
    if not held:
        return []
    first, last = min(one.first for one in held), max(one.last for one in held)
    return [f"Events held: {iso(first)} to {iso(last)}.", *uncovered(held, span)]


def uncovered_alike(held: Sequence[Held], last: datetime) -> list[str]:
    """Gaps, and accounts that end before the others; the statement alone knows which time it asks for."""
    lines = uncovered(held, TimeRange())
    earlier = [f"{one.name} ({one.last.date()})" for one in held if one.last.date() < last.date()]
    return [*lines, f"Ending earlier: {listed(earlier, NAMES)}."] if earlier else lines


def later(one: datetime | None, other: datetime | None, by: timedelta = timedelta()) -> bool:
    return bool(one and other and one > other + by)
