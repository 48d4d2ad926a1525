"""Where the operator keeps things is in the log and on the command line, and in no tool's answer."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import CommandLine
from crosstrail.settings.config import Settings
from lake_workspace import NOON, PROD, client_of, collect, record, text_of, write_logs

pytestmark = pytest.mark.anyio


def _no_lake(root: Path) -> dict[str, Any]:
    return {"accounts": [{"id": PROD}], "lake": {"path": str(root / "absent")}}


def _without_catalog(root: Path) -> dict[str, Any]:
    write_logs(root / "logs", [record(PROD, 1, NOON)])
    collect(root / "logs", root / "lake")
    (root / "lake" / "catalog.sqlite").unlink()
    return {"accounts": [{"id": PROD}], "lake": {"path": str(root / "lake")}}


def _no_database(root: Path) -> dict[str, Any]:
    return {"database": {"url": f"sqlite:///{root}/accounts.db"}, "lake": {"path": str(root / "absent")}}


def _broken_database(root: Path) -> dict[str, Any]:
    (root / "accounts.db").write_bytes(b"no database" * 200)
    return {"database": {"url": f"sqlite:///{root}/accounts.db"}, "lake": {"path": str(root / "absent")}}


def _results_cannot_be_kept(root: Path) -> dict[str, Any]:
    write_logs(root / "logs", [record(PROD, 1, NOON)])
    collect(root / "logs", root / "lake")
    (root / "results").write_text("a file")
    query = {"results_folder": str(root / "results")}
    return {"accounts": [{"id": PROD}], "lake": {"path": str(root / "lake")}, "query": query}


CASES = [_no_lake, _without_catalog, _no_database, _broken_database, _results_cannot_be_kept]
TOOLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("lookup_events", {}),
    ("lake_query", {"sql": "SELECT eventname FROM events"}),
    ("list_accounts", {}),
    ("list_event_data_stores", {}),
    ("describe_trails", {}),
)


@pytest.mark.parametrize("case", CASES)
async def test_no_answer_names_the_operators_folders(tmp_path: Path, case: Callable[[Path], dict[str, Any]]) -> None:
    given, failed = case(tmp_path), 0
    async with client_of(Settings.model_validate(given)) as client:
        for tool, arguments in TOOLS:
            result = await client.call_tool(tool, arguments)
            failed += bool(result.is_error)
            assert str(tmp_path) not in text_of(result), tool
            assert os.fspath(Path.home()) not in text_of(result), tool
    assert failed


@pytest.mark.parametrize("case", [_no_lake, _no_database])
async def test_the_log_and_the_command_line_name_them(
    tmp_path: Path, crosstrail: CommandLine, caplog: pytest.LogCaptureFixture, case: Callable[[Path], dict[str, Any]]
) -> None:
    given = case(tmp_path)
    with caplog.at_level(logging.WARNING):
        async with client_of(Settings.model_validate(given)) as client:
            assert (await client.call_tool("lookup_events", {})).is_error
    assert str(tmp_path) in caplog.text
    config = tmp_path / "crosstrail.yaml"
    config.write_text(yaml.safe_dump(given))
    done = crosstrail("lookup", "--config", config)
    assert done.returncode == 1
    assert str(tmp_path) in done.stderr
