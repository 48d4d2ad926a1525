"""SQL through the tools: answers, pages that fit, ids that grant nothing, waits that end, queries that stop."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp_types import CallToolResult

from crosstrail.answers import lake_query as queries
from crosstrail.server.tool_words import TOOL_WORDS
from crosstrail.vocabulary import speaking
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace
from lake_workspace import (
    ACCOUNTS,
    DEV,
    NOON,
    PROD,
    client_of,
    collect,
    facts_of,
    record,
    rows_of,
    settings,
    text_of,
    write_logs,
)

pytestmark = pytest.mark.anyio

ENDLESS = (
    "SELECT count(*) FROM events a CROSS JOIN events b CROSS JOIN events c CROSS JOIN events d CROSS JOIN events e "
    "WHERE a.eventid || b.eventid || c.eventid || d.eventid || e.eventid LIKE '%none%'"
)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("queries")
    write_logs(folder / "logs", [record(PROD if number % 3 else DEV, number, NOON) for number in range(150)])
    collect(folder / "logs", folder / "lake")
    return folder / "lake"


async def ask(client: Client, sql: str, **more: Any) -> CallToolResult:
    return await client.call_tool("lake_query", {"sql": sql, **more})


async def ended(client: Client, query_id: str) -> str:
    """The state in which a query ends; asks until it does, and gives up after two minutes."""
    with anyio.fail_after(120):
        while True:
            result = await client.call_tool("get_query_status", {"query_id": query_id})
            assert not result.is_error, text_of(result)
            state: str = result.structured_content["state"]
            if state not in ("QUEUED", "RUNNING"):
                return state
            await anyio.sleep(0.05)


async def test_an_answer_is_a_table_with_its_query_id(lake: Path) -> None:
    async with client_of(settings(lake)) as client:
        result = await ask(
            client, "SELECT account, count(*) AS n, max(errorcode) AS e FROM events GROUP BY 1 ORDER BY 1"
        )
    lines = text_of(result).splitlines()
    assert re.fullmatch(r"Query lake:\*:-:\S+ FINISHED: 2 rows here, all there are\.", lines[0])
    assert lines[2:5] == ["account,n,e", f"{PROD},100,", f"{DEV},50,"]
    assert facts_of(result)["rows"] == 2
    assert facts_of(result)["query_id"] in lines[0]
    assert result.structured_content is None


async def test_accounts_narrow_what_sql_sees(lake: Path) -> None:
    async with client_of(settings(lake)) as client:
        dev = await ask(client, "SELECT count(*) FROM events", target_account_id="dev")
        other = await ask(client, "SELECT count(*) FROM prod", target_account_id="dev")
        region = await ask(client, "SELECT 1", region="us-east-1")
    async with client_of(settings(lake, ACCOUNTS[1:])) as client:
        unlisted = await ask(client, "SELECT count(*) FROM events")
    assert rows_of(dev) == ["50"]
    assert other.is_error
    assert "region does not narrow SQL" in text_of(region)
    assert rows_of(unlisted) == ["50"]


async def test_a_refused_statement_tells_line_and_column(lake: Path) -> None:
    async with client_of(settings(lake)) as client:
        file = await ask(client, "SELECT * FROM '/etc/passwd'")
        write = await ask(client, "DROP TABLE events")
    assert file.is_error
    assert text_of(file).startswith("line 1 column 15: ")
    assert write.is_error
    assert text_of(write).startswith("line 1 column ")


async def test_pages_hold_what_fits_and_go_on_after_it(lake: Path) -> None:
    async with client_of(settings(lake)) as client:
        result = await ask(client, "SELECT eventid, eventjson FROM events ORDER BY eventid")
        query_id, seen = facts_of(result)["query_id"], []
        for _ in range(60):
            assert len(text_of(result).encode()) < 10_000
            assert facts_of(result)["count"] == len(rows_of(result)) >= 1
            seen += [row.split(",")[0] for row in rows_of(result)]
            token = facts_of(result)["next_token"]
            if not token:
                break
            assert token in text_of(result)
            result = await client.call_tool("get_query_results", {"query_id": query_id, "next_token": token})
            assert not result.is_error, text_of(result)
    assert len(seen) == len(set(seen)) == 150
    assert seen == sorted(seen)


async def test_a_query_may_be_left_running_and_asked_for_later(lake: Path) -> None:
    async with client_of(settings(lake)) as client:
        started = await ask(client, "SELECT count(*) FROM events", wait_for_completion=False)
        query_id = started.structured_content["query_id"]
        assert f'get_query_results(query_id="{query_id}")' in text_of(started)
        assert await ended(client, query_id) == "FINISHED"
        result = await client.call_tool("get_query_results", {"query_id": query_id})
        bare = await client.call_tool("get_query_results", {"query_id": query_id.rsplit(":", 1)[1]})
        paged = await client.call_tool("get_query_results", {"query_id": query_id, "next_token": "bogus"})
        unknown = await client.call_tool("get_query_status", {"query_id": query_id[:-3] + "000"})
    assert not started.is_error
    assert rows_of(result) == rows_of(bare) == ["150"]
    assert paged.is_error
    assert unknown.is_error


async def test_a_query_id_grants_nothing(lake: Path) -> None:
    """Whoever may not see all accounts that a query read gets the same answer as for a query that never was."""
    async with client_of(settings(lake)) as client:
        query_id = facts_of(await ask(client, "SELECT count(*) FROM events"))["query_id"]
        narrowed = await client.call_tool("get_query_results", {"query_id": query_id, "target_account_id": "dev"})
    async with client_of(settings(lake, ACCOUNTS[1:])) as client:
        for tool in ("get_query_status", "get_query_results", "cancel_query"):
            other = await client.call_tool(tool, {"query_id": query_id})
            never = await client.call_tool(tool, {"query_id": "lake:*:-:00000000-0000-4000-8000-000000000000"})
            assert other.is_error
            assert text_of(other).replace(query_id, "") == text_of(never).replace(
                "lake:*:-:00000000-0000-4000-8000-000000000000", ""
            )
    assert narrowed.is_error


async def test_cancel_query_stops_a_long_one(lake: Path) -> None:
    async with client_of(settings(lake)) as client:
        started = await ask(client, ENDLESS, wait_for_completion=False)
        query_id = started.structured_content["query_id"]
        cancelled = await client.call_tool("cancel_query", {"query_id": query_id})
        assert not cancelled.is_error
        assert await ended(client, query_id) == "CANCELLED"
        result = await client.call_tool("get_query_results", {"query_id": query_id})
    assert result.is_error
    assert "was cancelled" in text_of(result)


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_cancelling_the_request_stops_the_query_upstream(lake: Path, mode: str) -> None:
    """The query is known by its progress: once it runs, the client gives up, and its folder of results says so."""
    before = set((lake / "results").glob("*")) if (lake / "results").is_dir() else set()
    async with client_of(settings(lake), mode) as client:
        running = anyio.Event()

        async def progressed(progress: float, total: float | None, message: str | None) -> None:
            running.set()

        async with anyio.create_task_group() as group:
            group.start_soon(lambda: client.call_tool("lake_query", {"sql": ENDLESS}, progress_callback=progressed))
            with anyio.fail_after(120):
                await running.wait()
            group.cancel_scope.cancel()
        new = set((lake / "results").glob("*")) - before
        names = {re.match(r"[0-9a-f-]{36}", path.name)[0] for path in new if re.match(r"[0-9a-f-]{36}", path.name)}  # type: ignore[index]
        assert len(names) == 1
        assert await ended(client, f"lake:*:-:{names.pop()}") == "CANCELLED"


async def test_past_the_wait_the_query_goes_on_and_its_id_is_given(lake: Path) -> None:
    owner = Workspace(settings(lake))
    workspace = ScopedWorkspace(owner)
    try:
        with speaking(TOOL_WORDS):
            answer = await queries.start(workspace, ENDLESS, "", wait_seconds=0.3)
        query_id = str(answer.facts["query_id"])
        assert answer.complete
        assert not answer.error
        assert f'get_query_results(query_id="{query_id}")' in answer.text
        asked = await queries.status(workspace, query_id, "", "")
        while asked.facts["state"] == "QUEUED":  # on a busy machine
            asked = await queries.status(workspace, query_id, "", "")
        assert asked.facts["state"] == "RUNNING"
        page = await queries.results(workspace, query_id, "", "", limit=10, page_token="")
        assert page.facts["state"] == "RUNNING"
        cancelled = await queries.cancel(workspace, query_id, "", "")
        assert cancelled.facts["query_id"] == query_id
    finally:
        await owner.aclose()


async def test_a_query_past_its_time_limit_is_an_error_that_says_so(lake: Path) -> None:
    async with client_of(settings(lake, query={"time_limit": 0.2})) as client:
        result = await ask(client, ENDLESS)
    assert result.is_error
    assert "was stopped" in text_of(result)
    assert "Narrow it" in text_of(result)


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda content: None,
    "empty": lambda content: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "garbage": lambda content: b"\x55" * len(content),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_data_file_is_named_and_no_statement_is_blamed(damage: str, tmp_path: Path) -> None:
    write_logs(tmp_path / "logs", [record(PROD, number, NOON) for number in range(20)])
    collect(tmp_path / "logs", tmp_path / "lake")
    path = next((tmp_path / "lake/events/data").rglob("*.parquet"))
    _damage(path, damage)
    async with client_of(settings(tmp_path / "lake")) as client:
        result = await ask(client, "SELECT count(eventjson), max(useragent) FROM events")
    assert result.is_error
    assert path.name in text_of(result)
    assert str(tmp_path) not in text_of(result)
    assert "TRY" not in text_of(result)


@pytest.mark.parametrize("name", ["rows.parquet", "status.json"])
@pytest.mark.parametrize("damage", ["empty", "truncated", "garbage", "flipped"])
async def test_a_damaged_result_is_named_with_what_to_do(name: str, damage: str, tmp_path: Path) -> None:
    write_logs(tmp_path / "logs", [record(PROD, number, NOON) for number in range(20)])
    collect(tmp_path / "logs", tmp_path / "lake")
    async with client_of(settings(tmp_path / "lake")) as client:
        query_id = facts_of(await ask(client, "SELECT eventid, eventname FROM events"))["query_id"]
        path = next((tmp_path / "lake/results").rglob(name))
        _damage(path, damage)
        result = await client.call_tool("get_query_results", {"query_id": query_id})
    assert result.is_error
    assert f"{path.parent.name}/{name}" in text_of(result)
    assert "Run the query again" in text_of(result)
    assert str(tmp_path) not in text_of(result)


def _damage(path: Path, damage: str) -> None:
    content = path.read_bytes()
    if damage == "flipped":
        changed = bytearray(content)
        changed[len(content) // 2 if path.suffix == ".json" else 40] ^= 0xFF
        path.write_bytes(changed)
    elif (made := DAMAGES[damage](content)) is None:
        path.unlink()
    else:
        path.write_bytes(made)
