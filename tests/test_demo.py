"""The demo as its user meets it: made once whatever happens, asked over MCP, honest about a wrong answer."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

import crosstrail
import preloaded
from chromium import chromium
from crosstrail.demo import prepare
from crosstrail.demo.client import connected
from crosstrail.demo.incident import incident
from crosstrail.demo.prepared import Prepared, prepared
from crosstrail.errors import ConfigError, QueryFailed
from crosstrail.lake.collector import collect
from crosstrail.lake.table import LakeTable
from ocsf_schema import faults

MAKE = """
import sys, pathlib
from crosstrail.demo.prepared import prepared
if __name__ == "__main__":
    def say(words):
        print(words, flush=True)
        if words.startswith(sys.argv[2]):
            sys.stdin.read()  # until it is killed
    made = prepared(pathlib.Path(sys.argv[1]), say, days=5)
    print("fresh" if made.fresh else "found", made.figures.events, flush=True)
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


@dataclass(frozen=True)
class Made:
    cache: Path
    """The user's cache folder, and in it the demo's."""
    folder: Path
    said: list[str]
    """The last words of the two processes that made it at the same time, after a third was killed half way."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A demo whose first maker was killed with half of the work done, and which two others then made at once."""
    base = tmp_path_factory.mktemp("demo")
    program, folder = base / "make.py", base / "crosstrail" / "demo"
    program.write_text(MAKE)
    command = [sys.executable, str(program), str(folder)]
    with subprocess.Popen(
        [*command, "Collecting"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as killed:
        assert killed.stdout is not None
        for line in killed.stdout:
            if line.startswith("Collecting"):
                killed.kill()
    assert (folder / "logs").is_dir()
    assert not (folder / "demo.json").exists()
    racers = [
        subprocess.Popen([*command, "nothing"], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) for _ in range(2)
    ]
    said = [racer.communicate(timeout=300)[0].splitlines()[-1] for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0]
    return Made(base, folder, said)


@pytest.fixture
def found(made: Made) -> Prepared:
    return prepared(made.folder)


def run_demo(*options: str, cache: Path) -> subprocess.CompletedProcess[str]:
    command = [preloaded.python(), "-m", "crosstrail", "demo", *options]
    environment = {**ENVIRONMENT, "XDG_CACHE_HOME": str(cache)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)


def test_of_two_processes_one_makes_it_and_both_have_it(made: Made, found: Prepared) -> None:
    events = found.figures.events
    assert sorted(made.said) == [f"found {events}", f"fresh {events}"]
    assert not found.fresh


def test_every_event_was_collected_once(found: Prepared) -> None:
    with closing(LakeTable.open(found.settings.lake.folder)) as table:
        held = table.accounts()
    assert sum(account.events for account in held) == found.figures.events
    assert {account.key for account in held} == {account.key for account in found.settings.accounts}


def test_a_demo_of_other_code_is_made_again(made: Made, tmp_path: Path) -> None:
    """How an event becomes a row is part of what was made. The maker ends before it has made anything."""
    program = (
        "import sys, pathlib; from crosstrail.demo.prepared import prepared; "
        "prepared(pathlib.Path(sys.argv[1]), sys.exit); print('found')"
    )
    shutil.copytree(Path(crosstrail.__file__).parent, tmp_path / "code" / "crosstrail")
    environment = {**ENVIRONMENT, "PYTHONPATH": os.pathsep.join([str(tmp_path / "code"), *sys.path])}
    command = [sys.executable, "-c", program, str(made.folder)]

    def said() -> str:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
        return (done.stdout + done.stderr).strip()

    kept = shutil.copytree(made.folder, tmp_path / "kept")
    try:
        assert said() == "found"
        with (tmp_path / "code" / "crosstrail" / "clouds" / "alibaba" / "record.py").open("a") as source:
            source.write("# other\n")
        assert said() == "Generating log files"
    finally:
        shutil.rmtree(made.folder)
        kept.rename(made.folder)


def test_its_settings_are_its_own_whatever_the_environment_says(
    made: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CROSSTRAIL_LAKE", str(tmp_path))
    assert prepare(made.folder).lake.folder == made.folder / "lake"


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "precious").write_text("mine")
    with pytest.raises(ConfigError, match="holds something else"):
        prepare(tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["logs", "precious"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written") as caught:
        prepare(tmp_path / "file" / "demo")
    assert "--folder" in caught.value.hint


@pytest.mark.skipif(sys.platform == "win32", reason="XDG_CACHE_HOME does not move the cache there")
def test_the_demo_asks_five_questions_and_draws_its_conclusion_from_the_answers(made: Made) -> None:
    done = run_demo(cache=made.cache)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "collected into a lake by an earlier run" in done.stdout
    assert "three AWS accounts, one of Volcengine and one of Alibaba Cloud" in done.stdout
    night = incident()
    assert re.findall(r"^([1-9])  \S", done.stdout, re.MULTILINE) == ["1", "2", "3", "4", "5"]
    for told in (night.stop_logging_id, night.access_key, night.session_key, night.backdoor_key, night.source_ip):
        assert told in done.stdout
    calls = night.of_key(night.access_key)
    for event in calls:
        assert event["eventID"] in done.stdout
    conclusion = done.stdout.split("What happened")[1].split("Ask it yourself")[0]
    denied = sum("errorCode" in event for event in calls)
    assert (
        f"{len(calls)} calls, {denied} of them denied; it stopped logging at 02:41 UTC; and 4 more keys" in conclusion
    )
    assert {"dev", "prod", "cn-prod", "hz-prod"} <= set(conclusion.replace(",", "").replace(".", "").split())

    assert re.search(r"\b5\d\d signed digests and \d{3} log files are valid", done.stdout)
    assert re.search(r"^  us-east-1 +█{2}░█{2}  1 partly$", done.stdout, re.MULTILINE)
    assert f"no digest: StopLogging by arn:aws:iam::{night.account}:user/{night.user}" in done.stdout
    assert "49 original records of 12 log objects: 38 verified, 11 not verified" in done.stdout
    assert "All is as the manifest says" in done.stdout
    found = done.stdout.split("What the rules find")[1]
    assert "02:41:33  AWS CloudTrail Important Change: user/deploy-bot in prod  rule by vitaliy0x1" in found
    picture = made.folder / "incident.html"
    assert f"Open it in a browser: {picture}\n" in found
    assert picture.stat().st_mode & 0o777 == 0o600
    assert night.stop_logging_id in picture.read_text()
    snippet = json.loads("{" + done.stdout.split("\n   {", 1)[1].rsplit("}", 1)[0] + "}")
    server = snippet["mcpServers"]["crosstrail-demo"]
    assert server["args"][-2:] == ["serve", "--demo"]
    environment = {**ENVIRONMENT, "XDG_CACHE_HOME": str(made.cache)}
    started = subprocess.run(
        [server["command"], *server["args"]], input="", capture_output=True, text=True, env=environment
    )
    assert (started.returncode, started.stdout) == (0, "")


def test_every_command_of_the_investigation_works(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/investigate.md, in the folder of the demo; and what the page says comes out of them does."""
    (tmp_path / "crosstrail.yaml").write_text((made.folder / "crosstrail.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[1] / "docs" / "investigate.md").read_text()
    commands = [line for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]
    assert len(commands) == 14
    printed = {}
    for line in commands:
        program, *arguments = shlex.split(line)
        assert program == "crosstrail"
        done = preloaded.run(*arguments)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        printed[line] = done.stdout
    of = dict(zip((one.split()[1] for one in commands), printed.values(), strict=True))
    night = incident()
    findings = next(text for line, text in printed.items() if " detect --since" in line)
    assert len(findings.splitlines()) == 1 + 3
    assert night.backdoor_key in next(text for line, text in printed.items() if "summarize user/" in line)
    assert night.session_key in next(text for line, text in printed.items() if "summarize 203" in line)
    assert night.stop_logging_id in next(text for line, text in printed.items() if "StopLogging" in line)
    assert {json.loads(line)["class_uid"] for line in of["lookup"].splitlines()} == {6003, 3002, 3001}
    as_ocsf = [json.loads(line) for name in ("detect", "lookup") for line in of[name].splitlines()]
    assert [fault for one in as_ocsf for fault in faults(one)] == []
    assert night.stop_logging_id in (tmp_path / "case" / "evidence.jsonl").read_text()
    assert "case/timeline.html" in (tmp_path / "report.html").read_text()
    for name in re.findall(r"\]\((images/\S+|[a-z-]+\.md)\)", page):
        assert (Path(__file__).parents[1] / "docs" / name).is_file(), name


@pytest.mark.browser
def test_the_report_and_the_page_look_as_the_pictures_show(made: Made, tmp_path: Path) -> None:
    """UPDATE_PICTURES=1 writes those of docs/investigate.md anew."""
    span = ("--since", "2026-11-17T02:00Z", "--until", "2026-11-17T04:00Z", "--config", made.folder / "crosstrail.yaml")
    report, page = tmp_path / "report.html", tmp_path / "incident.html"
    subjects = ("--subject", "203.0.113.66", "--subject", "user/deploy-bot")
    for arguments in (
        ("report", *span, *subjects, "-o", report),
        ("timeline", *span, "--ip", "203.0.113.66", "-o", page),
    ):
        assert preloaded.run(*arguments).returncode == 0
    pictures = Path(__file__).parents[1] / "docs" / "images"
    with chromium(tmp_path / "profile") as tab:
        for file, name in ((report, "investigate-report.png"), (page, "investigate-timeline.png")):
            tab.open(file, 1100, 860)
            if file is report:
                tab.run("document.getElementById('s2').scrollIntoView()")
                tab.settled()
            tab.picture(tmp_path / name)
            assert tab.complaints() == []
            assert tab.asked() == {file.as_uri()}
            if os.environ.get("UPDATE_PICTURES"):
                shutil.copy(tmp_path / name, pictures / name)
            assert (pictures / name).read_bytes()[16:24] == (tmp_path / name).read_bytes()[16:24]  # width and height
        tab.open(report, 390, 844)
        assert tab.run("return document.documentElement.scrollWidth") <= 390
        ink = "return getComputedStyle(document.body).color"
        light = tab.run(ink)
        tab.cdp("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
        assert tab.run(ink) != light
        assert tab.printed().startswith(b"%PDF")


def test_a_server_that_does_not_start_is_named_with_the_way_to_see_why(tmp_path: Path) -> None:
    async def connect() -> None:
        async with connected(["serve", "--config", str(tmp_path / "absent")]):
            pass

    with pytest.raises(QueryFailed, match="did not answer") as caught:
        anyio.run(connect)
    assert "crosstrail serve --config" in caught.value.hint


def test_an_answer_that_is_not_what_happened_is_said_and_is_an_error(made: Made) -> None:
    """Without its lake no question about events is answered; with one that knows one account alone, wrongly."""
    lake, kept = made.folder / "lake", made.folder / "lake.kept"
    lake.rename(kept)
    try:
        without = run_demo("--folder", str(made.folder), cache=made.cache)
        collect([made.folder / "logs" / "volcengine"], lake)
        partial = run_demo("--folder", str(made.folder), cache=made.cache)
    finally:
        shutil.rmtree(lake)
        kept.rename(lake)
    assert (without.returncode, partial.returncode) == (1, 1)
    assert "The demo failed: lookup_events answered with an error" in without.stdout
    assert "The demo failed: 0 of 1 expected events" in partial.stdout
