"""Which days are covered: days in runs, what a span lacks of them, and what is known of each day.

Decides what a gap is, and the state of a day of one account and region, from what is held of it and what proves that
nothing else happened. From events and files alone a quiet day cannot be told from one that was not collected: such a day
is missing, and its reason says no more than that nothing is held of it. All days are UTC.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from crosstrail.timerange import TimeRange, iso

Days = tuple[tuple[date, date], ...]
"""Runs of days, each from its first to its last, in order, never touching each other."""
Spans = tuple[tuple[datetime, datetime], ...]
"""Spans of time, each from its start to its end, aware, in UTC."""
_DAY = timedelta(days=1)
_EPOCH = date(1970, 1, 1)
_SECOND = timedelta(seconds=1)
"""What two spans may lie apart and still be one: clouds tell time by the second, ends included."""


def runs(days: Iterable[date]) -> Days:
    """The days, in any order and however often each, as runs."""
    found: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if found and found[-1][1] == day - _DAY:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return tuple(found)


def union(*several: Days) -> Days:
    """The days of all of them."""
    found: list[tuple[date, date]] = []
    for start, end in sorted(itertools.chain(*several)):
        if found and start <= _shifted(found[-1][1], 1):
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


def within(days: Days, span: TimeRange) -> Days:
    """What of the runs lies in the span."""
    first, last = _day(span.start, date.min), _day(span.end, date.max)
    return tuple((max(start, first), min(end, last)) for start, end in days if end >= first and start <= last)


def gaps(days: Days, span: TimeRange) -> Days:
    """The runs between the held ones, as far as they lie in the span."""
    between = tuple((before[1] + _DAY, after[0] - _DAY) for before, after in itertools.pairwise(days))
    return within(between, span)


def count(days: Days) -> int:
    return sum((end - start).days + 1 for start, end in days)


class DayState(StrEnum):
    """What is known of one day of one account and region, the worst first."""

    MISSING = "missing"
    """Nothing is held of it, though of days before it; or what signs the logs says that there is a gap."""
    PARTLY = "partly"
    """Some of it is held, and whether the rest is, is not known."""
    COLLECTED = "collected"
    """Held without a gap, as far as files, or the cloud's own answers, can tell."""
    PROVED = "proved"
    """Verified digests cover all of it, and every log that they name was collected."""
    NEVER = "never_logged"
    """Before the first log, or there was never any."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A span that what signs the logs leaves open, or names logs of that are not held, and why."""

    start: datetime
    end: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class LogFacts:
    """What is known of one region of an account. `held` is days as bits, see day_bits."""

    held: int = 0
    """Days with an event, or with a log object that was read whole."""
    failed: tuple[tuple[str, int], ...] = ()
    """(why, the days as bits) of log objects that could not be read."""
    asked: Spans = ()
    """Asked of the cloud's API to the end: all of what the API has is held."""
    proved: Spans = ()
    """Covered by verified digests, with every log that these name held."""
    holes: tuple[Hole, ...] = ()

    def known(self) -> int:
        """The days of which anything is held or proved, however little."""
        return self.held | self.failed_days() | day_bits(touched_days((*self.asked, *self.proved)))

    def failed_days(self) -> int:
        found = 0
        for _, bits in self.failed:
            found |= bits
        return found

    def complete(self) -> int:
        """The days with events, and those of which it is known that all there is, is held."""
        return self.held | day_bits(whole_days((*self.asked, *self.proved)))


@dataclass(frozen=True, slots=True)
class StateRun:
    """Days in a row in the same state for the same reason; no reason where there is nothing to explain."""

    state: DayState
    first: date
    last: date
    reason: str = ""

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True)
class DayMap:
    """The state of every day from `first` to `last`: each in one of `parts`, which are (state, days as bits, reason)."""

    first: date
    last: date
    parts: tuple[tuple[DayState, int, str], ...]

    def days(self, state: DayState) -> int:
        """How many days are in that state."""
        return sum(bits.bit_count() for one, bits, _ in self.parts if one is state)

    def runs(self, *states: DayState) -> list[StateRun]:
        """Those of the states, or all, in order of time."""
        found = [
            StateRun(state, first, last, reason)
            for state, bits, reason in self.parts
            if not states or state in states
            for first, last in bit_runs(bits)
        ]
        return sorted(found, key=lambda run: run.first)

    def bits(self, state: DayState) -> int:
        found = 0
        for one, bits, _ in self.parts:
            if one is state:
                found |= bits
        return found


