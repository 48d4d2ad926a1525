"""`crosstrail audit`: who asked what of which accounts, from the files that servers wrote."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import preloaded
from conftest import CommandLine
from crosstrail.record.account_sets import set_name
from lake_workspace import NOON, PROD, collect, record, write_logs
from running_server import client_over_http, serving, write_config
from terminal import on_a_terminal

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SET = [f"5{number:011d}" for number in range(60)]


def line(minute: float, who: str = "ann@example.com", **more: Any) -> dict[str, Any]:
    call = {"kind": "call", "principal": who, "tool": "lookup_events", "outcome": "done"}
    time = (NOW + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")
    return {"time": time, **call, "accounts": [PROD], "account_count": 1, "regions": ["us-east-1"], **more}


def defined(minute: float, ids: list[str] = SET) -> dict[str, Any]:
    time = (NOW + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")
    return {"time": time, "kind": "accounts", "account_set": set_name(ids), "accounts": ids}


def of_set(minute: float, who: str, ids: list[str] = SET) -> dict[str, Any]:
    named = line(minute, who, account_set=set_name(ids), account_count=len(ids))
    del named["accounts"]
    return named


def text_of(lines: Iterable[dict[str, Any] | str]) -> str:
    return "".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in lines)


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    """A record of four files: one of an earlier version, one compressed, one not yet, and the one that is written."""
    file = tmp_path / "audit.jsonl"
    (tmp_path / "audit.jsonl.1").write_text(text_of([line(0, "first@example.com"), line(1)]))
    packed = tmp_path / "audit.jsonl.20261120T121500000000Z.gz"
    packed.write_bytes(gzip.compress(text_of([defined(10), of_set(10, "set@example.com"), line(12, "bea")]).encode()))
    text = text_of([line(20), line(16, "late"), line(21, tool="lake_query", outcome="failed", error="AccountNotFound")])
    (tmp_path / "audit.jsonl.20261120T123000000000Z").write_text(text)
    refused = {"time": line(40)["time"], "kind": "refused", "status": 401, "method": "POST", "path": "/mcp"}
    refused |= {"address": "192.0.2.1", "reason": "expired"}
    file.write_text(text_of([line(31), defined(32), of_set(32, "set@example.com"), refused]))
    (tmp_path / "audit.jsonl.lock").touch()
    return file


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, str]]:
    header, *found = (one.split("\t") for one in done.stdout.splitlines())
    return [dict(zip(header, one, strict=True)) for one in found]


def test_all_files_are_read_in_the_order_of_their_times(crosstrail: CommandLine, audit: Path) -> None:
    done = crosstrail("audit", audit)
    assert done.returncode == 0, done.stderr
    minutes = [int(one["time"][14:16]) for one in rows(done)]
    assert minutes == [0, 1, 10, 12, 16, 20, 21, 31, 32, 40]
    assert "10 lines found. The record reaches from 2026-11-20T12:00:00Z to 2026-11-20T12:40:00Z." in done.stderr
    assert (rows(done)[-1]["outcome"], rows(done)[-1]["reason"]) == ("refused", "401 expired")
    assert rows(done)[-1]["address"] == "192.0.2.1"
    shell = crosstrail("audit", *sorted(audit.parent.glob("audit.jsonl*")))
    assert (shell.stdout, shell.stderr) == (done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("asked", "minutes"),
    [
        (["--account", PROD], [0, 1, 12, 16, 20, 21, 31]),
        (["--account", SET[59]], [10, 32]),
        (["--account", f"{SET[0]},5*3"], [10, 32]),
        (["--account", "4"], []),
        (["--who", "SET@*"], [10, 32]),
        (["--who", "b*a"], [12]),
        (["--tool", "lake_*"], [21]),
        (["--outcome", "failed"], [21]),
        (["--outcome", "refused"], [40]),
        (["--since", "2026-11-20T12:11Z", "--until", "2026-11-20T12:31Z"], [12, 16, 20, 21, 31]),
        (["--since", "2026-11-20T12:32Z", "--account", SET[3]], [32]),
        (["--until", "2026-11-20T12:05Z"], [0, 1]),
        (["--limit", "2"], [32, 40]),
        (["--who", "set*", "--account", PROD], []),
    ],
)
def test_lines_are_chosen(crosstrail: CommandLine, audit: Path, asked: list[str], minutes: list[int]) -> None:
    done = crosstrail("audit", audit, *asked)
    assert done.returncode == 0, done.stderr
    assert [int(one["time"][14:16]) for one in rows(done)] == minutes if minutes else done.stdout == ""


def test_what_lies_before_the_record_and_after_the_span_is_said(crosstrail: CommandLine, audit: Path) -> None:
    before = crosstrail("audit", audit, "--since", "2026-11-13", "--until", "2026-11-20T12:05Z").stderr
    assert "reaches from 2026-11-20T12:00:00Z to beyond the span" in before
    assert "who asked from 2026-11-13T00:00:00Z to 2026-11-20T12:00:00Z it does not say" in before
    inside = crosstrail("audit", audit, "--since", "2026-11-20T12:05Z")
    assert "does not say" not in inside.stderr


def test_json_has_each_line_and_all_its_accounts(crosstrail: CommandLine, audit: Path) -> None:
    done = crosstrail("audit", audit, "--format", "json")
    found = [one["record"] for one in json.loads(done.stdout)]
    assert [one["kind"] for one in found] == ["call"] * 9 + ["refused"]
    assert [one["accounts"] for one in found if "account_set" in one] == [SET, SET]
    assert found[0] == line(0, "first@example.com")


def test_what_is_damaged_is_counted_and_named(crosstrail: CommandLine, audit: Path) -> None:
    """Half a line, one that is none, a definition that was changed, a set that none defines, a file cut short."""
    forged = defined(33, [f"6{number:011d}" for number in range(60)]) | {"accounts": ["600000000001"]}
    strange = [
        "",
        "null",
        "[]",
        '{"time": 1, "kind": "call"}',
        "\x00" * 50,
        '{"kind": "call"}',
        "WARNING crosstrail: hm",
    ]
    half = json.dumps(line(50))[:60]
    with audit.open("a") as file:
        file.write(text_of([forged, of_set(33, "hidden", [f"6{number:011d}" for number in range(60)]), *strange]))
        file.write(half)
    packed = audit.parent / "audit.jsonl.20261120T121500000000Z.gz"
    packed.write_bytes(packed.read_bytes()[:-20])
    done = crosstrail("audit", audit, "--account", f"{PROD},600000000001")
    assert done.returncode == 3
    assert [int(one["time"][14:16]) for one in rows(done)] == [0, 1, 16, 20, 21, 31]
    assert "passed over: 8 (audit.jsonl line 5, audit.jsonl line 8, audit.jsonl line 9, ...)" in done.stderr
    assert f"{packed.name} cannot be read to its end: its compressed form is damaged or has no end" in done.stderr
    assert "Calls that may have asked these accounts, too: 1." in done.stderr


def test_hostile_text_does_not_reach_the_terminal(audit: Path) -> None:
    hostile = "\x1b]0;owned\x07eve\u202e"
    audit.write_text(text_of([line(50, hostile, tool=hostile, address=hostile, client=hostile, error=hostile)]))
    for form in ("table", "json"):
        status, printed = on_a_terminal(200, "audit", audit, "--format", form, "--who", "*eve*")
        assert status == 0
        assert "eve" in printed
        assert "\x1b]" not in printed
        assert "\u202e" not in printed


def test_stdin_is_read(audit: Path) -> None:
    for text in (audit.read_text(), "INFO crosstrail: a log beside it\n" + audit.read_text()):
        done = preloaded.run("audit", "-", "--account", SET[1], stdin=text)
        assert [one["accounts"] for one in rows(done)] == [f"{SET[1]} of 60"]
        assert done.returncode == (3 if "log" in text else 0)


def test_where_there_is_no_record_that_is_said(crosstrail: CommandLine, tmp_path: Path) -> None:
    for arguments, said in (
        (["audit"], "the record goes to no file"),
        (["audit", tmp_path / "none"], "there is no record at"),
        (["audit", tmp_path / "no folder" / "none"], "there is no record at"),
    ):
        done = crosstrail(*arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert said in done.stderr
    (tmp_path / "empty").touch()
    assert "no line of a record" in crosstrail("audit", tmp_path / "empty").stderr


def test_memory_does_not_grow_with_the_files(tmp_path: Path) -> None:
    """36 MB of lines, a line of 64 MB, 50 sets of 5,000 accounts, and none of it in memory at once."""
    many = text_of([line(number / 1000, user_agent="x" * 400) for number in range(1_000)]).encode()
    small = tmp_path / "small.jsonl"
    small.write_bytes(many)
    sets = [defined(0, [f"{number:06d}{account:06d}" for account in range(5_000)]) for number in range(50)]
    large = tmp_path / "large.jsonl"
    with gzip.open(large, "wb", 1) as file:
        file.write(text_of(sets).encode())
        file.write(b'{"time": "' + b"x" * 64_000_000 + b"\n")
        for _ in range(60):
            file.write(many)
    script = """
