"""The tool that exports evidence: links to resources, read in parts, each time for whoever may read them, and nobody else."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, TextContent, TextResourceContents

from conftest import CommandLine
from fakes.idp import FakeIdp
from lake_workspace import DEV, NOON, PROD, client_of, collect, facts_of, record, settings, write_logs
from running_server import Server, client_over_http, serving, write_config

pytestmark = pytest.mark.anyio
COUNT = 900
ALL = "SELECT eventid FROM events"
LARGE = "x" * 700


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake whose records of prod are longer than three parts."""
    folder = tmp_path_factory.mktemp("served-export")
    made = [record(PROD if number % 9 else DEV, number, NOON, userAgent=f"é{LARGE}") for number in range(COUNT)]
    write_logs(folder / "logs", made)
    collect(folder / "logs", folder / "lake")
    return folder


def config_of(folder: Path, idp: FakeIdp, **serve: Any) -> Path:
    return write_config(
        folder,
        accounts=[{"id": PROD, "alias": "prod", "archive": "logs"}, {"id": DEV, "alias": "dev", "archive": "logs"}],
        lake={"path": "lake"},
        serve={"auth": "jwt", "public_url": "https://trails.example.com", "allowed_hosts": "127.0.0.1", **serve},
        jwt={"required_scopes": ["audit"], "issuer": idp.url, "jwks_url": idp.jwks_url},
        access=[
            {"who": ["alice@example.com"], "accounts": ["prod"]},
            {"who": ["bob@example.com"], "accounts": ["*"]},
            {"who": ["carol@example.com"], "accounts": ["*"], "toolsets": ["events", "query"]},
        ],
    )


@pytest.fixture(scope="module")
def server(idp: FakeIdp, folder: Path) -> Iterator[Server]:
    with serving(config_of(folder, idp, toolsets="all")) as made:
        yield made


def token(idp: FakeIdp, name: str) -> str:
    return idp.token(sub=name, email=f"{name}@example.com", email_verified=True, scope="audit openid")


def said(result: CallToolResult) -> str:
    first = result.content[0]
    assert isinstance(first, TextContent)
    return first.text


def links_of(result: CallToolResult) -> dict[str, str]:
    """Name -> address of each resource that an answer links to."""
    assert not result.is_error, said(result)
    return {one.name: str(one.uri) for one in result.content if one.type == "resource_link"}


