"""Times as people and agents write them, turned into an aware UTC range.

Decides what a text means as the start and as the end of a range. A day, a week, a month or a year is all of itself: as a
start its first moment, as an end its last one. Everything with a time of day, and every age, is one moment. Without an
offset a time is UTC. What could be read in two ways is refused, never guessed.

Understood: ISO 8601 (`2026`, `2026-11`, `2026-W47`, `2026-11-20`, `2026-11-20T09:00:00Z`, `2026-11-20 09:00 +08:00`,
`20261120T0900Z`), `2026/11/20`, `20 Nov 2026`, RFC 2822 dates, unix time in seconds, milli-, micro- and nanoseconds, `now`,
`today`, `yesterday`, `tomorrow`, `this week`, `last month`, and ages counted back from now: `90s`, `15m`, `24h`, `2d`, `1w`,
`1M` (a month; `m` is a minute), `1y`, `2 days ago`, `1 month ago`.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from crosstrail.errors import BadTimeRange
from crosstrail.vocabulary import words

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_UNIT_MONTHS = {"M": 1, "y": 12}
_AGE = re.compile(r"(?P<count>\d{1,6}|an?|one)\s*(?P<unit>[a-z]+)(\s+ago)?", re.ASCII | re.IGNORECASE)
_UNITS = {
    "s": "s sec secs second seconds",
    "m": "m min mins minute minutes",
    "h": "h hr hrs hour hours",
    "d": "d day days",
    "w": "w week weeks",
    "M": "M mo mon mos month months",
    "y": "y yr yrs year years",
}
_UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in words.split()}
_UNIX = re.compile(r"(\d{9,10}(\.\d{1,9})?|\d{13}|\d{16}|\d{19})", re.ASCII)
_PER_SECOND = {13: 10**3, 16: 10**6, 19: 10**9}
_NAMED = re.compile(r"(this|last|previous) (week|month|year)")
_DAY = re.compile(r"(\d{4})([-/]?)(\d{2})\2(\d{2})", re.ASCII)
_MONTH = re.compile(r"(\d{4})[-/](\d{2})", re.ASCII)
_YEAR = re.compile(r"\d{4}", re.ASCII)
_WEEK = re.compile(r"(\d{4})-?W(\d{2})(?:-?([1-7]))?", re.ASCII)
_WRITTEN_DAY = re.compile(
    r"(?:(?P<day>\d{1,2}) )?(?P<name>[a-z]{3,9})(?: (?P<nth>\d{1,2}),?)? (?P<year>\d{4})", re.ASCII
)
_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_name) if name}
_MONTHS |= {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_COMPACT = re.compile(r"\d{12}(\d{2})?", re.ASCII)
_RFC_2822 = re.compile(r"([a-z]{3}, )?\d{1,2} [a-z]{3} \d{4} \d\d:\d\d(:\d\d)? (gmt|utc?|z|[+-]\d{4})", re.ASCII)
_ZONE = re.compile(r"\s+(?:UTC|GMT|(Z|[+-]\d\d:?\d\d))$", re.ASCII)
_FORMS = (
    "ISO 8601 such as 2026-11-20T09:00:00Z, a whole day such as 2026-11-20, or an age such as 24h, 7d or '2 days ago'"
)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Both ends belong to it; None leaves that end open. Times are aware, in UTC."""

    start: datetime | None = None
    end: datetime | None = None

    def __str__(self) -> str:
        start = iso(self.start) if self.start else "the beginning"
        if self.end is None:
            return f"{start} to now"
        whole = (self.end + _TICK).microsecond == 0  # the last moment of a day, say
        return f"{start} to {iso(self.end.replace(microsecond=0) if whole else self.end)}"


