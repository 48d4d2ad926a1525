"""Exports without SQL: all pages of a lookup over archives and live accounts, with what the lookup says it covered."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import CommandLine
from lake_workspace import DEV, NOON, PROD, collect, record, write_logs
from live_aws import LiveAws

COUNT = 40


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export-lookup")
    made = [
        record(PROD if number % 2 else DEV, number, NOON + timedelta(minutes=number), eventName=f"Event{number % 4}")
        for number in range(COUNT)
    ]
    write_logs(folder / "logs", made)
    collect(folder / "logs", folder / "lake")
    return folder / "lake"


def records_of(data: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.read_bytes().splitlines()]


def manifest_of(data: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(data.with_name(f"{data.name}.manifest.json").read_text())
    return found


def test_an_archive_is_exported_by_account_time_and_filters(
    crosstrail: CommandLine, lake: Path, tmp_path: Path
) -> None:
    data = tmp_path / "found.jsonl"
    chosen = (
        "--account",
        PROD,
        "--since",
        "2026-11-19T12:10:00Z",
        "--until",
        "2026-11-19T12:30:00Z",
        "--name",
        "Event1",
    )
    done = crosstrail("export", *chosen, "-o", data, "--lake", lake)
    assert done.returncode == 0, done.stderr
    expected = [number for number in range(30, 9, -1) if number % 4 == 1]
    assert [int(one["eventID"][-12:]) for one in records_of(data)] == expected
    assert {one["recipientAccountId"] for one in records_of(data)} == {PROD}
    said = manifest_of(data)
    assert said["query"]["filters"] == [{"key": "EventName", "value": "Event1"}]
    assert (said["query"]["since"], said["complete"]) == ("2026-11-19T12:10:00Z", True)
    assert [one["id"] for one in said["scope"]["accounts"]] == [PROD]
    assert isinstance(said["snapshot"], int)
    assert any(f"{len(expected)} events" in line for line in said["coverage"])
    (source,) = [json.loads(line) for line in Path(f"{data}.sources.jsonl").read_bytes().splitlines()]
    assert source["object"].startswith(f"AWSLogs/{PROD}/")
    assert crosstrail("export", "--check", f"{data}.manifest.json").returncode == 0


def test_a_limit_leaves_out_the_older_ones_and_says_so(crosstrail: CommandLine, lake: Path, tmp_path: Path) -> None:
    data = tmp_path / "newest.jsonl"
    done = crosstrail("export", "--account", "*", "--limit", 7, "-o", data, "--lake", lake)
    assert done.returncode == 0, done.stderr
    assert [int(one["eventID"][-12:]) for one in records_of(data)] == list(range(39, 32, -1))
    assert manifest_of(data)["complete"] is False
    assert "older ones exist" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("SELECT eventid FROM events", "--since", "1d"),
        ("--account", "*", "--check", "x.manifest.json"),
        ("--since", "yesterday-ish"),
    ],
)
def test_what_makes_no_sense_is_refused(
    crosstrail: CommandLine, lake: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = crosstrail("export", *arguments, "-o", tmp_path / "x.jsonl", "--lake", lake)
    assert done.returncode in (1, 2)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def live(aws: LiveAws, tmp_path: Path) -> Path:
    """crosstrail.yaml of two live accounts: 120 events of prod, 3 of dev."""
    aws.keys_account(PROD, "prod")
    aws.role_account(DEV, "dev")
    now = datetime.now(UTC).replace(microsecond=0)
    for number in range(120):
        aws.log_record(record(PROD, number, now - timedelta(minutes=number + 5)))
    for number in range(3):
        aws.log_record(record(DEV, number, now - timedelta(minutes=number + 5)))
    config = tmp_path / "crosstrail.yaml"
    config.write_text(yaml.safe_dump({"accounts": aws.listed, "lake": {"path": "no-lake"}}))
    return config


def test_live_accounts_are_exported_over_all_pages(crosstrail: CommandLine, live: Path, tmp_path: Path) -> None:
    data = tmp_path / "live.jsonl"
    done = crosstrail("export", "--account", "*", "--since", "7d", "-o", data, "--config", live)
    assert done.returncode == 0, done.stderr
    found = {(one["recipientAccountId"], one["eventID"]) for one in records_of(data)}
    assert len(found) == len(records_of(data)) == 123
    said = manifest_of(data)
    assert (said["complete"], said["reserialized"], said["snapshot"]) == (True, 0, None)
    assert said["verified"] == {"verified": 0, "failed": 0, "unverified": 123}
    sources = [json.loads(line) for line in Path(f"{data}.sources.jsonl").read_bytes().splitlines()]
    assert sorted((one["account"], one["object"], one["records"]) for one in sources) == [
        (PROD, None, 120),
        (DEV, None, 3),
    ]


def test_the_text_of_a_live_record_is_the_clouds_own(
    crosstrail: CommandLine, aws: LiveAws, live: Path, tmp_path: Path
) -> None:
    data = tmp_path / "one.jsonl"
    event_id = f"{DEV[:8]}-0000-4000-8000-{1:012d}"
    done = crosstrail("export", "--account", "dev", "--event-id", event_id, "-o", data, "--config", live)
    assert done.returncode == 0, done.stderr
    (logged,) = [one for one in aws.world.accounts[DEV].events["us-east-1"] if one.id == event_id]
    assert data.read_text() == json.loads(logged.encoded)["CloudTrailEvent"] + "\n"


def test_an_account_that_cannot_be_asked_is_told(
    crosstrail: CommandLine, aws: LiveAws, live: Path, tmp_path: Path
) -> None:
    aws.world.accounts[DEV].denied |= {"cloudtrail:LookupEvents"}
    data = tmp_path / "partly.jsonl"
    done = crosstrail("export", "--account", "*", "--since", "7d", "-o", data, "--config", live)
    assert done.returncode == 3
    assert "Failed: dev" in done.stderr
    said = manifest_of(data)
    assert said["complete"] is False
    assert any("Failed: dev" in line for line in said["coverage"])
    assert len(records_of(data)) == 120
    assert crosstrail("export", "--check", f"{data}.manifest.json").returncode == 0
