"""The three tools of `mcp-server-cloud-trail` as a client sees them, against the published contract and a live fake."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import CallToolResult

import preloaded
from crosstrail.server.access.admission import Admission
from crosstrail.server.volcengine.drop_in_app import TOOLS, create_volcengine_server
from crosstrail.server.volcengine.drop_in_settings import load_server_settings
from crosstrail.workspace.workspace import Workspace
from fakes.volcengine import FakeVolcengine, Key
from listed_accounts import moment
from live_volcengine import CN_PROD
from volcengine_server import json_of

_PLAIN = {"type", "description", "properties", "required", "items", "enum", "default", "minimum", "maximum"}


@pytest.fixture
def fake() -> Iterator[FakeVolcengine]:
    with FakeVolcengine() as made:
        yield made


@asynccontextmanager
async def _client(fake: FakeVolcengine, key: Key | None, **environ: str) -> AsyncIterator[Client]:
    environ = {"VOLCENGINE_ENDPOINT": fake.url, **environ}
    if key:
        environ |= {"VOLCENGINE_ACCESS_KEY": key.id, "VOLCENGINE_SECRET_KEY": key.secret}
        environ |= {"VOLCENGINE_ACCESS_SESSION_TOKEN": key.token}
    settings = load_server_settings(environ=environ)
    workspace = Workspace(settings.as_served())
    admission = Admission(workspace, table=TOOLS)
    async with Client(create_volcengine_server(settings, workspace, admission)) as client:
        yield client
    await workspace.aclose()
    admission.close()


def _ask(fake: FakeVolcengine, key: Key | None, tool: str, /, **arguments: Any) -> CallToolResult:
    async def ask() -> CallToolResult:
        async with _client(fake, key) as client:
            return await client.call_tool(tool, arguments)

    return anyio.run(ask)


def _schemas(fake: FakeVolcengine) -> dict[str, dict[str, Any]]:
    async def listed() -> dict[str, dict[str, Any]]:
        async with _client(fake, None) as client:
            return {tool.name: tool.input_schema for tool in (await client.list_tools()).tools}

    return anyio.run(listed)


def _parameters(operation: dict[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Name -> type, and the required names, of an OpenAPI operation."""
    if body := operation.get("requestBody"):
        schema = body["content"]["application/json"]["schema"]
        return {name: one["type"] for name, one in schema["properties"].items()}, schema.get("required", [])
    given = operation["parameters"]
    return {one["name"]: one["schema"]["type"] for one in given}, [one["name"] for one in given if one.get("required")]


def test_names_types_and_required_lists_are_the_published_ones(fake: FakeVolcengine, shared_data: Path) -> None:
    contract = json.loads((shared_data / "volc/openapi_cloud_trail.json").read_text())
    schemas = _schemas(fake)
    assert list(schemas) == ["CreateTrail", "DescribeTrails", "LookupEvents"]
    for path, operations in contract["paths"].items():
        operation = operations.get("get") or operations["post"]
        types, required = _parameters(operation)
        schema = schemas[path.removeprefix("/")]
        assert {name: one["type"] for name, one in schema["properties"].items()} == types
        assert schema.get("required", []) == required
    condition = schemas["LookupEvents"]["properties"]["LookupConditions"]["items"]["properties"]
    assert set(condition) == set(contract["components"]["schemas"]["LookupCondition"]["properties"])


def test_schemas_are_plain_and_described_in_both_languages(fake: FakeVolcengine) -> None:
    def walk(schema: dict[str, Any]) -> None:
        assert set(schema) <= _PLAIN, schema
        assert isinstance(schema["type"], str)
        for inner in schema.get("properties", {}).values():
            assert any("\u4e00" <= sign <= "\u9fff" for sign in inner["description"])
            assert " / " in inner["description"]
            walk(inner)
        if "items" in schema:
            walk({"type": "object", **schema["items"]})

    for schema in _schemas(fake).values():
        walk(schema)


