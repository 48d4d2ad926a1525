"""The record of calls, and who an account's own trail says was there."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mcp import Client

from crosstrail.accounts.policy import Principal
from crosstrail.server.app import create_server
from crosstrail.settings.config import Settings
from crosstrail.workspace.workspace import Workspace
from fakes.aws import FakeAws, Key
from lake_workspace import Always, text_of

pytestmark = pytest.mark.anyio
PROD = "111111111111"


def live(fake_aws: FakeAws, base: Key, audit: Path) -> Settings:
    role = fake_aws.world.add_role(PROD, trusts=base, external_id="ext-1")
    fake_aws.world.account(PROD).log("CreateUser", datetime.now(UTC) - timedelta(hours=1), username="secret-name")
    return Settings.model_validate(
        {
            "accounts": [{"id": PROD, "alias": "prod", "region": "us-east-1", "auth": role.auth}],
            "access": [{"who": ["*"], "accounts": ["prod"]}],
            "audit": {"to": str(audit)},
            "lake": {"path": str(audit.parent / "lake")},
        }
    )


async def test_two_callers_have_sessions_of_their_own_names(fake_aws: FakeAws, base: Key, tmp_path: Path) -> None:
    audit = tmp_path / "audit.jsonl"
    given = live(fake_aws, base, audit)
    workspace = Workspace(given)
    for name in ("ann", "bea"):
        someone = Principal(subject=name, email=f"{name}@example.com", issuer="i")
        admission = Always(workspace, someone)
        async with Client(create_server(workspace, admission)) as client:
            asked = {"attribute_key": "EventName", "attribute_value": "CreateUser"}
            assert "secret-name" in text_of(await client.call_tool("lookup_events", asked))
        admission.close()
    await workspace.aclose()
    names = {str(one.params["RoleSessionName"]) for one in fake_aws.world.asked("AssumeRole")}
    assert names == {"crosstrail-ann@example.com", "crosstrail-bea@example.com"}
    records = [json.loads(line) for line in audit.read_text().splitlines()]
    assert [one["principal"] for one in records] == ["ann@example.com", "bea@example.com"]
    first = records[0]
    assert (first["tool"], first["outcome"], first["accounts"]) == ("lookup_events", "done", [PROD])
    [request] = [one for one in first["upstream"] if one["action"] == "cloudtrail:LookupEvents"]
    assert (request["account"], request["region"]) == (PROD, "us-east-1")
    assert request["id"]
    assert "secret-name" not in audit.read_text()
    assert "CreateUser" not in audit.read_text()
