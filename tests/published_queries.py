"""The queries that AWS publishes for CloudTrail Lake, with their placeholders and dates filled so that they find something."""

from __future__ import annotations

import json
import re
from pathlib import Path

from crosstrail.store_ids import ALL_STORES_ID

BROKEN = {
    "list-all-errors-for-s3-events": (10, 39),
    "list-all-events-not-in-authorized-region": (15, 41),
    "list-attempted-s3-requests.": (17, 71),
    "list-publicly-accessible-rds-instances": (13, 15),
    "network-activity-events-vpce-access-denied-s3": (12, 8),
}
"""Name -> where it is refused; docs/lake-sample-queries.md says what is wrong with each."""
STORE = re.compile(r"<event[_ -]data[_ -]store[_ -]id>|<eds[_ ]id>|\$EDS_ID", re.IGNORECASE)
_SINCE = re.compile(r"(eventtime\s*>=?\s*)'[^']*'", re.IGNORECASE)
_KEY = "AKIATFQR7NSC8Q4X20BJ"
"""An access key of the real logs, which assumed roles."""
_UNTIL = re.compile(r"(eventtime\s*<=?\s*)'[^']*'", re.IGNORECASE)


def published(shared_data: Path) -> dict[str, str]:
    """Name -> statement, of those that ask for CloudTrail events."""
    lines = (shared_data / "lake_sql" / "queries.jsonl").read_text().splitlines()
    found = (query for query in map(json.loads, lines) if query["kind"] in ("cloudtrail", "network"))
    return {query["name"]: filled(query["sql"]) for query in found}


def filled(sql: str) -> str:
    sql = STORE.sub(ALL_STORES_ID, sql)
    sql = _UNTIL.sub(r"\1'2030-01-01 00:00:00'", _SINCE.sub(r"\1'2010-01-01 00:00:00'", sql))
    sql = sql.replace("ORDER BY requestCount DESC", "ORDER BY requestCount DESC, bucketName, key")  # one right answer
    return sql.replace("AKIAIOSFODNN7EXAMPLE", _KEY)
