"""Examples in help are commands: each is read by the command that it belongs to, and most are run on the demo's data."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

import preloaded
from command_tree import Entry, entries, parsed
from crosstrail.cli.cells import width_of
from crosstrail.cli.example_lines import example_lines
from crosstrail.cli.examples import EXAMPLES
from crosstrail.demo.prepared import prepared

NOT_RUN = {
    "crosstrail accounts add": "need a database of accounts: test_accounts_cli.py",
    "crosstrail accounts import": "need a database of accounts: test_accounts_cli.py",
    "crosstrail accounts rotate": "need a database of accounts: test_accounts_cli.py",
    "crosstrail accounts remove": "changes the demo's file: test_account_removal.py",
    "crosstrail accounts test": "the demo's accounts are archives: test_account_test.py",
    "crosstrail accounts check": "the demo's accounts are archives: test_accounts_cli.py",
    "crosstrail check": "test_check_server.py",
    "crosstrail client add": "writes the files of clients: test_clients.py",
    "crosstrail init": "asks clouds, and finds a file already: test_init.py",
    "crosstrail client remove": "writes the files of clients: test_clients.py",
    "crosstrail collect --api": "the demo's accounts are archives: test_collect_api.py",
    "crosstrail collect --follow": "does not end: test_collect_bucket.py",
    "crosstrail collect s3://": "needs a bucket: test_collect_bucket.py",
    "crosstrail demo": "test_demo.py",
    "crosstrail deploy": "needs Docker: test_deploy_plan.py",
    "crosstrail serve": "does not end: test_serve_http.py, test_server_stdio.py",
    "crosstrail sql": "asks for statements: test_sql_shell.py",
    "crosstrail verify s3://": "needs a bucket: test_verify_s3.py",
    "crosstrail wrap": "does not end: test_wrap_cli.py",
}
"""How the command lines begin that are not run, and where what they do is."""
RULE = """title: Console sign-in
id: 3a3b2e0e-6c56-4b64-8f3a-2b1f0e6b8a11
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: ConsoleLogin}
  condition: selection
level: low
"""
CALL = (
    '{"time":"2026-11-19T09:00:00Z","kind":"call","principal":"ann@example.com","tool":"lookup_events","outcome":"refused",'
    '"accounts":["111122223333"],"account_count":1,"regions":["us-east-1"]}\n'
)


def test_every_command_has_examples_and_no_other_has() -> None:
    assert {entry.path for entry in entries()} == set(EXAMPLES)
    assert all(EXAMPLES.values())


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.path or "crosstrail")
def test_an_example_is_a_call_of_its_command_and_stands_in_its_help(
    entry: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("accounts.csv", "keys.json", "case.jsonl.manifest.json"):
        Path(name).touch()
    Path("evidence").mkdir()
    _add_rule(tmp_path)
    shown = entry.command.get_help(entry.context)
    for example in EXAMPLES[entry.path]:
        assert example.shows[0].isupper(), example
        assert example.shows.endswith("."), example
        program, *words = shlex.split(example.command)
        context = parsed(words)
        called = context.command_path.removeprefix("crosstrail").strip()
        assert program == "crosstrail"
        assert called == entry.path or (entry.is_group and f"{called} ".startswith(f"{entry.path} ".lstrip()))
        assert example.shows.split()[0] in shown.partition("Examples:")[2]


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_an_example_broken_into_lines_is_the_same_command(columns: int) -> None:
    for example in (one for examples in EXAMPLES.values() for one in examples):
        lines = example_lines([example], columns, "  ")
        assert max(map(width_of, lines)) <= columns
        comment = [line for line in lines if line.startswith("  # ")]
        command = "\n".join(lines[len(comment) :]).replace("\\\n", "")  # as a shell joins them
        assert " ".join(line.removeprefix("  # ") for line in comment) == example.shows
        assert [" ".join(word.split()) for word in shlex.split(command)] == shlex.split(example.command)


def _add_rule(folder: Path) -> None:
    (folder / "my-rules").mkdir()
    (folder / "my-rules" / "login.yml").write_text(RULE)


def test_examples_run_on_the_demos_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = prepared(tmp_path / "demo", days=4)
    monkeypatch.chdir(made.folder)
    _add_rule(made.folder)
    Path("evidence").mkdir()
    for file in sorted(Path("logs").rglob("*CloudTrail_us-east-1_20261119*.json.gz")):
        shutil.copy(file, "evidence")
    shutil.copy("logs/keys.json", ".")
    Path("stopped.sql").write_text("SELECT eventtime FROM events WHERE eventname = 'StopLogging'")
    Path("record.jsonl").write_text(CALL)
    environ = {
        "ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "CROSSTRAIL_AUDIT": "record.jsonl",
        "CROSSTRAIL_TRINO_CATALOG": "lake",
        "XDG_CONFIG_HOME": str(tmp_path / "settings"),
    }
    failed = []
    commands = dict.fromkeys(example.command for examples in EXAMPLES.values() for example in examples)
    for command in commands:
        if command.startswith(tuple(NOT_RUN)):
            continue
        done = preloaded.run(*shlex.split(command)[1:], stdin="secret\n", environ=environ)
        expected = 10 if "--exit-code" in command else 0
        if done.returncode != expected or "Traceback" in done.stderr:
            failed.append(f"{done.returncode}: {command}\n{done.stderr}")
    assert not failed, "\n".join(failed)
