"""Events in the order of time: how many of which kind when, in which lanes, and those that a picture shows one by one.

Decides what a lane is, how wide a bin of time is, and which events and whole records give way where there are too many: reads
before writes, and writes before what was denied; those that go are spread evenly over the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, cast, get_args

from crosstrail.detections.event_facts import DENIED, ERROR, READS
from crosstrail.engines.analysis import Rows
from crosstrail.lake.reader import quoted
from crosstrail.models import AccountKey

Kind = Literal["read", "write", "denied"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LaneKind = Literal["principal", "account", "address"]
LANE_KINDS: tuple[LaneKind, ...] = get_args(LaneKind)
STEPS = (
    1,
    2,
    5,
    10,
    30,
    60,
    120,
    300,
    600,
    1_800,
    3_600,
    7_200,
    10_800,
    21_600,
    43_200,
    86_400,
    172_800,
    604_800,
    1_209_600,
)
"""Seconds that a bin may have; where all are too short, the last times what is needed."""
MAX_LANES = 40
_TEXT = 400
"""Characters of a field that leave the lake; the record has it whole."""
_RECORD_BYTES = 64_000
"""Of one record: those of a page must fit into the memory of a query before they are measured."""
_TEXT_BYTES = 20_000_000
"""Of all fields of all events: whoever fills logs with long texts makes the events fewer, and no picture fail."""
_BY_RANK = "ORDER BY kind DESC, spread, eventid ROWS UNBOUNDED PRECEDING"
_IN_ORDER = "ORDER BY eventtime, cloud, account, eventid"
_LANES: dict[LaneKind, str] = {
    "principal": "principal",
    "account": "cloud || '/' || account",
    "address": "sourceipaddress",
}
_KIND = f"CASE WHEN {DENIED} THEN 2 WHEN {READS} THEN 0 ELSE 1 END"


@dataclass(frozen=True, slots=True)
class Bins:
    """Counts of (read, write, denied) from `first` on, each bin `step` wide."""

    first: datetime
    step: timedelta
    counts: tuple[tuple[int, int, int], ...]

    @property
    def last(self) -> datetime:
        """The end of the last bin."""
        return self.first + self.step * len(self.counts)


@dataclass(frozen=True, slots=True)
class Lane:
    """One principal, account or address; its bins are those of the whole."""

    name: str
    counts: tuple[tuple[int, int, int], ...]

    @property
    def total(self) -> int:
        return sum(map(sum, self.counts))


@dataclass(frozen=True, slots=True)
class Counts:
    """All events of a question. `lanes`: those with most denied calls, then the busiest; `lane_count` there are."""

    total: int
    kinds: tuple[int, int, int]
    first: datetime
    last: datetime
    bins: Bins
    lanes: tuple[Lane, ...]
    lane_count: int


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One event. Texts are hostile. `record`: its JSON, None where it did not fit."""

    time: datetime
    cloud: str
    account: str
    region: str
    principal: str
    source: str
    name: str
    kind: Kind
    address: str
    agent: str
    error: str
    id: str
    record: str | None = field(default=None, repr=False)

    @property
    def key(self) -> tuple[AccountKey, str]:
        """What tells it apart."""
        return (self.cloud, self.account), self.id


def counting_statements(lanes: LaneKind, most_bins: int) -> list[str]:
    """Their three tables are what `counts_of` reads."""
    steps = ", ".join(map(str, STEPS))
    bounds = (
        "CREATE TEMP TABLE picture_bounds AS WITH found AS (SELECT count(*) AS total, min(eventtime) AS first, "  # noqa: S608
        "max(eventtime) AS last FROM events), wide AS (SELECT *, coalesce((SELECT min(step) FROM (SELECT "
        f"unnest([{steps}]) AS step) WHERE epoch(last) // step - epoch(first) // step < {most_bins}), "
        f"{STEPS[-1]} * ceil((epoch(last) - epoch(first)) / {STEPS[-1]} / {most_bins - 1 or 1}))::BIGINT AS step FROM found) "
        "SELECT *, CAST(epoch(first) // step AS BIGINT) AS start FROM wide"
    )
    counted = (
        f"CREATE TEMP TABLE picture_counts AS SELECT left(coalesce({_LANES[lanes]}, ''), {_TEXT}) AS lane, "  # noqa: S608
        f"CAST(epoch(eventtime) // step AS BIGINT) - start AS bin, {_KIND} AS kind, count(*) AS many "
        "FROM events, picture_bounds GROUP BY ALL"
    )
    order = "sum(many) FILTER (kind = 2) DESC NULLS LAST, sum(many) DESC, lane"
    best = (
        f"SELECT lane, row_number() OVER (ORDER BY {order}) AS place FROM picture_counts GROUP BY lane "  # noqa: S608
        f"ORDER BY {order} LIMIT {MAX_LANES}"
    )
    return [
        bounds,
        counted,
        "SELECT total, first, last, step, start * step, (SELECT count(DISTINCT lane) FROM picture_counts) FROM picture_bounds",
        "SELECT bin, kind, sum(many)::BIGINT FROM picture_counts GROUP BY ALL ORDER BY ALL",
        f"SELECT lane, list([bin, kind, many]) FROM picture_counts JOIN ({best}) USING (lane) GROUP BY place, lane "  # noqa: S608
        "ORDER BY place",
    ]


