"""Times as people write them."""

from datetime import UTC, datetime, timedelta

import pytest

from crosstrail.errors import BadTimeRange
from crosstrail.server.tool_words import TOOL_WORDS
from crosstrail.timerange import TimeRange, iso, parse_range, parse_time
from crosstrail.vocabulary import speaking

NOW = datetime(2026, 11, 20, 9, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", "2026-11-20T09:30:15Z"),
        ("90s", "2026-11-20T09:28:45Z"),
        ("15m", "2026-11-20T09:15:15Z"),
        ("15 MIN", "2026-11-20T09:15:15Z"),
        ("24h", "2026-11-19T09:30:15Z"),
        ("24H", "2026-11-19T09:30:15Z"),
        ("an hour ago", "2026-11-20T08:30:15Z"),
        ("2d", "2026-11-18T09:30:15Z"),
        ("1 week ago", "2026-11-13T09:30:15Z"),
        ("2 days ago", "2026-11-18T09:30:15Z"),
        ("1M", "2026-10-20T09:30:15Z"),
        ("1 month ago", "2026-10-20T09:30:15Z"),
        ("9 months ago", "2026-02-20T09:30:15Z"),
        ("a year ago", "2025-11-20T09:30:15Z"),
        ("2026-11-20T09", "2026-11-20T09:00:00Z"),
        ("2026-11-20T09:00:00Z", "2026-11-20T09:00:00Z"),
        ("2026-11-20t09:00:00z", "2026-11-20T09:00:00Z"),
        ("2026-11-20 09:00", "2026-11-20T09:00:00Z"),
        ("2026-11-20 00:00", "2026-11-20T00:00:00Z"),
        ("2026/11/20 09:00", "2026-11-20T09:00:00Z"),
        ("2026-11-20 09:00+08:00", "2026-11-20T01:00:00Z"),
        ("2026-11-20 09:00:00 +0800", "2026-11-20T01:00:00Z"),
        ("2026-11-20 09:00:00.000 UTC", "2026-11-20T09:00:00Z"),
        ("2026-11-20T09:00:00", "2026-11-20T09:00:00Z"),
        ("2026-11-20T09:00:00.250Z", "2026-11-20T09:00:00.250000Z"),
        ("20261120T0900Z", "2026-11-20T09:00:00Z"),
        ("20261120090000", "2026-11-20T09:00:00Z"),
        ("202611200900", "2026-11-20T09:00:00Z"),
        ("Fri, 20 Nov 2026 09:00:00 GMT", "2026-11-20T09:00:00Z"),
        ("20 Nov 2026 09:00:00 +0800", "2026-11-20T01:00:00Z"),
        ("1763600000", "2025-11-20T00:53:20Z"),
        ("1763600000.25", "2025-11-20T00:53:20.250000Z"),
        ("1763600000250", "2025-11-20T00:53:20.250000Z"),
        ("1763600000250000", "2025-11-20T00:53:20.250000Z"),
        ("1763600000250000000", "2025-11-20T00:53:20.250000Z"),
    ],
)
def test_a_moment_is_the_same_as_start_and_as_end(text: str, moment: str) -> None:
    assert iso(parse_time(text, NOW)) == moment
    end = parse_range("", text, now=NOW, default_age=None).end
    assert end is not None
    assert iso(end) == moment


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-11-17", "2026-11-17", "2026-11-17"),
        ("20261117", "2026-11-17", "2026-11-17"),
        ("2026/11/17", "2026-11-17", "2026-11-17"),
        (" 17 November 2026 ", "2026-11-17", "2026-11-17"),
        ("Nov 17, 2026", "2026-11-17", "2026-11-17"),
        ("2026-W47-2", "2026-11-17", "2026-11-17"),
        ("today", "2026-11-20", "2026-11-20"),
        ("Yesterday", "2026-11-19", "2026-11-19"),
        ("tomorrow", "2026-11-21", "2026-11-21"),
        ("2026-W47", "2026-11-16", "2026-11-22"),
        ("this week", "2026-11-16", "2026-11-22"),
        ("last week", "2026-11-09", "2026-11-15"),
        ("2026-11", "2026-11-01", "2026-11-30"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2026-12", "2026-12-01", "2026-12-31"),
        ("Nov 2026", "2026-11-01", "2026-11-30"),
        ("last month", "2026-10-01", "2026-10-31"),
        ("this month", "2026-11-01", "2026-11-30"),
        ("2025", "2025-01-01", "2025-12-31"),
        ("last year", "2025-01-01", "2025-12-31"),
    ],
)
def test_a_day_or_more_is_all_of_itself(text: str, first: str, last: str) -> None:
    span = parse_range(text, text, now=NOW, default_age=None)
    assert span.start == datetime.fromisoformat(first).replace(tzinfo=UTC)
    end = datetime.fromisoformat(last).replace(tzinfo=UTC) + timedelta(days=1)
    assert span.end == end - timedelta(microseconds=1)
    assert str(span) == f"{first}T00:00:00Z to {last}T23:59:59Z"


@pytest.mark.parametrize(
    "text",
    (
        "|soon|last|24 parsecs|-1h|1e9|٢d|999999w|999999 months ago|99999999999999|12345678901|2026-11-17T25:00|20261117 0|"
        "2026-13-01|2026-02-30|2026-13|2026-W54|0000|17/11/2026|11/17/2026|17 Foo 2026|Fri, 20 Nov 2026 09:00:00 CET|"
        + "9"
        * 5_000
    ).split("|"),
)
def test_unreadable_times_are_refused(text: str) -> None:
    with pytest.raises(BadTimeRange):
        parse_time(text, NOW)


def test_a_month_before_its_last_day_ends_with_the_shorter_month() -> None:
    assert iso(parse_time("1 month ago", datetime(2026, 3, 31, tzinfo=UTC))) == "2026-02-28T00:00:00Z"


def test_a_range_takes_its_default_age_from_its_end() -> None:
    span = parse_range("", "2026-11-10T00:00Z", now=NOW, default_age=timedelta(days=1))
    assert span == TimeRange(datetime(2026, 11, 9, tzinfo=UTC), datetime(2026, 11, 10, tzinfo=UTC))


def test_the_default_age_before_a_whole_day_is_that_day() -> None:
    span = parse_range("", "2026-11-10", now=NOW, default_age=timedelta(days=1))
    assert str(span) == "2026-11-10T00:00:00Z to 2026-11-10T23:59:59Z"


def test_a_range_may_stay_open() -> None:
    assert parse_range("", "", now=NOW, default_age=None) == TimeRange(None, None)


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("2026-11-20", "2026-11-19", "after its end"),
        ("2026-11-18T00:00:00.000001", "2026-11-18T00:00", "after its end"),
        ("yesterday", "3d", "after its end"),
        ("2026-11-21", "", "not before now"),
        ("now", "", "not before now"),
        ("2026-11-17T00:00Z", "2026-11-17 00:00", "is empty"),
        ("1h", "60m", "is empty"),
    ],
)
def test_a_range_without_time_in_it_is_refused(start: str, end: str, words: str) -> None:
    with speaking(TOOL_WORDS), pytest.raises(BadTimeRange, match=words) as refused:
        parse_range(start, end, now=NOW, default_age=None)
    assert "_time" in refused.value.hint
