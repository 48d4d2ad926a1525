"""A query opens only the files that its conditions on eventtime leave, and never loses a row by it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_logs import ACCOUNT, record
from crosstrail.engines.base import QueryScope
from crosstrail.engines.sql.prepare import PreparedStatement, prepare
from crosstrail.engines.worker import span_of
from crosstrail.lake.reader import connect
from crosstrail.lake.table import LakeTable
from crosstrail.models import Account
from crosstrail.timerange import TimeRange
from lake_workspace import collect

if TYPE_CHECKING:
    import duckdb

SCOPE = QueryScope((Account(id=ACCOUNT, alias="prod"),))
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 8
NOW = FIRST + timedelta(days=5, hours=3)


class Lake:
    """Four events a day: at midnight (every other day a second later), in the morning, at noon, in the last second."""

    def __init__(self, folder: Path) -> None:
        self.table = LakeTable.open(folder)
        self.files = self.table.plan(SCOPE_KEYS)
        self._connections: dict[tuple[str, ...], duckdb.DuckDBPyConnection] = {}

    def narrowed(self, prepared: PreparedStatement) -> tuple[str, ...]:
        """The files that are opened for it."""
        return self.table.plan(prepared.accounts, span_of(prepared.scans))

    def rows(self, prepared: PreparedStatement, files: tuple[str, ...]) -> list[tuple[object, ...]]:
        """Its rows in these files."""
        if files not in self._connections:
            self._connections[files] = connect(files)
        return self._connections[files].execute(prepared.sql).fetchall()

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self.table.close()


SCOPE_KEYS = frozenset(account.key for account in SCOPE.accounts)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    folder = tmp_path_factory.mktemp("spans")
    times = [
        FIRST + timedelta(days=day, seconds=second)
        for day in range(DAYS)
        for second in (0 if day % 2 else 1, 9 * 3600 + 1, 12 * 3600, 86399)
    ]
    records = [record(number, eventTime=f"{at:%Y-%m-%dT%H:%M:%SZ}") for number, at in enumerate(times)]
    (folder / "logs.json").write_text(json.dumps({"Records": records}))
    collect(folder / "logs.json", folder / "lake")
    made = Lake(folder / "lake")
    with closing(made):
        yield made


_TIMES = st.builds(
    lambda days, seconds: FIRST + timedelta(days=days, seconds=seconds),
    st.integers(-2, DAYS + 2),
    st.sampled_from([0, 1, 9 * 3600 + 1, 12 * 3600, 86399]),
)
_MOMENTS = st.one_of(
    _TIMES.map(lambda at: f"'{at:%Y-%m-%d %H:%M:%S}'"),
    _TIMES.map(lambda at: f"'{at:%Y-%m-%dT%H:%M:%SZ}'"),
    _TIMES.map(lambda at: f"TIMESTAMP '{at:%Y-%m-%d %H:%M:%S}.001'"),
    _TIMES.map(lambda at: f"TIMESTAMP '{at:%Y-%m-%d %H:%M:%S} Asia/Tokyo'"),
    _TIMES.map(lambda at: f"DATE '{at:%Y-%m-%d}'"),
    _TIMES.map(lambda at: f"from_iso8601_timestamp('{at:%Y-%m-%dT%H:%M:%S}+09:00')"),
    st.integers(-4, 8).map(lambda days: f"date_add('day', -{days}, now())".replace("--", "")),
    st.integers(0, 120).map(lambda hours: f"current_timestamp - INTERVAL '{hours}' HOUR"),
    st.just("CAST(NULL AS timestamp)"),
)
_SIGNS = st.sampled_from([">", ">=", "<", "<=", "=", "<>"])
_UNITS = st.sampled_from(["hour", "day", "week", "month", "quarter", "year"])


def _plain(column: str) -> st.SearchStrategy[str]:
    days = _TIMES.map(lambda at: f"DATE '{at:%Y-%m-%d}'")
    return st.one_of(
        st.builds(lambda sign, at: f"{column} {sign} {at}", _SIGNS, _MOMENTS),
        st.builds(lambda at, sign: f"{at} {sign} {column}", _MOMENTS.filter(lambda at: at[0] != "'"), _SIGNS),
        st.builds(lambda low, high: f"{column} BETWEEN {low} AND {high}", _MOMENTS, _MOMENTS),
        st.builds(lambda sign, day: f"date({column}) {sign} {day}", _SIGNS, days),
        st.builds(lambda sign, day: f"CAST({column} AS date) {sign} {day}", _SIGNS, days),
        st.builds(lambda unit, sign, at: f"date_trunc('{unit}', {column}) {sign} {at}", _UNITS, _SIGNS, _MOMENTS),
        st.just("eventname <> 'x'"),
    )


def _conditions(column: str) -> st.SearchStrategy[str]:
    return st.recursive(
        _plain(column),
        lambda inner: st.one_of(
            st.builds(lambda a, b: f"({a} AND {b})", inner, inner),
            st.builds(lambda a, b: f"({a} OR {b})", inner, inner),
            inner.map(lambda a: f"(NOT {a})"),
        ),
        max_leaves=4,
    )


_STATEMENTS = st.one_of(
    st.builds(" AND ".join, st.lists(_plain("eventtime"), min_size=1, max_size=2)).map(
        lambda c: f"SELECT eventid FROM events WHERE {c} ORDER BY 1"
    ),
    _conditions("eventtime").map(lambda c: f"SELECT eventid FROM events WHERE {c} ORDER BY 1"),
    _conditions("s.eventtime").map(
        lambda c: f"SELECT eventid FROM (SELECT eventid, eventtime, eventname FROM events ORDER BY eventtime LIMIT 9) s WHERE {c} ORDER BY 1"
    ),
    st.builds(
        lambda one, other: f"SELECT eventid FROM events WHERE {one} UNION ALL SELECT eventname FROM prod WHERE {other} ORDER BY 1",
        _conditions("eventtime"),
        _conditions("eventtime"),
    ),
    st.builds(
        lambda side, c: f"SELECT e.eventid, p.eventid FROM (SELECT eventid, eventname, eventtime FROM events WHERE {c[0]}) e "
        f"{side} JOIN (SELECT eventid, eventtime t FROM prod) p ON e.eventid = p.eventid WHERE {c[1]} ORDER BY 1, 2",
        st.sampled_from(["LEFT", "RIGHT", "FULL", "INNER"]),
        st.tuples(_conditions("eventtime"), _conditions("p.t")),
    ),
    st.builds(
        lambda side, c: f"SELECT e.eventid, p.eventid FROM events e {side} JOIN prod p ON e.eventid = p.eventid AND p.eventtime < DATE '2026-03-04' "
        f"WHERE {c} ORDER BY 1, 2",
        st.sampled_from(["LEFT", "RIGHT", "FULL", "INNER"]),
        st.sampled_from(["e", "p"]).flatmap(lambda name: _conditions(f"{name}.eventtime")).map(
            lambda c: c.replace("eventname", "e.eventname")
        ),
    ),
    _conditions("e.eventtime").map(
        lambda c: f"SELECT eventid FROM events e WHERE EXISTS (SELECT 1 FROM prod p WHERE p.eventid = e.eventid AND {c}) ORDER BY 1"
    ),
)  # fmt: skip


@settings(max_examples=100)
@given(sql=_STATEMENTS)
def test_no_row_is_lost(sql: str, lake: Lake) -> None:
    prepared = prepare(sql, SCOPE, now=NOW)
    files = lake.narrowed(prepared)
    if files != lake.files:  # else there is nothing to lose
        assert lake.rows(prepared, files) == lake.rows(prepared, lake.files)


@pytest.mark.parametrize(
    ("condition", "files"),
    [
        ("eventtime >= '2026-03-03' AND eventtime < '2026-03-04T00:00:00Z'", 2),
        ("eventtime BETWEEN TIMESTAMP '2026-03-03 01:00:00' AND '2026-03-03 23:00:00'", 1),
        ("date(eventtime) = '2026-03-03'", 2),
        ("(date_trunc('day', eventtime) = DATE '2026-03-03') AND eventname LIKE '%User'", 2),
        ("eventtime > now() - INTERVAL '1' DAY", 4),
        ("eventtime > '2026-03-03' OR eventname = 'x'", DAYS),
        ("NOT eventtime > '2026-03-03'", DAYS),
    ],
)
def test_files_outside_the_span_stay_closed(condition: str, files: int, lake: Lake) -> None:
    assert len(lake.files) == DAYS
    assert len(lake.narrowed(prepare(f"SELECT eventid FROM events WHERE {condition}", SCOPE, now=NOW))) == files


def test_a_scan_without_conditions_keeps_all_open() -> None:
    sql = "SELECT count(*) FROM events WHERE eventtime > '2026-03-03' AND eventid NOT IN (SELECT eventid FROM prod)"
    assert span_of(prepare(sql, SCOPE, now=NOW).scans) == TimeRange()
