"""Which log objects a lake has read whole for the account that they are of, and whether they were verified then; and of which days
it could not read some.

An object may have been read for some accounts alone, or by one of several collectors, which kept the events of others out: then
it does not count for these. Reads the ledger, and writes nothing.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

from crosstrail.coverage import day_bits
from crosstrail.lake.faults import fault
from crosstrail.lake.ledger import LEDGER_FILE
from crosstrail.lake.sharding import Shard
from crosstrail.lake.sources.base import State
from crosstrail.lake.sqlite_reading import open_to_read
from crosstrail.models import AccountKey

_SCOPE = re.compile(r"(?:@([0-9a-f]{12})?(?: shard (\d+/\d+))?)?")
"""What follows the name in the ledger: see collector.scope_of."""
Archives = Mapping[str, frozenset[AccountKey]]
"""For which accounts an object was read, by the scope of that (collector.scope_of)."""


def read_objects(
    lake: Path, objects: Iterable[tuple[str, AccountKey]], archives: Archives
) -> Iterator[tuple[str, bool | None]]:
    """(name, verified) of those of these objects, each with the account that it is of, that were read whole for it.

    `verified`: None where that was not tried, or nothing told. Raises LakeError for a ledger that cannot be read.
    """
    with _opened(lake) as db:
        if not db:
            return
        columns = _columns(db)
        state = " AND state = 'read'" if "state" in columns else ""
        verified = "verified" if "verified" in columns else "NULL"
        sql = f"SELECT name, {verified} FROM objects WHERE (name = ? OR name >= ? AND name < ?){state}"  # noqa: S608
        for name, account in objects:
            found = [
                verdict
                for key, verdict in db.execute(sql, (name, f"{name}@", f"{name}A"))
                if _is_for(key[len(name) :], account, archives)
            ]
            if found:
                yield name, max((None if one is None else bool(one) for one in found), key=_ORDER.index)


def unread_days(lake: Path, accounts: Collection[AccountKey]) -> dict[AccountKey, dict[str, dict[State, int]]]:
    """The days, as bits (coverage.py), on which log objects were delivered that could not be read, by account, region and what is
    wrong; of those whose keys say so. What went since it was listed is none. Raises LakeError.
    """
    found: dict[AccountKey, dict[str, dict[State, int]]] = {}
    with _opened(lake) as db:
        if not db or not {"state", "day"} <= _columns(db):
            return {}
        wanted = set(accounts)
        sql = (
            "SELECT DISTINCT cloud, account, region, day, state FROM objects WHERE state <> 'read' AND state <> 'gone'"
        )
        for cloud, account, region, day, state in db.execute(sql):
            if (cloud, account) in wanted and day:
                days = found.setdefault((cloud, account), {}).setdefault(region, {})
                days[state] = days.get(state, 0) | day_bits([(date.fromisoformat(day), date.fromisoformat(day))])
    return found


@contextmanager
def _opened(lake: Path) -> Iterator[sqlite3.Connection | None]:
    """None where nothing was collected yet."""
    path = lake / LEDGER_FILE
    if not path.is_file():
        yield None
        return
    try:
        with closing(open_to_read(path)) as db:
            yield db
    except (sqlite3.Error, ValueError) as error:
        raise fault(error, "the list of log files that were read", LEDGER_FILE) from error


def _columns(db: sqlite3.Connection) -> set[str]:
    return {row[1] for row in db.execute("PRAGMA table_info(objects)")}


_ORDER = (None, False, True)


def _is_for(scope: str, account: AccountKey, archives: Archives) -> bool:
    found = _SCOPE.fullmatch(scope)
    if not found:
        return False
    accounts, shard = found.groups()
    return (not accounts or account in archives.get(accounts, frozenset())) and (
        not shard or Shard.parse(shard).takes(*account)
    )
