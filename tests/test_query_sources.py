"""Where `crosstrail query` has its statement from: a file, standard input, saved queries; and how a refusal shows its place."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from rich.cells import cell_len

from conftest import CommandLine
from crosstrail.answers.saved_queries import MAX_QUERIES, saved_queries
from crosstrail.cli.sql_excerpt import excerpt
from crosstrail.errors import InvalidRequest
from lake_workspace import DEV, NOON, PROD, collect, record, write_logs
from terminal import on_a_terminal

CONFIG = f"""
accounts:
  - {{id: "{PROD}", alias: prod, archive: logs}}
  - {{id: "{DEV}", alias: dev, archive: logs}}
lake: {{path: lake}}
"""
DENIED = """\
-- Denied calls of one account
-- :account  id of the account
-- :rows = 5  how many
SELECT eventname, count(*) AS denied FROM events WHERE account = :account AND errorcode <> ':rows' GROUP BY 1 LIMIT :rows
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workspace")
    records = [record(PROD, number, NOON - timedelta(minutes=number), errorCode="AccessDenied") for number in range(3)]
    write_logs(folder / "logs", [*records, record(DEV, 0, NOON)])
    collect(folder / "logs", folder / "lake")
    (folder / "queries").mkdir()
    (folder / "queries" / "denied.sql").write_text(DENIED, "utf-8")
    (folder / "queries" / "not a name.sql").write_text("SELECT 1", "utf-8")
    (folder / "count.sql").write_text("﻿-- all of them\nSELECT count(*) AS n\nFROM events;\n", "utf-8")
    path = folder / "crosstrail.yaml"
    path.write_text(CONFIG, "utf-8")
    return path


def test_a_statement_comes_from_a_file_or_from_standard_input(crosstrail: CommandLine, config: Path) -> None:
    by_file = crosstrail("query", f"@{config.parent / 'count.sql'}", "--config", config)
    assert (by_file.returncode, by_file.stdout) == (0, "n\n4\n"), by_file.stderr
    piped = crosstrail("query", "-", "--config", config, stdin="SELECT count(*) AS n\nFROM dev")
    assert (piped.returncode, piped.stdout) == (0, "n\n1\n"), piped.stderr


def test_a_saved_query_is_listed_and_runs_with_its_values(crosstrail: CommandLine, config: Path) -> None:
    listed = crosstrail("query", "--list-saved", "--config", config)
    assert listed.stdout.splitlines()[1].split("\t") == ["denied", "Denied calls of one account", "account, rows=5"]
    assert "not a name.sql" in listed.stderr
    done = crosstrail("query", "--saved", "denied", "--set", f"account={PROD}", "--config", config)
    assert done.stdout.splitlines()[1:] == ["DescribeInstances\t3"], done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "--saved NAME"),
        (["SELECT 1", "--saved", "denied"], 2, "--saved NAME"),
        (["@nowhere.sql"], 2, "nowhere.sql cannot be read"),
        (["--saved", "denid"], 1, "Did you mean denied?"),
        (["--saved", "../denied"], 1, "there is no saved query"),
        (["--saved", "denied"], 1, "--set account=VALUE"),
        (["--saved", "denied", "--set", "account"], 2, "NAME=VALUE"),
        (["--saved", "denied", "--set", "acount=1"], 1, "Parameters here: account, rows."),
        (["--saved", "denied", "--set", "account=1", "--set", "rows=1; SELECT 2"], 1, "rows takes a number"),
    ],
)
def test_a_source_that_is_none_is_refused_with_what_helps(
    crosstrail: CommandLine, config: Path, arguments: list[str], status: int, said: str
) -> None:
    done = crosstrail("query", *arguments, "--config", config)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr


@pytest.mark.parametrize("value", ["x' OR '1' = '1", "'; SELECT 1 --", "\\' OR true --", "*/ '", ":rows"])
def test_a_value_is_a_literal_whatever_it_says(crosstrail: CommandLine, config: Path, value: str) -> None:
    text = "SELECT count(*) AS n FROM events WHERE account = :who /* :who ' */ -- :who"
    done = crosstrail("query", text, "--set", f"who={value}", "--config", config)
    assert (done.returncode, done.stdout) == (0, "n\n0\n"), done.stderr
    echoed = crosstrail("query", "SELECT :who AS v", "--set", f"who={value}", "--format", "json", "--config", config)
    assert value.replace("\\", "\\\\") in echoed.stdout


