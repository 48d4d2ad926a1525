"""One error that many are told, such as that of the base identity: each hears of it about the own question alone."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import pytest
from mcp import Client

from crosstrail.accounts.policy import Principal
from crosstrail.errors import CloudUnavailable, LimitReached, own
from crosstrail.server.app import create_server
from crosstrail.settings.config import Settings
from crosstrail.workspace.workspace import Workspace
from fakes.aws import FakeAws, Key
from lake_workspace import Always, text_of

pytestmark = pytest.mark.anyio
OF = {"alice": ("111111111111", "prod"), "bob": ("222222222222", "dev")}


async def test_callers_who_wait_for_one_base_identity_hear_nothing_of_each_other(
    fake_aws: FakeAws, base: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roles = {number: fake_aws.world.add_role(number, trusts=base).auth for number, _ in OF.values()}
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)  # from now on the base identity is none
    given = Settings.model_validate(
        {
            "accounts": [
                {"id": number, "alias": alias, "region": "us-east-1", "auth": roles[number]}
                for number, alias in OF.values()
            ],
            "access": [{"who": [f"subject:{who}"], "accounts": [alias]} for who, (_, alias) in OF.items()],
            "lake": {"path": str(tmp_path / "lake")},
        }
    )
    workspace, said = Workspace(given), dict.fromkeys(OF, "")

    async def ask(who: str, client: Client) -> None:
        for _ in range(2):
            said[who] += text_of(await client.call_tool("lookup_events", {}))

    async with AsyncExitStack() as opened:
        opened.push_async_callback(workspace.aclose)
        clients = {}
        for who in OF:
            admission = Always(workspace, Principal(subject=who, issuer="i"))
            opened.callback(admission.close)
            clients[who] = await opened.enter_async_context(Client(create_server(workspace, admission)))
        async with anyio.create_task_group() as together:
            for who, client in clients.items():
                together.start_soon(ask, who, client)
    for who, text in said.items():
        number, alias = OF[who]
        assert "the ambient AWS identity" in text
        assert text.count(f"Asked: {alias} ({number})") == 2
        assert not any(word in text for other in OF.keys() - {who} for word in OF[other])


def test_an_own_error_is_the_same_in_all_but_what_is_said_of_it_later() -> None:
    for error in (LimitReached("x", retry_after=3, hint="h"), CloudUnavailable("y", code="c", request_id="r")):
        error.add_note("before")
        copied = own(error)
        copied.hint = "later"
        copied.add_note("later")
        assert type(copied) is type(error)
        assert (str(copied), copied.__notes__) == (str(error), ["before", "later"])
        assert error.__notes__ == ["before"]
        assert {**vars(copied), "hint": "", "__notes__": []} == {**vars(error), "hint": "", "__notes__": []}