def test_lookup_events_answers_the_result(fake: FakeVolcengine) -> None:
    key, account = fake.world.add_key(CN_PROD), fake.world.accounts[CN_PROD]
    ids = [account.log("GetUser", moment(timedelta(minutes=age))) for age in range(60)]
    account.log("DeleteUser", moment())
    first = json_of(
        _ask(
            fake,
            key,
            "LookupEvents",
            MaxResults=50,
            StartTime=int(moment(timedelta(days=1)).timestamp()),
            EndTime=int(moment().timestamp()) + 5,
            LookupConditions=[{"LookupConditionKey": "EventName", "LookupConditionValue": "GetUser"}],
        )
    )
    assert [event["EventID"] for event in first["Trails"]] == ids[:50]
    assert json.loads(first["Trails"][0]["EventDetail"])["UserIdentity"]["AccountID"] == CN_PROD
    sent = fake.world.requests[-1]
    assert (sent.method, sent.version, sent.service, sent.region) == ("POST", "2021-09-01", "cloud_trail", "cn-beijing")
    again = dict(sent.params) | {"NextToken": first["NextToken"]}
    rest = json_of(_ask(fake, key, "LookupEvents", **again))
    assert ([event["EventID"] for event in rest["Trails"]], rest["NextToken"]) == (ids[50:], "")


def test_other_forms_of_arguments_are_taken(fake: FakeVolcengine) -> None:
    key = fake.world.add_key(CN_PROD)
    fake.world.accounts[CN_PROD].log("GetUser", moment())
    conditions = '[{"LookupConditionKey": "EventName", "LookupConditionValue": "GetUser"}]'
    told = json_of(_ask(fake, key, "LookupEvents", MaxResults="5", NextToken=None, LookupConditions=conditions))
    assert len(told["Trails"]) == 1
    assert fake.world.requests[-1].params == {"MaxResults": 5, "LookupConditions": json.loads(conditions)}


def test_no_number_of_results_leaves_it_to_the_api(fake: FakeVolcengine) -> None:
    key = fake.world.add_key(CN_PROD)
    for age in range(60):
        fake.world.accounts[CN_PROD].log("GetUser", moment(timedelta(minutes=age)))
    assert len(json_of(_ask(fake, key, "LookupEvents"))["Trails"]) == 50
    assert "MaxResults" not in fake.world.requests[-1].params


@pytest.mark.parametrize(
    ("tool", "arguments", "sent", "note"),
    [
        (
            "LookupEvents",
            {"MaxResults": 500},
            {"MaxResults": 50},
            "MaxResults is 0 to 50; 50 was used in place of 500.",
        ),
        (
            "LookupEvents",
            {"MaxResults": "900"},
            {"MaxResults": 50},
            "MaxResults is 0 to 50; 50 was used in place of 900.",
        ),
        ("LookupEvents", {"MaxResults": -3}, {}, "MaxResults is 0 to 50; 0 was used in place of -3."),
        ("LookupEvents", {"MaxResults": 50}, {"MaxResults": 50}, ""),
        (
            "DescribeTrails",
            {"TrailNames": [], "IncludeOrganizationTrail": 2},
            {"IncludeOrganizationTrail": "1"},
            "IncludeOrganizationTrail is 0 to 1; 1 was used in place of 2.",
        ),
    ],
)
def test_a_number_beyond_a_limit_is_put_at_it_with_a_note_beside_the_result(
    fake: FakeVolcengine, tool: str, arguments: dict[str, Any], sent: dict[str, Any], note: str
) -> None:
    key = fake.world.add_key(CN_PROD)
    told = json_of(_ask(fake, key, tool, **arguments))
    assert told.pop("Note", "") == note
    assert fake.world.requests[-1].params == sent
    plain = {**arguments, **sent} if sent else {}
    assert told.keys() == json_of(_ask(fake, key, tool, **plain)).keys()


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("LookupEvents", {"StartTime": -1}),
        ("LookupEvents", {"EndTime": -1}),
        ("CreateTrail", {"TrailName": "t", "EventRW": "All", "EventSources": ["iam"], "TrailType": 2}),
    ],
)
def test_a_number_is_not_made_another_where_that_would_mean_something_else(
    fake: FakeVolcengine, tool: str, arguments: dict[str, Any]
) -> None:
    """No time before 1970 is now, and whoever asks for a trail that there is not gets none of the organization."""
    key = fake.world.add_key(CN_PROD)

    async def ask() -> CallToolResult:
        async with _client(fake, key, CROSSTRAIL_ALLOW_WRITES="true") as client:
            return await client.call_tool(tool, arguments)

    result = anyio.run(ask)
    assert result.is_error
    assert list(arguments)[-1] in result.content[0].text  # type: ignore[union-attr]
    assert fake.world.requests == []


def test_text_that_shows_nothing_is_escaped_and_stays_the_same(fake: FakeVolcengine) -> None:
    key = fake.world.add_key(CN_PROD)
    name = "Get\u202eUser\u200b中文"
    fake.world.accounts[CN_PROD].log(name, moment())
    result = _ask(fake, key, "LookupEvents")
    assert json_of(result)["Trails"][0]["EventName"] == name
    text = result.content[0].text  # type: ignore[union-attr]
    assert "\u202e" not in text
    assert "\u200b" not in text
    assert "中文" in text


