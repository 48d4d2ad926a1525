"""`crosstrail collect --api`: what accounts' own histories keep, whole, once, and never asked for again."""

from __future__ import annotations

import gzip
import json
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import preloaded
from history_workspace import HistoryWorkspace, history_workspace, windows
from live_aws import DEV, PROD


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HistoryWorkspace]:
    with history_workspace(tmp_path, monkeypatch) as found:
        yield found


def test_every_accounts_history_goes_in_once_and_is_not_asked_for_again(live: HistoryWorkspace) -> None:
    live.role_account(PROD, "prod", regions=["us-east-1", "eu-west-1"])
    live.keys_account(DEV, "dev", regions=["us-east-1"])
    ids = {*live.log(PROD, 120), *live.log(PROD, 3, region="eu-west-1"), *live.log(DEV, 2)}
    report = live.collect("--account", "*")
    assert (report["targets"], report["asked"], report["collection"]["new"]) == (3, 3, 125)
    rows = live.rows("SELECT account, eventid, source_object FROM events")
    assert {row["eventid"] for row in rows} == ids
    assert len(rows) == 125
    assert all(row["source_object"].startswith(f"lookup-events://aws/{row['account']}/") for row in rows)
    ended = datetime.now(UTC) - timedelta(minutes=15)
    assert [(account, region) for account, region, *_ in windows(live.lake)] == [
        (PROD, "eu-west-1"), (PROD, "us-east-1"), (DEV, "us-east-1")
    ]  # fmt: skip
    for _, _, start, end in windows(live.lake):
        assert datetime.now(UTC) - timedelta(days=91) < start < datetime.now(UTC) - timedelta(days=89)
        assert ended - timedelta(minutes=2) < end <= ended
    quiet = ("--account", "dev", "--since", "10d", "--until", "5d")
    done = preloaded.run("coverage", "--json", "--config", live.write(), *quiet)
    assert json.loads(done.stdout.splitlines()[-1])["summary"]["days"]["collected"] == 6
    asked = len(live.lookups())
    assert live.collect("--account", "*")["collection"]["new"] == 0
    again = live.lookups(since=asked)
    assert len(again) == 3  # the last quarter of an hour, of each
    assert all(one.params["EndTime"] - one.params["StartTime"] < 1_000 for one in again)


def test_many_events_of_one_second_come_whole_in_as_few_requests_as_they_take(live: HistoryWorkspace) -> None:
    live.keys_account(PROD, "prod", regions=["us-east-1"])
    ids = set(live.log(PROD, 230, apart=0))
    assert live.collect("--account", "prod")["collection"]["new"] == 230
    assert {row["eventid"] for row in live.rows()} == ids
    assert len(live.lookups()) == 5


def test_a_killed_collection_keeps_its_windows_and_asks_only_for_the_rest(live: HistoryWorkspace) -> None:
    live.keys_account(PROD, "prod", regions=["us-east-1"])
    live.keys_account(DEV, "dev", regions=["us-east-1"])
    ids = {*live.log(PROD, 700, apart=300), *live.log(DEV, 2)}
    process = live.start("--account", "*")
    while len(live.lookups(PROD)) < 11 or len(windows(live.lake)) < 2:  # in the second answer's pages
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL
    [start] = [start for account, _, start, _ in windows(live.lake) if account == PROD]
    asked = len(live.lookups())
    live.collect("--account", "*")
    assert sorted(row["eventid"] for row in live.rows()) == sorted(ids)
    ends = [one.params["EndTime"] for one in live.lookups(PROD) if one in live.lookups(since=asked)]
    late = datetime.now(UTC) - timedelta(minutes=20)
    assert all(end < start.timestamp() or end > late.timestamp() for end in ends)  # nothing of what was finished
    assert len(ends) < 10


def test_a_denied_account_is_named_and_the_others_go_in(live: HistoryWorkspace) -> None:
    for number in range(8):
        live.keys_account(f"{number}" * 12, f"a{number}", regions=["us-east-1"])
        live.log(f"{number}" * 12, 2)
    live.world.account("3" * 12).denied.add("cloudtrail:LookupEvents")
    report = live.collect("--account", "*", status=3)
    assert [(one["account"], one["region"]) for one in report["failed"]] == [("3" * 12, "us-east-1")]
    assert "denied" in report["failed"][0]["error"].lower() or "not authorized" in report["failed"][0]["error"]
    assert {row["account"] for row in live.rows()} == {f"{number}" * 12 for number in (0, 1, 2, 4, 5, 6, 7)}
    assert "3" * 12 not in {account for account, *_ in windows(live.lake)}
    assert live.collect("--account", "a3", status=1)["collection"]["new"] == 0


