"""The embedded engine without its processes: a statement over given files, in this one."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import duckdb

from crosstrail.engines.base import QueryScope
from crosstrail.engines.rendering import renderer
from crosstrail.engines.sql.prepare import prepare
from crosstrail.engines.sql.trino_versions import DEFAULT_TRINO
from crosstrail.errors import SqlRejected
from crosstrail.lake.reader import connect
from trino_client import Answer


class Embedded:
    def __init__(
        self,
        scope: QueryScope = QueryScope(()),  # noqa: B008 - frozen
        files: Sequence[str] = (),
        trino_version: int = DEFAULT_TRINO,
    ) -> None:
        self._scope = scope
        self._version = trino_version
        self._connection = connect(files)
        self._one = threading.Lock()

    def ask(self, sql: str) -> Answer:
        """`error` begins with `refused: ` where nothing ran, with `failed: ` where it failed for the values met."""
        with self._one:
            try:
                prepared = prepare(sql, self._scope, trino_version=self._version)
                table = self._connection.sql(prepared.sql).to_arrow_table()
            except SqlRejected as refusal:
                return Answer(error=f"refused: {refusal}")
            except duckdb.Error as error:
                return Answer(error=f"failed: {error}")
        shown = [renderer(kind) for kind in prepared.types]
        columns = [
            [show(value) for value in column.to_pylist()] for show, column in zip(shown, table.columns, strict=True)
        ]
        rows = [list(row) for row in zip(*columns, strict=True)]
        return Answer(tuple(prepared.columns), tuple(map(str, prepared.types)), rows)

    def close(self) -> None:
        self._connection.close()
