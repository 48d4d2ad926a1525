"""`serve.structured`: rows as structured content with a schema, for programs; the same rows as the text, and as bounded."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from crosstrail.answers.structured import OUTPUT_SCHEMA
from lake_workspace import client_of, collect, record, settings, text_of, write_logs
from listed_accounts import moment
from live_aws import PROD, LiveAws

pytestmark = pytest.mark.anyio
WITH_ROWS = {
    "lookup_events",
    "lake_query",
    "get_query_results",
    "list_event_data_stores",
    "list_accounts",
    "describe_trails",
    "create_trail",
    "log_coverage",
    "run_detections",
    "summarize_activity",
}
ON: dict[str, Any] = {"serve": {"structured": True}}


async def test_tools_with_rows_have_an_output_schema_only_when_told(aws: LiveAws) -> None:
    aws.keys_account(PROD, "prod")
    async with client_of(aws.settings(allow_writes=True)) as client:
        assert not [tool.name for tool in (await client.list_tools()).tools if tool.output_schema]
        assert (await client.call_tool("list_accounts", {})).structured_content is None
    async with client_of(aws.settings(allow_writes=True, **ON)) as client:
        tools = {tool.name: tool.output_schema for tool in (await client.list_tools()).tools}
    given = {name for name, schema in tools.items() if schema}
    assert given == WITH_ROWS & set(tools)
    assert {json.dumps(tools[name]) for name in given} == {'{"type": "object"}'}, (
        "the list has no room for the whole of it"
    )


async def test_every_tool_with_rows_gives_those_of_the_text(aws: LiveAws) -> None:
    """The client checks each answer against the schema itself."""
    aws.keys_account(PROD, "prod")
    account = aws.world.accounts[PROD]
    account.outcome.columns, account.outcome.rows = ("n",), (("42",),)
    event = account.log("GetUser", moment(timedelta(minutes=5)))
    account.add_trail("main")
    arn = account.add_store("theirs")
    store = arn.rpartition("/")[2]
    async with client_of(aws.settings(allow_writes=True, **ON)) as client:

        async def asked(tool: str, **arguments: Any) -> list[dict[str, Any]]:
            result = await client.call_tool(tool, arguments)
            assert not result.is_error, text_of(result)
            content = result.structured_content
            assert content
            jsonschema.validate(content, OUTPUT_SCHEMA)
            assert (content["rows_left_out"], content["cells_cut"]) == (0, 0)
            rows: list[dict[str, Any]] = content["rows"]
            return rows

        [found] = await asked("lookup_events")
        assert (found["event_id"], found["event"], found["account"]) == (event, "GetUser", "prod")
        [whole] = await asked("lookup_events", detail="full")
        assert json.loads(whole["record"])["eventID"] == event
        assert [one["trail"] for one in await asked("describe_trails")] == ["main"]
        assert {one.get("name") for one in await asked("list_event_data_stores")} >= {"theirs", "prod", "all"}
        assert [one["account"] for one in await asked("list_accounts")] == [PROD]
        assert await asked("log_coverage") == []  # nothing was collected
        started = await client.call_tool("lake_query", {"sql": f"SELECT count(*) AS n FROM {store}"})
        assert started.structured_content
        assert started.structured_content["rows"] == [{"n": "42"}]
        query_id = started.structured_content["facts"]["query_id"]
        assert await asked("get_query_results", query_id=query_id) == [{"n": "42"}]
        running = await client.call_tool(
            "lake_query", {"sql": f"SELECT count(*) AS n FROM {store}", "wait_for_completion": False}
        )
        assert running.structured_content
        assert running.structured_content["rows"] == []
        assert running.structured_content["facts"]["state"] == "QUEUED"
        made = await asked("create_trail", name="audit", s3_bucket_name="logs-bucket", target_account_id="prod")
        assert [one["trail"] for one in made] == ["audit"]
        assert (await client.call_tool("lookup_events", {"target_account_id": "absent"})).is_error


async def test_values_are_cleaned_and_bounded_as_in_the_text(aws: LiveAws, tmp_path: Path) -> None:
    hostile = "a\u202eb\u200bc\x1b[31md\ne"
    records = [
        record(PROD, number, moment(timedelta(days=1)), userAgent=f"{hostile}{'x' * 3_000}") for number in range(50)
    ]
    write_logs(tmp_path / "logs", records)
    collect(tmp_path / "logs", tmp_path / "lake")
    async with client_of(settings(tmp_path / "lake", **ON)) as client:
        result = await client.call_tool("lake_query", {"sql": "SELECT useragent, useragent, eventid FROM events"})
    content = result.structured_content
    assert content, text_of(result)
    written = json.dumps(content, ensure_ascii=False)
    assert len(written.encode()) < 40_000
    assert not [sign for sign in "\u202e\u200b\x1b" if sign in written]
    assert "\\n" not in written
    assert set(content["rows"][0]) == {"useragent", "useragent_2", "eventid"}
    assert content["rows_left_out"] > 0
    assert content["cells_cut"] == 2 * len(content["rows"])
