"""SQL on an account's own CloudTrail Lake over the wire: where it runs, how its pages come, how it stops."""

from __future__ import annotations

import anyio
import pytest

from crosstrail.clouds.aws.calls import CloudTrailCalls
from crosstrail.engines.base import QueryScope, run
from crosstrail.engines.cloudtrail_lake import CloudTrailLake
from crosstrail.engines.statement import check_one_select, store_ids
from crosstrail.errors import AccessDenied, InvalidRequest, QueryFailed, QueryTimedOut, SqlRejected, StalePageToken
from crosstrail.models import QueryRef, QueryState
from live_aws import DEV, PROD, LiveAws

pytestmark = pytest.mark.anyio
STORE = "0233062b-51c6-4d1b-8a2e-0123456789ab"


@pytest.fixture
def engine(aws: LiveAws) -> CloudTrailLake:
    return CloudTrailLake(CloudTrailCalls(aws.broker))


def with_store(aws: LiveAws, account: str, rows: int = 3, states: tuple[str, ...] = ("QUEUED", "FINISHED")) -> str:
    """The id of a new store, on which every query comes to so many rows."""
    outcome = aws.world.account(account).outcome
    outcome.states, outcome.columns = list(states), ("eventname", "n")
    outcome.rows = tuple((f"Event{number}", None if number == 1 else str(number)) for number in range(rows))
    return aws.world.account(account).add_store("store").rpartition("/")[2]


async def test_a_query_runs_where_its_store_is_under_that_accounts_key(aws: LiveAws, engine: CloudTrailLake) -> None:
    scope = QueryScope((aws.keys_account(PROD, "prod"), aws.role_account(DEV, "dev")))
    sql = f"SELECT eventname, count(*) n FROM {with_store(aws, DEV)} GROUP BY 1"
    page = await run(engine, sql, scope, limit=100, wait_seconds=200)
    assert (page.status.ref.engine, page.status.ref.account) == ("cloudtrail_lake", DEV)
    assert page.columns == ("eventname", "n")
    assert page.rows == (("Event0", "0"), ("Event1", None), ("Event2", "2"))
    assert (page.next_token, page.status.rows) == ("", 3)
    (started,) = aws.world.asked("StartQuery")
    assert (started.account, started.params) == (DEV, {"QueryStatement": sql})
    assert not aws.world.asked("DescribeQuery")
    await engine.start(sql, scope)
    assert len(aws.world.asked("GetEventDataStore", DEV)) == 1  # where it is was learnt the first time


async def test_no_account_is_asked_for_more_than_the_call_may_see(aws: LiveAws, engine: CloudTrailLake) -> None:
    prod, dev = aws.keys_account(PROD, "prod"), aws.keys_account(DEV, "dev")
    ref = await engine.start(f"SELECT 1 FROM {with_store(aws, DEV)}", QueryScope((prod, dev)))
    asked = len(aws.world.requests)
    for call in (engine.status, engine.results, engine.cancel):
        with pytest.raises(InvalidRequest, match="no such query"):
            await call(ref, QueryScope((prod,)))
    with pytest.raises(InvalidRequest, match="no such query"):
        await engine.results(ref, QueryScope((dev,), region="eu-west-1"))
    assert len(aws.world.requests) == asked
    unknown = QueryRef(ref.engine, DEV, ref.region, STORE)
    with pytest.raises(InvalidRequest, match="no such query"):
        await engine.results(unknown, QueryScope((dev,)))


async def test_rows_come_page_by_page_from_one_upstream_request_a_thousand(
    aws: LiveAws, engine: CloudTrailLake
) -> None:
    scope = QueryScope((aws.keys_account(PROD, "prod"),))
    sql = f"SELECT eventname, n FROM {with_store(aws, PROD, rows=2300, states=('FINISHED',))}"
    ref = await engine.start(sql, scope)
    rows: list[str | None] = []
    token = ""
    while True:
        page = await engine.results(ref, scope, page_token=token, limit=300)
        rows += [row[0] for row in page.rows]
        assert page.status.rows == 2300
        token = page.next_token
        if not token:
            break
    assert rows == [f"Event{number}" for number in range(2300)]
    assert len(aws.world.asked("GetQueryResults")) == 3


@pytest.mark.parametrize("token", ["x", "-1.", "5", "1000.", "0.no-such-token"])
async def test_a_broken_page_token_is_refused(aws: LiveAws, engine: CloudTrailLake, token: str) -> None:
    scope = QueryScope((aws.keys_account(PROD, "prod"),))
    ref = await engine.start(f"SELECT n FROM {with_store(aws, PROD, states=('FINISHED',))}", scope)
    with pytest.raises(StalePageToken):
        await engine.results(ref, scope, page_token=token)


