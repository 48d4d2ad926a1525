"""Where the files of one partition lie: a folder for each cloud, account and day of the events."""

from __future__ import annotations

from datetime import date
from pathlib import PurePath


def partition_path(cloud: str, account: str, day: str) -> str:
    """The folder below the data folder. Callers checked the parts: a cloud's name, digits, YYYY-MM-DD.

    Not `account=...`: DuckDB would take such a path for a column and guess its type, losing leading zeros.
    """
    return f"{cloud}/{account}/{day}"


def partition_of(path: PurePath) -> tuple[str, str, date]:
    """(cloud, account, day) of a data file that lies where `partition_path` says."""
    cloud, account, day = path.parts[-4:-1]
    return cloud, account, date.fromisoformat(day)
