"""`crosstrail rules`: listed, added, checked and tried, as a user does it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

import preloaded
from audit_logs import write
from lake_workspace import NOON, PROD, record

RULE = """title: {title}
id: {id}
author: somebody
level: {level}
logsource: {{product: {product}, service: {service}}}
detection:
  selection:
    eventName: StopLogging
    {field}: '*'
  condition: selection
"""
ONE = {"title": "Trail stopped", "id": "aaaaaaaa-0000-4000-8000-000000000001", "level": "critical", "product": "aws", "service": "cloudtrail", "field": "userAgent"}  # fmt: skip
OTHER = {
    **ONE,
    "title": "Elsewhere",
    "id": "aaaaaaaa-0000-4000-8000-000000000002",
    "product": "gcp",
    "service": "gcp.audit",
}


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """A user of one's own."""
    folder = tmp_path / "home"
    folder.mkdir()
    return {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config")}


def folder_of(path: Path, *rules: dict[str, str]) -> Path:
    for place, one in enumerate(rules):
        write(path / f"{place}.yml", RULE.format(**one))
    return path


def test_rules_that_come_along_are_listed(home: dict[str, str]) -> None:
    done = preloaded.run("rules", "list", "--json", environ=home)
    assert done.returncode == 0, done.stderr
    listed = json.loads(done.stdout)
    assert len(listed) == 57
    assert all(one["author"] and one["licence"] == "DRL 1.1" and one["link"] for one in listed)
    assert "warning: SigmaHQ/aws_delete_saml_provider.yml" in done.stderr
    some = preloaded.run("rules", "list", "--level", "high", environ=home).stdout.splitlines()
    assert some[0].split("\t") == ["level", "title", "id", "author", "licence", "source", "link", "attack"]
    assert {line.partition("\t")[0] for line in some[1:]} == {"high"}


def test_what_is_added_is_run_with_its_licence(home: dict[str, str], tmp_path: Path) -> None:
    given = folder_of(tmp_path / "mine", ONE, OTHER)
    write(given / "LICENSE.txt", "MIT License\n")
    done = preloaded.run("rules", "add", given, environ=home)
    assert done.returncode == 3
    assert "cannot be used" in done.stderr
    assert "it is of gcp/gcp.audit" in done.stderr
    assert done.stdout.startswith("1 rules added in ")
    assert "(MIT)" in done.stdout
    listed = json.loads(preloaded.run("rules", "list", "--json", environ=home).stdout)
    assert len(listed) == 58
    assert (listed[0]["title"], listed[0]["licence"], listed[0]["author"]) == ("Trail stopped", "MIT", "somebody")
    copies = [path for path in (Path(home["HOME"])).rglob("*") if path.suffix == ".yml"]
    assert {path.stat().st_mode & 0o777 for path in copies} == {0o600}
    folder_of(given, {**ONE, "title": "Trail stopped again"})
    again = preloaded.run("rules", "add", given, environ=home)
    assert again.stdout.startswith("1 rules replaced in ")
    titles = [one["title"] for one in json.loads(preloaded.run("rules", "list", "--json", environ=home).stdout)]
    assert "Trail stopped again" in titles
    assert "Trail stopped" not in titles


def test_nothing_of_use_is_not_added(home: dict[str, str], tmp_path: Path) -> None:
    done = preloaded.run("rules", "add", folder_of(tmp_path / "mine", OTHER), environ=home)
    assert done.returncode == 1
    assert "Nothing was added" in done.stderr
    assert list(Path(home["HOME"]).rglob("*.yml")) == []


def test_check_says_what_can_be_used_and_what_no_event_has(home: dict[str, str], tmp_path: Path) -> None:
    given = folder_of(
        tmp_path / "mine", ONE, OTHER, {**ONE, "title": "Odd", "id": ONE["id"][:-1] + "3", "field": "useragent"}
    )
    done = preloaded.run("rules", "check", given, "--json", environ=home)
    assert done.returncode == 3
    found = json.loads(done.stdout)
    assert [one["title"] for one in found["rules"]] == ["Trail stopped", "Odd"]
    assert [one["title"] for one in found["problems"]] == ["Elsewhere"]
    assert found["warnings"][0]["warning"].endswith("the field useragent; did it mean userAgent?")
    rows = json.loads(preloaded.run("rules", "check", given, "--format", "json", environ=home).stdout)
    assert [(one["usable"], one["title"]) for one in rows] == [
        ("yes", "Trail stopped"), ("with a warning", "Odd"), ("no", "Elsewhere"),
    ]  # fmt: skip
    assert preloaded.run("rules", "check", given / "1.yml", environ=home).returncode == 1


def test_a_hostile_expression_does_not_steer_the_terminal(home: dict[str, str], tmp_path: Path) -> None:
    hostile = RULE.format(**{**ONE, "field": '"userAgent|re"'}).replace("'*'", '"(\\e[2J\\e]0;owned\\a"')
    done = preloaded.run("rules", "check", write(tmp_path / "rule.yml", hostile), environ=home)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "cannot be used" in done.stderr
    assert "\x1b" not in done.stderr + done.stdout


def test_a_rule_is_tried_over_a_file_of_events(home: dict[str, str], tmp_path: Path) -> None:
    given = folder_of(tmp_path / "mine", ONE)
    records = [record(PROD, number, NOON + timedelta(minutes=number), eventName=name) for number, name in enumerate(("StopLogging", "StartLogging", "stoplogging"))]  # fmt: skip
    events = write(tmp_path / "events.json", {"Records": records})
    done = preloaded.run("rules", "test", given / "0.yml", "--events", events, "--json", environ=home)
    assert done.returncode == 0, done.stderr
    matches = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["rule"], one["event"], one["principal"]) for one in matches] == [
        ("Trail stopped", "StopLogging", "user/deploy-bot"), ("Trail stopped", "stoplogging", "user/deploy-bot"),
    ]  # fmt: skip
    assert "2 matches of 1 of 1 rules in 3 events" in done.stderr
    assert (
        preloaded.run(
            "rules", "test", given / "0.yml", "--events", write(tmp_path / "no.json", "{}"), environ=home
        ).returncode
        == 1
    )


def test_the_commands_of_its_page_run(home: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path / "my-rules", ONE)
    (tmp_path / "my-rules" / "0.yml").rename(tmp_path / "my-rules" / "trail-stopped.yml")
    write(tmp_path / "events.json", {"Records": [record(PROD, 1, NOON, eventName="StopLogging")]})
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[1] / "docs" / "rules.md").read_text()
    commands = [line.split()[1:] for line in page.splitlines() if line.startswith("crosstrail rules ")]
    assert len(commands) == 4
    for one in commands:
        done = preloaded.run(*one, environ=home)
        assert done.returncode == 0, (one, done.stderr)
        assert "Trail stopped" in done.stdout or "1 rules added" in done.stdout or one[1] == "list"
