"""`crosstrail doctor`: each part that may be wrong is told with what to do, and nothing secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aws_home import SSO, Home
from crosstrail.cli.output.columns import json_schema
from fakes.aws import FakeAws, World
from lake_workspace import record, write_logs
from live_aws import DEV, PROD
from terminal import typing

CONFIG = f"""\
accounts:
  - {{id: "{PROD}", alias: prod, region: us-east-1, auth: {{type: profile, profile: prod}}}}
  - {{id: "{DEV}", alias: dev, region: us-east-1, auth: {{type: profile, profile: dev}}}}
"""
EXPIRED = f'  - {{id: "{SSO}", alias: sso, region: us-east-1, auth: {{type: profile, profile: sso}}}}\n'
AREAS = [
    *("configuration", "accounts", "clock", "lake", "engines", "record of calls", "serve", "clients", "connections"),
    *("memory", "versions"),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    with FakeAws(World()) as aws:
        home = Home(tmp_path / "home", aws)
        home.write()
        Path("crosstrail.yaml").write_text(CONFIG)
        yield home


def looked(home: Home, *arguments: str, status: int, **environ: str) -> dict[str, list[dict[str, str]]]:
    """Findings by area."""
    done = home.run("doctor", "--format", "json", *arguments, **environ)
    assert done.returncode == status, (done.stdout, done.stderr)
    assert not any(key.secret in done.stdout + done.stderr for key in (home.base, home.dev))
    found: dict[str, list[dict[str, str]]] = {}
    for one in json.loads(done.stdout):
        assert one["remedy"] or one["status"] == "ok", one
        found.setdefault(one["area"], []).append(one)
    return found


def only(found: list[dict[str, str]], status: str) -> dict[str, str]:
    [one] = [one for one in found if one["status"] == status]
    return one


def test_where_all_is_well_each_area_is_told(home: Home) -> None:
    write_logs(Path("evidence"), [record(PROD, number, datetime.now(UTC)) for number in range(3)])
    assert home.run("collect", "evidence").returncode == 0
    assert home.run("client", "add", "claude").returncode == 0
    found = looked(home, status=0)
    assert list(found) == AREAS
    assert [one["found"] for one in found["accounts"]][1] == "user/auditor: events ok, trails ok"
    assert "3 events of 1 accounts" in found["lake"][0]["found"]
    assert only(found["clients"], "ok")["found"].startswith("starts crosstrail")
    assert found["clock"][0]["status"] == "ok"
    assert found["configuration"][0]["found"] == str(Path("crosstrail.yaml").absolute())


def test_an_expired_sign_in_and_a_denied_permission_say_what_to_do(home: Home) -> None:
    Path("crosstrail.yaml").write_text(CONFIG + EXPIRED)
    home.world.fail("denied", action="LookupEvents", account=DEV, times=99)
    found = looked(home, status=3)
    remedies = {one["subject"]: one["remedy"] for one in found["accounts"]}
    assert "aws sso login --profile sso" in remedies["sso us-east-1"]
    assert "cloudtrail:LookupEvents" in remedies["dev us-east-1"]
    assert remedies["prod us-east-1"] == ""


def test_a_clock_that_is_wrong_is_found(home: Home) -> None:
    home.world.clock_offset = timedelta(minutes=-10)
    clock = only(looked(home, status=3)["clock"], "failed")
    assert clock["found"].startswith(("599 s ahead of aws", "600 s ahead of aws"))
    assert "timedatectl" in clock["remedy"]


def test_every_fault_of_the_configuration_is_told(home: Home) -> None:
    Path("crosstrail.yaml").write_text("lak: {path: x}\nlog_level: loud\n")
    found = looked(home, status=1)
    assert {one["subject"] for one in found["configuration"]} == {"lak", "log_level"}
    assert "line 1" in found["configuration"][0]["found"] + found["configuration"][1]["found"]
    assert "accounts" not in found
    assert "versions" in found


def test_offline_asks_nobody(home: Home) -> None:
    found = looked(home, "--offline", status=0)
    assert [one for one in home.world.requests if one.account] == []
    assert "accounts" not in found
    assert "lake" in found


def test_settings_of_a_server_and_entries_that_cannot_work(home: Home) -> None:
    Path("crosstrail.yaml").write_text(CONFIG + "serve: {transport: http, host: 0.0.0.0}\n")
    entry = {"mcpServers": {"crosstrail": {"command": "/gone/crosstrail", "args": ["serve"]}}}
    (home.folder / ".claude.json").write_text(json.dumps(entry))
    found = looked(home, "--offline", status=3)
    assert found["serve"][0]["status"] == "failed"
    assert "crosstrail client add claude" in only(found["clients"], "failed")["remedy"]


def test_an_entry_that_starts_something_else_is_found(home: Home) -> None:
    entry = {"mcpServers": {"crosstrail": {"command": "/bin/echo", "args": ["hello"]}}}
    (home.folder / ".claude.json").write_text(json.dumps(entry))
    broken = only(looked(home, status=3)["clients"], "failed")
    assert "ends without an answer" in broken["found"]


def test_proxies_are_told_without_their_password(home: Home) -> None:
    found = looked(home, "--offline", status=0, HTTPS_PROXY="http://ann:swordfish@proxy.example.com:3128")
    assert found["connections"][0]["found"] == "http://proxy.example.com:3128"
    assert "swordfish" not in json.dumps(found)


@pytest.mark.parametrize("columns", [40, 80])
def test_on_a_terminal_no_line_is_wider(home: Home, columns: int) -> None:
    Path("crosstrail.yaml").write_text("lak: {path: x}\n")
    status, screen = typing([], "doctor", "--offline", environ=home.environ, columns=columns)
    assert status == 1
    lines = [line for line in screen.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines() if "\x1b" not in line]
    wide = [line for line in lines if len(line) > columns and " " in line.strip()]
    assert wide == [], "a path stays whole"
    assert "> " in screen


def test_its_rows_have_a_schema() -> None:
    from crosstrail.cli.doctor import DOCTOR

    assert json_schema(DOCTOR)["required"] == ["status", "area", "subject", "found", "remedy"]
