"""The convention for what commands print: forms, files, columns, time zones, colour. docs/output.md says it."""

from __future__ import annotations

import csv
import io
import json
import os
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet
import pytest

import preloaded
from conftest import CommandLine
from crosstrail.settings.colour_settings import colour_choice
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
    """crosstrail.yaml over a lake of 1,200 events of prod and one of dev."""
    folder = tmp_path_factory.mktemp("workspace")
    records = [record(PROD, number, NOON - timedelta(seconds=number)) for number in range(1200)]
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
