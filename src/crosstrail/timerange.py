"""Times as people and agents write them, turned into an aware UTC range.

Understood: ISO 8601 (`2026-11-20`, `2026-11-20T09:00:00Z`, `2026-11-20 09:00+08:00`; without an offset it is UTC), unix
seconds, `now`, `today`, `yesterday`, and ages counted back from now: `90s`, `15m`, `24h`, `2d`, `1w`, `2 days ago`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crosstrail.errors import BadTimeRange

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_AGE = re.compile(
    r"(?P<count>\d{1,6})\s*(?P<unit>s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)(\s+ago)?",
    re.ASCII,
)
_FORMS = "ISO 8601 such as 2026-11-20T09:00:00Z, or an age such as 24h, 7d or '2 days ago'"


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Both ends belong to it; None leaves that end open. Times are aware, in UTC."""

    start: datetime | None = None
    end: datetime | None = None

    def __str__(self) -> str:
        start = iso(self.start) if self.start else "the beginning"
        end = iso(self.end) if self.end else "now"
        return f"{start} to {end}"


def iso(moment: datetime) -> str:
    """`2026-11-20T09:00:00Z`; fractions of a second only where there are any."""
    text = moment.astimezone(UTC).isoformat(timespec="microseconds" if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def parse_time(text: str, now: datetime) -> datetime:
    """One moment in UTC. Raises BadTimeRange."""
    word = text.strip()
    lowered = word.lower()
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    named = {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}
    if lowered in named:
        return named[lowered].astimezone(UTC)
    try:
        if age := _AGE.fullmatch(lowered):
            return now.astimezone(UTC) - timedelta(seconds=int(age["count"]) * _UNIT_SECONDS[age["unit"][0]])
        if re.fullmatch(r"\d{9,10}(\.\d+)?", word, re.ASCII):
            return datetime.fromtimestamp(float(word), UTC)
        moment = datetime.fromisoformat(word)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadTimeRange(f"cannot read the time {word[:60]!r}", hint=f"Write {_FORMS}.") from error


def parse_range(start: str, end: str, *, now: datetime, default_age: timedelta | None) -> TimeRange:
    """The range between two texts; an empty end means now, an empty start `default_age` before the end (None: open).

    Raises BadTimeRange when a text cannot be read or the range ends before it starts.
    """
    until = parse_time(end, now) if end.strip() else None
    if start.strip():
        since: datetime | None = parse_time(start, now)
    else:
        since = (until or now).astimezone(UTC) - default_age if default_age else None
    if since and since > (until or now):
        raise BadTimeRange(
            f"the range starts at {iso(since)}, after its end {iso(until or now)}", hint="Swap start_time and end_time."
        )
    return TimeRange(since, until)
