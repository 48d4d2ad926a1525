"""A real Trino judges: what the embedded engine answers, Trino answers too, row for row, with types and names. `make trino-test`.

To refuse is no difference: refusals are counted by reason and printed. What Trino says is written to tests/oracle with RECORD=1, for
test_oracle.py.
"""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from crosstrail.engines.base import QueryScope, run
from crosstrail.engines.results import ResultStore
from crosstrail.engines.trino_access import TrinoAccess
from crosstrail.engines.trino_view import relation
from crosstrail.errors import CrosstrailError
from function_probes import probes
from oracle import record
from random_statements import statements
from trino_client import Answer
from trino_comparing import Compared, compare
from trino_difference import difference
from trino_lake import OWN_VIEW, Judged
from trino_server import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trino_client import TrinoClient

pytestmark = pytest.mark.trino
RANDOM = 3000
EACH = 8
"""Probes of a template."""
WRITTEN = [json.loads(line)["sql"] for line in (Path(__file__).parent / "sql_probes.jsonl").read_text().splitlines()]


def judged_by(
    trino: TrinoClient, judged: Judged, sqls: Iterable[str], name: str, show: pytest.CaptureFixture[str]
) -> Compared:
    found = compare(sqls, trino, judged.embedded)
    with show.disabled():
        print("\n" + found.report(name))
    if os.environ.get("RECORD"):
        record(name, VERSION, found.answers)
    return found


def test_the_table_that_was_collected_reads_the_same(judged: Judged) -> None:
    """Every column of every event: Trino reads the Iceberg table that crosstrail wrote, through the catalog in PostgreSQL and the
    view that `crosstrail lake init --engine trino` makes."""
    sql = "SELECT * FROM events"
    theirs, ours = judged.trino.ask(sql), judged.embedded.ask(sql)
    assert len(theirs.rows) > 1000, theirs.error
    assert difference(sql, theirs, ours) is None


def test_functions_with_edge_values(judged: Judged, capsys: pytest.CaptureFixture[str]) -> None:
    found = judged_by(judged.held, judged, probes(EACH), "functions", capsys)
    assert len(found.answers) >= 2500
    assert found.differences == []


def test_statements_that_once_differed(judged: Judged, capsys: pytest.CaptureFixture[str]) -> None:
    assert judged_by(judged.held, judged, WRITTEN, "written", capsys).differences == []


def test_random_statements(judged: Judged, capsys: pytest.CaptureFixture[str]) -> None:
    found = judged_by(judged.held, judged, statements(RANDOM), "random", capsys)
    assert len(found.answers) == RANDOM
    assert found.differences == []


@pytest.mark.anyio
async def test_the_engine_trino_gives_what_the_embedded_engine_gives(judged: Judged, tmp_path: Path) -> None:
    """Through crosstrail's own engine: the text limited to the accounts, the view, the cells as pages show them."""
    from crosstrail.engines.trino import TrinoEngine

    access = TrinoAccess(
        *(f"http://127.0.0.1:{judged.server.port}", relation(OWN_VIEW), *OWN_VIEW[:2]),
        user="crosstrail",
        password=SecretStr(""),
    )
    engine = TrinoEngine(access, ResultStore(tmp_path / "results"))
    scope = QueryScope(judged.accounts)
    answered = 0
    try:
        for sql in itertools.islice(statements(RANDOM, seed=12), 40):
            ours = judged.embedded.ask(sql)
            try:
                page = await run(engine, sql, scope, limit=10_000, wait_seconds=300)
            except CrosstrailError:
                assert ours.error, sql
                continue
            theirs = Answer(page.columns, ours.types, list(map(list, page.rows)))  # a page does not say types
            rest = page.next_token
            assert not rest or ours.rows, sql
            assert rest or difference(sql, theirs, ours) is None
            answered += not rest
    finally:
        await engine.aclose()
    assert answered > 25
