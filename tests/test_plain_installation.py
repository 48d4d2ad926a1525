"""An installation without extras: it offers what it can answer, and nothing that could only answer how to install more."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError, StdioServerParameters

from fakes.aws import FakeAws, Key
from lake_workspace import text_of
from live_aws import PROD
from live_volcengine import CN_PROD
from plain_python import PlainPython
from running_server import write_config

pytestmark = pytest.mark.anyio
QUERY_TOOLS = {
    "lake_query",
    "get_query_status",
    "get_query_results",
    "cancel_query",
    "list_event_data_stores",
    "log_coverage",
    "run_detections",
}


NEEDS_THE_LAKE = {"run_detections", "summarize_activity", "show_timeline", "export_events"}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> PlainPython:
    return PlainPython(tmp_path_factory.mktemp("plain") / "site")


@asynccontextmanager
async def client_of(plain: PlainPython, folder: Path, accounts: list[dict[str, Any]]) -> AsyncIterator[Client]:
    config = folder / "crosstrail.yaml"
    config.write_text(json.dumps({"accounts": accounts, "lake": {"path": str(folder / "lake")}}))
    [command, *arguments] = [*plain.command, "serve", "--config", str(config)]
    server = StdioServerParameters(command=command, args=arguments, env={**os.environ, **plain.environment})
    async with Client(server) as client:
        yield client


ARCHIVE = {"id": PROD, "alias": "prod", "archive": "logs"}
VOLCENGINE = {
    "id": CN_PROD, "alias": "cn", "cloud": "volcengine",
    "auth": {"type": "keys", "access_key_id": "AKLTexample", "secret_access_key": "c2VjcmV0"},
}  # fmt: skip


@pytest.mark.parametrize("accounts", [[], [ARCHIVE], [VOLCENGINE, ARCHIVE]], ids=["none", "archive", "volcengine"])
async def test_without_a_lake_or_event_data_stores_no_sql_is_offered(
    plain: PlainPython, tmp_path: Path, accounts: list[dict[str, Any]]
) -> None:
    async with client_of(plain, tmp_path, accounts) as client:
        tools = {one.name for one in (await client.list_tools()).tools}
        assert tools & QUERY_TOOLS == set()
        assert {"lookup_events", "list_accounts"} <= tools
        assert [one.name for one in (await client.list_resources()).resources] == ["docs"]
        texts = [client.instructions or ""]
        for prompt in (await client.list_prompts()).prompts:
            given = {one.name: "MARKER" for one in prompt.arguments or [] if one.required}
            [message] = (await client.get_prompt(prompt.name, given)).messages
            texts.append(message.content.text)  # type: ignore[union-attr]
        assert len(texts) == 5
        assert all("MARKER" in text and "lookup_events" in text for text in texts[1:])
        assert [text for text in texts for tool in QUERY_TOOLS if tool in text] == []
        with pytest.raises(MCPError, match="no such prompt"):
            await client.get_prompt("first_look", {})
        refused = await client.call_tool("lake_query", {"sql": "SELECT 1 FROM events"})
        assert refused.is_error
        assert "there is no tool 'lake_query'" in text_of(refused)


async def test_with_a_live_aws_account_sql_runs_on_its_event_data_store(
    plain: PlainPython, tmp_path: Path, fake_aws: FakeAws, base: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    key = fake_aws.world.add_key(PROD, "auditor")
    account = fake_aws.world.account(PROD)
    account.outcome.states, account.outcome.columns, account.outcome.rows = ["FINISHED"], ("eventname",), (("Stop",),)
    store = account.add_store("store").rpartition("/")[2]
    accounts = [VOLCENGINE, {"id": PROD, "alias": "prod", "region": "us-east-1", "auth": key.auth}]
    async with client_of(plain, tmp_path, accounts) as client:
        tools = {one.name for one in (await client.list_tools()).tools}
        assert tools >= QUERY_TOOLS - NEEDS_THE_LAKE
        assert tools & NEEDS_THE_LAKE == set(), "what would only say how to install its libraries"
        assert len((await client.list_prompts()).prompts) == 5
        asked = {"sql": f"SELECT eventname FROM {store}", "target_account_id": "prod"}
        answer = await client.call_tool("lake_query", asked)
        assert not answer.is_error, answer.content
        assert "Stop" in text_of(answer)


@pytest.mark.parametrize("option", ["--toolsets=query", "--tools=lake_query", "--tools=run_detections"])
def test_sql_that_is_asked_for_and_cannot_be_answered_stops_the_start(
    plain: PlainPython, tmp_path: Path, option: str
) -> None:
    done = run(plain, "serve", "--config", str(write_config(tmp_path)), option)
    assert done.returncode != 0
    assert "[lake]'" in done.stderr


def test_collecting_says_how_to_install_the_lake(plain: PlainPython, tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text('{"Records": []}')
    done = run(plain, "collect", str(tmp_path))
    assert done.returncode != 0
    assert "[lake]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_rules_say_how_to_install_what_reads_them(plain: PlainPython) -> None:
    done = run(plain, "rules", "list")
    assert done.returncode != 0
    assert "[detect]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [["--help"], ["accounts", "list"], ["lookup", "--help"], ["serve", "--help"]])
def test_commands_that_need_no_extra_run_on_what_pyproject_declares(plain: PlainPython, command: list[str]) -> None:
    done = run(plain, *command)
    assert "Traceback" not in done.stderr
    assert "ModuleNotFoundError" not in done.stderr
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [["lookup"], ["lookup", "--format", "ocsf"], ["query", "SELECT 1"]], ids=" ".join)
def test_commands_that_ask_say_what_is_missing(plain: PlainPython, tmp_path: Path, command: list[str]) -> None:
    """With an account that is an archive: nothing can answer for it."""
    done = run(plain, *command, "--config", str(write_config(tmp_path, accounts=[ARCHIVE])))
    assert "Traceback" not in done.stderr
    assert "[lake]'" in done.stderr
    assert done.returncode == 1


_EVERY_MODULE = """
import importlib, pkgutil, sys, crosstrail
for module in pkgutil.walk_packages(crosstrail.__path__, "crosstrail."):
    if not module.name.endswith("__main__") and not module.name.startswith(tuple(sys.argv[1:])):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            print(error.name.partition(".")[0], module.name)
"""


def test_modules_load_without_the_lakes_libraries(plain: PlainPython) -> None:
    """But for those of the lake itself, and those that are about one other library."""
    of_the_lake = ["crosstrail.lake.", "crosstrail.engines.", "crosstrail.demo."]
    python = plain.command[: plain.command.index("-m")]
    done = subprocess.run(
        [*python, "-c", _EVERY_MODULE, *of_the_lake], env={**os.environ, **plain.environment},
        capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    assert {line.split()[0] for line in done.stdout.splitlines()} == {"sigma", "fastmcp", "prompt_toolkit"}, done.stdout


def run(plain: PlainPython, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **plain.environment}
    return subprocess.run(
        [*plain.command, *arguments], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
