"""The engine `athena`, on a fake that checks every signature and follows botocore's model, and once on moto."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from athena_workspace import BUCKET, OTHER, PAYER, READ, AthenaWorkspace, athena_workspace
from conftest import CommandLine
from crosstrail.engines.athena import cost
from crosstrail.engines.athena_cells import cell_reader, json_statement
from crosstrail.engines.base import QueryScope, run
from crosstrail.engines.sql.types import (
    BIGINT,
    DOUBLE,
    JSON,
    VARBINARY,
    VARCHAR,
    Type,
    array_of,
    decimal_of,
    map_of,
    row_of,
    timestamp_of,
    zoned,
)
from crosstrail.errors import AccountNotFound, InvalidRequest, QueryCancelled, QueryFailed, QueryTimedOut, SqlRejected
from crosstrail.models import QueryRef, QueryState, ResultPage
from crosstrail.settings.config import Settings
from crosstrail.workspace.workspace import Workspace
from fakes.aws import FakeAws
from moto_server import Moto

pytestmark = pytest.mark.anyio
NAMES = "SELECT eventname AS name FROM prod ORDER BY 1"


@pytest.fixture
async def athena(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AthenaWorkspace]:
    async with athena_workspace(tmp_path, monkeypatch) as found:
        yield found


async def answered(athena: AthenaWorkspace, sql: str = NAMES, *, limit: int = 100, seconds: float = 60) -> ResultPage:
    return await run(athena.workspace.engine("athena"), sql, athena.both, limit=limit, wait_seconds=seconds)


async def all_rows(athena: AthenaWorkspace, sql: str = NAMES) -> list[tuple[str | None, ...]]:
    page = await answered(athena, sql, limit=1_000)
    rows = list(page.rows)
    while page.next_token:
        engine = athena.workspace.engine("athena")
        page = await engine.results(page.status.ref, athena.both, page_token=page.next_token, limit=1_000)
        rows += page.rows
    return rows


async def test_a_day_is_asked_for_with_its_partitions_and_accounts_and_the_payers_keys(athena: AthenaWorkspace) -> None:
    athena.comes_to(("a",), ("",), (None,), columns=("name",))
    sql = "SELECT eventname AS name FROM prod WHERE eventtime >= '2026-11-01' AND eventtime < '2026-11-02 00:00:00'"
    page = await answered(athena, sql)
    assert page.rows == (("a",), ("",), (None,))
    assert (page.columns, page.status.rows, page.status.scanned_bytes) == (("name",), 3, 12_345_678)
    assert page.status.cost == "about 0.00006 USD (estimated: 5 USD a TB scanned, 10 MB at least)"
    (sent,) = athena.asked("StartQueryExecution")
    assert f"account IN ('{READ.id}')" in sent["QueryString"]
    assert OTHER.id not in sent["QueryString"]
    assert "day >= '2026/11/01' AND day <= '2026/11/03'" in sent["QueryString"]
    assert 'FROM "AwsDataCatalog"."crosstrail"."cloudtrail_events"' in sent["QueryString"]
    assert sent["QueryExecutionContext"] == {"Catalog": "AwsDataCatalog", "Database": "crosstrail"}
    assert sent["ResultConfiguration"] == {"OutputLocation": f"s3://{BUCKET}/out/"}
    assert "ResultReuseConfiguration" not in sent
    assert {one.account for one in athena.aws.world.requests if one.service == "athena"} == {PAYER}


async def test_workgroup_reuse_and_view_are_those_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = {"workgroup": "audit", "reuse_minutes": 30, "database": "trails", "view": "lake_events", "source": "lake"}
    async with athena_workspace(tmp_path, monkeypatch, output="", price_per_tb=7, **more) as athena:
        athena.athena.workgroups.add("audit")
        athena.comes_to(("1",), columns=("_col0",), scanned_bytes=10**12)
        page = await answered(athena, "SELECT count(*) FROM prod WHERE eventtime > '2026-11-01'")
        assert page.status.cost.startswith("about 7.00 USD")
        (sent,) = athena.asked("StartQueryExecution")
        assert sent["WorkGroup"] == "audit"
        assert sent["ResultReuseConfiguration"] == {
            "ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 30}
        }
        assert '"trails"."lake_events"' in sent["QueryString"]
        assert "event_date >= DATE '2026-11-01'" in sent["QueryString"]
        assert "ResultConfiguration" not in sent


async def test_a_large_result_is_read_from_its_file(athena: AthenaWorkspace) -> None:
    """NULL, empty text, quotes, commas and line ends are told apart in it."""
    odd: list[tuple[str | None, ...]] = [("",), (None,), ('say "no"',), ("a,b",), ("two\nlines",), ("é😀",), ("null",)]
    rows = odd + [(f"event-{number}",) for number in range(2_500)]
    athena.comes_to(*rows, columns=("name",))
    assert await all_rows(athena) == rows
    assert len(athena.asked("GetQueryResults")) == 1
    assert [(one.kind, one.account) for one in athena.s3.asked if one.kind == "get"] == [("get", PAYER)]


@pytest.mark.parametrize("why", ["denied", "gone", "managed"])
async def test_without_the_file_pages_bring_the_same(why: str, athena: AthenaWorkspace) -> None:
    rows = [(f"event-{number}", None if number % 2 else "") for number in range(2_500)]
    athena.comes_to(*rows, columns=("name", "code"))
    if why == "denied":
        athena.s3.allowed[BUCKET] = set()
    elif why == "gone":
        athena.athena.buckets = {}
    else:
        athena.workspace = Workspace(
            athena.workspace.settings.model_copy(
                update={"athena": athena.workspace.settings.athena.model_copy(update={"output": ""})}
            )
        )
    assert await all_rows(athena, "SELECT eventname AS name, errorcode AS code FROM prod") == rows
    assert len(athena.asked("GetQueryResults")) == 3
    await athena.workspace.aclose()


async def test_without_pages_the_file_brings_the_same(athena: AthenaWorkspace) -> None:
    athena.comes_to(("a",), (None,), columns=("name",))
    athena.aws.world.fail("503", action="GetQueryResults", times=-1)
    assert await all_rows(athena) == [("a",), (None,)]
    athena.s3.allowed[BUCKET] = set()
    with pytest.raises(QueryFailed, match="GetQueryResults"):
        await answered(athena)


async def test_rows_and_maps_come_as_json_in_the_order_that_was_asked_for(athena: AthenaWorkspace) -> None:
    athena.comes_to(("b", '{"z":"1","a":null}'), ("a", None), columns=("c0", "c1"))
    page = await answered(athena, "SELECT eventname, requestparameters FROM prod ORDER BY eventtime DESC")
    assert page.rows == (("b", '{"z":"1","a":null}'), ("a", None))
    assert page.columns == ("eventname", "requestparameters")
    sent = athena.asked("StartQueryExecution")[0]["QueryString"]
    assert sent.startswith("SELECT c0, json_format(CAST(c1 AS JSON)) AS c1 FROM (\n")
    assert sent.endswith("ORDER BY eventtime DESC OFFSET 0 ROWS\n) AS t (c0, c1)")


MAP = (VARCHAR, map_of(VARCHAR, VARCHAR))


@pytest.mark.parametrize(
    ("sql", "kept"),
    [
        ("SELECT a, m FROM t ORDER BY a", "SELECT a, m FROM t ORDER BY a OFFSET 0 ROWS"),
        ("SELECT a, m FROM t ORDER BY offset", "SELECT a, m FROM t ORDER BY offset OFFSET 0 ROWS"),
        ("SELECT a, m FROM t ORDER BY a LIMIT 5", "SELECT a, m FROM t ORDER BY a LIMIT 5"),
        ("SELECT a, m FROM t ORDER BY a OFFSET 2", "SELECT a, m FROM t ORDER BY a OFFSET 2"),
        (
            "SELECT a, m FROM t ORDER BY a FETCH FIRST 3 ROWS ONLY",
            "SELECT a, m FROM t ORDER BY a FETCH FIRST 3 ROWS ONLY",
        ),
        ("SELECT a, m FROM (SELECT 1 ORDER BY 1) ", "SELECT a, m FROM (SELECT 1 ORDER BY 1) "),
        ("SELECT ' ORDER ', m FROM t", "SELECT ' ORDER ', m FROM t"),
        ('SELECT "order", m FROM t', 'SELECT "order", m FROM t'),
    ],
)
def test_an_order_that_trino_would_skip_is_kept(sql: str, kept: str) -> None:
    assert json_statement(sql, MAP) == f"SELECT c0, json_format(CAST(c1 AS JSON)) AS c1 FROM (\n{kept}\n) AS t (c0, c1)"
    assert json_statement(sql, (VARCHAR, VARCHAR)) == sql


@pytest.mark.parametrize("inside", [VARBINARY, zoned(3), Type("interval day to second")])
def test_what_has_no_json_is_refused_before_it_runs(inside: Type) -> None:
    with pytest.raises(SqlRejected, match="inside of array, which Athena's results cannot carry"):
        json_statement("SELECT 1, x", (BIGINT, array_of(row_of([inside], ["a"]))))


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [
        (VARCHAR, "", ""),
        (VARCHAR, None, None),
        (VARBINARY, "68 65 6c", "aGVs"),
        (VARBINARY, "", ""),
        (DOUBLE, "1.0E7", "1.0E7"),
        (timestamp_of(3), "2026-11-01 10:20:30.000", "2026-11-01 10:20:30.000"),
        (timestamp_of(6), "2026-11-01 10:20:30.5", "2026-11-01 10:20:30.500000"),
        (timestamp_of(0), "2026-11-01 10:20:30", "2026-11-01 10:20:30"),
        (zoned(3), "2026-11-01 10:20:30 UTC", "2026-11-01 10:20:30.000 UTC"),
        (array_of(DOUBLE), '["NaN",1.0E7,0.5,null]', '["NaN",10000000.0,0.5,null]'),
        (array_of(decimal_of(4, 2)), "[1.5,2]", '["1.50","2.00"]'),
        (array_of(BIGINT), "[9223372036854775807]", "[9223372036854775807]"),
        (row_of([VARCHAR, BIGINT]), '{"":"x","":1}', '{"field0":"x","field1":1}'),
        (row_of([VARCHAR, MAP[1]], ["a", "m"]), '{"a":"\\u00e9","m":{"k":"v"}}', '{"a":"é","m":{"k":"v"}}'),
        (MAP[1], "{}", "{}"),
        (array_of(JSON), '[{"b":1,"a":[true,1.50]}]', '["{\\"b\\":1,\\"a\\":[true,1.5]}"]'),
        (array_of(VARCHAR), None, None),
    ],
)  # fmt: skip
def test_cells_read_as_those_of_the_embedded_engine(kind: Type, text: str | None, shown: str | None) -> None:
    assert cell_reader(kind)(text) == shown


async def test_one_query_runs_however_often_its_start_is_sent(athena: AthenaWorkspace) -> None:
    """An answer that was lost on its way, then a throttled call: the token is the same."""
    athena.comes_to(("a",), columns=("name",))
    athena.aws.world.fail("half", action="StartQueryExecution")
    athena.aws.world.fail("throttle", action="GetQueryExecution", times=2)
    assert (await answered(athena)).rows == (("a",),)
    sent = athena.asked("StartQueryExecution")
    assert len(sent) == 2
    assert len({one["ClientRequestToken"] for one in sent}) == 1
    assert len(athena.athena.executions) == 1
    await answered(athena)
    assert len(athena.athena.executions) == 2


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (
            {"StateChangeReason": "SYNTAX_ERROR: line 9:8: Column 'eventnme' cannot be resolved"},
            "SYNTAX_ERROR: Column '…' cannot be resolved",
        ),
        (
            {"AthenaError": {"ErrorType": 1006, "ErrorCategory": 2, "Retryable": True, "ErrorMessage": "AKIAABCDEFGH1234 failed"}},
            "… failed (Athena's error type 1006); ask again",
        ),
        (
            {"StateChangeReason": "User: arn:aws:sts::5:x is not authorized to perform: glue:GetTable on resource: arn"},
            "Athena may not do glue:GetTable: allow it to the identity of athena.account",
        ),
        ({}, "Athena gave no reason"),
    ],
)  # fmt: skip
async def test_a_failed_query_says_why_without_values(
    status: dict[str, object], said: str, athena: AthenaWorkspace
) -> None:
    athena.comes_to(columns=("name",), states=("RUNNING", "FAILED"), status=status)
    with pytest.raises(QueryFailed) as failed:
        await answered(athena)
    assert str(failed.value).rstrip(".").endswith(said)
    assert not athena.asked("StopQueryExecution")


@pytest.mark.parametrize(
    ("fault", "text", "said"),
    [
        ("code", "InvalidRequestException: WorkGroup audit is not found.", "WorkGroup audit is not found"),
        ("denied", "", "denies athena:StartQueryExecution: no identity-based policy allows it"),
        ("denied", "no permissions boundary allows the athena:StartQueryExecution action", "no permissions boundary"),
        ("expired", "", "have expired"),
        ("throttle", "", "throttles athena:StartQueryExecution"),
        ("503", "", "ServiceUnavailable"),
    ],
)
async def test_what_athena_refuses_is_told_in_our_words(
    fault: str, text: str, said: str, athena: AthenaWorkspace
) -> None:
    athena.aws.world.fail(fault, action="StartQueryExecution", times=-1, text=text)
    with pytest.raises(QueryFailed) as failed:
        await answered(athena)
    assert said in str(failed.value)


async def test_a_result_that_is_gone_fails_the_query(athena: AthenaWorkspace) -> None:
    athena.comes_to(("a",), columns=("name",))
    text = "InvalidRequestException: Could not find results"
    athena.aws.world.fail("code", action="GetQueryResults", text=text)
    with pytest.raises(QueryFailed, match="Could not find results"):
        await answered(athena)


async def test_other_columns_or_no_header_is_never_shown(athena: AthenaWorkspace) -> None:
    athena.comes_to(("a", "b"), columns=("name", "more"))
    with pytest.raises(QueryFailed, match="not of the statement's types"):
        await answered(athena)


async def test_a_query_is_stopped_in_athena_by_cancel_and_by_its_time_limit(
    athena: AthenaWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    athena.comes_to(columns=("name",), states=("RUNNING",))
    engine = athena.workspace.engine("athena")
    ref = await engine.start(NAMES, athena.both)
    with pytest.raises(QueryTimedOut):
        await answered(athena, seconds=1.0)
    await engine.cancel(ref, athena.both)
    with pytest.raises(QueryCancelled):
        await run_to_end(athena, ref)
    assert {one.states[0] for one in list(athena.athena.executions.values())[:1]} == {"CANCELLED"}


async def test_the_time_limit_stops_a_query_in_athena(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with athena_workspace(tmp_path, monkeypatch, time_limit=0.5) as athena:
        athena.comes_to(columns=("name",), states=("RUNNING",))
        with pytest.raises(QueryTimedOut, match=r"its limit of 0.5 s"):
            await answered(athena)
        assert len(athena.asked("StopQueryExecution")) == 1


async def run_to_end(athena: AthenaWorkspace, ref: QueryRef) -> ResultPage:
    from crosstrail.engines.base import ended

    return await ended(athena.workspace.engine("athena"), ref, athena.both, limit=10, wait_seconds=30)


async def test_a_query_that_others_started_cannot_be_read(athena: AthenaWorkspace) -> None:
    """Neither by Athena's own id, which anybody in the account can list, nor by ours in a smaller scope."""
    athena.comes_to(("secret",), columns=("name",))
    page = await answered(athena, "SELECT eventname AS name FROM events")
    engine = athena.workspace.engine("athena")
    for native_id in athena.athena.executions:
        with pytest.raises(InvalidRequest, match="no such query"):
            await engine.results(QueryRef("athena", "*", "", native_id), athena.both)
    with pytest.raises(InvalidRequest, match="no such query"):
        await engine.results(page.status.ref, QueryScope((READ,)))


