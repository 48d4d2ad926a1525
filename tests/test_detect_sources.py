"""`collect --detect` of whatever is collected: event histories, buckets, and what comes while it follows."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

import preloaded
from detection_rules import CONFIG, event, objects, write_file, write_rules
from history_workspace import AGE, HistoryWorkspace, history_workspace
from listed_accounts import moment
from live_aws import PROD
from moto_server import Moto
from trail_bucket import BUCKET, key, put


def test_findings_of_event_histories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_rules(tmp_path / "rules")
    rules = {"rules": [str(tmp_path / "rules")], "packaged": False}
    with history_workspace(tmp_path, monkeypatch) as live:
        live.keys_account(PROD, "prod", regions=["us-east-1"])
        own = live.world.account(PROD)
        first = own.log("StopLogging", moment(AGE))
        assert _of_histories(live, rules, 10) == [first]
        assert _of_histories(live, rules, 0) == []
        late = own.log("DeleteTrail", moment(AGE * 2))
        second = own.log("CreateUser", moment(AGE / 60))
        assert set(_of_histories(live, rules, 10)) <= {late, second}


def _of_histories(live: HistoryWorkspace, rules: dict[str, object], status: int) -> list[str]:
    arguments = ("collect", "--api", "--config", live.write(detect=rules), "--json", "--detect", "--exit-code")
    done = preloaded.run(*arguments)
    assert done.returncode == status, done.stderr
    return [one["id"] for each in objects(done.stdout)[1:] for one in each["events"]]


def test_findings_of_a_bucket(moto: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_rules(tmp_path / "rules")
    (tmp_path / "crosstrail.yaml").write_text(CONFIG)
    moto.bucket(BUCKET)
    put(moto, BUCKET, key("a"), [event(10, "StopLogging"), event(11, "ListUsers")])
    done = preloaded.run("collect", f"s3://{BUCKET}", "--detect", "--exit-code")
    assert (done.returncode, "1 new finding: 1 high." in done.stderr) == (10, True), done.stderr
    put(moto, BUCKET, key("b"), [event(5, "CreateUser")])
    again = preloaded.run("collect", f"s3://{BUCKET}", "--detect", "--exit-code")
    assert (again.returncode, "1 new finding: 1 medium." in again.stderr) == (10, True), again.stderr


def test_a_collection_that_follows_tells_what_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_rules(tmp_path / "rules")
    (tmp_path / "crosstrail.yaml").write_text(CONFIG)
    write_file(tmp_path / "logs", "one", [event(10, "StopLogging")])
    arguments = ("collect", "logs", "--follow", "--interval", "1", "--detect", "--json", "--exit-code")
    process = preloaded.start(*arguments, stdout=True)
    assert process.stdout
    assert process.stderr
    with process.stdout, process.stderr:
        assert next(line for line in process.stdout if "Trail stopped" in line)
        write_file(tmp_path / "logs", "two", [event(3, "CreateUser")])
        assert next(line for line in process.stdout if "User made" in line)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 10