def test_saved_queries_are_bounded_in_number_and_size(tmp_path: Path) -> None:
    for number in range(MAX_QUERIES + 2):
        (tmp_path / f"q{number:03}.sql").write_text("SELECT 1")
    (tmp_path / "a-long.sql").write_text("SELECT 1" + " " * 10_001)
    (tmp_path / "b-bytes.sql").write_bytes(b"SELECT '\xff'")
    (tmp_path / "c-many.sql").write_text("SELECT " + ", ".join(f":p{number}" for number in range(11)))
    found = saved_queries(str(tmp_path))
    assert len(found.queries) == MAX_QUERIES
    assert [line.split(":")[0] for line in found.left_out] == [
        "a-long.sql", "b-bytes.sql", "c-many.sql", "q050.sql", "q051.sql",
    ]  # fmt: skip


def test_parameters_are_no_casts_paths_or_texts(tmp_path: Path) -> None:
    sql = """SELECT 'a :b' AS ":c", a::d, x:e, json_extract(f, '$.g:h') -- :i\nFROM events WHERE j = :k AND l IN (:m,:k)"""
    (tmp_path / "one.sql").write_text(sql)
    (query,) = saved_queries(str(tmp_path)).queries
    assert [one.name for one in query.parameters] == ["k", "m"]
    assert query.filled({"k": "1", "m": "O'Neil"}).endswith("j = '1' AND l IN ('O''Neil','1')")
    with pytest.raises(InvalidRequest, match="m has no value"):
        query.filled({"k": "1"})


@pytest.mark.parametrize(
    ("sql", "word", "said"),
    [
        ("SELECT eventnam FROM events", "eventnam", "Did you mean eventname?"),
        ("SELECT cuont(1) FROM events", "cuont", "Did you mean count?"),
        ("SELECT 1 FROM evnets", "evnets", "Did you mean events?"),
        ("SELECT 1\nFORM events", "FORM", "Did you mean FROM?"),
        ("SELCT 1 FROM events", "SELCT", "Did you mean SELECT?"),
    ],
)
def test_a_refusal_points_at_the_word_and_says_what_was_meant(
    crosstrail: CommandLine, config: Path, sql: str, word: str, said: str
) -> None:
    for more in ([], ["--explain"]):
        done = crosstrail("query", sql, *more, "--config", config)
        message, line, carets = done.stderr.splitlines()
        assert said in message
        assert line[carets.index("^") : carets.rindex("^") + 1] == word


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("lead", ["", "a, ", "eventname, " * 20, "'東京', " * 20, "'\t', "])
@pytest.mark.parametrize("tail", ["", " FROM events", ", eventname" * 20])
def test_an_excerpt_fits_the_terminal_and_its_carets_stand_below_the_word(width: int, lead: str, tail: str) -> None:
    line, carets = excerpt(f"SELECT 1,\n{lead}wrong{tail}", 2, len(lead) + 1, width)
    assert cell_len(line) < width
    before = line[: line.index("wrong")]
    assert carets == " " * (carets.index("|")) + "|" + " " * (cell_len(before) - carets.index("|") - 1) + "^^^^^"


def test_a_place_outside_of_the_statement_is_not_shown() -> None:
    assert excerpt("SELECT 1", 3, 1, 80) == ()
    assert excerpt("SELECT 1 FROM", 1, 14, 80) == ("1 | SELECT 1 FROM", "  |              ^")


def test_an_excerpt_on_a_narrow_terminal_is_cut_around_the_place(config: Path) -> None:
    sql = f"SELECT {'eventname, ' * 30}eventnam{', eventtime' * 30} FROM events"
    status, shown = on_a_terminal(60, "query", sql, "--config", config, errors=True)
    lines = shown.replace("\r\n", "\n").splitlines()
    assert status == 1
    assert max(map(len, lines)) <= 60
    assert lines[-2][lines[-1].index("^") :].startswith("eventnam,")
