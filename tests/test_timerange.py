"""Times as people write them."""

from datetime import UTC, datetime, timedelta

import pytest

from crosstrail.errors import BadTimeRange
from crosstrail.timerange import TimeRange, iso, parse_range, parse_time

NOW = datetime(2026, 11, 20, 9, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", "2026-11-20T09:30:15Z"),
        ("today", "2026-11-20T00:00:00Z"),
        ("Yesterday", "2026-11-19T00:00:00Z"),
        ("90s", "2026-11-20T09:28:45Z"),
        ("15m", "2026-11-20T09:15:15Z"),
        ("24h", "2026-11-19T09:30:15Z"),
        ("2d", "2026-11-18T09:30:15Z"),
        ("1 week ago", "2026-11-13T09:30:15Z"),
        ("2 days ago", "2026-11-18T09:30:15Z"),
        ("2026-11-20", "2026-11-20T00:00:00Z"),
        ("2026-11-20T09:00:00Z", "2026-11-20T09:00:00Z"),
        ("2026-11-20 09:00+08:00", "2026-11-20T01:00:00Z"),
        ("2026-11-20T09:00:00", "2026-11-20T09:00:00Z"),
        ("2026-11-20T09:00:00.250Z", "2026-11-20T09:00:00.250000Z"),
        ("1763600000", "2025-11-20T00:53:20Z"),
    ],
)
def test_understood_forms(text: str, moment: str) -> None:
    assert iso(parse_time(text, NOW)) == moment


@pytest.mark.parametrize(
    "text", ["", "soon", "24 parsecs", "2026-13-01", "-1h", "99999999999999", "1e9", "٢d", "999999w"]
)
def test_unreadable_times_are_refused(text: str) -> None:
    with pytest.raises(BadTimeRange):
        parse_time(text, NOW)


def test_a_range_takes_its_default_age_from_its_end() -> None:
    span = parse_range("", "2026-11-10", now=NOW, default_age=timedelta(days=1))
    assert span == TimeRange(datetime(2026, 11, 9, tzinfo=UTC), datetime(2026, 11, 10, tzinfo=UTC))


def test_a_range_may_stay_open() -> None:
    assert parse_range("", "", now=NOW, default_age=None) == TimeRange(None, None)


def test_a_range_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(BadTimeRange, match="after its end"):
        parse_range("2026-11-20", "2026-11-19", now=NOW, default_age=None)
    with pytest.raises(BadTimeRange, match="after its end"):
        parse_range("2026-11-21", "", now=NOW, default_age=None)
