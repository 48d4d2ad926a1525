"""A real Trino judges: what the embedded engine answers, Trino answers too, row for row, with types and names. `make trino-test`.

To refuse is no difference: refusals are counted by reason and printed. What Trino says is written to tests/oracle with RECORD=1, for
test_oracle.py.
"""

from __future__ import annotations

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
from published_queries import BROKEN, published
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


class Cluster:
    """crosstrail's own engine on that Trino: the text limited to the accounts, the view, the cells as pages show them."""

    def __init__(self, judged: Judged, folder: Path) -> None:
        from crosstrail.engines.trino import TrinoEngine

        address = f"http://127.0.0.1:{judged.server.port}"
        access = TrinoAccess(address, relation(OWN_VIEW), *OWN_VIEW[:2], user="crosstrail", password=SecretStr(""))
        self.engine = TrinoEngine(access, ResultStore(folder / "results"))
        self._scope = QueryScope(judged.accounts)

    async def ask(self, sql: str, types: tuple[str, ...]) -> Answer:
        """A page does not say the types of its columns."""
        try:
            page = await run(self.engine, sql, self._scope, limit=10_000, wait_seconds=300)
        except CrosstrailError as error:
            return Answer(error=str(error))
        rows = list(page.rows)
        while page.next_token:
            page = await self.engine.results(page.status.ref, self._scope, page_token=page.next_token, limit=10_000)
            rows += page.rows
        return Answer(page.columns, types, list(map(list, rows)))


@pytest.mark.anyio
async def test_the_engine_trino_gives_what_the_embedded_engine_gives(judged: Judged, tmp_path: Path) -> None:
    cluster = Cluster(judged, tmp_path)
    differences, answered = [], 0
    try:
        for sql in statements(40, seed=12):
            ours = judged.embedded.ask(sql)
            theirs = await cluster.ask(sql, ours.types)
            answered += not theirs.error
            differences += [difference(sql, theirs, ours)]
    finally:
        await cluster.engine.aclose()
    assert [one for one in differences if one and one.kind != "BEYOND"] == []
    assert answered > 25


@pytest.mark.anyio
async def test_published_queries_find_the_same(judged: Judged, tmp_path: Path, shared_data: Path) -> None:
    """As they are written for CloudTrail Lake, which compares times and booleans with texts, through the engine `trino`."""
    cluster = Cluster(judged, tmp_path)
    differences, refused, empty = [], set(), []
    try:
        for name, sql in published(shared_data).items():
            ours = judged.embedded.ask(sql)
            theirs = await cluster.ask(sql, ours.types)
            differences += [difference(sql, theirs, ours, ties=True)]
            if ours.error:
                refused.add(name)
            elif not ours.rows:
                empty.append(name)
    finally:
        await cluster.engine.aclose()
    assert list(filter(None, differences)) == []
    assert refused == set(BROKEN)
    assert empty == []
