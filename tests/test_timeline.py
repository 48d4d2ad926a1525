"""`crosstrail timeline`: the counts are right, what is printed fits, and the page holds what it says and nothing that runs."""

from __future__ import annotations

import json
import re
import shlex
import stat
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from conftest import CommandLine
from lake_workspace import DEV, NOON, PROD, collect, record, write_logs
from terminal import on_a_terminal

CONFIG = f"""
accounts:
  - {{id: "{PROD}", alias: prod, archive: logs}}
  - {{id: "{DEV}", alias: dev, archive: logs}}
lake: {{path: lake}}
"""
HOSTILE = "</script><script>alert(1)</script><!-- \u2028\u202e\x1b[2J\x00 {{js}}"


def event(number: int) -> dict[str, Any]:
    """Every seventh changes something, every tenth is denied; one has a hostile name."""
    more: dict[str, Any] = {"sourceIPAddress": f"203.0.113.{number % 5}"}
    if number % 7 == 0:
        more |= {"eventName": "CreateUser", "readOnly": False}
    if number == 77:
        more |= {"eventName": "StopLogging", "eventSource": "cloudtrail.amazonaws.com"}
    if number % 10 == 0:
        more |= {"errorCode": "AccessDenied", "userAgent": HOSTILE}
    return record(PROD if number % 4 else DEV, number, NOON + timedelta(minutes=number), **more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("timeline")
    write_logs(folder / "logs", map(event, range(300)))
    collect(folder / "logs", folder / "lake")
    (folder / "crosstrail.yaml").write_text(CONFIG)
    return folder


@pytest.fixture(autouse=True)
def inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


class Parsed(HTMLParser):
    """The elements of a page, their attributes, and the text of each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, Mapping[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self._script = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._script = dict(attrs).get("id") or "code" if tag == "script" else ""

    def handle_endtag(self, tag: str) -> None:
        self._script = ""

    def handle_data(self, data: str) -> None:
        if self._script:
            self.scripts[self._script] = self.scripts.get(self._script, "") + data


def test_the_page_holds_every_event_and_nothing_of_a_log_as_markup(crosstrail: CommandLine, folder: Path) -> None:
    done = crosstrail("timeline", "-o", "whole.html")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Written: whole.html\n"
    assert "300 events (232 read, 38 write, 30 denied)" in done.stderr
    path = folder / "whole.html"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    parsed = Parsed(text)
    assert set(parsed.scripts) == {"data", "code", "records"}
    assert len(text) - len(parsed.scripts["data"]) - len(parsed.scripts["records"]) < 150_000
    data, records = json.loads(parsed.scripts["data"]), json.loads(parsed.scripts["records"])
    assert (data["total"], len(data["events"]["id"]), data["bins"]) == (300, 300, None)
    kinds = Counter(data["events"]["kind"])
    assert (kinds[0], kinds[1], kinds[2]) == (232, 38, 30)
    assert [json.loads(one) for one in records] == sorted(map(event, range(300)), key=lambda one: one["eventTime"])
    assert any("alert(1)" in one for one in data["texts"])
    assert not re.search(r"[<>&\u2028\u202e\x00\x1b]", parsed.scripts["data"] + parsed.scripts["records"])


def test_the_page_asks_nobody_and_runs_nothing_but_its_script(crosstrail: CommandLine, folder: Path) -> None:
    assert crosstrail("timeline", "-o", "closed.html").returncode == 0
    parsed = Parsed((folder / "closed.html").read_text())
    [policy] = [about["content"] for tag, about in parsed.elements if tag == "meta" and about.get("http-equiv")]
    assert policy
    assert "default-src 'none'" in policy
    assert "script-src 'sha256-" in policy
    assert "unsafe-eval" not in policy
    for tag, about in parsed.elements:
        assert not {name for name in about if name.startswith("on") or name in ("src", "href", "style", "action")}, tag
        assert tag not in ("a", "img", "iframe", "object", "embed", "form", "link", "base")
    code = parsed.scripts["code"]
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        "fetch(",
        "XMLHttp",
    ):
        assert word not in code


def test_a_file_is_replaced_only_when_told_and_no_link_is_followed(crosstrail: CommandLine, folder: Path) -> None:
    (folder / "mine.html").write_text("mine")
    (folder / "link.html").symlink_to(folder / "mine.html")
    for name in ("mine.html", "link.html", "no/folder.html"):
        assert crosstrail("timeline", "-o", name).returncode == 1
    assert (folder / "mine.html").read_text() == "mine"
    assert crosstrail("timeline", "-o", "mine.html", "--overwrite").returncode == 0
    assert (folder / "mine.html").read_text().startswith("<!doctype html>")
    assert not list(folder.glob(".*.partial"))


def test_what_gives_way_is_said_and_still_counted(crosstrail: CommandLine, folder: Path) -> None:
    done = crosstrail("timeline", "-o", "few.html", "--limit", "50", "--lanes", "address", "--no-detections")
    assert "50 of 300 events are here one by one" in done.stderr
    data = json.loads(Parsed((folder / "few.html").read_text()).scripts["data"])
    assert Counter(data["events"]["kind"]) == {2: 30, 1: 20}
    assert (data["lanes"], data["total"]) == ("address", 300)
    assert sum(map(sum, data["bins"]["counts"])) == 300


def test_findings_are_marked_also_where_their_events_would_give_way(crosstrail: CommandLine, folder: Path) -> None:
    done = crosstrail("timeline", "-o", "found.html", "--limit", "2")
    assert "1 finding of the rules." in done.stderr
    data = json.loads(Parsed((folder / "found.html").read_text()).scripts["data"])
    [found] = data["findings"]
    assert (found["title"], found["author"], found["license"]) == (
        "AWS CloudTrail Important Change",
        "vitaliy0x1",
        "DRL 1.1",
    )
    assert len(data["events"]["id"]) == 3
    [marked] = found["events"]
    assert data["texts"][data["events"]["name"][marked]] == "StopLogging"
    shown = crosstrail("timeline", "--since", "2026-11-19")
    assert "◆ medium 2026-11-19T13:17:00Z AWS CloudTrail Important Change: user/deploy-bot, prod" in shown.stdout
    without = crosstrail("timeline", "-o", "unmarked.html", "--no-detections")
    assert "finding" not in without.stderr
    assert json.loads(Parsed((folder / "unmarked.html").read_text()).scripts["data"])["detected"] is False


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("lanes", ["principal", "address"])
def test_the_picture_fits_the_terminal_and_its_counts_are_right(width: int, lanes: str) -> None:
    status, printed = on_a_terminal(width, "timeline", "--lanes", lanes)
    assert status == 0
    plain = re.sub(r"\x1b\[[0-9;]*m", "", printed)
    assert all(len(line) <= width for line in plain.splitlines())
    assert "300 events (232 read, 38 write, 30 denied)" in " ".join(plain.split())
    counted = re.findall(
        r"^203\.0\.113\.\d .* (\d+)$" if lanes == "address" else r"^user/\S+ .* (\d+)$", plain.replace("\r", ""), re.M
    )
    assert sum(map(int, counted)) == 300


def test_elsewhere_it_is_plain_and_filters_hold(crosstrail: CommandLine) -> None:
    done = crosstrail("timeline", "--error", "AccessDenied", "--account", "dev", "--lanes", "account")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "15 events (0 read, 0 write, 15 denied)" in done.stdout
    assert f"dev ({DEV})" in done.stdout
    none = crosstrail("timeline", "--name", "NoSuchThing")
    assert (none.returncode, "No event." in none.stdout) == (0, True)
    assert crosstrail("timeline", "--account", "nobody").returncode == 1


def test_every_command_of_the_page_about_it_works(crosstrail: CommandLine) -> None:
    page = (Path(__file__).parents[1] / "docs" / "timeline.md").read_text()
    shown = [line for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]
    assert len(shown) == 4
    for line in shown:
        program, *arguments = shlex.split(line)
        assert program == "crosstrail"
        done = crosstrail(*arguments)
        assert done.returncode == 0, f"{line}: {done.stderr}"


def test_long_texts_make_the_events_fewer_and_no_picture_fail(
    crosstrail: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3,500 events whose every field is as long as a field may be: 40 MB as JSON."""
    long = "\U0001f40d" * 400
    made = [
        record(
            PROD,
            number,
            NOON,
            eventName=f"{number}{long}",
            userAgent=long,
            errorCode=f"{number}{long}",
            sourceIPAddress=long,
        )
        | {"userIdentity": {"type": "IAMUser", "userName": f"{number}{long}", "accountId": PROD}}
        for number in range(3_500)
    ]
    monkeypatch.chdir(tmp_path)
    write_logs(tmp_path / "logs", made)
    collect(tmp_path / "logs", tmp_path / "lake")
    (tmp_path / "crosstrail.yaml").write_text(CONFIG)
    done = crosstrail("timeline", "-o", "long.html")
    assert done.returncode == 0, done.stderr
    data = json.loads(Parsed((tmp_path / "long.html").read_text()).scripts["data"])
    assert data["total"] == 3_500
    assert 500 < len(data["events"]["id"]) < 3_500
    assert "of 3,500 events are here one by one" in done.stderr
    assert crosstrail("timeline").returncode == 0
