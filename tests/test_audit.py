"""What the record says of a call, and who an account's own trail says was there."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from mcp import Client

from crosstrail.accounts.policy import Principal
from crosstrail.call_context import CallContext
from crosstrail.errors import RecordUnavailable
from crosstrail.server.access.audit import AuditLog
from crosstrail.server.access.record_sink import Line
from crosstrail.server.app import create_server
from crosstrail.settings.audit_settings import AuditSettings
from crosstrail.settings.config import Settings
from crosstrail.workspace.workspace import Workspace
from fakes.aws import FakeAws, Key
from fakes.idp import FakeIdp
from lake_workspace import Always, text_of
from running_server import PATIENCE, client_over_http, post, serving, write_config

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
    assert first["client_info"].startswith("mcp ")
    assert "address" not in first
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
            record.refused(401, method="POST", path="/mcp", address="192.0.2.1")
        assert file.read_text() == ""
        fcntl.flock(other, fcntl.LOCK_UN)
    record.close()
    assert [json.loads(line)["status"] for line in file.read_text().splitlines()] == [401, 401, 401]


async def test_a_record_that_somebody_locks_refuses_calls_and_waits_for_nobody(tmp_path: Path) -> None:
    """Both the turn and the file itself are held, as by a program that copies it: no line is written, and none is lost."""
    file = tmp_path / "audit.jsonl"
    record = AuditLog(AuditSettings(to=str(file), required=True))
    with locked(Path(f"{file}.lock")), locked(file):
        with anyio.fail_after(PATIENCE):
            with pytest.raises(RecordUnavailable):
                await record.check(recorded(record))
            with pytest.raises(RecordUnavailable):
                await record.begin()
        assert file.read_text() == ""
    await record.begin()
    record.close()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [one["withheld"] for one in lines if one["kind"] == "call"] == [True]
    assert [one["more"] for one in lines if one["kind"] != "call"] == [1]


@contextmanager
def locked(file: Path) -> Iterator[None]:
    with open(file, "ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        yield


def recorded(record: AuditLog) -> Line | None:
    who, caller = Principal(subject="ann"), CallContext()
    return record.call(who, "t", {}, request_id="1", outcome="done", seconds=0, caller=caller)


@pytest.mark.parametrize("believed", [False, True])
async def test_a_line_says_from_where_and_by_which_client(idp: FakeIdp, tmp_path: Path, believed: bool) -> None:
    """The address that connected, or the one that a proxy names which FORWARDED_ALLOW_IPS lists."""
    config = write_config(
        tmp_path,
        lake={"path": "lake"},
        serve={"auth": "jwt", "public_url": "https://trails.example.com", "allowed_hosts": "127.0.0.1"},
        jwt={"issuer": idp.url, "jwks_url": idp.jwks_url},
        access=[{"who": ["*"], "accounts": ["*"]}],
    )
    forwarded = {"X-Forwarded-For": "203.0.113.9", "User-Agent": f"agent/1 \x7f{'x' * 500}"}
    with serving(config, environ={"FORWARDED_ALLOW_IPS": "127.0.0.1"} if believed else {}) as server:
        for mode in ("auto", "legacy"):
            token = idp.token(sub="u-1", azp="investigator")
            async with client_over_http(server.url, token, mode, **forwarded) as client:
                await client.call_tool("list_accounts", {})
        assert post(server.url, X_Forwarded_For="203.0.113.9").status_code == 401
        records = server.records()
    assert {one["address"] for one in records} == {"203.0.113.9" if believed else "127.0.0.1"}
    calls = [one for one in records if one["kind"] == "call"]
    assert [one["client"] for one in calls] == ["investigator"] * 2
    assert calls[0]["client_info"].startswith("mcp ")
    assert all(one["user_agent"].startswith("agent/1 xxx") and len(one["user_agent"].encode()) <= 100 for one in calls)
    assert "client" not in next(one for one in records if one["kind"] == "refused")
