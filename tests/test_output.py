"""The convention for what commands print: forms, files, columns, time zones, colour. docs/output.md says it."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet
import pytest

import preloaded
from conftest import CommandLine
from crosstrail.settings.colour_settings import colour_choice
from lake_workspace import DEV, NOON, PROD, collect, record, write_logs
from terminal import on_a_terminal, typing

CONFIG = f"""
accounts:
  - {{id: "{PROD}", alias: prod, archive: logs}}
  - {{id: "{DEV}", alias: dev, archive: logs}}
lake: {{path: lake}}
"""


def _session(name: str) -> dict[str, str]:
    arn = f"arn:aws:sts::{PROD}:assumed-role/AWSReservedSSO_AdministratorAccess_0123456789abcdef/{name}@example.com"
    return {"type": "AssumedRole", "principalId": f"AROA:{name}", "arn": arn, "accountId": PROD}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """crosstrail.yaml over a lake of 1,200 events of prod and one of dev."""
    folder = tmp_path_factory.mktemp("workspace")
    records = [record(PROD, number, NOON - timedelta(seconds=number)) for number in range(1200)]
    records[0] |= {"userIdentity": _session("alice"), "eventName": "StopLogging", "readOnly": False}
    records[1] |= {"userIdentity": _session("bob"), "errorCode": "AccessDenied", "errorMessage": "no"}
    write_logs(folder / "logs", [*records, record(DEV, 0, NOON)])
    collect(folder / "logs", folder / "lake")
    path = folder / "crosstrail.yaml"
    path.write_text(CONFIG, "utf-8")
    return path


def test_json_is_one_document_of_typed_values(crosstrail: CommandLine, config: Path) -> None:
    rows = json.loads(crosstrail("accounts", "list", "--format", "json", "--config", config).stdout)
    assert [(one["alias"], one["events"], one["last"]) for one in rows] == [
        ("prod", 1200, "2026-11-19T12:00:00Z"),
        ("dev", 1, "2026-11-19T12:00:00Z"),
    ]
    lines = crosstrail("accounts", "list", "--format", "jsonl", "--config", config).stdout.splitlines()
    assert [json.loads(line) for line in lines] == rows


def test_csv_has_a_header(crosstrail: CommandLine, config: Path) -> None:
    done = crosstrail("accounts", "list", "--format", "csv", "--config", config)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(one["alias"], one["events"]) for one in rows] == [("prod", "1200"), ("dev", "1")]


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.json", "a.jsonl", "a.tsv"])
def test_a_file_is_written_whole_in_the_form_of_its_name(
    crosstrail: CommandLine, config: Path, tmp_path: Path, name: str
) -> None:
    done = crosstrail("accounts", "list", "-o", tmp_path / name, "--config", config)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert f"Rows written to {tmp_path / name}: 2." in done.stderr
    assert os.stat(tmp_path / name).st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [name]
    if name.endswith("parquet"):
        table = pyarrow.parquet.read_table(tmp_path / name)
        kinds = {field.name: str(field.type) for field in table.schema}
        assert (kinds["events"], kinds["last"], kinds["alias"]) == ("int64", "timestamp[us, tz=UTC]", "string")
        assert table.column("events").to_pylist() == [1200, 1]
        assert table.column("last")[0].as_py() == NOON
    else:
        printed = crosstrail("accounts", "list", "--format", _form(name), "--config", config).stdout
        assert (tmp_path / name).read_text() == printed


def _form(name: str) -> str:
    return {"tsv": "table"}.get(name.rpartition(".")[2], name.rpartition(".")[2])


def test_a_file_is_replaced_only_when_told(crosstrail: CommandLine, config: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("mine")
    done = crosstrail("accounts", "list", "-o", file, "--config", config)
    assert (done.returncode, file.read_text()) == (1, "mine")
    assert "add --overwrite" in done.stderr
    done = crosstrail("accounts", "list", "-o", file, "--overwrite", "--config", config)
    assert (done.returncode, file.read_text().splitlines()[0].split(",")[0]) == (0, "alias")
    done = crosstrail("accounts", "list", "nobody", "-o", file, "--overwrite", "--config", config)
    assert (done.returncode, len(file.read_text().splitlines())) == (1, 3), "what failed has replaced nothing"
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--columns", "alais"], "There is no column 'alais'. Did you mean alias?"),
        (["--columns", "qqqqq"], "There is no column 'qqqqq'. There are: alias, account"),
        (["--tz", "Europe/Pari"], "Did you mean Europe/Paris?"),
        (["--tz", "shanghai"], "Did you mean Asia/Shanghai?"),
        (["--tz", "UTC", "--local-time"], "do not go together"),
        (["-o", "events.xls"], "does not say in which format"),
        (["--format", "xml"], "'xml' is not one of 'table', 'json', 'jsonl', 'csv', 'parquet'"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_can(crosstrail: CommandLine, options: list[str], said: str) -> None:
    done = crosstrail("accounts", "list", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split())


def test_columns_are_chosen_and_put_in_order(crosstrail: CommandLine, config: Path) -> None:
    done = crosstrail("accounts", "list", "prod", "--columns", "events, Account", "--config", config)
    assert done.stdout == f"events\taccount\n1200\t{PROD}\n"
    done = crosstrail("accounts", "list", "prod", "--columns", "account", "--format", "json", "--config", config)
    assert json.loads(done.stdout) == [{"account": PROD}]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ([], "2026-11-19T12:00:00Z"),
        (["--tz", "asia/shanghai"], "2026-11-19T20:00:00+08:00"),
        (["--tz", "-0330"], "2026-11-19T08:30:00-03:30"),
        (["--local-time"], "2026-11-19T07:00:00-05:00"),
    ],
)
def test_times_say_their_zone(config: Path, options: list[str], shown: str) -> None:
    arguments = ["accounts", "list", "prod", "--format", "jsonl", *options, "--config", str(config)]
    done = preloaded.run(*arguments, environ={"TZ": "America/New_York"})
    assert json.loads(done.stdout)["last"] == shown


@pytest.mark.parametrize(
    ("environ", "choice"),
    [
        ({}, None),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, None),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True),
        ({"FORCE_COLOR": "0"}, False),
        ({"CLICOLOR_FORCE": "1"}, True),
        ({"CLICOLOR": "0"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colour_is_as_the_environment_says(environ: dict[str, str], choice: bool | None) -> None:
    assert colour_choice(environ) is choice


def test_a_terminal_shows_counts_with_commas_and_days(config: Path) -> None:
    _, printed = on_a_terminal(80, "accounts", "list", "--config", config)
    assert "1,200  2026-11-19  2026-11-19" in printed
    assert all(len(line) <= 80 for line in printed.splitlines())


def test_parquet_is_not_for_a_terminal(config: Path) -> None:
    status, printed = on_a_terminal(80, "accounts", "list", "--format", "parquet", "--config", config, errors=False)
    assert (status, printed) == (2, "")


def _lookup(config: Path, columns: int, *more: str, environ: dict[str, str] | None = None) -> list[str]:
    """Its lines on a terminal so wide."""
    status, printed = on_a_terminal(
        columns, "lookup", "--account", "prod", "--limit", "3", *more, "--config", config, environ=environ
    )
    assert status == 0
    return printed.splitlines()


@pytest.mark.parametrize("columns", [80, 120, 140, 200, 230])
def test_what_matters_of_an_event_is_there_at_every_width(config: Path, columns: int) -> None:
    header, _, *rows = _lookup(config, columns, environ={"NO_COLOR": "1"})
    assert all(len(line) <= columns for line in rows)
    assert header.split()[:3] == (["time", "account", "event"] if columns < 200 else ["time", "account", "region"])
    assert ("event_id" in header) is (columns >= 140)
    assert ("ice@example.com" in rows[0], "bob@example.com" in rows[1]) == (True, True), "sessions are told apart"
    assert "StopLogging" in rows[0]
    assert ("AccessDenied" if columns > 80 else "AccessDen…") in rows[1]
    assert ("AWSReservedSSO_AdministratorAccess_0123456789abcdef/alice" in rows[0]) is (columns > 200)
    assert "deploy-bot" in rows[2]
    assert "user/" not in rows[2]


def test_what_had_no_room_is_named_and_had_by_name(config: Path) -> None:
    status, printed = typing([], "lookup", "--account", "prod", "--limit", "1", "--config", config, columns=80)
    (told,) = re.findall(r"No room for ([^:]*):", printed.replace("\r\n", " "))
    assert (status, told.split(", ")) == (0, ["region", "service", "source_ip", "event_id"])
    named = _lookup(config, 80, "--columns", "time,event,event_id", environ={"NO_COLOR": "1"})
    assert named[2].split() == ["2026-11-19T12:00:00Z", "StopLogging", f"{PROD[:8]}-0000-4000-8000-{0:012d}"]


def test_colour_marks_what_failed_and_what_wrote(config: Path) -> None:
    red, magenta = "\x1b[31m", "\x1b[35m"
    shown = _lookup(config, 200)
    assert f"{magenta}write\x1b[0m" in shown[2]
    assert f"{red}AccessDenied\x1b[0m" in shown[3]
    for environ in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert not any("\x1b" in line for line in _lookup(config, 200, environ=environ))
    done = preloaded.run("lookup", "--account", "prod", "--limit", "3", "--config", config)
    assert "\x1b" not in done.stdout
    done = preloaded.run("lookup", "--account", "prod", "--config", config, environ={"CLICOLOR_FORCE": "1"})
    assert f"{red}AccessDenied\x1b[0m\t" in done.stdout


def test_an_event_and_its_caller_are_found_by_what_the_table_shows(crosstrail: CommandLine, config: Path) -> None:
    names = "event_id,principal"
    done = crosstrail("lookup", "--account", "prod", "--limit", "1", "--columns", names, "--config", config)
    event, principal = done.stdout.splitlines()[1].split("\t")
    for option, value in (("--event-id", event), ("--arn", principal)):
        found = crosstrail("lookup", "--account", "prod", option, value, "--columns", names, "--config", config)
        assert found.stdout == done.stdout


def test_wide_shows_every_column_at_any_width(config: Path) -> None:
    blocks = "\n".join(_lookup(config, 80, "--wide"))
    assert f"event_id        {PROD[:8]}-0000-4000-8000-{0:012d}" in blocks
    assert "cloud           aws" in blocks


def test_json_of_events_has_the_columns_and_the_record(crosstrail: CommandLine, config: Path) -> None:
    done = crosstrail("lookup", "--account", "prod", "--limit", "1", "--format", "json", "--config", config)
    (row,) = json.loads(done.stdout)
    assert (row["time"], row["account"], row["account_id"]) == ("2026-11-19T12:00:00Z", "prod", PROD)
    assert (row["access"], row["error"], row["resources"], row["record"]["eventName"]) == (
        "write",
        "",
        [],
        "StopLogging",
    )
    as_csv = crosstrail("lookup", "--account", "prod", "--limit", "1", "--format", "csv", "--config", config)
    assert set(row) - set(next(csv.reader(io.StringIO(as_csv.stdout)))) == {"record"}


TYPED = """SELECT 7 AS i, 2.5e0 AS d, CAST(1.25 AS DECIMAL(6, 2)) AS n, CAST(0.1 AS DECIMAL(38, 20)) AS exact, true AS b,
TIMESTAMP '2026-11-19 12:00:00.5' AS t, ARRAY['a', 'b'] AS l, MAP(ARRAY['k'], ARRAY[1]) AS m, CAST(NULL AS VARCHAR) AS none,
nan() AS nan, DATE '2026-11-19' AS day, '=1+1' AS formula"""


def test_values_of_sql_keep_their_types(crosstrail: CommandLine, config: Path, tmp_path: Path) -> None:
    (row,) = json.loads(crosstrail("query", TYPED, "--format", "json", "--config", config).stdout)
    assert row == {
        "i": 7,
        "d": 2.5,
        "n": 1.25,
        "exact": "0.10000000000000000000",
        "b": True,
        "t": "2026-11-19T12:00:00.500000Z",
        "l": ["a", "b"],
        "m": {"k": 1},
        "none": None,
        "nan": None,
        "day": "2026-11-19",
        "formula": "=1+1",
    }
    (cells,) = csv.DictReader(io.StringIO(crosstrail("query", TYPED, "--format", "csv", "--config", config).stdout))
    assert (cells["i"], cells["b"], cells["l"], cells["m"], cells["none"], cells["formula"]) == (
        *("7", "true", "a, b", '{"k":1}', "", "'=1+1"),
    )
    done = crosstrail("query", TYPED, "-o", tmp_path / "q.parquet", "--config", config)
    assert done.returncode == 0, done.stderr
    kinds = {field.name: str(field.type) for field in pyarrow.parquet.read_schema(tmp_path / "q.parquet")}
    assert list(kinds.values()) == [
        *("int64", "double", "double", "string", "bool", "timestamp[us, tz=UTC]"),
        *("list<element: string>", "string", "string", "double", "string", "string"),
    ]


def test_a_reader_that_goes_away_ends_a_command_quietly(config: Path) -> None:
    process = preloaded.start(
        "query", "SELECT n FROM UNNEST(sequence(1, 9000)) AS t(n)", "--config", config, stdout=True
    )
    assert process.stdout
    assert process.stdout.readline() == "n\n"
    process.stdout.close()
    process.wait(60)
    assert process.stderr
    with process.stderr:
        assert process.stderr.read() == ""