import resource, sys
from pathlib import Path
from crosstrail.record.question import AccountFilter, Question
from crosstrail.record.reader import RecordReader
for name in sys.argv[1:]:
    reader = RecordReader(Question(accounts=AccountFilter(frozenset({"000007000007", "111111111111"}), ())), [Path(name)])
    count = sum(1 for _ in reader.found())
    print(count, reader.damaged.total(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000)
"""
    done = subprocess.run([sys.executable, "-c", script, small, large], capture_output=True, text=True, check=True)
    (small_count, _, before), (large_count, damaged, after) = (
        map(int, one.split()) for one in done.stdout.splitlines()
    )
    assert (small_count, large_count, damaged) == (1_000, 60_000, 1)
    assert after - before < 60


async def test_who_asked_an_account_is_found_from_the_server_to_the_command(
    crosstrail: CommandLine, tmp_path: Path
) -> None:
    """Alone, among sixty, by its alias, and in vain; from where."""
    ids = [f"{number:012d}" for number in range(1, 61)]
    write_logs(tmp_path / "logs", [record(ids[0], 1, NOON)])
    collect(tmp_path / "logs", tmp_path / "lake")
    config = write_config(
        tmp_path,
        accounts=[{"id": one, "alias": f"team-{int(one)}", "archive": "logs"} for one in ids],
        lake={"path": "lake"},
        audit={"to": str(tmp_path / "audit.jsonl")},
    )
    with serving(config) as server:
        async with client_over_http(server.url) as client:
            await client.call_tool("lake_query", {"sql": "SELECT count(*) FROM events"})
            await client.call_tool("lookup_events", {"target_account_id": "team-7"})
            await client.call_tool("lookup_events", {"target_account_id": "team-8"})
            await client.call_tool("lookup_events", {"target_account_id": "team-99"})
        server.stop()
    found = crosstrail("audit", "--config", config, "--account", "team-7")
    assert [(one["tool"], one["accounts"], one["address"]) for one in rows(found)] == [
        ("lake_query", f"{ids[6]} of 60", "127.0.0.1"),
        ("lookup_events", ids[6], "127.0.0.1"),
    ]
    assert rows(crosstrail("audit", "--config", config, "--account", ids[6])) == rows(found)
    [in_vain] = rows(crosstrail("audit", "--config", config, "--account", "team-99"))
    assert [in_vain[name] for name in ("accounts", "outcome", "reason")] == ["team-99", "failed", "AccountNotFound"]
