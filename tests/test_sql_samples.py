"""The queries that AWS publishes for CloudTrail Lake run over real logs; those that are broken as published are listed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import preloaded
from conftest import SHARED_DATA
from crosstrail.engines.base import QueryScope
from crosstrail.engines.rendering import renderer
from crosstrail.engines.sql.prepare import prepare
from crosstrail.errors import SqlRejected
from crosstrail.lake.reader import connect
from crosstrail.lake.table import LakeTable
from crosstrail.models import Account
from crosstrail.store_ids import ALL_STORES_ID
from published_queries import BROKEN, STORE


class Lake:
    """The real logs of three collections in one lake, and one locked connection to all of it."""

    def __init__(self, folder: Path) -> None:
        with closing(LakeTable.open(folder)) as table:
            self.scope = QueryScope(tuple(Account(id=each.account, cloud=each.cloud) for each in table.accounts()))
            self.connection = connect(table.plan(None))

    def rows(self, sql: str) -> list[tuple[str | None, ...]]:
        prepared = prepare(sql, self.scope)
        table = self.connection.sql(prepared.sql).to_arrow_table()
        show = [renderer(kind) for kind in prepared.types]
        columns = [
            [each(value) for value in column.to_pylist()] for each, column in zip(show, table.columns, strict=True)
        ]
        return list(zip(*columns, strict=True))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    if not SHARED_DATA.is_dir():
        pytest.skip("needs ../shared/data, real logs that are not part of this project")
    folder = tmp_path_factory.mktemp("samples")
    sources = [SHARED_DATA / "aws" / name for name in ("invictus", "stratus", "traildiscover")]
    done = preloaded.run("collect", *sources, "--lake", folder)
    assert done.returncode == 0, done.stderr
    made = Lake(folder)
    with closing(made.connection):
        yield made


def _published() -> list[dict[str, str]]:
    path = SHARED_DATA / "lake_sql" / "queries.jsonl"
    lines = path.read_text().splitlines() if path.is_file() else []
    return [query for query in map(json.loads, lines) if query["kind"] in ("cloudtrail", "network")]


@pytest.mark.parametrize("query", _published(), ids=lambda query: query["name"])
def test_a_published_query_runs_or_is_listed_as_broken(query: dict[str, str], lake: Lake) -> None:
    sql = STORE.sub(ALL_STORES_ID, query["sql"]).replace("${date_filter}", "2023-07-10 00:00:00")
    if query["name"] in BROKEN:
        with pytest.raises(SqlRejected) as caught:
            prepare(sql, lake.scope)
        assert (caught.value.line, caught.value.column) == BROKEN[query["name"]]
        table = (Path(__file__).parents[1] / "docs" / "lake-sample-queries.md").read_text()
        assert f"`{query['name']}`" in table
    else:
        lake.rows(sql)


def test_all_published_queries_were_tried(lake: Lake) -> None:
    names = {query["name"] for query in _published()}
    assert len(names) >= 44
    assert set(BROKEN) <= names


def test_counts_are_those_of_the_logs(lake: Lake, shared_data: Path) -> None:
    golden = json.loads((shared_data / "golden" / "counts.json").read_text())["invictus"]
    where = "WHERE source_object LIKE '%invictus%' GROUP BY 1"
    for column in ("errorCode", "eventName"):
        found = lake.rows(f"SELECT coalesce({column}, 'None'), count(*) FROM events {where}")
        counted = {value: int(str(count)) for value, count in found}
        assert {value: counted.get(value) for value in golden[column]} == golden[column]


@pytest.mark.parametrize(
    "sql",
    [
        # Each says the same in two ways; the answer is the number of events where they differ.
        "SELECT count(*) FROM events WHERE userIdentity.accountId IS DISTINCT FROM json_extract_scalar(eventjson, '$.userIdentity.accountId')",
        "SELECT count(*) FROM events WHERE json_extract_scalar(eventjson, '$.eventName') IS DISTINCT FROM eventName",
        "SELECT count(*) FROM events WHERE TRY(CAST(json_parse(eventjson) AS map(varchar, json))) IS NULL",
        "SELECT count(*) FROM events WHERE eventtime <> from_iso8601_timestamp(json_extract_scalar(eventjson, '$.eventTime'))",
        "SELECT count(*) FROM events WHERE eventtime >= '2023-07-10T00:00:00Z' AND NOT eventtime >= timestamp '2023-07-10 00:00:00'",
        "SELECT count(*) FROM events WHERE date_trunc('day', eventtime) <> CAST(date(eventtime) AS timestamp)",
        "SELECT count(*) FROM (SELECT eventid FROM events CROSS JOIN UNNEST(requestparameters) AS t(k, v) "
        "WHERE v IS DISTINCT FROM element_at(requestparameters, k))",
        "SELECT abs(count(*) - (SELECT sum(cardinality(resources)) FROM events)) FROM events CROSS JOIN UNNEST(resources) AS r(a, b, c, d)",
    ],
)
def test_two_ways_to_ask_give_one_answer(sql: str, lake: Lake) -> None:
    assert lake.rows(sql) == [("0",)]


def test_distinct_maps_are_those_that_hold_different_entries(lake: Lake) -> None:
    """Counted here by sets of entries, which have no order."""
    for column in ("requestparameters", "responseelements", "additionaleventdata"):
        held = lake.connection.execute(f"SELECT map_entries({column}) FROM lake_events WHERE {column} IS NOT NULL")
        wanted = len({frozenset((each["key"], each["value"]) for each in entries) for (entries,) in held.fetchall()})
        assert wanted > 100
        assert lake.rows(f"SELECT count(DISTINCT {column}), approx_distinct({column}) FROM events") == [
            (str(wanted),) * 2
        ]
        assert lake.rows(
            f"SELECT count(*) FROM (SELECT {column} FROM events WHERE {column} IS NOT NULL GROUP BY 1)"
        ) == [(str(wanted),)]
