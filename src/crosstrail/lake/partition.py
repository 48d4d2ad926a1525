"""Where the files of one partition lie: a folder for each cloud, account and day of the events."""

from __future__ import annotations

from datetime import date
from pathlib import PurePath
from urllib.parse import quote, unquote


def partition_path(cloud: str, account: str, day: str) -> str:
    """The folder below the data folder. Callers checked the cloud's name and the day; an account's id may hold any sign,
    and be `..` where its cloud lets it.

    Not `account=...`: DuckDB would take such a path for a column and guess its type, losing leading zeros.
    """
    return f"{cloud}/{quote(account, safe='').replace('.', '%2E')}/{day}"


def partition_of(path: PurePath) -> tuple[str, str, date]:
    """(cloud, account, day) of a data file that lies where `partition_path` says."""
    cloud, account, day = path.parts[-4:-1]
    return cloud, unquote(account), date.fromisoformat(day)
