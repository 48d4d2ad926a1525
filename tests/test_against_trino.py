"""A real Trino judges: what the embedded engine answers, Trino answers too, row for row, with types and names. `make trino-test`."""

from __future__ import annotations

import pytest

from trino_difference import difference
from trino_lake import Judged

pytestmark = pytest.mark.trino


def test_the_table_that_was_collected_reads_the_same(judged: Judged) -> None:
    """Every column of every event: Trino reads the Iceberg table that crosstrail wrote, through the catalog in PostgreSQL."""
    sql = "SELECT * FROM events"
    theirs, ours = judged.trino.ask(sql), judged.embedded.ask(sql)
    assert len(theirs.rows) > 1000, theirs.error
    assert difference(sql, theirs, ours) is None
