"""`crosstrail lookup`, `query` and `accounts list`, each as a process of its own."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from pathlib import Path

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


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """crosstrail.yaml over a lake of 7 events of prod and 3 of dev, one of them hostile."""
    folder = tmp_path_factory.mktemp("workspace")
    records = [record(PROD, number, NOON - timedelta(minutes=number)) for number in range(7)]
    records += [record(DEV, number, NOON - timedelta(minutes=number, seconds=30)) for number in range(2)]
    hostile = {"eventName": "Stop\x1b[2J\x1b]0;owned\x07Logging\u202e", "errorCode": "AccessDenied"}
    records.append(record(DEV, 2, NOON - timedelta(minutes=9), **hostile))
    write_logs(folder / "logs", records)
    collect(folder / "logs", folder / "lake")
    path = folder / "crosstrail.yaml"
    path.write_text(CONFIG, "utf-8")
    return path


def test_lookup_merges_accounts_newest_first_and_says_what_it_covered(crosstrail: CommandLine, config: Path) -> None:
    done = crosstrail("lookup", "--account", "*", "--config", config)
    assert done.returncode == 0
    header, *rows = (line.split("\t") for line in done.stdout.splitlines())
    assert header[:4] == ["time", "account", "region", "event"]
    assert [row[0] for row in rows] == sorted((row[0] for row in rows), reverse=True)
    assert [row[1] for row in rows].count("prod") == 7
    assert "2 accounts x every region" in done.stderr
    assert "10 events, newest first, all there are" in done.stderr


def test_lookup_pages_up_to_its_limit(crosstrail: CommandLine, config: Path) -> None:
    done = crosstrail("lookup", "--account", "prod", "--limit", 3, "--config", config)
    assert len(done.stdout.splitlines()) == 4
    assert "raise --limit" in done.stderr


def test_lookup_as_json_gives_whole_events(crosstrail: CommandLine, config: Path) -> None:
    done = crosstrail(
        "lookup", "--account", "dev", "--json", "--event-id", f"{DEV[:8]}-0000-4000-8000-{1:012d}", "--config", config
    )
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["account"] == DEV
    assert json.loads(line)["event"]["requestParameters"]["instancesSet"]["items"][0]["instanceId"] == f"i-{1:017x}"


def test_no_control_character_of_a_log_reaches_the_terminal(crosstrail: CommandLine, config: Path) -> None:
    done = crosstrail("lookup", "--account", "dev", "--config", config)
    table = crosstrail("query", "SELECT eventname FROM dev ORDER BY 1", "--config", config)
    for text in (done.stdout, table.stdout):
        assert "Stop" in text
        assert not {"\x1b", "\x07", "\u202e"} & set(text)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lookup"], "which account?"),
        (["lookup", "--account", "prd"], "Did you mean prod?"),
        (["lookup", "--account", "prod", "--since", "soon"], "cannot read the time"),
        (["lookup", "--account", "prod", "--read-only", "perhaps"], "Send true (or yes), or false (or no)."),
        (["lookup", "--account", "prod", "--ip", "10.0.0.0/80"], "SourceIPAddress is no address"),
        (["query", "SELECT * FROM '/etc/passwd'"], "line 1 column 15"),
        (["query", "SELECT count(*) FROM nobody"], "FROM"),
        (["accounts", "list", "nobody"], "no account matches"),
    ],
)
def test_an_error_of_ours_goes_to_stderr_with_status_1(
    crosstrail: CommandLine, config: Path, arguments: list[str], said: str
) -> None:
    done = crosstrail(*arguments, "--config", config)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["lookup", "--limit", "x"], ["query"], ["nothing"], ["lookup", "--account"]])
def test_wrong_usage_has_status_2(crosstrail: CommandLine, arguments: list[str]) -> None:
    assert crosstrail(*arguments).returncode == 2


def test_a_filter_that_finds_nothing_says_how_it_was_compared(crosstrail: CommandLine, config: Path) -> None:
    done = crosstrail("lookup", "--account", "*", "--name", "Console*", "--config", config)
    assert (done.returncode, done.stdout) == (0, "")
    assert "compared whole, letter case included; for a pattern use `crosstrail query` with LIKE" in done.stderr
    assert "compared whole" not in crosstrail("lookup", "--account", "*", "--since", "1h", "--config", config).stderr


@pytest.mark.parametrize(
    ("filters", "events"),
    [
        (["--read-only", "no"], 0),
        (["--read-only", "yes", "--source", "ec2", "--ip", "203.0.113.7"], 7),
        (["--source", "EC2.amazonaws.com", "--error", "*"], 0),
        (["--user", f"arn:aws:iam::{PROD}:user/deploy-bot", "--name", "describeinstances"], 7),
        (["--user", "user/deploy-bot", "--user-agent", "AWS-CLI"], 7),
        (["--role", "deploy-bot"], 0),
        (["--arn", "user/deploy-bot", "--access-key", f" AKIA{PROD[:6]}EXAMPLE003"], 1),
    ],
)
def test_filters_are_combined_and_taken_as_people_write_them(
    crosstrail: CommandLine, config: Path, filters: list[str], events: int
) -> None:
    done = crosstrail("lookup", "--account", "prod", *filters, "--config", config)
    assert (done.returncode, len(done.stdout.splitlines()[1:])) == (0, events)


def test_a_role_given_as_user_is_answered_with_the_option_for_it(crosstrail: CommandLine, config: Path) -> None:
    done = crosstrail("lookup", "--account", "prod", "--user", "Audit", "--config", config)
    assert "filter by --role Audit." in done.stderr


def test_a_map_taken_for_json_is_refused_with_the_way_to_its_values(crosstrail: CommandLine, config: Path) -> None:
    for wrong in ("json_extract(requestparameters, '$.a')", "requestparameters LIKE '%x%'"):
        done = crosstrail("query", f"SELECT {wrong} FROM events", "--config", config)
        assert (done.returncode, "element_at(..., 'key')" in done.stderr) == (1, True)


def test_query_as_table_csv_and_json(crosstrail: CommandLine, config: Path) -> None:
    sql = "SELECT account, count(*) AS events FROM events GROUP BY 1 ORDER BY 2 DESC"
    table = crosstrail("query", sql, "--config", config)
    assert table.stdout.splitlines() == ["account\tevents", f"{PROD}\t7", f"{DEV}\t3"]
    as_csv = crosstrail("query", sql, "--format", "csv", "--config", config)
    assert list(csv.reader(io.StringIO(as_csv.stdout))) == [["account", "events"], [PROD, "7"], [DEV, "3"]]
    as_json = crosstrail("query", sql, "--format", "json", "--config", config)
    assert json.loads(as_json.stdout)[0] == {"account": PROD, "events": 7}


def test_a_query_gives_every_row_where_a_script_reads_it(crosstrail: CommandLine, config: Path) -> None:
    sql = "SELECT n FROM UNNEST(sequence(1, 2500)) AS t(n) ORDER BY n"
    table = crosstrail("query", sql, "--config", config)
    assert table.stdout.splitlines() == ["n", *map(str, range(1, 2501))]
    _, printed = on_a_terminal(80, "query", sql, "--config", config)
    assert len(printed.splitlines()) == 102
    _, said = on_a_terminal(80, "query", sql, "--limit", "7", "--config", config, errors=True)
    assert "7 of 2,500 rows" in said
    as_csv = crosstrail("query", sql, "--format", "csv", "--config", config)
    assert as_csv.stdout.splitlines() == ["n", *map(str, range(1, 2501))]


def test_a_query_reads_only_the_accounts_chosen(crosstrail: CommandLine, config: Path) -> None:
    counted = crosstrail("query", "SELECT count(*) FROM events", "--account", "dev", "--config", config)
    assert counted.stdout.splitlines()[1] == "3"
    refused = crosstrail("query", "SELECT count(*) FROM prod", "--account", "dev", "--config", config)
    assert refused.returncode == 1


def test_accounts_list_says_what_the_lake_holds(crosstrail: CommandLine, config: Path) -> None:
    listed = json.loads(crosstrail("accounts", "list", "--json", "--config", config).stdout)
    assert [(one["alias"], one["account"], one["events"]) for one in listed] == [("prod", PROD, 7), ("dev", DEV, 3)]
    assert listed[0]["last"] == "2026-11-19T12:00:00Z"


def test_without_a_list_the_accounts_are_those_of_the_lake(crosstrail: CommandLine, config: Path) -> None:
    listed = json.loads(crosstrail("accounts", "list", "--json", "--lake", config.parent / "lake").stdout)
    assert {one["account"] for one in listed} == {PROD, DEV}


def test_a_question_about_nothing_is_refused(crosstrail: CommandLine, tmp_path: Path) -> None:
    for arguments in (["query", "SELECT count(*) FROM events"], ["lookup"], ["lookup", "--account", "*"]):
        done = crosstrail(*arguments, "--lake", tmp_path / "none")
        assert (done.returncode, done.stdout) == (1, "")
        assert "no account is listed" in done.stderr
    listed = crosstrail("accounts", "list", "--lake", tmp_path / "none")
    assert (listed.returncode, listed.stdout, "No account yet" in listed.stderr) == (0, "", True)


def test_collect_without_a_path_reads_every_archive_listed(crosstrail: CommandLine, tmp_path: Path) -> None:
    nameless = {"recipientAccountId": None, "userIdentity": {"type": "AWSService"}}
    for number, account in enumerate((PROD, DEV)):
        (tmp_path / account).mkdir()
        one = {**record(account, number, NOON), **nameless}
        (tmp_path / account / "log.json").write_text(json.dumps({"Records": [one]}), "utf-8")
    config = tmp_path / "crosstrail.yaml"
    config.write_text(
        f'accounts: [{{id: "{PROD}", archive: "{PROD}"}}, {{id: "{DEV}", archive: ./{DEV}}}]\nlake: {{path: lake}}',
        "utf-8",
    )
    assert crosstrail("collect", "--config", config).returncode == 0
    again = crosstrail("collect", "--config", config)
    assert "2 known" in again.stdout
    counted = crosstrail("query", "SELECT account, count(*) FROM events GROUP BY 1 ORDER BY 1", "--config", config)
    assert counted.stdout.splitlines()[1:] == [f"{PROD}\t1", f"{DEV}\t1"]
    assert crosstrail("collect", "--lake", tmp_path / "lake").returncode == 2


def test_a_folder_without_logs_is_said_to_have_none(crosstrail: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "notes.txt").write_text("x")
    done = crosstrail("collect", tmp_path / "logs", "--lake", tmp_path / "lake")
    assert done.returncode == 0
    assert "0 read, 0 known, 1 without audit events" in done.stdout
    assert "1 text: " in done.stdout


def test_a_span_by_age_has_whole_seconds(crosstrail: CommandLine, config: Path) -> None:
    done = crosstrail("lookup", "--account", "prod", "--since", "1h", "--config", config)
    assert re.match(r"prod \(\d+\), \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ to now", done.stderr)


def _on_a_terminal(columns: int, *arguments: str | Path) -> list[str]:
    """What `crosstrail ARGUMENTS...` prints on a terminal of that width, line by line."""
    status, printed = on_a_terminal(columns, *arguments)
    assert status == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", printed).split("\r\n")


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_a_table_fits_the_terminal_without_losing_a_column(config: Path, columns: int) -> None:
    sql = "SELECT eventname, useridentity.arn AS who, eventjson, account FROM prod LIMIT 3"
    header, rule, *rows = _on_a_terminal(columns, "query", sql, "--config", config)
    assert header.split() == ["eventname", "who", "eventjson", "account"]
    assert rule == "─" * columns
    assert len(rows) == 4
    assert all(len(line) <= columns for line in [header, rule, *rows])
    assert all(row.endswith(PROD) for row in rows if row) or columns < 80


@pytest.mark.parametrize("columns", [40, 80, 180])
def test_a_lookup_shows_when_and_where_whole_and_leaves_out_what_has_no_room(config: Path, columns: int) -> None:
    header, *rows = _on_a_terminal(columns, "lookup", "--account", "*", "--config", config)
    if columns == 40:  # blocks, which have room for everything
        assert header.startswith("─ 1")
        assert any(line.startswith(("resource", "region")) for line in rows)
        return
    assert header.split()[:2] == ["time", "account"]
    assert ("region" in header.split()) == (columns == 180)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  (prod|dev) .*", row) for row in rows[1:-1])
    assert all(len(line) <= columns for line in rows)


def test_rows_that_cannot_fit_become_blocks(config: Path) -> None:
    many = ", ".join(f"eventname AS column_{number}" for number in range(20))
    lines = _on_a_terminal(60, "query", f"SELECT {many} FROM prod LIMIT 2", "--config", config)
    assert lines[0].startswith("─ 1")
    assert sum(line.startswith("column_") for line in lines) == 40


def test_a_date_as_an_end_takes_the_whole_day(crosstrail: CommandLine, config: Path) -> None:
    day = NOON.date().isoformat()
    for span in (["--since", day, "--until", day], ["--until", day], ["--until", day[:7]]):
        done = crosstrail("lookup", "--account", "prod", *span, "--config", config)
        assert (done.returncode, len(done.stdout.splitlines())) == (0, 8)
    midnight = crosstrail("lookup", "--account", "prod", "--until", f"{day}T00:00", "--config", config)
    assert midnight.stdout == ""


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("2026-11-19", "2026-11-18", "Swap --since and --until."),
        ("2026-11-19T00:00Z", "2026-11-19T00:00Z", "the range is empty"),
        ("tomorrow", "", "not before now"),
    ],
)
def test_a_span_without_time_in_it_is_an_error(
    crosstrail: CommandLine, config: Path, since: str, until: str, said: str
) -> None:
    done = crosstrail("lookup", "--account", "prod", "--since", since, "--until", until, "--config", config)
    assert (done.returncode, done.stdout, said in done.stderr) == (1, "", True)
