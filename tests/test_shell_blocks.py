"""Every command line that the documentation shows is one of this program's, and is run: here, by a test of its page, or not, with why.

A new page comes under this by itself: what it shows is parsed by the real command tree, and run in a folder with accounts, log files
and a lake, unless a reason below says that it cannot be.
"""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

import preloaded
from crosstrail.cli import crosstrail as commands
from lake_workspace import NOON, collect, record, write_logs
from shell_lines import ROOT, ShellLine, shell_lines

LINES = sorted(set(shell_lines()), key=str)
OURS = [line for line in LINES if line.words[0] == "crosstrail"]
TESTED = {
    "detections": "test_detections_docs.py::test_every_command_of_the_page_works",
    "evidence": "test_evidence_docs.py::test_every_command_of_the_page_works",
    "investigate": "test_demo.py",
    "rules": "test_rules_cli.py",
    "summaries": "test_summarize.py",
    "timeline": "test_timeline.py",
    "integrity": "test_collect_verified.py",
    "engines": "test_athena_docs.py",
    "clients": "test_clients.py",
}
"""Pages all of whose commands a test of their own runs: it reads them from the page."""
REASONS = {
    r"(?!crosstrail )": "another program: its registry, cloud, container engine or client",
    r"crosstrail (serve|wrap|check)\b": "runs until it is stopped, or asks a server: test_serve_*.py, test_wrap_*.py, test_check_server.py",
    r"crosstrail collect (s3|oss|tos)://": "asks a cloud: test_lake_docs_buckets.py, test_collect_bucket.py",
    r"crosstrail (collect --api|accounts (check|test))": "asks a cloud: test_collect_api*.py, test_aws_check.py, test_accounts_cli.py",
    r"crosstrail collect .*(--follow|/mnt/logs)": "follows, or two machines: test_collect_bucket.py, test_lake_shared.py",
    r"crosstrail deploy aws": "asks AWS: test_deploy_aws.py",
    r"crosstrail accounts (add|import|encrypt|rotate|remove)": "needs a database, a key and a secret that is typed: test_accounts_cli.py",
    r"crosstrail (init|doctor|client)\b": "about this machine, its identities and clients: their own tests",
    r"crosstrail sql\b": "a shell to type into",
    r"crosstrail lookup --since 24h$": "the environment's own identity: test_aws_lookup.py, test_volcengine_lookup.py",
    r"crosstrail lake (repair|move|migrate)": "for a lake that was damaged or moved, or is old: test_lake_repair.py, test_lake_moved.py",
    r"crosstrail .*--lake /media": "a folder of that machine: test_lake_moved.py",
    r"crosstrail .*(--as-of|AS OF)": "a snapshot that old: test_sql_as_of.py",
    r"crosstrail lake (init|ddl)": "for an engine elsewhere: test_athena_docs.py, test_trino_settings.py",
    r"crosstrail .*--saved|crosstrail query @": "a file of the reader's: test_query_sources.py",
    r"crosstrail (summarize|iam-policy).*\.\.\.": "a key that is left out",
    r"crosstrail demo": "makes an organisation: test_demo.py",
}
"""Why a command is not run here, by how it begins."""
IDS = {"prod": "111111111111", "dev": "222222222222"}
CONFIG = """
accounts:
  - {id: "111111111111", alias: prod, archive: evidence}
  - {id: "222222222222", alias: dev, archive: evidence}
  - {id: "2100000001", alias: cn-prod, cloud: volcengine, archive: evidence}
  - {id: "1100000000000001", alias: hz-prod, cloud: alibaba, archive: evidence}
access:
  - {who: ["*@example.com"], accounts: ["*"]}
lake: {path: lake}
audit: {to: audit.jsonl}
"""


def test_there_are_as_many_as_there_were() -> None:
    assert len(OURS) > 150
    assert {line.page for line in OURS} >= {"README.md", "README.zh-CN.md", "lake.md", "serving.md", "serving.zh.md"}


def test_every_command_line_is_one_that_the_command_tree_takes() -> None:
    wrong = {str(line): problem for line in OURS if (problem := problem_of(line))}
    assert wrong == {}


def problem_of(line: ShellLine) -> str:
    """What is wrong with the words; empty where they name a command, its options and as many arguments as it takes."""
    command: click.Command = commands
    words = [word for word in line.words[1:] if word not in ("...", "…")]
    context = click.Context(command, info_name="crosstrail")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        below = command.get_command(context, words[0])
        if below is None:
            return f"there is no command {words[0]}"
        command, words = below, words[1:]
        context = click.Context(command, parent=context, info_name=command.name)
    try:
        given, left, _ = command.make_parser(context).parse_args(words)
    except click.UsageError as error:
        return error.message
    if left and not context.allow_extra_args and not isinstance(command, click.Group):
        return f"{left} too many"
    for param in command.params:
        value = given.get(param.name or "")
        if isinstance(param.type, click.Choice):
            for one in value if isinstance(value, list | tuple) else [value]:
                try:
                    if isinstance(one, str):
                        param.type.convert(one, param, context)
                except click.BadParameter:
                    return f"{param.opts[0]} takes no {one}"
    return ""


def test_every_command_line_is_run_or_has_a_reason_and_every_reason_a_line() -> None:
    for page, place in TESTED.items():
        name, _, test = place.partition("::")
        source = (ROOT / "tests" / name).read_text()
        assert f"{page}.md" in source, f"{name} reads no {page}.md"
        assert not test or f"def {test}(" in source
    used = {pattern for line in LINES for pattern in REASONS if re.match(pattern, " ".join(line.words))}
    assert used | {r"crosstrail sql\b", r"crosstrail .*--saved|crosstrail query @"} >= REASONS.keys()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("shown")
    names = ["ConsoleLogin", "CreateUser", "StopLogging", "RunInstances"]
    events = [
        record(IDS["prod" if number % 2 else "dev"], number, NOON, eventName=names[number % 4]) for number in range(12)
    ]
    write_logs(made / "evidence", events)
    (made / "crosstrail.yaml").write_text(CONFIG)
    (made / "audit.jsonl").touch()
    collect(made / "evidence", made / "lake")
    return made


def run_here() -> dict[tuple[str, ...], ShellLine]:
    """Each once, whichever pages show it."""
    return {
        line.words: line
        for line in reversed(OURS)
        if line.page.partition(".")[0] not in TESTED
        and not any(re.match(pattern, " ".join(line.words)) for pattern in REASONS)
    }


def test_what_has_no_reason_not_to_be_run_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the pages: what one writes, the next may find."""
    monkeypatch.chdir(folder)
    failed = {}
    shown = run_here()
    assert len(shown) > 20
    for words, line in shown.items():
        written = [word for word in words if word.endswith((".html", ".json", ".csv")) or word == "case"]
        more = ["--overwrite"] if written and words[1] in ("timeline", "report") else []
        done = preloaded.run(*words[1:], *more)
        if done.returncode:
            failed[str(line)] = (done.returncode, done.stderr[-400:])
    assert failed == {}
