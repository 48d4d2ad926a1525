"""`crosstrail report` and the prompt of the same: what was asked, found, seen and not seen, in three forms and for a model."""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import TextContent

import preloaded
from chromium import chromium
from crosstrail.accounts.policy import Principal
from crosstrail.server.app import create_server
from crosstrail.settings.config import load_settings
from crosstrail.workspace.workspace import Workspace
from lake_workspace import DEV, NOON, PROD, Always, client_of, collect, record, write_logs
from live_aws import LiveAws

pytestmark = pytest.mark.anyio
HOSTILE = "</code><script>alert(1)</script>`|[x](http://evil.example)"
_ALICE = {
    "type": "IAMUser",
    "principalId": "AIDAALICE",
    "arn": f"arn:aws:iam::{PROD}:user/alice",
    "accountId": PROD,
    "accessKeyId": "AKIAALICEEXAMPLE",
    "userName": "alice",
}
CONFIG = f"""
accounts:
  - {{id: "{PROD}", alias: prod, archive: logs}}
  - {{id: "{DEV}", alias: dev, archive: logs}}
lake: {{path: lake}}
"""


def _done(number: int, name: str, source: str, **more: Any) -> dict[str, Any]:
    when = NOON - timedelta(hours=5) + timedelta(minutes=number)
    change = {"eventName": name, "eventSource": f"{source}.amazonaws.com", "readOnly": False, "userIdentity": _ALICE}
    return record(PROD, 500 + number, when, **{**change, **more})


