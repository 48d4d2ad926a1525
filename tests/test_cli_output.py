"""What the command line prints: nothing that steers a terminal, CSV that runs nowhere, JSON that is still equal, true statuses."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from conftest import CommandLine
from crosstrail.text import clean, csv_cell, escaped, json_text
from lake_workspace import DEV, NOON, PROD, collect, record, write_logs
from live_aws import LiveAws
from terminal import on_a_terminal

HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07red",  # clear the screen, name the window
    "\x9b31mC1\x9d0;x\x9c",
    "a\rOK\b\b\x7f\x00",
    "\u202egpj.exe\u2066x\u2069\u200f\u061c",  # turned around
    "zero\u200bwidth\u200d\u2060\ufeff\u00ad",
    "line\u2028break\u2029\x85\x0b\x0c",
    "tag\U000e0041\U000e007f blank\u3164\u2800 mark\ufe0f\u180e",
)
SPREAD = ("=HYPERLINK(1)", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1", "\n=1", "＝1+1")
SQL = "SELECT eventname, useragent AS \"a\u202eb\x1b[2J\u200b\", errormessage FROM dev WHERE errorcode = 'x' ORDER BY eventid"


def _is_safe(text: str) -> bool:
    """Whether nothing in it controls, turns or hides: by Unicode's own categories, not by the code that is tested."""
    return all(sign == "\n" or unicodedata.category(sign)[0] not in "CZ" or sign in " \t" for sign in text)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """crosstrail.yaml over a lake whose texts are hostile, beside a log file whose name and content are."""
    folder = tmp_path_factory.mktemp("hostile")
    records = [
        record(
            DEV,
            number,
            NOON - timedelta(minutes=number),
            eventName=f"Name{text}",
            userAgent=text,
            errorMessage=SPREAD[number % len(SPREAD)],
            errorCode="x",
            sourceIPAddress=text,
            awsRegion=f"r{text}",
        )
        for number, text in enumerate((*HOSTILE, "plain"))
    ]
    write_logs(folder / "logs", records)
    collect(folder / "logs", folder / "lake")
    (folder / "bad").mkdir()
    for number, text in enumerate(HOSTILE):
        name = text.replace("\x00", "").replace("/", "")
        (folder / "bad" / f"{number}{name}.json").write_bytes(b'{"Records":[{"eventVersion": 1')
    path = folder / "crosstrail.yaml"
    path.write_text(f'accounts: [{{id: "{DEV}", alias: dev, archive: logs}}]\nlake: {{path: lake}}\n', "utf-8")
    return path


