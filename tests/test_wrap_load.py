"""Many accounts, many calls, few processes: every request is signed for its call's account, whatever comes and goes."""

from __future__ import annotations

import random
from collections import Counter

import anyio
import pytest

from lake_workspace import text_of
from wrap_workspace import WrapWorkspace, numbered

pytestmark = pytest.mark.anyio
ACCOUNTS, CALLS, AT_ONCE = 20, 200, 20


async def test_every_request_is_signed_for_its_calls_account(workspace: WrapWorkspace) -> None:
    """Twenty calls at once over eight processes; sessions are renewed after two seconds, while they are used."""
    for number in range(3, ACCOUNTS + 1):
        (workspace.role_account if number % 2 else workspace.keys_account)(numbered(number), f"a{number}")
    workspace.world.session_seconds = 30
    names = [str(one["alias"]) for one in workspace.listed]
    draw = random.Random(7)  # noqa: S311
    wanted = [draw.choice(names) for _ in range(CALLS)]
    left = iter(wanted)
    wrong: list[tuple[str, str]] = []
    async with workspace.client() as client:

        async def caller() -> None:
            for name in left:
                answer = await client.call_tool("whoami", {"target_account_id": name})
                if answer.is_error or text_of(answer) != workspace.id_of(name):
                    wrong.append((name, text_of(answer)))

        async with anyio.create_task_group() as tasks:
            for _ in range(AT_ONCE):
                tasks.start_soon(caller)
    assert wrong == []
    asked = workspace.world.asked("GetCallerIdentity")
    called = Counter(one.account for one in asked) - Counter(workspace.id_of(name) for name in wanted)
    keys = [str(one["id"]) for one in workspace.listed if one["auth"]["type"] == "keys"]
    assert called == Counter(keys), "keys are asked about once before they are delivered, and nothing else is called"
    assert {one.code for one in asked} == {""}
    assert len({one.access_key_id for one in asked}) > ACCOUNTS, "some were renewed"