ALARMING = (
    _done(1, "StopLogging", "cloudtrail", requestParameters={"name": "main"}, userAgent=HOSTILE),
    _done(2, "CreateAccessKey", "iam", requestParameters={"userName": HOSTILE}),
    _done(3, "DeleteTrail", "cloudtrail", requestParameters={"name": HOSTILE}, errorCode=HOSTILE),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two accounts in a lake; in prod alice stops a trail, makes a key for somebody else and is denied."""
    folder = tmp_path_factory.mktemp("report")
    quiet = [record(account, number, NOON - timedelta(hours=number)) for account in (PROD, DEV) for number in range(30)]
    write_logs(folder / "logs", [*quiet, *ALARMING])
    collect(folder / "logs", folder / "lake")
    (folder / "crosstrail.yaml").write_text(CONFIG)
    return folder


def _report(folder: Path, output: Path, *more: str | Path) -> str:
    done = preloaded.run("report", "--config", folder / "crosstrail.yaml", "-o", output, *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def written(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Its three forms, by their suffix; and what the command that exported evidence printed, by `said`."""
    place = tmp_path_factory.mktemp("written")
    said = _report(folder, place / "report.html", "--account", "*", "--evidence", place / "evidence")
    for form in ("md", "json"):
        _report(folder, place / f"report.{form}", "--account", "*", "--subject", "AKIAALICEEXAMPLE")
    assert {stat.S_IMODE(one.stat().st_mode) for one in place.rglob("*.*") if one.is_file()} == {0o600}
    forms = {form: (place / f"report.{form}").read_text() for form in ("html", "md", "json")}
    return {**forms, "said": said, "place": str(place)}


def test_every_form_says_what_was_found_and_by_whose_rule(written: Mapping[str, str]) -> None:
    data = json.loads(written["json"])
    titles = {one["rule"]["title"] for one in data["findings"]}
    assert "AWS CloudTrail Important Change" in titles
    for one in data["findings"]:
        assert one["rule"]["author"]
        assert one["rule"]["license"]
        for form in ("html", "md"):
            assert one["rule"]["title"] in written[form]
            assert one["rule"]["link"] in written[form]
            assert all(event["id"] in written[form] for event in one["events"])
    assert [one["subject"] for one in data["summaries"]] == ["AKIAALICEEXAMPLE"]
    assert sum(map(sum, data["timeline"]["bins"])) == 63
    assert data["coverage"]["regions"][0]["days"]["partly"] >= 1
    assert any("not held whole" in one for one in data["open_questions"])
    assert data["complete"] is True


def test_no_text_of_a_log_becomes_markup(written: Mapping[str, str]) -> None:
    assert HOSTILE in json.dumps(json.loads(written["json"]), ensure_ascii=False)
    assert "<script" not in written["html"]
    assert written["html"].count("alert(1)") >= 1
    outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", written["md"])
    assert "script" not in outside
    assert "evil" not in outside


@pytest.mark.browser
def test_in_a_browser_nothing_of_a_log_does_anything(written: Mapping[str, str], tmp_path: Path) -> None:
    """The page's own policy has nothing to forbid; it is read in the dark, on a telephone, and on paper."""
    page = tmp_path / "report.html"
    page.write_text(written["html"])
    with chromium(tmp_path / "profile") as tab:
        for width, scheme in ((1280, "light"), (390, "dark")):
            tab.cdp("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
            tab.open(page, width, 900)
            assert tab.complaints() == []
            assert tab.asked() == {page.as_uri()}
            assert tab.run("return document.documentElement.scrollWidth <= innerWidth")
            assert tab.run(
                "return [...document.querySelectorAll('code')].some((one) => one.textContent === arguments[0])", HOSTILE
            )
        assert tab.run("return document.querySelectorAll('script, img, iframe').length") == 0
        assert tab.printed().startswith(b"%PDF")


def test_the_evidence_is_whole_and_its_check_passes(written: Mapping[str, str], folder: Path) -> None:
    place = Path(written["place"])
    manifest = place / "evidence" / "evidence.jsonl.manifest.json"
    noted = hashlib.sha256(manifest.read_bytes()).hexdigest()
    assert noted in written["html"]
    assert noted in written["said"]
    done = preloaded.run("export", "--check", manifest, "--sha256", noted)
    assert done.returncode == 0, done.stdout
    exported = [json.loads(line) for line in (place / "evidence" / "evidence.jsonl").read_text().splitlines()]
    found = {event["id"] for one in json.loads(written["json"])["findings"] for event in one["events"]}
    assert {one["eventID"] for one in exported} == found
    originals = {one["eventID"]: one for one in ALARMING}
    assert all(one == originals[one["eventID"]] for one in exported)
    assert 'href="evidence/timeline.html"' in written["html"]
    assert (place / "evidence" / "timeline.html").is_file()


def test_nothing_is_overwritten_unasked(written: Mapping[str, str], folder: Path) -> None:
    place = Path(written["place"])
    for more in (("-o", place / "report.html"), ("-o", place / "new.html", "--evidence", place / "evidence")):
        done = preloaded.run("report", "--config", folder / "crosstrail.yaml", *more)
        assert done.returncode == 1
        assert "--overwrite" in done.stderr
    assert not (place / "new.html").exists()
    _report(folder, place / "report.html", "--account", "dev", "--overwrite", "--format", "markdown")
    assert (place / "report.html").read_text().startswith("# ")


def test_a_part_that_cannot_be_had_is_an_open_question(folder: Path, tmp_path: Path) -> None:
    done = preloaded.run(
        *("report", "--config", folder / "crosstrail.yaml", "-o", tmp_path / "r.md", "--account", "dev"),
        *("--rules", tmp_path / "absent.yml", "--subject", "alice"),
    )
    assert done.returncode == 3
    assert "Detections could not be had" in done.stderr
    assert "`Detections` could not be had" in (tmp_path / "r.md").read_text()


def test_a_question_that_is_none_writes_no_file(folder: Path, tmp_path: Path) -> None:
    for wrong in (("--account", "nobody"), ("--since", "soon")):
        done = preloaded.run("report", "--config", folder / "crosstrail.yaml", "-o", tmp_path / "r.md", *wrong)
        assert done.returncode == 1
    assert list(tmp_path.iterdir()) == []


async def _prompt(client: Client, **arguments: str) -> str:
    [message] = (await client.get_prompt("investigation_report", arguments)).messages
    assert isinstance(message.content, TextContent)
    return message.content.text


async def test_a_model_gets_the_report_as_a_prompt(folder: Path) -> None:
    given = load_settings(str(folder / "crosstrail.yaml"), environ={})
    async with Client(create_server(Workspace(given))) as client:
        text = await _prompt(client, account="prod", since="2026-11-01", subject="AKIAALICEEXAMPLE")
        tools = {one.name for one in (await client.list_tools()).tools}
        wrong = await _prompt(client, account="nobody")
    assert "AWS CloudTrail Important Change" in text
    assert "AKIAALICEEXAMPLE" in text
    assert len(text.encode()) <= 21_000
    assert re.search(r"--- log data (\w+): .*\n# Investigation of prod\n(.*\n)+--- end \1 ---", text)
    assert {name for name in ("lookup_events", "summarize_activity", "log_coverage") if name in text} <= tools
    assert wrong.startswith("The report could not be made: ")


async def test_live_accounts_without_a_lake_are_in_it_too(aws: LiveAws) -> None:
    aws.keys_account(PROD, "prod", region="us-east-1")
    aws.log_record(ALARMING[0])
    async with client_of(aws.settings()) as client:
        text = await _prompt(client, since="2026-11-19", subject="alice")
    assert "- Live: prod (111111111111) us-east-1, " in text
    assert "AWS CloudTrail Important Change" in text


async def test_the_prompt_tells_nobody_of_accounts_that_they_may_not_see(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "crosstrail.yaml"
    rules = f"\naccess:\n  - {{who: [bob@example.com], accounts: [dev]}}\n  - {{who: [eve@example.com], accounts: ['*'], toolsets: [events]}}\naudit: {{to: {tmp_path}/audit.log}}\n"
    config = CONFIG.replace("path: lake", f"path: {folder}/lake").replace("archive: logs", f"archive: {folder}/logs")
    place.write_text(config + rules)
    workspace = Workspace(load_settings(str(place), environ={}))
    try:
        bob = Always(workspace, Principal(email="bob@example.com"))
        async with Client(create_server(workspace, bob)) as client:
            text = await _prompt(client, since="2026-11-01")
            refused = await _prompt(client, account="prod")
        bob.close()
        eve = Always(workspace, Principal(email="eve@example.com"))
        async with Client(create_server(workspace, eve)) as client:
            with pytest.raises(MCPError, match="no such prompt"):
                await _prompt(client, account="prod")
        eve.close()
    finally:
        await workspace.aclose()
    assert "alice" not in text
    assert "AWS CloudTrail Important Change" not in text
    assert refused.startswith("The report could not be made: ")
    recorded = (tmp_path / "audit.log").read_text()
    assert "prompts/get" in recorded