@dataclass(frozen=True, slots=True)
class Verified:
    """Events by what validation of their log files said: `untried` are those that nobody validated, or that nothing proves."""

    valid: int = 0
    failed: int = 0
    untried: int = 0

    @property
    def events(self) -> int:
        return self.valid + self.failed + self.untried

    def __add__(self, other: Verified) -> Verified:
        return Verified(self.valid + other.valid, self.failed + other.failed, self.untried + other.untried)


NONE_READ = Verified()


@dataclass(frozen=True, slots=True)
class Proofs:
    """What is known of an account, or of one of its regions, beside its events."""

    complete: Days = ()
    """Days of which it is known that all there is, is held: one of them without an event is no gap."""
    holes: tuple[Hole, ...] = ()


NOTHING_PROVED = Proofs()
NOT_OVER = "the day is not over"
NEIGHBOUR = "the day beside it is not held, so its beginning or end may be missing"
MANAGEMENT_ALONE = "management events only: the cloud's API has no others"
UNREADABLE = "a log object of it could not be read"
ARCHIVED = "a log object of it is archived in a storage class that cannot be read at once"
DENIED = "access to a log object of it is denied"
IN_PART = "digests or answers of the cloud's API cover some of it"
QUIET = "no event and no log, while other regions of the account have some: quiet, or not collected"
NOTHING = "no event and no log: nothing happened, or it was not collected"
SINCE = "nothing held since"


def merged(spans: Iterable[tuple[datetime, datetime]]) -> Spans:
    """The same time in as few spans as can be."""
    found: list[tuple[datetime, datetime]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1] + _SECOND:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        elif end > start:
            found.append((start, end))
    return tuple(found)


def without(spans: Spans, taken: Spans) -> Spans:
    """What of `spans` lies in none of `taken`, but for seconds at their ends."""
    left = list(spans)
    for start, end in taken:
        left = [
            part
            for before, after in left
            for part in (
                ((before, min(after, start)), (max(before, end), after))
                if start < after and end > before
                else ((before, after),)
            )
            if part[1] - part[0] > _SECOND
        ]
    return tuple(left)


def whole_days(spans: Iterable[tuple[datetime, datetime]]) -> Days:
    """The days of which the spans together leave no more than a second open."""
    found = []
    for start, end in merged(spans):
        first, last = (start + _DAY - _SECOND).date(), _shifted((end + _SECOND).date(), -1)
        if start == datetime.combine(start.date(), datetime.min.time(), UTC):
            first = start.date()
        if first <= last:
            found.append((first, last))
    return tuple(found)


def touched_days(spans: Iterable[tuple[datetime, datetime]]) -> Days:
    """The days of which the spans cover any part."""
    return union(tuple((start.date(), max(start, end - _SECOND).date()) for start, end in merged(spans)))