async def test_a_statement_longer_than_athenas_limit_is_refused(athena: AthenaWorkspace) -> None:
    from crosstrail.models import Account

    many = QueryScope(tuple(Account(id=f"{number:012d}") for number in range(20_000)))
    with pytest.raises(SqlRejected, match="longer than Athena's 262,144 bytes"):
        await athena.workspace.engine("athena").start("SELECT count(*) FROM events", many)
    assert not athena.athena.executions


async def test_an_account_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with athena_workspace(tmp_path, monkeypatch, account="nobody") as athena:
        with pytest.raises(AccountNotFound, match="no account matches 'nobody'"):
            await answered(athena)
        assert not athena.athena.executions


def test_the_command_line_asks_it_and_says_what_it_cost(crosstrail: CommandLine, fake_aws: FakeAws) -> None:
    athena = fake_aws.world.account(PAYER).athena
    athena.outcome.columns, athena.outcome.rows = ("name",), (("ConsoleLogin",),)
    listed = [{"id": PAYER, "alias": "payer", "region": "us-east-1", "auth": fake_aws.world.add_key(PAYER).auth}]
    Path("crosstrail.yaml").write_text(json.dumps({"accounts": listed, "athena": {"account": "payer"}}))
    done = crosstrail("query", "SELECT eventname AS name FROM payer", "--engine", "athena", "--format", "csv")
    assert (done.returncode, done.stdout.splitlines()) == (0, ["name", "ConsoleLogin"]), done.stderr
    assert "It cost about 0.00006 USD (estimated" in done.stderr