def test_describe_trails_answers_the_result(fake: FakeVolcengine) -> None:
    key = fake.world.add_key(CN_PROD)
    for name in ("a", "b", "c"):
        fake.world.accounts[CN_PROD].add_trail(name)
    told = json_of(_ask(fake, key, "DescribeTrails", TrailNames=["a", "c"], IncludeOrganizationTrail=1))
    assert [trail["TrailName"] for trail in told["Trails"]] == ["a", "c"]
    sent = fake.world.requests[-1]
    assert (sent.method, sent.version) == ("GET", "2018-01-01")
    assert sent.params == {"TrailNames.1": "a", "TrailNames.2": "c", "IncludeOrganizationTrail": "1"}


_TRAIL = {
    "TrailName": "t",
    "EventRW": "All",
    "EventSources": ["iam", "ecs"],
    "TrailType": 0,
    "TosBucketName": "bucket1",
}


def test_create_trail_is_listed_and_refuses_until_writes_are_allowed(fake: FakeVolcengine) -> None:
    result = _ask(fake, fake.world.add_key(CN_PROD), "CreateTrail", **_TRAIL)
    assert result.is_error
    assert "--allow-writes" in result.content[0].text  # type: ignore[union-attr]
    assert fake.world.requests == []


def test_create_trail_creates_one_where_writes_are_allowed(fake: FakeVolcengine) -> None:
    key = fake.world.add_key(CN_PROD)

    async def create() -> CallToolResult:
        async with _client(fake, key, CROSSTRAIL_ALLOW_WRITES="true") as client:
            return await client.call_tool("CreateTrail", _TRAIL)

    told = json_of(anyio.run(create))
    assert told["EventSources"] == ["iam", "ecs"]
    assert fake.world.requests[-1].params["EventSources.2"] == "ecs"
    assert "t" in fake.world.accounts[CN_PROD].trails
    again = anyio.run(create)
    assert again.is_error
    text = again.content[0].text  # type: ignore[union-attr]
    assert "TrailAlreadyExists" in text
    assert "See DescribeTrails" in text, "a hint names the tool as this server calls it"


@pytest.mark.parametrize("kind", ["code", "envelope"])
def test_upstream_errors_are_tool_errors_with_code_message_and_request_id(fake: FakeVolcengine, kind: str) -> None:
    fake.world.fail(kind, text="InvalidTimeRange: The end time must be later than the start time.")
    result = _ask(fake, fake.world.add_key(CN_PROD), "LookupEvents")
    text = result.content[0].text  # type: ignore[union-attr]
    assert result.is_error
    assert "InvalidTimeRange, request " in text
    assert "The end time must be later than the start time." in text


def test_without_keys_it_starts_and_each_call_names_the_variables(fake: FakeVolcengine) -> None:
    result = _ask(fake, None, "LookupEvents")
    text = result.content[0].text  # type: ignore[union-attr]
    assert result.is_error
    for name in ("VOLCENGINE_ACCESS_KEY", "VOLCENGINE_SECRET_KEY", "VOLCENGINE_ACCESS_SESSION_TOKEN"):
        assert name in text
    assert fake.world.requests == []


def test_temporary_keys_of_the_environment_carry_their_token(fake: FakeVolcengine) -> None:
    fake.world.account(CN_PROD)
    session = fake.world.add_session(CN_PROD, "trn:sts::x", 3600)
    assert json_of(_ask(fake, session, "LookupEvents"))["Trails"] == []


def test_over_stdio_as_a_process(fake: FakeVolcengine) -> None:
    key = fake.world.add_key(CN_PROD)
    event = fake.world.accounts[CN_PROD].log("GetUser", moment())
    parameters = StdioServerParameters(
        command=preloaded.python(),
        args=["-c", "from crosstrail.launch.drop_in import main; main()"],
        env={
            "VOLCENGINE_ACCESS_KEY": key.id,
            "VOLCENGINE_SECRET_KEY": key.secret,
            "VOLCENGINE_ENDPOINT": fake.url,
            **({"PYTHONPATH": path} if (path := os.environ.get("PYTHONPATH")) else {}),
        },
    )

    async def ask() -> Any:
        async with Client(stdio_client(parameters)) as client:
            return json_of(await client.call_tool("LookupEvents", {"MaxResults": 1}))

    assert anyio.run(ask)["Trails"][0]["EventID"] == event
