"""What a client sees before it asks: schemas, annotations, size, prompts, the resource; and how wrong calls are answered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp_types import PromptReference

from lake_workspace import client_of, settings, text_of
from running_server import INITIALIZE, INITIALIZED, LIST_TOOLS

pytestmark = pytest.mark.anyio

SNAPSHOTS = Path(__file__).parent / "snapshots"
PLAIN = {"type", "description", "properties", "required", "items", "enum", "default", "minimum", "maximum"}
TOOLS = {
    "lookup_events": "target_account_id start_time end_time attribute_key attribute_value max_results next_token region detail filters",
    "lake_query": "sql target_account_id wait_for_completion region engine",
    "get_query_status": "query_id target_account_id region",
    "get_query_results": "query_id target_account_id max_results next_token region",
    "cancel_query": "query_id target_account_id region",
    "list_event_data_stores": "target_account_id include_details region next_token",
    "export_events": "sql target_account_id start_time end_time filters region max_records",
    "list_accounts": "selector next_token",
    "show_timeline": "target_account_id start_time end_time filters region lanes",
    "run_detections": "target_account_id start_time end_time level rules region max_findings new",
    "log_coverage": "target_account_id start_time end_time region next_token",
    "summarize_activity": "subject target_account_id start_time end_time region",
    "describe_trails": "target_account_id trail_names region next_token",
}


async def tools(folder: Path, mode: str = "auto", **more: Any) -> list[dict[str, Any]]:
    async with client_of(settings(folder / "lake", **more), mode) as client:
        listed = await client.list_tools()
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in listed.tools]


async def test_names_parameters_and_their_order(tmp_path: Path) -> None:
    found = {tool["name"]: " ".join(tool["inputSchema"]["properties"]) for tool in await tools(tmp_path)}
    assert found == TOOLS
    assert list(found) == list(TOOLS)


async def test_schemas_are_plain_and_optional_means_a_neutral_default(tmp_path: Path) -> None:
    def walk(schema: dict[str, Any]) -> None:
        assert set(schema) <= PLAIN
        assert isinstance(schema["type"], str)
        assert None not in schema.get("enum", [])
        for inner in schema.get("properties", {}).values():
            walk(inner)
        if "items" in schema:
            walk(schema["items"])

    for tool in await tools(tmp_path):
        schema = tool["inputSchema"]
        walk(schema)
        required = set(schema.get("required", []))
        assert required <= {"sql", "query_id", "subject"}
        for name, parameter in schema["properties"].items():
            assert parameter["description"]
            assert (name in required) != ("default" in parameter), f"{tool['name']}.{name}"


async def test_a_write_is_offered_only_where_it_is_allowed(tmp_path: Path) -> None:
    assert "create_trail" not in [tool["name"] for tool in await tools(tmp_path)]
    *rest, create = await tools(tmp_path, allow_writes=True)
    assert [tool["name"] for tool in rest] == list(TOOLS)
    assert create["name"] == "create_trail"
    assert create["inputSchema"]["required"] == ["name", "s3_bucket_name", "target_account_id"]
    assert (create["annotations"]["readOnlyHint"], create["annotations"]["idempotentHint"]) == (False, False)


async def test_every_tool_says_what_it_does_to_the_world(tmp_path: Path) -> None:
    for tool in await tools(tmp_path):
        hints = tool["annotations"]
        named = {"readOnlyHint", "destructiveHint", "openWorldHint"}
        assert set(hints) == (named if hints["readOnlyHint"] else named | {"idempotentHint"})
        assert tool["title"]
        assert hints["readOnlyHint"] is (tool["name"] != "cancel_query")
        assert hints["destructiveHint"] is False
        assert "outputSchema" not in tool
        assert tool["description"]


async def test_every_tool_is_as_in_its_snapshot(tmp_path: Path) -> None:
    found = {
        f"{tool['name']}.json": json.dumps(tool, indent=2) + "\n" for tool in await tools(tmp_path, allow_writes=True)
    }
    kept = {path.name: path.read_text() for path in SNAPSHOTS.glob("*.json")}
    assert found == kept, "if the change is wanted: python tests/write_snapshots.py"


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_both_protocol_eras_see_the_same_tools(tmp_path: Path, mode: str) -> None:
    assert await tools(tmp_path, mode) == await tools(tmp_path)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        (
            "lookup_events",
            {"account": "prod"},
            "lookup_events has no argument account. It accepts: target_account_id, ",
        ),
        ("lookup_events", {"max_results": "many"}, "max_results should be a valid integer"),
        ("lookup_events", {"detail": "all"}, "detail should be 'summary' or 'full', not 'all'"),
        ("lookup_events", {"target_account_id": {"id": 1}}, "target_account_id should be a valid string"),
        ("lookup_events", {}, "which account? There are 3. Set target_account_id to one of: prod (111111111111)"),
        ("lookup_events", {"target_account_id": "prdo"}, "no account matches 'prdo'. Did you mean prod?"),
        ("lookup_events", {"target_account_id": "prod", "start_time": "soon"}, "cannot read the time 'soon'"),
        ("lookup_events", {"next_token": "bogus"}, "this next_token is broken"),
        ("lake_query", {}, "sql is required"),
        ("lake_query", {"sql": " "}, "sql is empty"),
        ("lake_query", {"sql": "SELECT 1", "engine": "oracle"}, "there is no engine 'oracle'. Engines: lake, "),
        ("get_query_status", {"query_id": ""}, "query_id is empty"),
        ("get_query_status", {"query_id": "lake:x"}, "this query id is not whole"),
        ("get_query_results", {"query_id": "oracle:*:-:1"}, "there is no engine 'oracle'"),
        ("list_accounts", {"selector": "nobody"}, "no account matches 'nobody'"),
        (
            "describe_trails",
            {"target_account_id": "prod", "trail_names": "[1"},
            'trail_names should be a list such as ["a"',
        ),
    ],
)
async def test_a_wrong_call_is_answered_with_what_is_right(
    tmp_path: Path, tool: str, arguments: dict[str, Any], said: str
) -> None:
    async with client_of(settings(tmp_path / "lake")) as client:
        result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert text_of(result).startswith(said)
    assert len(text_of(result)) < 500
    assert "pydantic" not in text_of(result)
    assert "Error executing" not in text_of(result)


async def test_an_error_about_the_only_account_asked_ends_with_which_it_was(tmp_path: Path) -> None:
    wrong = {"attribute_key": "SensitiveAction", "attribute_value": "x"}
    async with client_of(settings(tmp_path / "lake")) as client:
        result = await client.call_tool("lookup_events", {"target_account_id": "prod", **wrong})
    assert result.is_error
    assert text_of(result).endswith("Asked: prod (111111111111)."), text_of(result)


async def test_a_wrong_value_is_echoed_short_and_clean(tmp_path: Path) -> None:
    async with client_of(settings(tmp_path / "lake")) as client:
        long = await client.call_tool("lookup_events", {"max_results": "9" * 3_000 + "\u202e\x1b[31m"})
        strange = await client.call_tool("list_accounts", {"x" * 5_000 + "\u202e\n": 1})
    for result in (long, strange):
        assert result.is_error
        assert len(text_of(result).encode()) < 400
        assert text_of(result).isprintable()


async def test_what_models_send_by_mistake_is_understood(tmp_path: Path) -> None:
    listings = (None, "prod, dev", ["prod", "dev"], 111111111111, "*")
    async with client_of(settings(tmp_path / "lake")) as client:
        counts = [text_of(await client.call_tool("list_accounts", {"selector": one})).split()[0] for one in listings]
        null = await client.call_tool("list_event_data_stores", {"include_details": None, "region": None})
        no = await client.call_tool("list_event_data_stores", {"include_details": "false"})
    assert counts == ["3", "2", "2", "1", "3"]
    assert "eventtime | timestamp" in text_of(null)
    assert "eventtime | timestamp" not in text_of(no)


async def test_accounts_and_stores_without_a_lake(tmp_path: Path) -> None:
    async with client_of(settings(tmp_path / "absent")) as client:
        accounts = await client.call_tool("list_accounts", {})
        stores = await client.call_tool("list_event_data_stores", {"region": "us-east-1"})
    assert text_of(accounts).splitlines()[0].startswith("3 accounts")
    assert "033333333333,old" in text_of(accounts)
    assert "env=prod" in text_of(accounts)
    assert "prod" in text_of(stores)
    assert "222222222222" not in text_of(stores)
    assert not accounts.is_error
    assert accounts.structured_content is None


async def test_the_schema_resource_has_every_column_and_five_examples(tmp_path: Path) -> None:
    async with client_of(settings(tmp_path / "lake")) as client:
        listed = await client.list_resources()
        read = await client.read_resource("crosstrail://schema/events")
    assert "crosstrail://schema/events" in {str(one.uri) for one in listed.resources}
    text = read.contents[0].text  # type: ignore[union-attr]
    assert text.count("\n-- ") == 5
    assert "useridentity | row(" in text
    assert "requestparameters | map(varchar, varchar)" in text
    assert "account | varchar" in text


async def test_prompts_name_real_tools_and_complete_accounts(tmp_path: Path) -> None:
    async with client_of(settings(tmp_path / "lake")) as client:
        prompts = (await client.list_prompts()).prompts
        assert len(prompts) == 6
        for prompt in prompts:
            assert prompt.title
            assert prompt.description
            if prompt.name == "investigation_report":  # no steps: test_report.py has it
                continue
            given = {one.name: "MARKER" for one in prompt.arguments or [] if one.required}
            got = await client.get_prompt(prompt.name, given)
            text = got.messages[0].content.text  # type: ignore[union-attr]
            assert "lookup_events" in text
            assert ("MARKER" in text) == bool(given)
            assert len(text) < 2_500
        found = await client.complete(
            PromptReference(type="ref/prompt", name="first_look"), {"name": "account", "value": "P"}
        )
    assert found.completion.values == ["prod"]


def test_serving_tools_list_loads_no_heavy_library(tmp_path: Path) -> None:
    messages = (INITIALIZE, INITIALIZED, LIST_TOOLS)
    told = tmp_path / "stderr"  # a pipe that nobody reads yet holds less than that
    with told.open("w") as stderr:
        server = subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", "crosstrail", "serve", "--lake", str(tmp_path / "lake")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=os.environ,
            text=True,
        )
    assert server.stdin
    assert server.stdout
    server.stdin.write("".join(json.dumps(message) + "\n" for message in messages))
    server.stdin.flush()
    answers = [json.loads(server.stdout.readline()) for _ in range(2)]
    rest, _ = server.communicate(timeout=60)
    assert [tool["name"] for tool in answers[1]["result"]["tools"]] == list(TOOLS)
    assert answers[0]["result"]["instructions"]
    assert rest == ""
    assert server.returncode == 0
    lines = told.read_text().splitlines()
    assert [line for line in lines if not line.startswith("import time:")] == []
    loaded = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in lines}
    assert "mcp" in loaded
    assert not loaded & {"boto3", "botocore", "duckdb", "pyarrow", "pyiceberg", "sqlglot", "fastmcp", "pandas", "numpy"}