COMMANDS = {
    "lookup": (0, ["lookup", "--account", "dev"]),
    "lookup as JSON": (0, ["lookup", "--account", "dev", "--json"]),
    "query": (0, ["query", SQL]),
    "query as JSON": (0, ["query", SQL, "--format", "json"]),
    "query as CSV": (0, ["query", SQL, "--format", "csv"]),
    "accounts list": (0, ["accounts", "list"]),
    "an account that is none": (1, ["lookup", "--account", f"dev{HOSTILE[0]}{HOSTILE[3]}"]),
    "a region that is none": (1, ["lookup", "--account", "dev", "--region", f"{HOSTILE[1]}"]),
    "a time that is none": (1, ["lookup", "--account", "dev", "--since", f"{HOSTILE[0]}{HOSTILE[3]}"]),
    "a statement that is none": (1, ["query", f'SELECT "{HOSTILE[0]}{HOSTILE[4]}" FROM dev']),
    "a file that is none": (2, ["collect", f"{HOSTILE[0]}{HOSTILE[3]}"]),
    "an option that is none": (2, ["lookup", f"--{HOSTILE[0]}{HOSTILE[3]}"]),
    "somebody of no kind": (1, ["access", "test", f"{HOSTILE[0]}{HOSTILE[3]}"]),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_prints_what_steers_a_terminal(crosstrail: CommandLine, config: Path, name: str) -> None:
    status, arguments = COMMANDS[name]
    done = crosstrail(*arguments, "--config", config)
    assert done.returncode == status, done.stderr
    assert done.stdout + done.stderr
    assert _is_safe(done.stdout), ascii(done.stdout)
    assert _is_safe(done.stderr), ascii(done.stderr)


def test_names_of_broken_files_do_not_steer_a_terminal(crosstrail: CommandLine, config: Path, tmp_path: Path) -> None:
    for more in ([], ["--json"]):
        done = crosstrail("collect", config.parent / "bad", "--lake", tmp_path / "lake", *more)
        assert done.returncode == 1, done.stderr  # not one could be read
        assert ".json" in done.stdout + done.stderr
        assert _is_safe(done.stdout + done.stderr), ascii(done.stdout + done.stderr)


def test_interactive_tables_do_not_steer_the_terminal(config: Path) -> None:
    for columns, arguments in ((120, ["lookup", "--account", "dev"]), (40, ["query", SQL])):
        _, printed = on_a_terminal(columns, *arguments, "--config", config)
        assert "Name" in printed
        assert _is_safe(re.sub(r"\x1b\[[0-9;]*m", "", printed).replace("\r\n", "\n")), ascii(printed)


def test_json_is_equal_to_what_the_log_says(crosstrail: CommandLine, config: Path) -> None:
    done = crosstrail("lookup", "--account", "dev", "--json", "--config", config)
    agents = {json.loads(line)["event"]["userAgent"] for line in done.stdout.splitlines()}
    assert agents == {*HOSTILE, "plain"}
    rows = crosstrail("query", SQL, "--format", "jsonl", "--config", config).stdout.splitlines()
    assert [json.loads(row)["eventname"] for row in rows] == [f"Name{text}" for text in (*HOSTILE, "plain")]


def test_csv_holds_no_formula_and_keeps_its_cells(crosstrail: CommandLine, config: Path) -> None:
    done = crosstrail("query", SQL, "--format", "csv", "--config", config)
    rows = list(csv.reader(io.StringIO(done.stdout)))
    assert len(rows) == 1 + len(HOSTILE) + 1
    for row in rows:
        assert not any(re.match("[=+\\-@\t\r\n＝＋－＠]", cell) for cell in row)
    assert rows[1][2] == "'=HYPERLINK(1)"
    assert rows[1][1] == r"\u001b[2J\u001b]0;owned\u0007red"


@pytest.mark.parametrize("number", ["-5", "+5", "-1.50", "-2.5e-8", "5"])
def test_a_number_in_csv_stays_one(number: str) -> None:
    assert csv_cell(number) == number


def test_every_character_is_shown_or_escaped() -> None:
    full = [*range(0, 0x20000, 256), *range(0xE0000, 0xE1000, 256)]  # elsewhere neighbours are all of one kind
    for first in [*full, *range(0x20000, 0x110000, 0x3F00)]:
        signs = "".join(map(chr, range(first, first + 256))) if not 0xD800 <= first < 0xE000 else ""
        text = escaped(orjson.dumps(signs).decode())
        assert json.loads(text) == signs
        between = "".join(f"a{sign}b" for sign in signs)
        shown = text + clean(between) + csv_cell(between).replace("\n", "").replace("\t", "")
        hidden = {
            one for one in signs if unicodedata.category(one)[0] == "C" or unicodedata.category(one) in ("Zl", "Zp")
        }
        assert not hidden.intersection(shown)
    assert json_text({"a": ["é", "日本", "😀"]}) == '{"a":["é","日本","😀"]}'


def _configured(aws: LiveAws, folder: Path) -> Path:
    path = folder / "crosstrail.yaml"
    path.write_text(yaml.safe_dump({"accounts": aws.listed, "lake": {"path": "no-lake"}}))
    return path


@pytest.mark.parametrize(("denied", "status"), [([], 0), ([DEV], 3), ([PROD, DEV], 1)])
def test_a_lookup_that_fails_in_part_or_wholly_says_so_by_its_status(
    crosstrail: CommandLine, aws: LiveAws, tmp_path: Path, denied: list[str], status: int
) -> None:
    for account in (PROD, DEV):
        aws.keys_account(account, f"account-{account[0]}")
    for account in denied:
        aws.world.accounts[account].denied |= {"cloudtrail:LookupEvents"}
    config = _configured(aws, tmp_path)
    done = crosstrail("lookup", "--account", "*", "--since", "1h", "--config", config)
    assert done.returncode == status, done.stderr
    checked: Any = crosstrail("accounts", "check", "--config", config)
    assert checked.returncode == status, checked.stderr


def test_accounts_are_checked_block_after_block(crosstrail: CommandLine, aws: LiveAws, tmp_path: Path) -> None:
    for account in (PROD, DEV):
        aws.keys_account(account, f"account-{account[0]}")
    config = _configured(aws, tmp_path)
    text = config.read_text()
    config.write_text(text + "lookup: {max_targets: 1}\n")
    checked = crosstrail("accounts", "check", "--config", config)
    assert checked.returncode == 0, checked.stderr
    assert [line.split("\t")[1] for line in checked.stdout.splitlines()[1:]] == [PROD, DEV]


def test_a_collection_that_reads_a_part_or_nothing_says_so_by_its_status(
    crosstrail: CommandLine, config: Path, tmp_path: Path
) -> None:
    bad = next((config.parent / "bad").iterdir())
    assert crosstrail("collect", bad, "--lake", tmp_path / "lake").returncode == 1
    assert crosstrail("collect", bad, config.parent / "logs", "--lake", tmp_path / "lake").returncode == 3
    assert crosstrail("collect", bad, config.parent / "logs", "--lake", tmp_path / "lake").returncode == 3
    assert crosstrail("collect", config.parent / "logs", "--lake", tmp_path / "lake").returncode == 0