def test_an_estimate_has_athenas_least_amount() -> None:
    assert cost(1, 5.0).startswith("about 0.00005 USD")
    assert cost(2 * 10**12, 5.0).startswith("about 10.00 USD")


async def test_it_speaks_with_moto(moto: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another's reading of the API, with the machine's own identity and rows that moto was told."""
    for name, value in moto.environment().items():
        monkeypatch.setenv(name, value)
    rows = [{"Data": [{"VarCharValue": "name"}]}, {"Data": [{"VarCharValue": "a"}]}, {"Data": [{}]}]
    told = {"results": [{"rows": rows, "column_info": [{"Name": "name", "Label": "name", "Type": "varchar"}]}]}
    request = urllib.request.Request(  # noqa: S310 - on loopback
        f"{moto.url}/moto-api/static/athena/query-results",
        json.dumps({"account_id": "123456789012", "region": "us-east-1", **told}).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request).close()  # noqa: S310, ASYNC210
    place = {"output": f"s3://{moto.bucket(BUCKET)}/out"}
    settings = Settings.model_validate({"region": "us-east-1", "athena": place, "lake": {"path": str(tmp_path)}})
    workspace = Workspace(settings)
    try:
        page = await run(workspace.engine("athena"), NAMES, QueryScope((READ,)), limit=10, wait_seconds=60)
    finally:
        await workspace.aclose()
    assert page.rows == (("a",), (None,))
    assert page.status.state is QueryState.FINISHED
