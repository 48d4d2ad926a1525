"""What an agent sees before it asks, over many configurations: a small list, texts that name only what is there, prompts, resources."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from crosstrail.accounts.policy import AccessRule, Principal
from crosstrail.server.app import create_server
from crosstrail.server.instructions import instructions
from crosstrail.server.tools import TOOLSET_OF
from crosstrail.workspace.workspace import Workspace
from lake_workspace import ACCOUNTS, Always, client_of, settings

pytestmark = pytest.mark.anyio
MAX_BYTES = 12_000
_NAME = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "with writes": {"allow_writes": True},
    "structured": {"serve": {"structured": True}},
    "structured, with writes": {"allow_writes": True, "serve": {"structured": True}},
    "read-only": {"allow_writes": True, "serve": {"read_only": True}},
    "without SQL": {"serve": {"toolsets": ["events", "accounts", "trails"]}},
    "SQL alone": {"serve": {"toolsets": ["query"]}},
    "without lookups": {"serve": {"exclude_tools": ["lookup_events"]}},
    "without queries": {"serve": {"exclude_tools": ["lake_query", "list_event_data_stores"]}},
    "exports alone": {"serve": {"toolsets": ["export"]}},
    "one tool": {"serve": {"tools": ["log_coverage"]}},
    "results alone": {"serve": {"tools": ["get_query_results", "cancel_query"]}},
    "summaries and writes": {"allow_writes": True, "serve": {"tools": ["summarize_activity", "create_trail"]}},
}


def _named(text: str) -> set[str]:
    return {name for name in _NAME.findall(text) if name in TOOLSET_OF}


async def _said(client: Client) -> tuple[set[str], list[str]]:
    """The tools there are, and every text beside them."""
    tools = (await client.list_tools()).tools
    texts = [client.instructions or ""]
    for tool in tools:
        texts += [tool.description or ""]
        texts += [str(one["description"]) for one in tool.input_schema["properties"].values()]
    for prompt in (await client.list_prompts()).prompts:
        texts += [prompt.description or "", *(one.description or "" for one in prompt.arguments or [])]
        if prompt.name != "investigation_report":
            given = {one.name: "x" for one in prompt.arguments or [] if one.required}
            texts += [one.content.text for one in (await client.get_prompt(prompt.name, given)).messages]  # type: ignore[union-attr]
    for resource in (await client.list_resources()).resources:
        texts += [resource.description or ""]
    for template in (await client.list_resource_templates()).resource_templates:
        texts += [template.description or ""]
    return {tool.name for tool in tools}, texts


@pytest.mark.parametrize("more", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
async def test_the_list_is_small_and_texts_name_tools_that_are_there(tmp_path: Path, more: dict[str, Any]) -> None:
    async with client_of(settings(tmp_path / "lake", **more)) as client:
        result = (await client.list_tools()).model_dump(mode="json", by_alias=True, exclude_none=True)
        line = json.dumps({"jsonrpc": "2.0", "id": 1_000, "result": result}, separators=(",", ":"), ensure_ascii=False)
        assert len(line.encode()) <= MAX_BYTES
        there, texts = await _said(client)
        assert there
        assert [text for text in texts if _named(text) - there] == []
        assert _named(client.instructions or "") == there, "a line for each"
        resources = {str(one.uri) for one in (await client.list_resources()).resources}
        assert ("crosstrail://sql/functions" in resources) == ("lake_query" in there)


async def test_texts_name_what_the_caller_may_use(tmp_path: Path) -> None:
    rule = AccessRule.model_validate({"accounts": ["prod"], "toolsets": ["events"], "who": ["login:ann"]})
    given = settings(tmp_path / "lake", access=[rule.model_dump()])
    workspace = Workspace(given)
    server = create_server(workspace, Always(workspace, Principal(login="ann")))
    async with Client(server) as client:
        there, texts = await _said(client)
    await workspace.aclose()
    assert there == {"list_accounts", "lookup_events"}
    assert [text for text in texts if _named(text) - there] == []
    assert instructions(there) in texts


async def test_functions_and_examples_can_be_read(tmp_path: Path) -> None:
    async with client_of(settings(tmp_path / "lake")) as client:

        async def read(uri: str) -> str:
            (content,) = (await client.read_resource(uri)).contents
            return content.text  # type: ignore[union-attr]

        index = await read("crosstrail://sql/functions")
        groups = [line.partition(":")[0] for line in index.splitlines()[1:] if re.match(r"[a-z-]+: [a-z]", line)]
        assert "regular-expressions" in groups
        assert "regexp_like(varchar, joniregexp) -> boolean" not in index
        assert "regexp_like" in await read("crosstrail://sql/functions/regular-expressions")
        assert "-- Denied calls by caller\nSELECT" in await read("crosstrail://sql/examples")
        with pytest.raises(MCPError, match=r"Did you mean arrays\?"):
            await read("crosstrail://sql/functions/arays")


@pytest.mark.parametrize(
    ("prompt", "arguments", "said"),
    [
        ("investigate_principal", {"principal": "arn:aws:iam::111111111111:role/Admin"}, 'attribute_key="Role"'),
        ("investigate_principal", {"principal": "arn:aws:iam::111111111111:user/ann"}, 'attribute_key="Principal"'),
        (
            "investigate_principal",
            {"principal": "arn:aws:sts::111111111111:assumed-role/Admin/ann"},
            'attribute_key="Principal", attribute_value="arn:aws:sts::111111111111:assumed-role/Admin/ann"',
        ),
        ("investigate_principal", {"principal": "AKIAEXAMPLE"}, 'attribute_key="AccessKeyId"'),
        ("investigate_principal", {"principal": "ann"}, 'attribute_key="Username"'),
        (
            "investigate_role",
            {"role": "arn:aws:iam::111111111111:role/Admin", "account": "prod", "since": "7d", "until": "2026-11-20"},
            'target_account_id="prod", attribute_key="Role", attribute_value="arn:aws:iam::111111111111:role/Admin", '
            'max_results=50, start_time="7d", end_time="2026-11-20"',
        ),
        ("what_changed", {"resource": "x\ny", "until": "2026-11-20"}, 'attribute_value="x y"'),
    ],
)
async def test_prompts_look_for_a_principal_as_it_is_written(
    tmp_path: Path, prompt: str, arguments: dict[str, str], said: str
) -> None:
    async with client_of(settings(tmp_path / "lake")) as client:
        got = await client.get_prompt(prompt, arguments)
    assert said in got.messages[0].content.text  # type: ignore[union-attr]


async def test_saved_queries_are_prompts(tmp_path: Path) -> None:
    (tmp_path / "queries").mkdir()
    text = "-- Denied calls\n-- :account  id of the account\n-- :rows = 5  how many\nSELECT 1 FROM events WHERE account = :account LIMIT :rows"
    (tmp_path / "queries" / "denied.sql").write_text(text)
    (tmp_path / "queries" / "no name.sql").write_text("SELECT 1")
    given: dict[str, Any] = {"query": {"saved": str(tmp_path / "queries")}}
    async with client_of(settings(tmp_path / "lake", ACCOUNTS, **given)) as client:
        (saved,) = [one for one in (await client.list_prompts()).prompts if one.name.startswith("saved_")]
        assert (saved.name, saved.title) == ("saved_denied", "Denied calls")
        assert [(one.name, one.description, one.required) for one in saved.arguments or []] == [
            ("account", "id of the account", True),
            ("rows", "how many; a number; 5 when empty", False),
        ]
        got = await client.get_prompt("saved_denied", {"account": "1' OR '1' = '1"})
        assert got.messages[0].content.text.endswith("WHERE account = '1'' OR ''1'' = ''1' LIMIT 5")  # type: ignore[union-attr]
        with pytest.raises(MCPError, match="rows takes a number"):
            await client.get_prompt("saved_denied", {"account": "1", "rows": "1; SELECT 2"})
        with pytest.raises(MCPError, match="there is no such prompt"):
            await client.get_prompt("saved_../denied", {})
    async with client_of(settings(tmp_path / "lake", serve={"toolsets": ["events"]}, **given)) as client:
        assert not [one for one in (await client.list_prompts()).prompts if one.name.startswith("saved_")]
