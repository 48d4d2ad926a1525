"""docs/output.md: what commands really write is what their schemas say, and its examples run."""

from __future__ import annotations

import json
import shlex
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest

import preloaded
from audit_logs import write
from crosstrail.cli.row_types import ROW_TYPES, column_tables, schemas
from documented_rows import check_rows
from guide import DOCS
from lake_workspace import DEV, NOON, PROD, collect, record, write_logs
from write_schemas import SCHEMAS, schema_text

RULE = """title: Trail stopped
id: aaaaaaaa-0000-4000-8000-000000000001
level: high
author: somebody
logsource: {product: aws, service: cloudtrail}
detection: {selection: {eventName: StopLogging}, condition: selection}
"""
CONFIG = f"""
accounts:
  - {{id: "{PROD}", alias: prod, archive: logs}}
  - {{id: "{DEV}", archive: logs}}
access: [{{who: ["ann@example.com"], accounts: ["*"]}}]
lake: {{path: lake}}
query: {{saved: queries}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which every command has rows to print."""
    folder = tmp_path_factory.mktemp("rows")
    records = [record(PROD, number, NOON - timedelta(days=number % 3, minutes=number)) for number in range(6)]
    records[0] |= {"eventName": "StopLogging", "readOnly": False, "errorCode": "AccessDenied"}
    records[1] |= {"readOnly": None}
    write_logs(folder / "logs", [*records, record(DEV, 1, NOON)])
    collect(folder / "logs", folder / "lake")
    write(folder / "crosstrail.yaml", CONFIG)
    write(folder / "rule.yml", RULE)
    write(folder / "queries" / "denied.sql", "-- What was denied.\nSELECT 1")
    call = {
        "time": "2026-11-20T12:00:00Z",
        "kind": "call",
        "principal": "ann",
        "tool": "lookup_events",
        "outcome": "done",
    }
    done = {**call, "accounts": [PROD], "account_count": 1, "regions": ["us-east-1"], "upstream_calls": 2}
    write(folder / "audit.jsonl", json.dumps(done) + "\n" + json.dumps({**call, "outcome": "failed", "accounts": []}))
    return folder


ROWS = {
    "access test": ("access test ann@example.com", 2),
    "accounts list": ("accounts list", 2),
    "audit": ("audit audit.jsonl", 2),
    "client list": ("client list", 11),
    "collect": ("collect logs", 1),
    "coverage": ("coverage", 2),
    "detect": ("detect --rules rule.yml --level high", 1),
    "docs": ("docs", 10),
    "docs --search": ("docs --search lake", 5),
    "doctor": ("doctor --offline", 8),
    "lake compact": ("lake compact", 1),
    "lake status": ("lake status", 2),
    "lake verify": ("lake verify", 0),
    "lake repair": ("lake repair", 0),
    "lake expire": ("lake expire --plan", 0),
    "lookup": ("lookup --account *", 7),
    "query --list-saved": ("query --list-saved", 1),
    "rules check": ("rules check rule.yml", 1),
    "rules list": ("rules list", 57),
    "rules test": ("rules test rule.yml --events logs", 1),
}
"""Command -> arguments, how many rows at least. Those left ask live accounts, a bucket or a server, or need signed digests
or an export: test_verify.py and test_export.py."""


@pytest.mark.parametrize("name", ROWS)
def test_rows_are_what_their_schema_says(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    arguments, least = ROWS[name]
    monkeypatch.chdir(folder)
    done = preloaded.run(*shlex.split(arguments), "--format", "jsonl")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(one) for one in done.stdout.splitlines()]
    assert len(rows) >= least, done.stderr
    check_rows(name, rows)


def test_schemas_and_tables_are_what_commands_declare() -> None:
    assert SCHEMAS.read_text() == schema_text(), "run python tests/write_schemas.py"
    assert column_tables() in (DOCS / "output.md").read_text(), "run cog -r docs/output.md"
    for schema in schemas()["$defs"].values():  # type: ignore[attr-defined]
        jsonschema.Draft202012Validator.check_schema(schema)
        assert all(one.get("description") for one in schema["properties"].values())
    assert len({one.name for one in ROW_TYPES}) == len(ROW_TYPES)


def test_the_examples_of_the_page_run(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    block = (DOCS / "output.md").read_text().split("```bash\n")[1].split("```")[0]
    for command in block.splitlines():
        done = preloaded.run(*shlex.split(command)[1:])
        assert done.returncode == 0, done.stderr
        assert done.stdout or "Rows written to calls.csv: 2." in done.stderr