def counts_of(bounds: Rows, bins: Rows, lanes: Rows) -> Counts | None:
    """None where there is no event."""
    ((total, first, last, step, start, lane_count),) = bounds
    if not total:
        return None
    many = 1 + max(_whole(bin_) for bin_, _, _ in bins)
    table = _table(bins, many)
    began = datetime.fromtimestamp(_whole(start), UTC)
    read, write, denied = (sum(column) for column in zip(*table, strict=True))
    return Counts(
        _whole(total),
        (read, write, denied),
        _time(first),
        _time(last),
        Bins(began, timedelta(seconds=_whole(step)), table),
        tuple(Lane(str(name), _table(found, many)) for name, found in lanes),
        _whole(lane_count),
    )


def event_statements(limit: int, record_bytes: int, only: Sequence[str] = ()) -> list[str]:
    """Their one table is what `events_of` reads. `record_bytes`: of whole records together; `only`: events with these ids.

    Records are read in a second pass, of the chosen events alone: they are most of a lake.
    """
    if not limit:
        return ["SELECT 1 WHERE false"]
    where = f"WHERE eventid IN ({', '.join(map(quoted, only))}) " if only else ""
    texts = {
        "region": "awsregion",
        "principal": "coalesce(nullif(principal, ''), username)",
        "source": "eventsource",
        "name": "eventname",
        "address": "sourceipaddress",
        "agent": "useragent",
        "error": ERROR,
    }
    columns = ", ".join(f"left(coalesce({text}, ''), {_TEXT}) AS {name}" for name, text in texts.items())
    first = f"eventtime, cloud, account, eventid, kind, {', '.join(texts)}"
    weight = " + ".join(f"strlen({name})" for name in ("eventid", *texts))
    chosen = (
        f"CREATE TEMP TABLE pictured AS SELECT * FROM (SELECT eventtime, cloud, account, coalesce(eventid, '') AS eventid, "  # noqa: S608
        f"{_KIND} AS kind, {columns}, hash(eventid) AS spread FROM events {where}ORDER BY kind DESC, spread, eventid "
        f"LIMIT {limit}) QUALIFY sum({weight}) OVER ({_BY_RANK}) <= {_TEXT_BYTES}"
    )
    if not record_bytes:
        return [chosen, f"SELECT {first}, NULL FROM pictured {_IN_ORDER}"]  # noqa: S608
    joined = (
        f"SELECT p.*, CASE WHEN strlen(e.eventjson) <= {_RECORD_BYTES} THEN e.eventjson END AS record FROM pictured p "  # noqa: S608
        "LEFT JOIN events e ON e.eventid = p.eventid AND e.cloud = p.cloud AND e.account = p.account "
        "AND e.eventtime = p.eventtime QUALIFY row_number() OVER (PARTITION BY p.eventid, p.cloud, p.account, p.eventtime) = 1"
    )
    used = f"sum(coalesce(strlen(record), 0)) OVER ({_BY_RANK})"
    return [
        chosen,
        f"SELECT {first}, CASE WHEN used <= {record_bytes} THEN record END FROM (SELECT *, {used} AS used FROM ({joined})) "  # noqa: S608
        f"{_IN_ORDER}",
    ]


def events_of(rows: Rows) -> tuple[TimelineEvent, ...]:
    """Oldest first."""
    return tuple(
        TimelineEvent(
            time=_time(moment),
            cloud=str(cloud),
            account=str(account),
            id=str(id_ or ""),
            kind=KINDS[_whole(kind)],
            region=str(region),
            principal=str(principal),
            source=str(source),
            name=str(name),
            address=str(address),
            agent=str(agent),
            error=str(error),
            record=None if record is None else str(record),
        )
        for moment, cloud, account, id_, kind, region, principal, source, name, address, agent, error, record in rows
    )


def _table(cells: object, many: int) -> tuple[tuple[int, int, int], ...]:
    counts = [[0, 0, 0] for _ in range(many)]
    for bin_, kind, count in cast("Rows", cells):
        counts[_whole(bin_)][_whole(kind)] += _whole(count)
    return tuple((read, write, denied) for read, write, denied in counts)


def _whole(value: object) -> int:
    if isinstance(value, (int, float)):
        return int(value)
    raise TypeError(f"a count is of type {type(value).__name__}")


def _time(value: object) -> datetime:
    return datetime.fromisoformat(str(value)).astimezone(UTC)
