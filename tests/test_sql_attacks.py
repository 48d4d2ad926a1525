"""Statements of a caller of one account who wants another's events, on the embedded engine and as others are sent them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path

import anyio
import pytest

from attack_statements import ATTACKS, OURS, SECRETS, STORE_OF_THEIRS, THEIRS
from audit_logs import record
from crosstrail.engines.base import QueryScope, run
from crosstrail.engines.compiling import StatementCompiler
from crosstrail.engines.duckdb import LakeEngine
from crosstrail.engines.messages import EventsTable
from crosstrail.errors import QueryFailed, SqlRejected
from crosstrail.lake.schema import COLUMNS
from crosstrail.models import Account
from lake_workspace import collect

SCOPE = QueryScope((Account(id=OURS, alias="prod"),), {"0aaaaaaa-0000-4000-8000-000000000000": "all"})
Rows = tuple[tuple[str | None, ...], ...]
RELATION = '"iceberg"."crosstrail"."events_view"'
TABLE: EventsTable = {"relation": RELATION, "day": "event_day", "day_format": "date", "late_days": 0}
SCOPED = (
    f"(SELECT {', '.join(column.name for column in COLUMNS)} FROM {RELATION} "
    f"WHERE ((cloud = 'aws' AND account IN ('{OURS}'))))"
)


def _answers(lake: Path, attacks: Collection[str]) -> Mapping[str, Rows]:
    """Of those that are let through. Whatever is refused has no answer."""
    found: dict[str, Rows] = {}
    refused: dict[str, str] = {}

    async def ask() -> None:
        engine = LakeEngine(lake)
        try:
            for sql in attacks:
                try:
                    page = await run(engine, sql, SCOPE, limit=1000, wait_seconds=100)
                    found[sql] = tuple(sorted(page.rows, key=repr))
                except (SqlRejected, QueryFailed) as refusal:
                    refused[sql] = str(refusal)
        finally:
            await engine.aclose()

    anyio.run(ask)
    assert [sql for sql, text in refused.items() if any(one in text and one not in sql for one in SECRETS)] == []
    return found


def _lake(folder: Path, records: list[dict[str, object]]) -> Path:
    folder.mkdir()
    (folder / "logs.json").write_text(json.dumps({"Records": records}))
    collect(folder / "logs.json", folder / "lake")
    return folder / "lake"


@pytest.fixture(scope="module")
def records() -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Ours, and another account's."""
    theirs = [
        record(
            500 + number, recipientAccountId=THEIRS, eventName="TheirSecret", userAgent="TheirSecret", resources=None
        )
        for number in range(4)
    ]
    return [record(number) for number in range(3)], theirs


def test_there_are_hundreds_of_attacks() -> None:
    assert len(ATTACKS) >= 400
    assert any(STORE_OF_THEIRS in sql for sql in ATTACKS)


def test_what_is_answered_says_nothing_of_other_accounts(
    tmp_path: Path, records: tuple[list[dict[str, object]], list[dict[str, object]]]
) -> None:
    ours, theirs = records
    both = _answers(_lake(tmp_path / "both", [*ours, *theirs]), ATTACKS)
    alone = _answers(_lake(tmp_path / "alone", ours), both.keys())  # a name that is none reads no lake
    assert {sql: rows for sql, rows in both.items() if rows != alone.get(sql)} == {}
    assert both.keys() == alone.keys()
    assert 20 < len(both) < len(ATTACKS) / 2, "some are harmless, most are refused"
    assert "TheirSecret" not in repr(both)


def test_what_is_sent_elsewhere_reads_the_accounts_of_the_call_alone() -> None:
    """Without the sub-queries that this project wrote, the text names no relation but what the statement defines itself."""
    sent: dict[str, str] = {}

    async def compile_all() -> None:
        compiler = StatementCompiler()
        for sql in ATTACKS:
            try:
                sent[sql] = (await compiler.text(sql, SCOPE, TABLE)).sql
            except SqlRejected:
                continue

    anyio.run(compile_all)
    assert 20 < len(sent) < len(ATTACKS) / 2
    for sql, text in sent.items():
        rest = text.replace(SCOPED, "")
        assert RELATION not in rest, sql
        assert "--" not in _outside_of_texts(rest), sql
        assert "/*" not in _outside_of_texts(rest), sql
        assert _outside_of_texts(rest).isascii(), sql


def _outside_of_texts(text: str) -> str:
    """What stands in no quotes."""
    inside, parts = "", []
    for letter in text:
        if inside:
            inside = "" if letter == inside else inside
        elif letter in "'\"":
            inside = letter
        else:
            parts.append(letter)
    return "".join(parts)
