"""What is new about one subject: actions, regions, networks and programs that it had not used before a moment.

Decides from when on a subject counts as known long enough to say so; else nothing is called new. The statements run after those that
make the table `own` (summary.py), whose time must begin before that moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from crosstrail.detections.baselines import LEARNING_DAYS, NETWORK_TEXT
from crosstrail.detections.event_facts import moment
from crosstrail.engines.analysis import Rows

RECENT_DAYS = 7
"""Before the last event, where nobody names a moment."""
MAX_NEWS = 80
_KINDS = (
    ("action", "service || ':' || eventname"),
    ("region", "region"),
    ("network", f"coalesce({NETWORK_TEXT}, '')"),
    (
        "program",
        "CASE WHEN NOT regexp_matches(agent, '[.]amazonaws[.]com([.]cn)?$') THEN split_part(agent, '/', 1) ELSE '' END",
    ),
)


@dataclass(frozen=True, slots=True)
class NewValue:
    """`kind`: action, region, network or program."""

    kind: str
    value: str
    count: int
    first: datetime


@dataclass(frozen=True, slots=True)
class SubjectNews:
    """What is new since `cut` of a subject that was first seen at `since`; `known`: for long enough to tell."""

    cut: datetime | None = None
    since: datetime | None = None
    known: bool = False
    values: tuple[NewValue, ...] = ()


def news_statements(cut: datetime | None) -> tuple[str, ...]:
    """`cut`: None for RECENT_DAYS before the last event."""
    at = moment(cut) if cut else f"max(last) - INTERVAL {RECENT_DAYS} DAY"
    pairs = ", ".join(f"{{'kind': '{kind}', 'value': {value}}}" for kind, value in _KINDS)
    return (
        f"CREATE TEMP TABLE cut AS SELECT {at} AS cut, min(first) AS since FROM own",  # noqa: S608
        f"SELECT cut, since, since <= cut - INTERVAL {LEARNING_DAYS} DAY FROM cut",  # noqa: S608
        f"""SELECT one.kind, one.value, sum(n), min(first) FROM (SELECT n, first, unnest([{pairs}]) AS one
FROM (SELECT *, address AS sourceipaddress FROM own)) WHERE one.value <> '' GROUP BY one.kind, one.value
HAVING min(first) >= (SELECT cut FROM cut) ORDER BY one.kind, min(first), one.value LIMIT {MAX_NEWS}""",  # noqa: S608
    )


def read_news(tables: Sequence[Rows]) -> SubjectNews:
    """The tables of `news_statements`."""
    [(cut, since, known)], values = tables
    if not cut or not since:
        return SubjectNews()
    read = tuple(
        NewValue(str(kind), str(value), count if isinstance(count, int) else 0, datetime.fromisoformat(str(first)))
        for kind, value, count, first in values
    )
    times = datetime.fromisoformat(str(cut)), datetime.fromisoformat(str(since))
    return SubjectNews(*times, bool(known), read if known else ())