def test_an_error_in_the_middle_keeps_what_came_and_the_next_run_goes_on_there(live: HistoryWorkspace) -> None:
    live.keys_account(PROD, "prod", regions=["us-east-1"])
    ids = live.log(PROD, 620)
    fault = live.world.fail("denied", account=PROD, action="LookupEvents", times=0)
    live.world.fail("throttle", account=PROD, action="LookupEvents", times=1)
    process = live.start("--account", "prod")
    while len(live.lookups()) < 11:
        time.sleep(0.02)
    fault.times = -1
    assert process.wait(60) == 1
    first = len(live.rows())
    assert 490 < first < 620
    fault.times = fault.struck
    before = len(live.lookups())
    assert live.collect("--account", "prod")["collection"]["new"] == 620 - first
    assert {row["eventid"] for row in live.rows()} == set(ids)
    assert len(live.lookups(since=before)) <= 5


def test_sessions_that_end_in_the_middle_of_a_window_are_renewed(live: HistoryWorkspace) -> None:
    live.role_account(PROD, "prod", regions=["us-east-1"])
    ids = live.log(PROD, 160)
    process = live.start("--account", "prod")
    while len(live.lookups()) < 2:
        time.sleep(0.01)
    assert live.world.expire_sessions(PROD)
    assert process.wait(60) == 0
    assert {row["eventid"] for row in live.rows()} == set(ids)


def test_an_event_that_s3_delivered_too_is_one_row(live: HistoryWorkspace, tmp_path: Path) -> None:
    live.keys_account(PROD, "prod", regions=["us-east-1", "eu-west-1"])
    ids = live.log(PROD, 5)
    delivered = [
        json.loads(json.loads(one.encoded)["CloudTrailEvent"]) for one in live.world.account(PROD).events["us-east-1"]
    ]
    turned = [dict(reversed(list(one.items()))) for one in delivered]  # the same content in another form
    logs = tmp_path / "AWSLogs" / PROD / "CloudTrail" / "us-east-1" / "2026" / "11" / "20"
    logs.mkdir(parents=True)
    file = logs / f"{PROD}_CloudTrail_us-east-1_20261120T0005Z_0123456789abcdef.json.gz"
    file.write_bytes(gzip.compress(json.dumps({"Records": turned}, indent=1).encode()))
    assert live.collect("--account", "prod")["collection"]["new"] == 5
    done = preloaded.run("collect", tmp_path / "AWSLogs", "--config", live.write(), "--json")
    report = json.loads(done.stdout)
    assert (report["new"], report["known"], report["conflicting"]) == (0, 5, 0)
    live.world.account(PROD).events["eu-west-1"] = live.world.account(PROD).events[
        "us-east-1"
    ]  # as global services' once
    assert live.collect("--account", "prod", "--region", "eu-west-1")["collection"]["conflicting"] == 0
    assert sorted(row["eventid"] for row in live.rows()) == sorted(ids)


def test_an_event_that_names_no_recipient_is_the_asked_accounts(live: HistoryWorkspace) -> None:
    live.keys_account(PROD, "prod", regions=["us-east-1"])
    caller = {"userIdentity": {"type": "AssumedRole", "accountId": DEV}, "recipientAccountId": None}
    live.world.account(PROD).log("AssumeRole", datetime.now(UTC) - timedelta(hours=1), record=caller)
    live.collect("--account", "prod")
    assert [row["account"] for row in live.rows()] == [PROD]


def test_an_answer_of_another_account_goes_in_nowhere(live: HistoryWorkspace) -> None:
    live.keys_account(PROD, "prod", regions=["us-east-1"])
    live.keys_account(DEV, "dev", regions=["us-east-1"])
    live.log(DEV, 1)
    other = {"recipientAccountId": DEV}
    live.world.account(PROD).log("AssumeRole", datetime.now(UTC) - timedelta(hours=1), record=other)
    report = live.collect("--account", "*", status=3)
    assert [one["account"] for one in report["failed"]] == [PROD]
    assert [row["account"] for row in live.rows()] == [DEV]
    assert [account for account, *_ in windows(live.lake)] == [DEV]


def test_a_span_is_asked_for_alone_and_archives_are_not_asked(live: HistoryWorkspace, tmp_path: Path) -> None:
    live.keys_account(PROD, "prod", regions=["us-east-1"])
    live.listed.append({"id": DEV, "alias": "old", "archive": str(tmp_path)})
    live.log(PROD, 48, age=timedelta(minutes=90), apart=3600)
    config = live.write()
    done = preloaded.run("collect", "--api", "--account", "*", "--since", "26h", "--until", "12h", "--config", config)
    assert done.returncode == 0, done.stderr
    assert "old" in done.stderr
    assert "Events  14 new" in done.stdout
    assert len(live.rows()) == 14
    assert preloaded.run("collect", "--api", "--account", "old", "--config", config).returncode == 1


def test_following_takes_what_comes_until_it_is_stopped(live: HistoryWorkspace) -> None:
    live.keys_account(PROD, "prod", regions=["us-east-1"])
    live.log(PROD, 2)
    process = live.start("--account", "prod", "--follow", "--interval", "1")
    while len(live.lookups()) < 2:
        time.sleep(0.02)
    live.log(PROD, 1, age=timedelta(minutes=1))
    asked = len(live.lookups())
    while len(live.lookups()) < asked + 2:
        time.sleep(0.02)
    process.terminate()
    assert process.wait(30) == 0
    assert len(live.rows()) == 3