async def read(client: Client, uri: str) -> str:
    (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    return content.text


async def whole(client: Client, uri: str, parts: int) -> bytes:
    """All parts of a file; `uri` is of its first."""
    texts = [await read(client, f"{uri.rpartition('/')[0]}/{number}") for number in range(1, parts + 1)]
    assert max(len(one.encode()) for one in texts) <= 200_000
    return "".join(texts).encode()


async def test_parts_put_together_are_an_export_that_the_check_accepts(
    server: Server, idp: FakeIdp, crosstrail: CommandLine, tmp_path: Path
) -> None:
    async with client_over_http(server.url, token(idp, "bob")) as bob:
        result = await bob.call_tool("export_events", {"sql": ALL})
        links = links_of(result)
        counts = {role: int(re.search(rf"/{role}/1\.\.(\d+)", said(result))[1]) for role in ("records", "sources")}  # type: ignore[index]
        parts = {"evidence.jsonl": facts_of(result)["parts"], "evidence.jsonl.manifest.json": 1}
        parts |= {f"evidence.jsonl.{role}.jsonl": number for role, number in counts.items()}
        assert parts["evidence.jsonl"] > 3
        for name, uri in links.items():
            (tmp_path / name).write_bytes(await whole(bob, uri, parts[name]))
    assert f"{COUNT} original records of 2 log objects: {COUNT} not verified." in said(result)
    assert "Readable: prod, dev" in said(result)
    done = crosstrail("export", "--check", tmp_path / "evidence.jsonl.manifest.json")
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = json.loads((tmp_path / "evidence.jsonl.manifest.json").read_text())
    assert (manifest["by"], manifest["records"]) == ("bob@example.com", COUNT)
    calls = [one for one in server.records() if one.get("tool") == "resources/read"]
    assert len(calls) == sum(parts.values())
    assert {one["principal"] for one in calls} == {"bob@example.com"}


async def test_an_export_is_its_makers_alone_and_what_they_may_read(server: Server, idp: FakeIdp) -> None:
    async with client_over_http(server.url, token(idp, "bob")) as bob:
        uri = links_of(await bob.call_tool("export_events", {"sql": ALL}))["evidence.jsonl"]
    refusals = set()
    for name in ("alice", "carol"):
        async with client_over_http(server.url, token(idp, name)) as other:
            for each in (uri, uri.replace("/data/1", "/manifest/1")):
                with pytest.raises(MCPError) as refused:
                    await other.read_resource(each)
                refusals.add((name, str(refused.value)))
    assert len(refusals) == 2
    async with client_over_http(server.url, token(idp, "alice")) as alice:
        mine = await alice.call_tool("export_events", {"sql": ALL})
        text = await whole(alice, links_of(mine)["evidence.jsonl"], facts_of(mine)["parts"])
        assert {json.loads(line)["recipientAccountId"] for line in text.splitlines()} == {PROD}
        refused_account = await alice.call_tool("export_events", {"target_account_id": "dev"})
        assert refused_account.is_error
        unknown = uri.replace(uri.split("/")[3], "00000000-0000-4000-8000-000000000000")
        with pytest.raises(MCPError) as absent:
            await alice.read_resource(unknown)
    assert ("alice", str(absent.value)) in refusals
    async with client_over_http(server.url, token(idp, "carol")) as carol:
        assert "export_events" not in {tool.name for tool in (await carol.list_tools()).tools}
        assert (await carol.call_tool("export_events", {"sql": ALL})).is_error


async def test_over_http_it_is_there_only_where_the_operator_names_it(
    folder: Path, idp: FakeIdp, tmp_path: Path
) -> None:
    for name in ("lake", "logs"):
        (tmp_path / name).symlink_to(folder / name)
    with serving(config_of(tmp_path, idp)) as made:
        async with client_over_http(made.url, token(idp, "bob")) as bob:
            assert "export_events" not in {tool.name for tool in (await bob.list_tools()).tools}
            templates = (await bob.list_resource_templates()).resource_templates
            assert not any("export" in one.uri_template for one in templates)
            with pytest.raises(MCPError):
                await bob.read_resource("crosstrail://exports/00000000-0000-4000-8000-000000000000/data/1")


async def test_events_are_exported_by_account_time_and_filters(folder: Path) -> None:
    async with client_of(settings(folder / "lake")) as client:
        arguments = {"target_account_id": "dev", "start_time": "2026-11-19", "filters": "EventName=DescribeInstances"}
        result = await client.call_tool("export_events", {**arguments, "max_records": 10})
        uri = links_of(result)["evidence.jsonl"]
        lines = (await whole(client, uri, facts_of(result)["parts"])).splitlines()
        assert len(lines) == 10
        assert {json.loads(line)["recipientAccountId"] for line in lines} == {DEV}
        assert "NOT all there is" in said(result)
        manifest = json.loads(await read(client, uri.replace("/data/1", "/manifest/1")))
        assert manifest["query"]["filters"] == [{"key": "EventName", "value": "DescribeInstances"}]
        assert manifest["files"][0]["sha256"] == hashlib.sha256(b"\n".join(lines) + b"\n").hexdigest()


@pytest.mark.parametrize(
    "end",
    ["/data/0", "/data/99", "/data/1x", "/data/-1", "/status/1", "/manifest/2", "/..%2F..%2Fstatus.json/1", "/data"],
)
async def test_what_is_no_part_is_not_there(folder: Path, end: str) -> None:
    async with client_of(settings(folder / "lake")) as client:
        uri = links_of(await client.call_tool("export_events", {"sql": f"{ALL} LIMIT 2"}))["evidence.jsonl"]
        with pytest.raises(MCPError):
            await client.read_resource(uri.removesuffix("/data/1") + end)


async def test_exports_take_no_more_disk_than_a_caller_may_and_expire(folder: Path, tmp_path: Path) -> None:
    query = {"results_folder": str(tmp_path / "results"), "results_per_caller": "1MB"}
    async with client_of(settings(folder / "lake", query=query)) as client:
        first = links_of(await client.call_tool("export_events", {"sql": f"{ALL} LIMIT 300"}))["evidence.jsonl"]
        assert await read(client, first)
        for _ in range(4):
            last = await client.call_tool("export_events", {"target_account_id": "prod", "max_records": 300})
            assert sum(path.stat().st_size for path in (tmp_path / "results").rglob("*")) < 2_000_000
        assert await read(client, links_of(last)["evidence.jsonl"])
        with pytest.raises(MCPError, match="no such query"):
            await read(client, first)
        shutil.rmtree(tmp_path / "results")
        with pytest.raises(MCPError, match="no such query"):
            await read(client, links_of(last)["evidence.jsonl"])


async def test_arguments_that_contradict_each_other_are_refused(folder: Path) -> None:
    async with client_of(settings(folder / "lake")) as client:
        both = await client.call_tool("export_events", {"sql": ALL, "start_time": "1d"})
        many = await client.call_tool("export_events", {"sql": ALL, "max_records": 5})
        rows = await client.call_tool("export_events", {"sql": "SELECT count(*) AS n FROM events"})
    assert "says itself" in said(both)
    assert "more than 5 records" in said(many)
    assert many.is_error
    assert "1 row of the statement's result" in said(rows)
