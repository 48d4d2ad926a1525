"""The rules of docs/cli-style.md, over the whole tree of commands."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import pytest

import preloaded
from command_tree import Entry, entries
from crosstrail.cli.cells import width_of
from crosstrail.cli.command import Command, Group, summary
from crosstrail.cli.output.options import FORMS
from crosstrail.demo.prepared import prepared
from wrong_inputs import WrongInput, closed_inputs, prepare, wrong_inputs

ENTRIES = entries()
COMMANDS = [entry for entry in ENTRIES if not entry.is_group]
SAME = {
    "--account": "SELECTOR",
    "--region": "SELECTOR",
    "--since": "TIME",
    "--until": "TIME",
    "--as-of": "TIME",
    "--config": "FILE",
    "--lake": "FOLDER",
    "--dry-run": "",
    "--exit-code": "",
    "--bearer": "TOKEN",
    "--rules": "PATH",
}
"""Options that mean the same everywhere, and the word for their value."""
OTHERWISE = {
    ("accounts add", "--region"): "of one account",
    ("deploy aws", "--account"): "of one account",
    ("deploy aws", "--region"): "of one account",
    ("lake ddl athena", "--since"): "a day that statements name",
    ("init", "--config"): "is written",
    ("init", "--lake"): "is written",
    ("init", "--dry-run"): "prints the file",
}

CONVERTED_TOO = {
    "export": "rows of one export",
    "lake repair": "rows of one repair",
    "verify": "rows of one verification",
}
"""May have the shared options of rows, or a form of its own."""
NO_ROWS = {
    "accounts add": "writes a file of settings, and says so",
    "accounts encrypt": "writes a file of settings, and says so",
    "accounts import": "writes a file of settings, and says so",
    "accounts remove": "writes a file of settings, and says so",
    "accounts rotate": "writes a file of settings, and says so",
    "client add": "writes a client's file, and says so",
    "client remove": "writes a client's file, and says so",
    "completion": "prints a script",
    "config schema": "prints a JSON Schema",
    "demo": "tells a story",
    "deploy aws": "prints a plan and templates",
    "help": "prints pages",
    "iam-policy": "prints a policy, and has its own --format",
    "init": "asks, and writes a file of settings",
    "lake ddl athena": "prints statements",
    "lake ddl athena-lake": "prints statements",
    "lake init": "makes a lake, and says so",
    "lake migrate": "changes a lake, and says so",
    "lake move": "changes a lake, and says so",
    "report": "writes a document",
    "rules add": "writes files of rules, and says so",
    "serve": "is a server",
    "summarize": "prints a summary of several tables, and has its own --format",
    "timeline": "draws a picture, and has its own forms",
    "wrap": "is a server",
}
"""Commands without rows, and why."""
ROW_OPTIONS = {"--format", "--output", "--columns", "--wide", "--tz", "--local-time"}


def _name(entry: Entry) -> str:
    return entry.path or "crosstrail"


def _options(entry: Entry) -> list[click.Option]:
    params = entry.command.get_params(entry.context)
    return [one for one in params if isinstance(one, click.Option) and not one.hidden]


@pytest.mark.parametrize("entry", ENTRIES, ids=_name)
def test_help_begins_with_a_sentence_that_fits_a_list(entry: Entry) -> None:
    assert isinstance(entry.command, Command | Group), "use cls=Command of cli/command.py"
    said = summary(entry.command)
    assert said, "a command has help"
    assert said[0].isupper()
    assert said.endswith(".")
    assert len(said) <= 140


def test_options_that_mean_the_same_are_said_in_the_same_words() -> None:
    helps: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for entry in COMMANDS:
        for option in _options(entry):
            for name in set(option.opts) & set(SAME):
                if (entry.path, name) in OTHERWISE:
                    continue
                assert (option.metavar or "") == SAME[name], (entry.path, name)
                helps[name][option.help or ""].append(entry.path)
    assert set(helps) == set(SAME)
    assert {name: dict(found) for name, found in helps.items() if len(found) > 1} == {}


def test_every_command_that_prints_rows_has_the_shared_options_of_rows() -> None:
    assert NO_ROWS.keys() <= {entry.path for entry in ENTRIES}
    for entry in COMMANDS:
        shared = [one for one in _options(entry) if set(one.opts) & ROW_OPTIONS]
        chosen = next((one.type for one in shared if "--format" in one.opts), None)
        is_shared = isinstance(chosen, click.Choice) and set(FORMS) <= set(chosen.choices)
        has_all = {name for one in shared for name in one.opts} >= ROW_OPTIONS
        if entry.path in NO_ROWS:
            assert not (is_shared and has_all), f"{entry.path} has rows now: take it off the list"
        elif entry.path not in CONVERTED_TOO:
            assert is_shared, f"{entry.path}: use with_output of cli/output, or say in NO_ROWS what it prints"
            assert has_all, entry.path


@pytest.mark.parametrize("entry", COMMANDS, ids=_name)
def test_every_option_has_help_and_a_name_of_lower_case_words(entry: Entry) -> None:
    for option in _options(entry):
        if option.opts != ["--format"]:  # whose choices say it
            assert option.help, option.opts
            assert option.help.endswith("."), option.help
        for name in option.opts:
            assert name == name.lower()
            assert "_" not in name
        if not option.is_flag and option.metavar:
            assert option.metavar == option.metavar.upper(), option.metavar


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_no_line_of_help_is_wider_than_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for entry in ENTRIES:
        wide = [line for line in entry.command.get_help(entry.context).splitlines() if width_of(line) > columns]
        assert not wide, (entry.path, wide)


def test_wrong_inputs_end_with_a_sentence_and_a_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = prepare(tmp_path / "wrong")
    monkeypatch.chdir(prepared(tmp_path / "demo", days=1).folder)
    known: dict[str, WrongInput] = {}
    for entry in ENTRIES:
        for wrong in wrong_inputs(entry, folder):
            known.setdefault(wrong.what, wrong)
    inputs = [*known.values(), *closed_inputs(folder)]
    assert len(inputs) >= 200
    homes = {f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("CONFIG", "CACHE", "DATA")} | {"HOME": str(tmp_path)}

    def fault(wrong: WrongInput) -> str:
        done = preloaded.run(*wrong.words, environ=homes, timeout=60)
        problems = {
            f"status {done.returncode}": done.returncode not in wrong.statuses,
            "a traceback": "Traceback" in done.stderr,
            "nothing is said": bool(done.returncode) and not f"{done.stderr}{done.stdout}".strip(),
            "control characters": any(
                unicodedata.category(one) in ("Cc", "Cf") for one in done.stderr.replace("\n", "")
            ),
        }
        found = ", ".join(problem for problem, is_so in problems.items() if is_so)
        return f"{wrong.words!r} ({wrong.what}): {found}\n{done.stderr[-500:]}" if found else ""

    with ThreadPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
        faults = list(filter(None, pool.map(fault, inputs)))
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (["quer"], "query"),
        (["lake", "stauts"], "status"),
        (["lookup", "--acount", "prod"], "--account"),
        (["timeline", "--lanes", "principle"], "principal"),
        (["lake", "ddl", "athen"], "athena"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(words: list[str], nearest: str) -> None:
    done = preloaded.run(*words)
    assert done.returncode == 2
    assert f"'{nearest}'" in done.stderr


def test_help_loads_no_library_that_only_running_needs() -> None:
    """`serve` and `accounts add` have options that settings and clouds name, so these must be loaded."""
    code = (
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from command_tree import entries\n"
        "for entry in entries(but='serve'):\n"
        "    entry.path == 'accounts add' or entry.command.get_help(entry.context)\n"
        "print(*sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"asyncio", "pydantic", "yaml", "rich.console", "botocore", "duckdb", "pyarrow", "sqlglot", "mcp", "anyio"}
    assert heavy & set(done.stdout.split()) == set()
