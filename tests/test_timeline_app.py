"""The tool that shows a timeline: a page for hosts that show one, text for all, each over every protocol, and to whom it belongs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client import advertise
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextResourceContents

import preloaded
from crosstrail.accounts.policy import Principal
from crosstrail.answers.timeline import APP_BYTES, app_data
from crosstrail.server.app import create_server
from crosstrail.settings.config import Settings
from crosstrail.workspace.workspace import Workspace
from lake_workspace import DEV, NOON, PROD, Always, collect, record, settings, text_of, write_logs
from live_aws import LiveAws
from made_timelines import made_timeline
from running_server import PATIENCE, Server, serving, write_config

pytestmark = pytest.mark.anyio
PAGE = "ui://crosstrail/timeline"
APPS = [advertise("io.modelcontextprotocol/ui", {"mimeTypes": ["text/html;profile=mcp-app"]})]
MODES = ["legacy", "2026-07-28"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("timeline-app")
    names = ["DescribeInstances", "ListUsers", "StopLogging"]
    made = [
        record(
            PROD if number % 3 else DEV,
            number,
            NOON + timedelta(minutes=number),
            eventName=names[number % 3],
            readOnly=number % 3 != 2,
            errorCode="AccessDenied" if number % 10 == 0 else None,
        )
        for number in range(90)
    ]
    write_logs(folder / "logs", made)
    collect(folder / "logs", folder / "lake")
    return folder


def client_of(folder: Path, mode: str, *, apps: bool, **more: Any) -> Client:
    server = create_server(Workspace(settings(folder / "lake", **more)))
    return Client(server, mode=mode, extensions=APPS if apps else None)


def shown(result: CallToolResult) -> dict[str, Any]:
    """The data of the page."""
    assert not result.is_error, text_of(result)
    data: dict[str, Any] = (result.structured_content or {})["timeline"]
    return data


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_that_shows_apps_gets_the_page_and_its_data(folder: Path, mode: str) -> None:
    async with client_of(folder, mode, apps=True) as client:
        [tool] = [one for one in (await client.list_tools()).tools if one.name == "show_timeline"]
        assert tool.meta == {"ui": {"resourceUri": PAGE}}
        [listed] = [one for one in (await client.list_resources()).resources if str(one.uri) == PAGE]
        assert listed.mime_type == "text/html;profile=mcp-app"
        [content] = (await client.read_resource(PAGE)).contents
        assert isinstance(content, TextResourceContents)
        assert (content.mime_type, content.text[:15]) == ("text/html;profile=mcp-app", "<!doctype html>")
        result = await client.call_tool("show_timeline", {"lanes": "account"})
    data = shown(result)
    assert (data["total"], data["lanes"], len(data["events"]["id"])) == (90, "account", 90)
    assert {json.loads(one)["eventName"] for one in data["records"]} == {
        "DescribeInstances",
        "ListUsers",
        "StopLogging",
    }
    assert len(json.dumps(data)) < APP_BYTES


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_that_does_not_sees_text_alone(folder: Path, mode: str) -> None:
    async with client_of(folder, mode, apps=False) as client:
        assert all(tool.meta is None for tool in (await client.list_tools()).tools)
        assert PAGE not in [str(one.uri) for one in (await client.list_resources()).resources]
        result = await client.call_tool("show_timeline", {})
        few = await client.call_tool("show_timeline", {"filters": "ErrorCode=AccessDenied", "target_account_id": "dev"})
        none = await client.call_tool("show_timeline", {"filters": "EventName=Nothing"})
        wrong = await client.call_tool("show_timeline", {"lanes": "colour"})
    assert result.structured_content is None
    assert "crosstrail/timeline" not in (result.meta or {})
    text = text_of(result)
    assert len(text.encode()) <= 9_000
    for said in (
        "90 events",
        "9 denied",
        "By 2 minutes",
        "user/deploy-bot,",
        "The rarest changes",
        "StopLogging",
        "held",
    ):
        assert said in text
    assert "3 events (0 read, 0 write, 3 denied)" in text_of(few)
    assert "No event." in text_of(none)
    assert wrong.is_error


async def test_whoever_may_see_one_account_gets_a_picture_of_it_alone(folder: Path) -> None:
    rules = [{"who": ["subject:alice"], "accounts": ["prod"]}]
    workspace = Workspace(settings(folder / "lake", access=rules))
    server = create_server(workspace, Always(workspace, Principal(subject="alice", login="alice")))
    async with Client(server, extensions=APPS) as client:
        result = await client.call_tool("show_timeline", {})
        refused = await client.call_tool("show_timeline", {"target_account_id": "dev"})
    data = shown(result)
    assert data["total"] == 60
    assert DEV not in json.dumps(data)
    assert DEV not in text_of(result)
    assert refused.is_error


async def test_without_its_toolset_there_is_neither_tool_nor_page(folder: Path) -> None:
    async with client_of(folder, "auto", apps=True, serve={"exclude_tools": ["show_timeline"]}) as client:
        assert "show_timeline" not in [tool.name for tool in (await client.list_tools()).tools]
        assert (await client.list_resources()).resources[0].name == "events"


def test_what_an_app_gets_is_bounded_and_says_what_it_lacks() -> None:
    found = made_timeline(4_000)
    long = tuple(
        replace(event, agent=f"{number} " + "é" * 390, name=f"{number} " + "n" * 390)
        for number, event in enumerate(found.events)
    )
    data = app_data(replace(found, events=long))
    assert len(json.dumps(data, ensure_ascii=False).encode()) <= APP_BYTES
    events = data["events"]
    assert isinstance(events, dict)
    kept = len(events["id"])
    assert 0 < kept < 4_000
    assert set(events["kind"]) <= {1, 2}
    assert any(f"{kept:,} of 4,000 events are here" in line for line in data["coverage"])  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    config = write_config(
        folder,
        accounts=[{"id": PROD, "alias": "prod", "archive": "logs"}, {"id": DEV, "alias": "dev", "archive": "logs"}],
        lake={"path": str(folder / "lake")},
    )
    with serving(config) as made:
        yield made


@pytest.mark.parametrize("mode", MODES)
async def test_over_http_too(server: Server, mode: str) -> None:
    """Older protocols say what a client can in a message that a server without sessions has forgotten."""
    async with (
        httpx2.AsyncClient(timeout=PATIENCE) as http,
        Client(streamable_http_client(f"{server.url}/mcp", http_client=http), mode=mode, extensions=APPS) as client,
    ):
        [tool] = [one for one in (await client.list_tools()).tools if one.name == "show_timeline"]
        assert tool.meta == {"ui": {"resourceUri": PAGE}}
        result = await client.call_tool("show_timeline", {})
    data = (result.meta or {})["crosstrail/timeline"] if mode == "legacy" else shown(result)
    assert data["total"] == 90


async def test_over_stdio_too(folder: Path, server: Server) -> None:
    command = ["-m", "crosstrail", "serve", "--config", str(folder / "crosstrail.yaml")]
    async with Client(StdioServerParameters(command=preloaded.python(), args=command), extensions=APPS) as client:
        assert shown(await client.call_tool("show_timeline", {}))["total"] == 90


async def test_live_accounts_are_asked_where_the_lake_holds_nothing(aws: LiveAws, tmp_path: Path) -> None:
    aws.keys_account(PROD, "prod", region="us-east-1")
    for number in range(3):
        aws.log_record(record(PROD, number, NOON + timedelta(minutes=number), readOnly=number > 0))
    values = {"accounts": aws.listed, "lake": {"path": str(tmp_path / "lake")}}
    async with Client(create_server(Workspace(Settings.model_validate(values))), extensions=APPS) as client:
        result = await client.call_tool("show_timeline", {"start_time": "2026-11-19"})
    assert shown(result)["total"] == 3
    assert "3 events (2 read, 1 write, 0 denied)" in text_of(result)
    assert "Live: " in text_of(result)
