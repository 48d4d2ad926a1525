"""Pages of a finished query's result: the rows of one page, and the token that says where the next begins.

Decides how many rows a page has and which tokens are good. It never decides who may read a result: results.py does, before.
"""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path

from crosstrail.engines.results import Record, damaged
from crosstrail.errors import InvalidRequest, StalePageToken

MAX_ROWS = 1000

Rows = tuple[tuple[str | None, ...], ...]


def read_page(path: Path, native_id: str, record: Record, page_token: str, limit: int) -> tuple[Rows, str]:
    """The rows that `page_token` asks for and the token of the page after, '' for none. Raises StalePageToken, InvalidRequest."""
    offset = _offset(page_token, native_id) if page_token else 0
    try:
        rows = _read_rows(path, record, offset, max(1, min(limit, MAX_ROWS)))
    except FileNotFoundError:
        raise InvalidRequest("the results have expired", hint="Run the query again with lake_query.") from None
    except Exception:  # noqa: BLE001 - damage may raise anything, and its words may hold values of events
        raise damaged(native_id, path.name) from None
    following = offset + len(rows)
    more = following < (record.rows or 0)
    return rows, _token(native_id, following) if more else ""


def _read_rows(path: Path, record: Record, offset: int, limit: int) -> Rows:
    """Rows `offset` to `offset + limit`, reading only the row groups they lie in."""
    import pyarrow.parquet as pq

    from crosstrail.engines.rendering import renderer

    render = [renderer(kind) for kind in record.types]
    rows: list[tuple[str | None, ...]] = []
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        first = 0
        for group in range(file.metadata.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            if first + size > offset and len(rows) < limit:
                table = file.read_row_group(group).slice(max(0, offset - first), limit - len(rows))
                columns = [column.to_pylist() for column in table.columns]
                rows += [
                    tuple(show(value) for show, value in zip(render, cells, strict=True))
                    for cells in zip(*columns, strict=True)
                ]
            first += size
    return tuple(rows)


def _token(native_id: str, offset: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([native_id, offset]).encode()).decode().rstrip("=")


def _offset(token: str, native_id: str) -> int:
    stale = StalePageToken(
        "this next_token belongs to another query or is not whole",
        hint="Ask for the first page again, without next_token.",
    )
    try:
        owner, offset = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, binascii.Error, TypeError):
        raise stale from None
    if owner != native_id or not isinstance(offset, int) or isinstance(offset, bool) or offset < 0:
        raise stale
    return offset
