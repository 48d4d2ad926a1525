"""The guard around every tool: what goes wrong reaches the model in our words, and the log without values."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolResult, ToolAnnotations

from crosstrail.answers.render import Answer
from crosstrail.errors import LakeError
from crosstrail.server.context import Call, GuardedTool
from crosstrail.settings.config import Settings
from crosstrail.workspace.workspace import Workspace
from lake_workspace import text_of

pytestmark = pytest.mark.anyio
SECRET = "AKIAVALUEOFANEVENT"


async def crash(call: Call) -> Answer:
    """Break on a value."""
    raise ValueError(f"cannot read {SECRET}")


async def crash_in_a_group(call: Call) -> Answer:
    """Break in a task of a group."""
    async with anyio.create_task_group() as group:
        group.start_soon(crash, call)
    raise AssertionError


async def fail(call: Call) -> Answer:
    """Fail in our words."""
    raise LakeError("the lake is\u202e\nbroken", hint="Collect again.")


async def overflow(call: Call) -> Answer:
    """Say too much."""
    return Answer("x" * 200_000, {"count": 1})


async def small(call: Call) -> Answer:
    """Say all in facts."""
    return Answer("state is FINISHED", {"state": "FINISHED"}, complete=True)


async def ask(name: str) -> CallToolResult:
    @asynccontextmanager
    async def lifespan(_: MCPServer[Workspace]) -> AsyncIterator[Workspace]:
        yield Workspace(Settings())

    tools: list[Any] = [
        GuardedTool.of(body, ToolAnnotations()) for body in (crash, crash_in_a_group, fail, overflow, small)
    ]
    async with Client(MCPServer("guarded", tools=tools, lifespan=lifespan)) as client:
        return await client.call_tool(name, {})


@pytest.mark.parametrize("name", ["crash", "crash_in_a_group"])
async def test_a_crash_is_a_number_to_find_in_the_log(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    result = await ask(name)
    found = re.fullmatch(rf"{name} broke on something unexpected, number ([0-9a-f]{{8}})\. .*", text_of(result))
    assert result.is_error
    assert found
    ours = [record.getMessage() for record in caplog.records if found[1] in record.getMessage()]
    assert len(ours) == 1
    assert "ValueError" in ours[0]
    assert f"{__file__}:" in ours[0]
    assert SECRET not in text_of(result)
    assert SECRET not in caplog.text


async def test_our_errors_keep_their_words_on_one_line() -> None:
    result = await ask("fail")
    assert result.is_error
    assert text_of(result) == "the lake is broken. Collect again."


async def test_no_answer_is_longer_than_the_last_rail() -> None:
    result = await ask("overflow")
    assert len(text_of(result).encode()) <= 40_000
    assert text_of(result).endswith("This answer was too long and is cut: ask for less.")


async def test_facts_stand_alone_only_where_they_say_everything() -> None:
    assert (await ask("small")).structured_content == {"state": "FINISHED"}
    assert (await ask("overflow")).structured_content is None