def iso(moment: datetime) -> str:
    """`2026-11-20T09:00:00Z`; fractions of a second only where there are any."""
    text = moment.astimezone(UTC).isoformat(timespec="microseconds" if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def parse_time(text: str, now: datetime) -> datetime:
    """The moment in UTC at which a range with this start begins. Raises BadTimeRange."""
    return _parsed(text, now)[0]


def parse_range(start: str, end: str, *, now: datetime, default_age: timedelta | None) -> TimeRange:
    """The range between two texts; an empty end means now, an empty start `default_age` before the end (None: open).

    Raises BadTimeRange when a text cannot be read, or when no time lies between them.
    """
    until = _parsed(end, now)[1] if end.strip() else None
    if start.strip():
        since: datetime | None = _parsed(start, now)[0]
    elif default_age:
        after = until + _TICK if until and (until + _TICK).microsecond == 0 else until  # of a whole day, the next one
        since = (after or now).astimezone(UTC) - default_age
    else:
        since = None
    if since and until is None and since >= now:
        raise BadTimeRange(
            f"the range starts at {iso(since)}, which is not before now, {iso(now)}",
            hint=f"Give an earlier {words().start}.",
        )
    if since and until and since > until:
        raise BadTimeRange(
            f"the range starts at {iso(since)}, after its end {iso(until)}",
            hint=f"Swap {words().start} and {words().end}.",
        )
    if since and since == until:
        raise BadTimeRange(
            f"the range is empty: it starts and ends at {iso(since)}",
            hint=f"Give a later {words().end}; a day without a time of day, such as 2026-11-20, takes all of it.",
        )
    return TimeRange(since, until)


def _parsed(text: str, now: datetime) -> tuple[datetime, datetime]:
    """First and last moment of what the text names. Raises BadTimeRange."""
    now = now.astimezone(UTC)
    word = " ".join(text.split()) if len(text) < 100 else text[:100]
    try:
        if period := _named(word.lower(), now) or _calendar(word):
            return period[0], period[1] - _TICK
        moment = _moment(word, now)
        return moment, moment
    except (ValueError, OverflowError) as error:
        raise BadTimeRange(f"cannot read the time {word[:60]!r}", hint=f"Write {_FORMS}.") from error


def _named(word: str, now: datetime) -> tuple[datetime, datetime] | None:
    """From the first moment of today, last week, ... to the first one after it."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = {"yesterday": -1, "today": 0, "tomorrow": 1}
    if word in days:
        start = midnight + timedelta(days=days[word])
        return start, start + timedelta(days=1)
    found = _NAMED.fullmatch(word)
    if not found:
        return None
    back = 0 if found[1] == "this" else 1
    if found[2] == "week":
        start = midnight - timedelta(days=midnight.weekday(), weeks=back)
        return start, start + timedelta(weeks=1)
    months = 1 if found[2] == "month" else 12
    start = _months_before(midnight.replace(day=1) if months == 1 else midnight.replace(month=1, day=1), back * months)
    return start, _months_before(start, -months)


def _calendar(word: str) -> tuple[datetime, datetime] | None:
    """From the first moment of a day, week, month or year to the first one after it. Raises ValueError for no such day."""
    if found := _DAY.fullmatch(word):
        return _days(_midnight(found[1], found[3], found[4]), 1)
    if found := _WEEK.fullmatch(word.upper()):
        start = datetime.fromisocalendar(int(found[1]), int(found[2]), int(found[3] or 1)).replace(tzinfo=UTC)
        return _days(start, 1 if found[3] else 7)
    if found := _MONTH.fullmatch(word):
        start = _midnight(found[1], found[2], 1)
        return start, _months_before(start, -1)
    if _YEAR.fullmatch(word):
        start = _midnight(word, 1, 1)
        return start, _months_before(start, -12)
    found = _WRITTEN_DAY.fullmatch(word.lower())
    if not found or (found["day"] and found["nth"]):
        return None
    if found["name"] not in _MONTHS:
        raise ValueError(word)
    start = _midnight(found["year"], _MONTHS[found["name"]], found["day"] or found["nth"] or 1)
    return _days(start, 1) if found["day"] or found["nth"] else (start, _months_before(start, -1))


def _moment(word: str, now: datetime) -> datetime:
    """Raises ValueError, OverflowError."""
    if word.lower() == "now":
        return now
    if age := _AGE.fullmatch(word):
        return _before(now, age["count"].lower(), age["unit"])
    if _UNIX.fullmatch(word):
        whole, _, fraction = word.partition(".")
        per_second = _PER_SECOND.get(len(whole), 1)
        seconds = datetime.fromtimestamp(int(whole) // per_second, UTC)
        micros = int(whole) % per_second * 10**6 // per_second + int((fraction + "000000")[:6])
        return seconds + timedelta(microseconds=micros)
    if _COMPACT.fullmatch(word):
        form = "%Y%m%d%H%M%S" if len(word) == 14 else "%Y%m%d%H%M"
        return datetime.strptime(word, form).replace(tzinfo=UTC)
    if _RFC_2822.fullmatch(word.lower()):
        written = parsedate_to_datetime(word)
        return (written if written.tzinfo else written.replace(tzinfo=UTC)).astimezone(UTC)
    written = datetime.fromisoformat(_ZONE.sub(lambda zone: zone[1] or "Z", word.upper().replace("/", "-")))
    return (written if written.tzinfo else written.replace(tzinfo=UTC)).astimezone(UTC)


def _before(now: datetime, count: str, unit: str) -> datetime:
    """`count` units before now. Of single letters M is a month and m a minute; otherwise the case says nothing."""
    short = _UNIT_OF.get(unit if unit == "M" else unit.lower())
    if not short:
        raise ValueError(unit)
    number = int(count) if count.isdecimal() else 1
    if months := _UNIT_MONTHS.get(short):
        return _months_before(now, number * months)
    return now - timedelta(seconds=number * _UNIT_SECONDS[short])


def _months_before(moment: datetime, months: int) -> datetime:
    """The same day of the month that many months earlier, or that month's last day. Raises ValueError."""
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    if not 1 <= year <= 9999:
        raise ValueError(year)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, calendar.monthrange(year, month + 1)[1]))


def _midnight(year: str | int, month: str | int, day: str | int) -> datetime:
    return datetime(int(year), int(month), int(day), tzinfo=UTC)


def _days(start: datetime, count: int) -> tuple[datetime, datetime]:
    return start, start + timedelta(days=count)