async def test_a_store_nobody_has_is_told_with_the_way_out(aws: LiveAws, engine: CloudTrailLake) -> None:
    scope = QueryScope((aws.keys_account(PROD, "prod"), aws.keys_account(DEV, "dev")))
    assert await engine.owner_of(f"SELECT 1 FROM {STORE}", scope) is None
    with pytest.raises(InvalidRequest) as caught:
        await engine.start(f"SELECT 1 FROM {STORE}", scope)
    assert "closed to new customers" in caught.value.hint


async def test_an_account_that_may_not_be_asked_is_not_taken_for_one_without_the_store(
    aws: LiveAws, engine: CloudTrailLake
) -> None:
    scope = QueryScope((aws.keys_account(PROD, "prod"), aws.keys_account(DEV, "dev")))
    aws.world.accounts[DEV].denied.add("cloudtrail:GetEventDataStore")
    with pytest.raises(AccessDenied, match="dev"):
        await engine.start(f"SELECT 1 FROM {STORE}", scope)


async def test_cancelling_the_wait_cancels_upstream(aws: LiveAws, engine: CloudTrailLake) -> None:
    scope = QueryScope((aws.keys_account(PROD, "prod"),))
    sql = f"SELECT n FROM {with_store(aws, PROD, states=('RUNNING',))}"
    waiting = anyio.Event()

    async def progress(seconds: float, words: str) -> None:
        waiting.set()

    async def ask() -> None:
        await run(engine, sql, scope, limit=100, wait_seconds=200, progress=progress)

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        await waiting.wait()
        group.cancel_scope.cancel()
    (query,) = aws.world.accounts[PROD].queries.values()
    assert query.states == ["CANCELLED"]


async def test_the_end_of_patience_hands_back_the_id(aws: LiveAws, engine: CloudTrailLake) -> None:
    scope = QueryScope((aws.keys_account(PROD, "prod"),))
    sql = f"SELECT n FROM {with_store(aws, PROD, states=('RUNNING',))}"
    with pytest.raises(QueryTimedOut) as caught:
        await run(engine, sql, scope, limit=100, wait_seconds=0.1)
    ref = QueryRef.parse(caught.value.query_id)
    assert ref
    assert (await engine.status(ref, scope)).state is QueryState.RUNNING
    assert (await engine.cancel(ref, scope)).state is QueryState.CANCELLED
    assert (await engine.cancel(ref, scope)).state is QueryState.CANCELLED


async def test_a_failed_query_says_why(aws: LiveAws, engine: CloudTrailLake) -> None:
    scope = QueryScope((aws.keys_account(PROD, "prod"),))
    sql = f"SELECT n FROM {with_store(aws, PROD, states=('RUNNING', 'FAILED'))}"
    aws.world.accounts[PROD].outcome.error = "Query exhausted resources at this scale factor"
    with pytest.raises(QueryFailed, match="exhausted resources"):
        await run(engine, sql, scope, limit=100, wait_seconds=200)


async def test_a_statement_lake_refuses_is_told_with_its_place(aws: LiveAws, engine: CloudTrailLake) -> None:
    scope = QueryScope((aws.keys_account(PROD, "prod"),))
    with pytest.raises(SqlRejected) as caught:
        await engine.start("SELECT 1", scope)
    assert (caught.value.line, caught.value.column) == (1, 15)


async def test_a_lost_answer_to_a_start_is_not_repeated(aws: LiveAws, engine: CloudTrailLake) -> None:
    scope = QueryScope((aws.keys_account(PROD, "prod"),))
    aws.world.fail("half", action="StartQuery")
    with pytest.raises(Exception, match="StartQuery"):
        await engine.start(f"SELECT 1 FROM {with_store(aws, PROD)}", scope)
    assert len(aws.world.asked("StartQuery")) == 1


@pytest.mark.parametrize(
    ("sql", "place"),
    [
        ("", (1, 1)),
        ("DELETE FROM t", (1, 1)),
        ("-- SELECT\nDROP TABLE t", (2, 1)),
        ("SELECT 1; SELECT 2", (1, 11)),
        ("SELECT 1;\n DELETE FROM t", (2, 2)),
        ("SELECT 1 ;;", (1, 11)),
        ("SELECT '" + "x" * 10_000 + "'", (1, 1)),
    ],
)
def test_only_one_select_is_let_through(sql: str, place: tuple[int, int]) -> None:
    with pytest.raises(SqlRejected) as caught:
        check_one_select(sql)
    assert (caught.value.line, caught.value.column) == place


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        " select ';' FROM t ; -- the end; really",
        "/* a; b */ WITH a AS (SELECT 1) SELECT * FROM a;",
        "(SELECT 1) UNION (SELECT 2)",
    ],
)
def test_a_select_is_let_through(sql: str) -> None:
    check_one_select(sql)


def test_stores_are_found_where_sql_names_them() -> None:
    other = "11111111-2222-3333-4444-555555555555"
    assert store_ids(f'SELECT * FROM {STORE} a JOIN "{other.upper()}" b ON a.x = b.x JOIN {STORE} c') == (STORE, other)
    assert store_ids(f"SELECT '{STORE}' /* {STORE} */ FROM events -- {STORE}") == ()
