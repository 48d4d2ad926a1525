"""Errors and coverage in the words of the front end that they come out of: tools and parameters, or commands and options."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
import pytest

from conftest import CommandLine
from crosstrail.cli import crosstrail as commands
from crosstrail.cli.words import COMMAND_WORDS
from crosstrail.server.tool_words import TOOL_WORDS
from crosstrail.vocabulary import PLAIN
from lake_workspace import DEV, NOON, PROD, client_of, collect, record, settings, text_of, write_logs

SNAPSHOTS = Path(__file__).with_name("snapshots")
ACCOUNTS = [{"id": PROD, "alias": "prod"}, {"id": DEV, "alias": "list_accounts"}]
"""An alias that is a tool's name: nobody may take it for one."""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vocabulary")
    write_logs(folder / "logs", [record(PROD, number, NOON) for number in range(3)])
    collect(folder / "logs", folder / "lake")
    return folder / "lake"


@pytest.fixture(scope="module")
def config(lake: Path) -> Path:
    path = lake.parent / "crosstrail.yaml"
    path.write_text(json.dumps({"accounts": ACCOUNTS, "lake": {"path": str(lake)}}), "utf-8")
    return path


def test_the_server_calls_tools_and_parameters_as_they_are_listed() -> None:
    listed = {name for path in SNAPSHOTS.glob("*.json") for name in _names(json.loads(path.read_text()))}
    called = {word.removeprefix("without ") for word in asdict(replace(TOOL_WORDS, sql_page="lake_query")).values()}
    assert called <= listed


def _names(tool: dict[str, Any]) -> set[str]:
    return {tool["name"], *tool["inputSchema"]["properties"]}


def test_the_command_line_calls_commands_and_options_that_it_has() -> None:
    own = [word for word in asdict(COMMAND_WORDS).values() if word not in asdict(PLAIN).values()]
    options = {option for option in own if option.startswith("--")}
    assert options == {"--account", "--since", "--until"}
    assert options <= {name for param in _command(["lookup"]).params for name in param.opts}
    named = [match[1].split() for word in own if (match := re.fullmatch(r"`crosstrail (.+)`", word))]
    assert ["help", "sql"] in named
    assert len([_command(path) for path in named if path != ["help", "sql"]]) == 5


def _command(path: list[str]) -> click.Command:
    found: click.Command = commands
    for name in path:
        assert isinstance(found, click.Group)
        inner = found.get_command(click.Context(found), name)
        assert inner, f"there is no command {name}"
        found = inner
    return found


def _tools_words() -> Iterator[str]:
    """Those that are nothing but a name here."""
    return (word for word in asdict(TOOL_WORDS).values() if "_" in word and word != "list_accounts")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lookup", "--since", "2d", "--until", "3d", "--account", "*"), "Swap --since and --until."),
        (("lookup", "--name", "Nothing", "--account", "prod"), "the filter's value is compared whole"),
        (("lookup", "--name", "Nothing", "--account", "prod"), "for a pattern use `crosstrail query` with LIKE."),
        (("lookup",), "Set --account to one of: prod (111111111111), list_accounts (222222222222); or * for all."),
        (("lookup", "--account", "list_acounts"), "Did you mean list_accounts?"),
    ],
)
def test_the_command_line_speaks_of_options_and_leaves_names_of_others_alone(
    crosstrail: CommandLine, config: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = crosstrail(*arguments, "--config", config)
    assert said in done.stderr
    assert [word for word in _tools_words() if word in done.stderr] == []


def test_a_broken_statement_is_told_in_no_tools_words(crosstrail: CommandLine, config: Path) -> None:
    for sql in ("SELEC 1", "SELECT nothing FROM events", "SELECT eventname FROM nowhere"):
        done = crosstrail("query", sql, "--config", config)
        assert (done.returncode, done.stdout) == (1, "")
        assert [word for word in _tools_words() if word in done.stderr] == []


@pytest.mark.anyio
async def test_the_server_says_the_same_in_tools_and_parameters(lake: Path) -> None:
    backwards = {"target_account_id": "*", "start_time": "2d", "end_time": "3d"}
    nothing = {"target_account_id": "prod", "attribute_key": "EventName", "attribute_value": "Nothing"}
    many = {"target_account_id": "prod", "filters": ",".join(f"EventName=Name{number}" for number in range(30))}
    async with client_of(settings(lake, ACCOUNTS)) as client:
        said = {
            name: text_of(await client.call_tool("lookup_events", arguments))
            for name, arguments in {"backwards": backwards, "nothing": nothing, "many": many, "which": {}}.items()
        }
    assert "Swap start_time and end_time." in said["backwards"]
    assert "attribute_value is compared whole, letter case included; for a pattern use lake_query" in said["nothing"]
    assert "Combine more conditions in lake_query." in said["many"]
    assert "Set target_account_id to one of: prod" in said["which"]