def day_map(facts: LogFacts, account: int, first: date, last: date, today: date) -> DayMap:
    """The state of each day from `first` to `last`.

    `account`: the days as bits of which anything is known of the account in any region: a region that is quiet beside
    others that are not was not necessarily forgotten. A day is collected where the days beside it are known, too.
    """
    low = max(_number(first) - 1, 0)  # what lies before says only whether anything does: numbers stay short
    asked, over = _every(first, last) >> low, ((1 << _number(today)) - 1) >> low
    whole = day_bits(whole_days(facts.proved))
    covered = whole | day_bits(whole_days((*facts.asked, *facts.proved))) if facts.asked else whole
    known = facts.known()
    open_, lost, reasons = _holes(facts)
    began, newest = known | open_, known.bit_length()
    failed = facts.failed_days() >> low
    known, held, open_, lost = known >> low, facts.held >> low, open_ >> low, lost >> low
    others = account >> low | known
    beside = (others >> 1) & (others << 1)
    lost &= ~known
    proved = whole >> low & ~open_ & over
    collected = (covered >> low | held & beside) & ~open_ & ~failed & over & ~proved
    since = -((began & -began) >> low or min(began, 1))  # every day from the first of them on
    missing = since & ~known & ~open_ | lost
    partly = (known | open_) & ~lost & ~collected & ~proved
    after = -1 << max(newest - low, 0)
    managed = collected & day_bits(whole_days(facts.asked)) >> low
    parts = [(DayState.PROVED, proved, ""), (DayState.COLLECTED, managed, MANAGEMENT_ALONE)]
    parts += [(DayState.COLLECTED, collected & ~managed, ""), (DayState.NEVER, ~since, "")]
    for bits, reason in reasons:
        parts += [(DayState.MISSING, missing & bits >> low, reason), (DayState.PARTLY, partly & bits >> low, reason)]
        missing, partly = missing & ~(bits >> low), partly & ~(bits >> low)
    parts += [
        (DayState.MISSING, missing & after, SINCE),
        (DayState.MISSING, missing & ~after & others, QUIET),
        (DayState.MISSING, missing & ~after & ~others, NOTHING),
        (DayState.PARTLY, partly & ~over, NOT_OVER),
    ]
    unread = partly & over
    for reason, bits in facts.failed:
        parts.append((DayState.PARTLY, unread & bits >> low, reason))
        unread &= ~(bits >> low)
    partly &= over & ~failed
    edge = held & ~beside
    parts += [(DayState.PARTLY, partly & edge, NEIGHBOUR), (DayState.PARTLY, partly & ~edge, IN_PART)]
    found = tuple([(state, (bits & asked) << low, why) for state, bits, why in parts if bits & asked])
    return DayMap(first, last, found)


def proofs(regions: Sequence[LogFacts]) -> Proofs:
    """What is known of these regions together: a day is complete where it is in each of them that was ever logged."""
    complete = -1 if regions else 0
    for one in regions:
        complete &= day_bits(whole_days((*one.asked, *one.proved)))
    left = [
        Hole(start, end, hole.reason)
        for one in regions
        for hole in one.holes
        for start, end in without(((hole.start, hole.end),), merged((*one.asked, *one.proved)))
    ]
    return Proofs(tuple(bit_runs(complete)), tuple(sorted(set(left), key=lambda hole: hole.start)))


def _holes(facts: LogFacts) -> tuple[int, int, list[tuple[int, str]]]:
    """(the days that holes touch, those they take whole, the days of each with its reason), but for what was filled since."""
    filled = merged((*facts.asked, *facts.proved)) if facts.holes else ()
    open_, lost, reasons = 0, 0, []
    for hole in facts.holes:
        left = without(((hole.start, hole.end),), filled)
        touched = day_bits(touched_days(left))
        open_, lost = open_ | touched, lost | day_bits(whole_days(left))
        reasons.append((touched, f"{hole.reason}: {iso(hole.start)} to {iso(hole.end)}"))
    return open_, lost, reasons


def day_bits(days: Iterable[tuple[date, date]]) -> int:
    """Runs of days as the bits of a number, 1970-01-01 the lowest: many regions of many days are compared at once."""
    found = 0
    for first, last in days:
        found |= _every(first, last)
    return found


def bit_runs(bits: int) -> Iterator[tuple[date, date]]:
    """The days of these bits as runs."""
    start = 0
    while bits:
        zeros = (bits & -bits).bit_length() - 1
        bits >>= zeros
        ones = (~bits & (bits + 1)).bit_length() - 1
        bits >>= ones
        first = _EPOCH + timedelta(days=start + zeros)
        yield first, first + timedelta(days=ones - 1)
        start += zeros + ones


def _every(first: date, last: date) -> int:
    start, end = _number(first), _number(last) + 1
    return (1 << end) - (1 << start) if end > start else 0


def _number(day: date) -> int:
    return max((day - _EPOCH).days, 0)


def _shifted(day: date, days: int) -> date:
    """As far as there are dates."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return day


def _day(moment: datetime | None, otherwise: date) -> date:
    return moment.astimezone(UTC).date() if moment else otherwise
