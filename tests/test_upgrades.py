"""Files that an older version wrote, opened by this one; files of a newer version, refused in words and left as they are."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

import preloaded
from audit_logs import ids, log
from crosstrail.account_auth import KeysAuth
from crosstrail.accounts.database import AccountDatabase
from crosstrail.accounts.secrets import SecretBox
from crosstrail.clouds.aws.accounts import RoleAuth
from crosstrail.lake.collector import collect
from crosstrail.lake.format import FORMAT, PROPERTY
from crosstrail.lake.table import LakeTable
from older_lake import ACCOUNT, DAYS, KEY, OTHER, SECRET, SETTINGS, collected_records, unpacked

COUNT = "SELECT recipientaccountid, count(*), count(errorcode), count(other_versions) FROM events GROUP BY 1 ORDER BY 1"
COUNTED = [f"{ACCOUNT},24,0,0", f"{OTHER},6,6,0"]


@pytest.fixture
def older(tmp_path: Path) -> Path:
    return unpacked(tmp_path)


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake whose format this version does not know, and the logs to collect into it."""
    folder = unpacked(tmp_path_factory.mktemp("newer"))
    collect([folder / "logs"], folder / "lake")
    _state(folder / "lake", str(FORMAT + 1))
    log(folder / "more.json", range(3))
    return folder


def _state(lake: Path, version: str) -> None:
    """As another version would."""
    with closing(LakeTable.open(lake, create=True)) as opened, opened._table.transaction() as change:
        change.set_properties({PROPERTY: version})


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "results" not in path.parts
    }


def _run(*arguments: str | Path, status: int = 0) -> str:
    ended = preloaded.run(*arguments)
    assert ended.returncode == status, ended.stderr
    return ended.stdout


def _counts(lake: Path) -> list[str]:
    return _run("query", COUNT, "--format", "csv", "--lake", lake).split()[1:]


def test_an_older_lake_is_read_as_it_is(older: Path) -> None:
    lake = older / "lake"
    before = _files(lake)
    assert _counts(lake) == COUNTED
    found = _run(
        "lookup", "--account", OTHER, "--since", "2026-03-01", "--until", "2026-03-01", "--json", "--lake", lake
    )
    events = [json.loads(line)["event"] for line in found.splitlines()]
    assert [one["eventID"] for one in events] == [f"event-{OTHER}-1-{number}" for number in range(5, -1, -1)]
    assert events[0] in collected_records()[next(name for name in collected_records() if name.endswith("_c.json.gz"))]
    days = _run("coverage", "--account", ACCOUNT, "--json", "--lake", lake)
    assert re.search(r'"us-east-1".*?"missing": *1, *"partly": *3', days, re.DOTALL), days
    status = json.loads(_run("lake", "status", "--json", "--lake", lake))
    assert (status["format"], status["events"]) == (1, 30)
    told = preloaded.run("lake", "status", "--lake", lake)
    assert "crosstrail lake migrate" in told.stdout + told.stderr
    assert json.loads(_run("lake", "verify", "--json", "--lake", lake))["sound"]
    assert _files(lake) == before


def test_collecting_on_top_of_an_older_lake_brings_it_up_to_date(older: Path) -> None:
    lake = older / "lake"
    again = json.loads(_run("collect", older / "logs", "--json", "--lake", lake))
    assert (again["new"], again["known"]) == (0, 32), again
    other = {**collected_records()[next(iter(collected_records()))][0], "errorMessage": "corrected"}
    (older / "other.json").write_text(json.dumps({"Records": [other]}))
    _run("collect", log(older / "more.json", range(3)), older / "other.json", "--lake", lake)
    assert _counts(lake) == [f"{ACCOUNT},27,0,1", COUNTED[1]]
    assert json.loads(_run("lake", "status", "--json", "--lake", lake))["format"] == FORMAT
    assert json.loads(_run("lake", "verify", "--json", "--lake", lake))["sound"]


def test_an_older_lake_is_migrated_and_its_events_stay_where_they_are(older: Path) -> None:
    lake = older / "lake"
    data = {name: content for name, content in _files(lake).items() if name.endswith(".parquet")}
    assert len(data) == len(DAYS) + 1
    assert _run("lake", "migrate", "--lake", lake).startswith(f"The lake has format {FORMAT} now, it had format 1: ")
    assert {name: content for name, content in _files(lake).items() if name.endswith(".parquet")} == data
    migrated = _files(lake)
    assert _run("lake", "migrate", "--lake", lake).startswith("Nothing to do")
    assert _files(lake) == migrated
    assert _counts(lake) == COUNTED
    _run("lake", "compact", "--lake", lake)
    assert _counts(lake) == COUNTED


@pytest.mark.parametrize("migrated", [False, True])
def test_what_is_damaged_in_an_older_lake_is_repaired(older: Path, migrated: bool) -> None:
    lake = older / "lake"
    if migrated:
        _run("lake", "migrate", "--lake", lake)
    damaged = next((lake / "events/data/aws" / OTHER).rglob("*.parquet"))
    damaged.write_bytes(damaged.read_bytes()[:200])
    assert OTHER in json.dumps(json.loads(_run("lake", "verify", "--json", "--lake", lake, status=1))["damaged"])
    _run("lake", "repair", "--lake", lake, status=3)
    assert _counts(lake) == COUNTED[:1]
    _run("collect", older / "logs", "--lake", lake)
    assert _counts(lake) == COUNTED


