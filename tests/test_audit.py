"""The record of calls, and who an account's own trail says was there."""

from __future__ import annotations

import fcntl
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mcp import Client

from crosstrail.accounts.policy import Principal
from crosstrail.server.access.audit import AuditLog
from crosstrail.server.app import create_server
from crosstrail.settings.config import Settings
from crosstrail.settings.server_settings import AuditSettings
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


def test_a_record_that_another_process_holds_stops_no_event_loop(tmp_path: Path) -> None:
    """It is written once the other one has ended its line, and no line is lost when the server ends meanwhile."""
    file = tmp_path / "audit.jsonl"
    record = AuditLog(AuditSettings(to=str(file)))
    with open(f"{file}.lock", "ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        for _ in range(3):
            record.refused(401, method="POST", path="/mcp", client="192.0.2.1")
        assert file.read_text() == ""
        fcntl.flock(other, fcntl.LOCK_UN)
    record.close()
    assert [json.loads(line)["status"] for line in file.read_text().splitlines()] == [401, 401, 401]
