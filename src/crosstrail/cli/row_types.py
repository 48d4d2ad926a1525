"""The rows of every command: for the documentation, and for the JSON Schemas beside it. No command loads this."""

from __future__ import annotations

from collections.abc import Iterator

from crosstrail.cli.access import ALLOWED
from crosstrail.cli.account_rows import ACCOUNTS
from crosstrail.cli.account_test import STEPS
from crosstrail.cli.audit import RECORD
from crosstrail.cli.check import CHECKED
from crosstrail.cli.check_server import CHECKS
from crosstrail.cli.client import CLIENT_ENTRIES
from crosstrail.cli.collection_report import COLLECTED, FOLDERS
from crosstrail.cli.config import SETTINGS
from crosstrail.cli.config_check import FINDINGS as SETTING_FINDINGS
from crosstrail.cli.coverage_rows import COVERAGE
from crosstrail.cli.docs import HITS, TOPICS
from crosstrail.cli.doctor import DOCTOR
from crosstrail.cli.event_rows import EVENTS
from crosstrail.cli.export_rows import DIFFERENCES
from crosstrail.cli.finding_output import FINDING_CELLS, FINDINGS
from crosstrail.cli.lake_rows import COMPACTED, DAMAGED, EXPIRED, HELD, REPAIRED
from crosstrail.cli.output import RowColumn, RowType
from crosstrail.cli.output.columns import json_schema
from crosstrail.cli.query_source import SAVED
from crosstrail.cli.rules import CHECKED_RULES, MATCHES, RULES
from crosstrail.cli.verify import PROOFS

ROW_TYPES: tuple[RowType, ...] = (
    *(
        ALLOWED,
        CHECKED,
        ACCOUNTS,
        RECORD,
        CHECKS,
        CLIENT_ENTRIES,
        COLLECTED,
        FOLDERS,
        COVERAGE,
        FINDINGS,
        FINDING_CELLS,
    ),
    *(TOPICS, HITS, DOCTOR, COMPACTED, EXPIRED, HELD, DAMAGED, REPAIRED, EVENTS, SAVED, CHECKED_RULES, RULES, MATCHES),
    *(SETTINGS, SETTING_FINDINGS, STEPS, PROOFS, DIFFERENCES),
)


def schemas() -> dict[str, object]:
    """One document: the schema of a row of each command under `$defs`, by the command's words."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Rows that crosstrail's commands write with --format json and jsonl",
        "$defs": {one.name: json_schema(one) for one in ROW_TYPES},
    }


def column_tables() -> str:
    """A table of Markdown for each command."""
    return "\n".join("\n".join(_table(one)) for one in ROW_TYPES)


def _table(rows: RowType) -> Iterator[str]:
    yield f"\n### {rows.name}\n"
    yield "| column | type | what it says |"
    yield "|---|---|---|"
    for column in rows.columns:
        yield f"| `{column.name}` | {_type(column)} | {column.about} {_where(column)}".rstrip() + " |"


def _type(column: RowColumn) -> str:
    return f"{column.kind} or null" if column.optional else column.kind


def _where(column: RowColumn) -> str:
    if column.by_name:
        return "In tables and CSV only where `--columns` names it."
    return "On a terminal with `--wide`." if column.wide else ""
