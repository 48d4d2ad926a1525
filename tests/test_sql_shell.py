"""`crosstrail sql`: what is typed at a terminal, what is piped in, and what is offered while one types."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

import preloaded
from conftest import CommandLine
from crosstrail.cli.shell.commands import command_words
from crosstrail.cli.shell.completion import candidates
from crosstrail.cli.shell.statements import ShellCommand, TypedStatement, parted
from lake_workspace import DEV, NOON, PROD, collect, record, write_logs
from terminal import TerminalSession

CONFIG = f"""
accounts:
  - {{id: "{PROD}", alias: prod, archive: logs}}
  - {{id: "{DEV}", alias: dev, archive: logs}}
lake: {{path: lake}}
"""
SLOW = "SELECT count(*) FROM " + ", ".join(f"UNNEST(sequence(1, 9999)) AS t{n}(x{n})" for n in range(4))
"""Ends by being stopped alone."""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workspace")
    records = [record(PROD, number, NOON - timedelta(minutes=number)) for number in range(60)]
    write_logs(folder / "logs", [*records, record(DEV, 0, NOON, eventName="Stop\x1b[2JLogging")])
    collect(folder / "logs", folder / "lake")
    (folder / "queries").mkdir()
    (folder / "queries" / "named.sql").write_text(
        "-- Of one name\nSELECT count(*) AS n FROM events WHERE eventname = :name"
    )
    (folder / "two.sql").write_text("SELECT 1 AS a;\nSELECT 2 AS b")
    path = folder / "crosstrail.yaml"
    path.write_text(CONFIG, "utf-8")
    return path


@pytest.fixture
def shell(config: Path, tmp_path: Path) -> Iterator[TerminalSession]:
    session = TerminalSession(100, "sql", "--config", config, environ={"XDG_STATE_HOME": str(tmp_path), "PAGER": "cat"})
    session.until("crosstrail>")
    yield session
    session.send("\r\\q\r")
    assert session.ended() == 0


def _children(process: int) -> set[str]:
    """Whichever of its threads started them."""
    return {child for path in Path(f"/proc/{process}/task").glob("*/children") for child in path.read_text().split()}


def test_a_shell_answers_shows_errors_completes_and_remembers(shell: TerminalSession, tmp_path: Path) -> None:
    shell.send("SELECT eventname, count(*) AS n\rFROM prod GROUP BY 1;\r")
    assert "DescribeInstances" in shell.until("Rows: 1")
    shell.until("crosstrail>")
    workers = _children(shell.process_id)
    shell.send("SELECT eventnam FROM prod \\g\r")
    assert "Did you mean eventname?" in shell.until("^^^^^^^^")
    shell.send("SELECT sessioni\t")
    shell.until("sessionissuer")
    shell.send(" FROM prod LIMIT 1;\r")
    shell.until("Rows: 1")
    assert _children(shell.process_id) == workers, "a statement after the first starts no process"
    shell.send(".schema tlsdetails\r")
    shell.until("tlsdetails.ciphersuite")
    shell.send("SELECT eventname FROM dev \\gx\r")
    assert "eventname  StopLogging" in shell.until("Rows: 1")
    shell.until("crosstrail>")
    shell.send("\\q\r")
    (history,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert stat.S_IMODE(history.parent.stat().st_mode) == 0o700


def test_ctrl_c_stops_the_statement_and_keeps_the_shell(shell: TerminalSession) -> None:
    shell.send("SELECT 1;\r")
    shell.until("Rows: 1")
    before = _children(shell.process_id)
    shell.send(SLOW + ";\r")
    shell.until("Ctrl-C cancels it")
    shell.send("\x03")
    shell.until("Cancelled.")
    shell.send("half a statement\x03")
    shell.send("SELECT 41 + 1 AS answer;\r")
    assert "42" in shell.until("Rows: 1")
    assert before - _children(shell.process_id), "the process that ran it was killed"


def test_rows_go_to_a_file_and_more_than_a_screen_to_the_pager(shell: TerminalSession, tmp_path: Path) -> None:
    shell.send("SELECT eventid FROM prod;\r")  # 60 rows, on 40 lines
    assert shell.until("Rows: 60").count("11111111-0000") == 60
    target = tmp_path / "found.csv"
    shell.send(f".output {target}\r")
    shell.until("crosstrail>")
    shell.send("SELECT account, count(*) AS n FROM events GROUP BY 1 ORDER BY 1;\r")
    shell.until("Rows: 2")
    shell.send(".output\r")
    shell.until("Rows written to")
    assert target.read_text() == f"account,n\n{PROD},60\n{DEV},1\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_the_editor_gets_the_last_statement(config: Path, tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/one/two/' \"$1\"\n")
    editor.chmod(0o755)
    session = TerminalSession(100, "sql", "--no-history", "--config", config, environ={"EDITOR": str(editor)})
    session.until("crosstrail>")
    session.send("SELECT 'one' AS v;\r")
    session.until("Rows: 1")
    session.send("\\e\r")
    session.until("SELECT 'two' AS v")
    session.send(";\r")
    assert "two\n" in session.until("Rows: 1")
    session.until("crosstrail>")
    editor.write_text("#!/bin/sh\nexit 3\n")
    session.send("\\e\r")
    session.until("Editing failed")
    session.until("crosstrail>")
    session.send("\x04")
    assert session.ended() == 0


def test_a_reader_that_leaves_ends_it(config: Path) -> None:
    process = preloaded.start("sql", "--config", config, stdin=True, stdout=True)
    assert process.stdin
    assert process.stdout
    process.stdout.close()
    process.stdin.write("SELECT eventid FROM prod;\n" * 2)
    process.stdin.close()
    assert process.wait(60) == 1
    assert process.stderr
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()


@pytest.mark.parametrize(
    ("text", "status", "output", "errors"),
    [
        ("SELECT count(*) AS n FROM prod; SELECT 2 AS m", 0, ["n", "60", "m", "2"], []),
        ("SELECT 1 AS n;\n\nSELECT\n nope FROM prod;\nSELECT 3 AS n;", 3, ["n", "1", "n", "3"], ["line 3 of the input: line 2 column 2"]),
        ("SELECT 1 FORM prod", 1, [], ["Did you mean FROM?"]),
        (".formt csv", 1, [], ["Did you mean .format?"]),
        (".format jsonl\nSELECT 'a;b' AS v;\n\\q\nSELECT 2", 0, ['{"v":"a;b"}'], []),
        (".saved named name=DescribeInstances", 0, ["n", "60"], []),
        (".saved named nme=1", 1, [], ["Parameters here: name."]),
        (".read two.sql\n", 0, ["a", "1", "b", "2"], []),
        (".read nowhere.sql\n", 1, [], ["No such file"]),
        (".output found.json\nSELECT 1 AS a; SELECT 2 AS b;", 3, [], ["in json that is all it can hold"]),
        ("EXPLAIN SELECT count(*) FROM dev; explain select x from dev", 3, ["Engine: lake", "Reads: dev;"], ["line 1 column 16"]),
        (".schema useridentity.inscopeof", 0, ["useridentity.inscopeof.sourcearn\tvarchar"], []),
        (".functions date_tr", 0, ["date_trunc(unit, D) -> D"], []),
        ("SELECT 1 AS n FROM prod LIMIT 1;\n.coverage", 0, ["n"], ["Readable: prod, dev; events held"]),
        (".examples", 0, [" 3\tDenied calls by caller"], []),
        (".accounts", 0, ["prod\t111111111111"], []),
        ("\\?", 0, [".schema [COLUMN]\t"], []),
        (".limit no\n.timing maybe\n\\x sometimes\n.format xml", 1, [], ["a number from 1", "on or off", "on or auto", "no format 'xml'"]),
        ("", 0, [], []),
    ],
)  # fmt: skip
def test_what_is_piped_in_is_run_one_after_the_other(
    crosstrail: CommandLine, config: Path, tmp_path: Path, text: str, status: int, output: list[str], errors: list[str]
) -> None:
    (tmp_path / "two.sql").write_text("SELECT 1 AS a;\nSELECT 2 AS b")
    program = f"import os, runpy; os.chdir({str(tmp_path)!r}); runpy.run_module('crosstrail', run_name='__main__')"
    done = crosstrail("sql", "--config", config, stdin=text, program=("-c", program))
    assert done.returncode == status, done.stderr
    for line in output:
        assert line in done.stdout
    for words in errors:
        assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_whoever_writes_into_the_pipe_has_each_answer_at_once(config: Path) -> None:
    process = preloaded.start("sql", "--format", "jsonl", "--config", config, stdin=True, stdout=True)
    assert process.stdin
    assert process.stdout
    for number in range(2):
        process.stdin.write(f"SELECT {number} AS n;\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) in ({"n": number}, {"n": str(number)})
    process.stdin.close()
    assert process.wait(60) == 0
    process.stdout.close()
    assert process.stderr
    process.stderr.close()


def test_a_terminal_without_the_extra_is_told_which(config: Path) -> None:
    program = (
        "import sys; sys.modules['prompt_toolkit'] = None; sys.stdin.isatty = sys.stdout.isatty = lambda: True\n"
        "from crosstrail.cli import main; main()"
    )
    done = preloaded.run("sql", "--config", config, program=("-c", program))
    assert done.returncode == 1
    assert "the shell needs prompt_toolkit. Install it" in done.stderr
    assert "[shell]" in done.stderr


@pytest.mark.parametrize(
    ("text", "parts", "rest"),
    [
        ("SELECT 1;", [TypedStatement("SELECT 1")], ""),
        ("SELECT ';' -- ;\n, \";\" /* ; */ \\g", [TypedStatement("SELECT ';' -- ;\n, \";\" /* ; */")], ""),
        ("SELECT 1 \\gx SELECT 2\\G", [TypedStatement("SELECT 1", 1, True), TypedStatement("SELECT 2", 1, True)], ""),
        ("\n\n SELECT 1\n;;\n.format csv\n", [TypedStatement("SELECT 1", 3), ShellCommand("format", "csv", 5)], ""),
        ("SELECT 'open;\n\\q", [], "SELECT 'open;\n\\q"),
        ("SELECT 1\n\\e", [ShellCommand("e", "", 2, "SELECT 1")], ""),
        ("SELECT x\n.5;", [TypedStatement("SELECT x\n.5")], ""),
        ("-- nothing\n/* at all", [], ""),
        ("SELECT '\\q';\n\\q", [TypedStatement("SELECT '\\q'"), ShellCommand("q", "", 2)], ""),
    ],
)
def test_text_is_parted_where_statements_end(text: str, parts: Sequence[object], rest: str) -> None:
    found = parted(text)
    assert (list(found.parts), found.rest) == (parts, rest)


@pytest.mark.parametrize(
    ("before", "offered", "not_offered"),
    [
        ("SELECT eventn", ["eventname"], ["prod"]),
        ("SELECT useridentity.sessioncontext.sess", ["useridentity.sessioncontext.sessionissuer"], []),
        ("SELECT arn", ["useridentity.arn"], []),
        ("SELECT e.useri", ["e.useridentity"], []) ,
        ("SELECT 1 FROM events AS e WHERE e.useridentity.ac", ["e.useridentity.accesskeyid"], []),
        ("SELECT regexp_l", ["regexp_like("], []),
        ("SELECT 1 FROM ", ["events", "prod"], ["eventname"]),
        ("SELECT 1 FROM events, pr", ["prod"], ["eventname"]),
        ("SELECT 1 FROM prod WH", ["WHERE"], ["events"]),
        ("select 1 from prod wh", ["where"], []),
        ("SELECT 'eventn", [], ["eventname"]),
        ("SELECT 1 -- eventn", [], ["eventname"]),
        ("", ["SELECT", "WITH"], []),
        (".for", [".format"], []),
        ("\\", ["\\q", "\\x"], []),
        (".format j", ["json", "jsonl"], ["csv"]),
        (".schema useridentity.s", ["useridentity.sessioncontext"], []),
    ],
)  # fmt: skip
def test_completion_offers_what_may_stand_there(before: str, offered: list[str], not_offered: list[str]) -> None:
    if before == "SELECT e.useri":
        before = "SELECT 1 FROM prod e WHERE e.useri"
    found = {one.text for one in candidates(before, ("events", "prod"), command_words())}
    assert set(offered) <= found
    assert not found & set(not_offered)


def test_its_help_loads_no_terminal_library() -> None:
    program = (
        "import sys\nfrom crosstrail.cli import sql\nprint({'prompt_toolkit', 'pygments', 'duckdb'} & set(sys.modules))"
    )
    done = preloaded.run(
        program=("-c", f"import subprocess, sys; sys.exit(subprocess.call([{sys.executable!r}, '-c', {program!r}]))")
    )
    assert done.stdout == "set()\n"
