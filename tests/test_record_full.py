"""A record that cannot be written: no answer without its line, nothing asked before it can be written again, and no line lost."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crosstrail.accounts.policy import Principal
from crosstrail.call_context import CallContext
from crosstrail.errors import ConfigError
from crosstrail.server.access.audit import AuditLog
from crosstrail.settings.audit_settings import AuditSettings
from fakes.aws import FakeAws
from lake_workspace import text_of
from record_lines import lines_of
from running_server import Server, client_over_http, post, serving, write_config

pytestmark = pytest.mark.anyio
PROD = "111111111111"
_REFUSED = "calls cannot be recorded now, so nothing was done. Try again soon; the operator's log says why."
_WITHHELD = (
    "the call was made, and its answer is withheld: it cannot be recorded. Try again soon; the operator's log says why."
)


def configured(folder: Path, fake_aws: FakeAws, **audit: object) -> Path:
    fake_aws.world.account(PROD).log("CreateUser", datetime.now(UTC) - timedelta(hours=1))
    account = {"id": PROD, "alias": "prod", "region": "us-east-1", "auth": fake_aws.world.add_key(PROD).auth}
    return write_config(folder, accounts=[account], lake={"path": "lake"}, audit=audit)


def limit_files(server: Server, size: int) -> None:
    """No file of that process may grow beyond it: what a full disk does, to one process."""
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, hard))


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux changes the limits of a process that runs")
@pytest.mark.parametrize("room", [0, 100])
async def test_without_room_no_answer_leaves_and_no_cloud_is_asked(
    fake_aws: FakeAws, tmp_path: Path, room: int
) -> None:
    """`room`: bytes that are left, so that half a line is written."""
    with serving(configured(tmp_path, fake_aws)) as server:
        async with client_over_http(server.url) as client:
            assert "CreateUser" in text_of(await client.call_tool("lookup_events", {}))
            limit_files(server, server.audit.stat().st_size + room)
            withheld = await client.call_tool("lookup_events", {})
            assert (withheld.is_error, text_of(withheld)) == (True, _WITHHELD)
            asked = len(fake_aws.world.asked("LookupEvents"))
            for _ in range(3):
                refused = await client.call_tool("lookup_events", {})
                assert (refused.is_error, text_of(refused)) == (True, _REFUSED)
            assert len(fake_aws.world.asked("LookupEvents")) == asked == 2
            limit_files(server, resource.RLIM_INFINITY)
            assert "CreateUser" in text_of(await client.call_tool("lookup_events", {}))
        server.stop()
        said = "".join(server.lines)
    assert said.count("the record of calls cannot be written: File too large") == 1
    assert said.count("the record of calls can be written again") == 1
    lines = server.audit.read_text().splitlines()
    half = [line for line in lines if not line.endswith("}")]
    assert [len(line) for line in half] == [room] * bool(room)
    found = [json.loads(line) for line in lines if line not in half]
    calls = [one for one in found if one["kind"] == "call"]
    assert [(one["outcome"], one.get("withheld", False)) for one in calls] == [
        ("done", False),
        ("done", True),
        ("done", False),
    ]
    assert [(one["outcome"], one["more"]) for one in found if one["kind"] == "refused"] == [("unrecorded", 3)]


def test_a_protocol_error_leaves_with_its_line_only(fake_aws: FakeAws, tmp_path: Path) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "lookup_events", "arguments": "x"}}
    config = configured(tmp_path, fake_aws)
    with serving(config) as server:
        assert "error" in post(server.url, message).json()
    with serving(config, "--audit", "/dev/full") as server:
        assert post(server.url, message).json()["result"]["content"][0]["text"] == _WITHHELD


@pytest.mark.parametrize(("to", "required", "answered"), [("/dev/full", False, True), ("/dev/full", None, False)])
async def test_required_is_what_the_settings_say_and_else_where_a_file_is_named(
    fake_aws: FakeAws, tmp_path: Path, to: str, required: bool | None, answered: bool
) -> None:
    with serving(configured(tmp_path, fake_aws, required=required), "--audit", to) as server:
        async with client_over_http(server.url) as client:
            for _ in range(2):
                answer = await client.call_tool("lookup_events", {})
                assert ("CreateUser" in text_of(answer)) == answered
        server.stop()
    assert "".join(server.lines).count("the record of calls cannot be written: No space left on device") == 1


def test_a_record_that_is_required_and_off_does_not_start() -> None:
    with pytest.raises(ConfigError, match=r"audit\.required is true"):
        AuditLog(AuditSettings(required=True))


@pytest.mark.skipif(os.getuid() != 0 or sys.platform != "linux", reason="only root mounts a file system")
def test_a_full_file_system_loses_no_line_and_tears_none_that_is_counted(tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", place], check=False)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        (place / "ballast").write_bytes(b"x" * 40_960)
        record = AuditLog(AuditSettings(to=str(place / "audit.jsonl")))
        for number in range(200):
            call(record, number)
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            (place / "more").write_bytes(b"x" * 20_000)
        (place / "more").unlink()
        (place / "ballast").write_bytes(b"")
        call(record, 200)
        record.close()
        whole = [line for line in (place / "audit.jsonl").read_text().splitlines() if line.endswith("}")]
        assert [json.loads(line)["request_id"] for line in whole] == [str(number) for number in range(201)]
    finally:
        subprocess.run(["umount", place], check=True)


def test_what_there_is_no_memory_for_is_counted(tmp_path: Path) -> None:
    """The first lines stay, and the record says how many are lost. A folder that went away and came back is a disk that did."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    record = AuditLog(AuditSettings(to=str(folder / "audit.jsonl")))
    folder.rename(tmp_path / "away")
    for number in range(1_005):
        call(record, number)
    (tmp_path / "away").rename(folder)
    call(record, 1_005)
    record.close()
    found = lines_of(folder / "audit.jsonl")
    assert [one["request_id"] for one in found if one["kind"] == "call"] == [
        *(str(number) for number in range(1_000)),
        "1005",
    ]
    assert [one["more"] for one in found if one["kind"] == "lost"] == [5]


def call(record: AuditLog, number: int) -> None:
    record.call(
        Principal(subject="ann"), "t", {}, request_id=str(number), outcome="done", seconds=0, caller=CallContext()
    )
