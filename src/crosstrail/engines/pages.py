"""Pages of a finished query's result: the rows of one page, and the token that says where the next begins.

Decides how many rows a page has and which tokens are good. It never decides who may read a result: results.py does, before;
nor who reads the file: a worker that is warm has the library for it, which takes this process a tenth of a second to load.
"""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path

from crosstrail.engines.messages import parts_of
from crosstrail.engines.results import Record, damaged
from crosstrail.engines.workers import QueryWorkers
from crosstrail.errors import InvalidRequest, StalePageToken
from crosstrail.vocabulary import words

MAX_ROWS = 1000
_SECONDS = 10.0

Rows = tuple[tuple[str | None, ...], ...]


def read_page(
    path: Path, native_id: str, record: Record, page_token: str, limit: int, workers: QueryWorkers | None
) -> tuple[Rows, str]:
    """The rows that `page_token` asks for and the token of the page after, '' for none. Raises StalePageToken, InvalidRequest."""
    offset = _offset(page_token, native_id) if page_token else 0
    limit = max(1, min(limit, MAX_ROWS))
    try:
        rows = _asked(path, record, offset, limit, workers) if workers else None
        if rows is None:
            from crosstrail.engines.result_rows import read_rows

            rows = read_rows(path, record.types, offset, limit)
    except FileNotFoundError:
        raise InvalidRequest("the results have expired", hint=f"Run the query again with {words().sql}.") from None
    except Exception:  # noqa: BLE001 - damage may raise anything, and its words may hold values of events
        raise damaged(native_id, path.name) from None
    following = offset + len(rows)
    more = following < (record.rows or 0)
    return rows, _token(native_id, following) if more else ""


def _asked(path: Path, record: Record, offset: int, limit: int, workers: QueryWorkers) -> Rows | None:
    """The rows as a warm worker reads them; None where none is idle or it could not."""
    reply = workers.ask_idle(
        {
            "work": "page",
            "path": str(path.absolute()),
            "types": [parts_of(kind) for kind in record.types],
            "offset": offset,
            "limit": limit,
            "seconds": _SECONDS,
        },
        seconds=_SECONDS,
    )
    return tuple(tuple(row) for row in reply["page"]) if "page" in reply else None


def _token(native_id: str, offset: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([native_id, offset]).encode()).decode().rstrip("=")


def _offset(token: str, native_id: str) -> int:
    stale = StalePageToken(
        f"this {words().next_page} belongs to another query or is not whole",
        hint=f"Ask for the first page again, {words().first_page}.",
    )
    try:
        owner, offset = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, binascii.Error, TypeError):
        raise stale from None
    if owner != native_id or not isinstance(offset, int) or isinstance(offset, bool) or offset < 0:
        raise stale
    return offset