@pytest.mark.parametrize(
    "command",
    [
        ("lookup", "--account", ACCOUNT),
        ("query", COUNT),
        ("coverage",),
        ("collect", "more.json"),
        ("lake", "status"),
        ("lake", "verify"),
        ("lake", "compact"),
        ("lake", "migrate"),
        ("lake", "move"),
        ("lake", "repair"),
    ],
    ids=" ".join,
)
def test_a_lake_of_a_newer_version_is_refused_and_left_alone(newer: Path, command: Sequence[str]) -> None:
    lake = newer / "lake"
    before = _files(lake)
    words = [str(newer / word) if word.endswith(".json") else word for word in command]
    ended = preloaded.run(*words, "--lake", lake)
    assert ended.returncode == 1
    assert f"this lake has the format {FORMAT + 1}" in ended.stderr
    assert "Update crosstrail" in ended.stderr
    assert _files(lake) == before


def test_a_lake_that_becomes_newer_while_it_is_open_takes_nothing_more(older: Path) -> None:
    from crosstrail.errors import LakeError

    lake = older / "lake"
    with closing(LakeTable.open(lake, create=True)) as table, closing(LakeTable.open(lake)) as reader:
        base = table.snapshot()
        assert reader.snapshot().files
        _state(lake, "a future name")
        with pytest.raises(LakeError, match="newer version"):
            table.commit(base, [], set())
        with pytest.raises(LakeError, match="newer version"):
            reader.snapshot()


@pytest.mark.parametrize(
    ("file", "command"),
    [("coverage.sqlite", ("coverage",)), ("detections.sqlite", ("collect", "more.json", "--detect"))],
)
def test_a_state_file_of_a_newer_version_is_refused(older: Path, file: str, command: Sequence[str]) -> None:
    lake = older / "lake"
    log(older / "more.json", range(2))
    with closing(sqlite3.connect(lake / file)) as db:
        db.execute("PRAGMA user_version = 99")
    before = (lake / file).read_bytes()
    ended = preloaded.run(*[str(older / word) if word.endswith(".json") else word for word in command], "--lake", lake)
    assert ended.returncode in (1, 3)
    assert f"{file} has the format 99" in ended.stderr
    assert f"delete {file}" in ended.stderr
    assert (lake / file).read_bytes() == before
    assert len(ids(lake)) >= 30


def test_settings_of_an_older_version_are_taken_but_for_what_was_replaced(older: Path) -> None:
    file = older / "crosstrail.yaml"
    assert file.read_text() == SETTINGS
    refused = preloaded.run("accounts", "list", "--config", file)
    assert refused.returncode == 1
    assert f"audit.keep ({file}): an earlier version had this setting." in refused.stderr
    assert "Write audit.keep_days and audit.max_total instead: see `crosstrail help upgrading`." in refused.stderr
    checked = preloaded.run("config", "check", file)
    [error] = [line for line in checked.stdout.splitlines() if ": error: " in line]
    assert error.startswith(f"{file}:")
    assert ": audit.keep: " in error
    file.write_text(SETTINGS.replace(", keep: 10", ""))
    listed = _run("accounts", "list", "--config", file, "--columns", "account,events", "--format", "csv").split()
    assert listed[1:] == [f"{ACCOUNT},24", "222222222220,0", "333333333333,0", "444444444444,0", "2100000001,0"]


def test_a_variable_of_an_older_version_is_refused_and_not_passed_over(tmp_path: Path) -> None:
    environ = {"CROSSTRAIL_AUDIT_KEEP": "10", "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    refused = preloaded.run("accounts", "list", environ=environ)
    assert refused.returncode == 1
    assert "CROSSTRAIL_AUDIT_KEEP in the environment: an earlier version read this variable." in refused.stderr


def test_an_account_database_of_an_older_version_is_read_and_written(older: Path) -> None:
    environ = {
        "DATABASE_URL": f"sqlite:///{older / 'accounts.sqlite'}",
        "ENCRYPTION_KEY": KEY,
        "HOME": str(older),
        "PATH": os.environ["PATH"],
    }
    found = {one.name: one for one in AccountDatabase.at(environ["DATABASE_URL"]).read().accounts}
    assert isinstance(found["other"].auth, RoleAuth)
    assert found["other"].auth.external_id == "ext-1"
    assert isinstance(found["keys"].auth, KeysAuth)
    token = found["keys"].auth.secret_access_key_encrypted
    assert token
    assert SecretBox(KEY).decrypt(token.get_secret_value(), "222222222222").get_secret_value() == SECRET
    role = "acs:ram::1100000000000001:role/Audit"
    added = preloaded.run("accounts", "add", "1100000000000001", "--alias", "hz", "--role-arn", role, environ=environ)
    assert added.returncode == 0, added.stderr
    listed = preloaded.run("accounts", "list", "--columns", "account", "--format", "csv", environ=environ)
    assert set(listed.stdout.split()[1:]) == {OTHER, "222222222222", "1100000000000001"}, listed.stderr


def test_a_record_of_an_older_version_is_read(tmp_path: Path) -> None:
    call = {
        "time": "2026-11-20T09:00:00Z",
        "kind": "call",
        "request_id": "1",
        "principal": "ann@example.com",
        "tool": "lookup_events",
        "outcome": "done",
        "ms": 12.5,
        "asked": {"target_account_id": "prod"},
        "accounts": [ACCOUNT],
        "account_count": 1,
        "regions": ["us-east-1"],
        "upstream_calls": 0,
        "upstream": [],
        "bytes": 10,
    }
    refused = {"time": "2026-11-20T09:00:01Z", "kind": "refused", "status": 401, "method": "POST", "path": "/mcp"}
    file = tmp_path / "calls.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in (call, refused | {"client": "198.51.100.7"})))
    rows = json.loads(_run("audit", file, "--format", "json"))
    assert len(rows) == 2
    assert ACCOUNT in json.dumps(rows)
    assert "401" in json.dumps(rows)
