"""New findings: of what was just collected, and of what comes while one looks. None is lost, none told twice."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import preloaded
from crosstrail.workspace.detection_state import MatchKey, opened_state
from detection_rules import CONFIG, MADE_USER, event, objects, write_correlation, write_file, write_rule, write_rules
from lake_workspace import DEV, NOON, PROD
from made_findings import finding
from webhook_server import WebhookServer


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_rules(tmp_path / "rules")
    (tmp_path / "crosstrail.yaml").write_text(CONFIG)
    return tmp_path


def collect(*more: str | Path, status: int = 0) -> list[str]:
    """Ids of the events that `collect --detect` tells of, in their order; each finding has few enough to name all."""
    done = preloaded.run("collect", "logs", "--detect", "--json", *more)
    assert done.returncode == status, done.stderr
    return told(objects(done.stdout[done.stdout.rindex("\n}") :]))


def told(findings: Iterable[dict[str, Any]]) -> list[str]:
    return sorted(one["id"][-2:] for each in findings for one in each["events"])


def killed(process: preloaded.Running) -> str:
    """The rest of what it printed."""
    process.kill()
    process.wait(60)
    assert process.stdout
    assert process.stderr
    with process.stdout, process.stderr:
        return process.stdout.read()


def test_late_files_compactions_and_other_collections_lose_and_double_nothing(place: Path) -> None:
    numbers = list(range(10, 40))
    random.Random(5).shuffle(numbers)  # noqa: S311 - an order, no secret
    seen: list[str] = []
    for turn, start in enumerate(range(0, 30, 5)):
        events = [
            event(number, "StopLogging", PROD if number % 2 else DEV, f"user{number}")
            for number in numbers[start : start + 5]
        ]
        write_file(place / "logs", f"{turn}", events)
        if turn == 2:  # by somebody who looks for nothing, or was killed before that
            assert preloaded.run("collect", "logs").returncode == 0
            continue
        seen += collect()
        if turn in (1, 3):
            assert preloaded.run("lake", "compact").returncode == 0
            assert collect() == []
    assert sorted(seen) == [str(number) for number in range(10, 40)]


def test_a_late_event_completes_a_correlation_across_midnight(place: Path) -> None:
    """23:55, 00:03 and, late, 23:58: neither of their days alone has three."""
    write_correlation(place / "rules")
    midnight = NOON + timedelta(hours=12)
    times = {10: -5, 11: 3, 12: -2, 13: 8, 14: 60}
    events = {number: event(number, "GetObject", at=midnight + timedelta(minutes=at)) for number, at in times.items()}
    write_file(place / "logs", "one", [events[10], events[11], events[14]])
    assert collect() == []
    write_file(place / "logs", "late", [events[12]])
    assert collect() == ["10", "11", "12"]
    write_file(place / "logs", "later", [events[13]])
    assert collect() == ["11", "12", "13"]
    assert collect() == []


def test_what_was_there_before_is_known_and_said(place: Path) -> None:
    write_file(place / "logs", "old", [event(number, "StopLogging") for number in range(10, 13)])
    assert preloaded.run("collect", "logs").returncode == 0
    write_file(place / "logs", "new", [event(13, "DeleteTrail"), event(14, "DescribeInstances")])
    done = preloaded.run("collect", "logs", "--detect", "--exit-code")
    assert "3 matches in what was collected before are nothing new" in done.stderr
    assert done.returncode == 10
    assert "1 new finding: 1 high." in done.stderr
    again = preloaded.run("collect", "logs", "--detect", "--exit-code")
    assert (again.returncode, "new finding" in again.stderr) == (0, False)


def test_a_first_collection_that_was_killed_is_made_up_for(place: Path) -> None:
    write_file(place / "logs", "one", [event(10, "StopLogging")])
    with opened_state(place / "lake") as state:  # it had begun
        state.begin()
    assert preloaded.run("collect", "logs").returncode == 0
    assert collect() == ["10"]


def test_a_lake_whose_making_was_cut_short_is_made(place: Path) -> None:
    write_file(place / "logs", "one", [event(10, "StopLogging")])
    (place / "lake").mkdir()
    (place / "lake" / "catalog.sqlite").touch()
    assert collect() == ["10"]


def test_other_rules_find_nothing_old_anew(place: Path) -> None:
    write_file(place / "logs", "one", [event(10, "StopLogging"), event(11, "CreateUser"), event(12, "DeleteUser")])
    assert collect() == ["10", "11"]
    write_rule(place / "rules", "deleted.yml", title="User deleted", id="7" * 8 + MADE_USER[8:], names="DeleteUser")
    assert collect() == []
    write_file(place / "logs", "two", [event(13, "StopLogging"), event(14, "DeleteUser")])
    assert collect() == ["13", "14"]


def test_suppressed_matches_stay_known(place: Path) -> None:
    config = CONFIG.replace("packaged: false", "packaged: false, suppressions: [{rule: 'Trail*', reason: drill}]")
    (place / "crosstrail.yaml").write_text(config)
    write_file(place / "logs", "one", [event(10, "StopLogging"), event(11, "CreateUser")])
    done = preloaded.run("collect", "logs", "--detect", "--json")
    assert told(objects(done.stdout[done.stdout.rindex("\n}") :])) == ["11"]
    assert "Suppressed: 1: 1 of Trail* (drill)." in done.stderr
    (place / "crosstrail.yaml").write_text(CONFIG)
    assert collect() == []


def test_the_webhook_gets_each_finding_once_it_takes_them(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSTRAIL_DETECT_WEBHOOK_ATTEMPTS", "1")
    write_file(place / "logs", "one", [event(10, "StopLogging")])
    with WebhookServer([500, 200]) as server:
        monkeypatch.setenv("CROSSTRAIL_DETECT_WEBHOOK", server.url)
        assert collect("--exit-code", status=13) == ["10"]
        assert collect() == []
        assert collect() == []
    assert len(server.bodies) == 2
    assert server.bodies[0] == server.bodies[1]
    assert "*HIGH* Trail stopped" in server.bodies[0]["text"]
    write_file(place / "logs", "two", [event(11, "StopLogging", user="<!channel>")])
    monkeypatch.setenv("CROSSTRAIL_DETECT_WEBHOOK_FORM", "json")
    with WebhookServer([204]) as server:
        monkeypatch.setenv("CROSSTRAIL_DETECT_WEBHOOK", server.url)
        collect()
    [body] = server.bodies
    assert [one["principal"] for one in body["findings"]] == ["user/<!channel>"]


def test_killed_while_it_sends_it_sends_again_and_prints_no_more(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(place / "logs", "one", [event(10, "StopLogging")])
    with WebhookServer([0, 200]) as server:
        monkeypatch.setenv("CROSSTRAIL_DETECT_WEBHOOK", server.url)
        process = preloaded.start("collect", "logs", "--detect", "--json", stdout=True)
        assert server.received.wait(60)
        assert killed(process).count("Trail stopped") == 1
        assert collect() == []
    assert [len(body["blocks"]) for body in server.bodies] == [2, 2]


def test_a_finding_waits_until_it_is_printed_and_sent(tmp_path: Path) -> None:
    key = MatchKey("rule", "aws", PROD, "event")
    with opened_state(tmp_path, "table") as state:
        assert state.record([key], lambda fresh: [finding()], ["a.parquet"], "rules", sends=True) == 1
    with opened_state(tmp_path, "table") as state:
        [one] = state.waiting()
        assert (one.finding, one.printed, one.sent) == (finding(), False, False)
        state.note_printed([one.number])
        assert state.waiting()[0].printed
        assert state.record([key], lambda fresh: [finding()], ["b.parquet"], "rules", sends=True) == 0
        assert state.unseen({"a.parquet", "b.parquet", "c.parquet"}, "rules") == {"c.parquet"}
        assert state.unseen({"a.parquet"}, "others") == {"a.parquet"}
        state.note_sent([one.number])
        assert state.waiting() == []
    with opened_state(tmp_path, "another table") as state:
        assert state.unseen({"a.parquet"}) == {"a.parquet"}


def test_follow_tells_what_is_there_and_then_what_comes(place: Path) -> None:
    write_file(place / "logs", "one", [event(10, "StopLogging")])
    assert preloaded.run("collect", "logs").returncode == 0
    process = preloaded.start("detect", "--follow", "--every", "1s", "--format", "jsonl", "--exit-code", stdout=True)
    try:
        assert process.stdout
        assert told(objects(process.stdout.readline())) == ["10"]
        write_file(place / "logs", "two", [event(3, "StopLogging", user="bob"), event(11, "ListUsers")])
        assert preloaded.run("collect", "logs").returncode == 0
        assert told(objects(process.stdout.readline())) == ["03"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 10
    finally:
        assert killed(process) == ""


@pytest.mark.parametrize(
    "wrong",
    [
        ["detect", "--follow", "--since", "7d"],
        ["detect", "--follow", "--every", "0s"],
        ["detect", "--every", "soon"],
        ["collect", "logs", "--exit-code"],
    ],
)
def test_what_makes_no_sense_is_refused(place: Path, wrong: list[str]) -> None:
    assert preloaded.run(*wrong).returncode == 2
