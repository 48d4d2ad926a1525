"""How a cloud's trails name the files that they deliver into a bucket: which folders hold logs, and of whom.

Only names are known here. A file of any other name is no less a log: what is in it tells.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class LogFolder:
    """A folder on the way to log files, or one whose folders are years, months and days (`has_days`)."""

    account: str = ""
    region: str = ""
    has_days: bool = False


@dataclass(frozen=True, slots=True)
class LogLayout:
    """`root` is the folder that a trail makes below its prefix, such as AWSLogs.

    `folder` says what a folder below that is, given the names on the way to it; None where no audit log can be in it.
    """

    root: str
    folder: Callable[[tuple[str, ...]], LogFolder | None]


def day_of(below: str) -> str:
    """`2026/11/19/...` as 2026-11-19; empty for what begins with no date."""
    return _day(below[:10])


@lru_cache(maxsize=1024)
def _day(written: str) -> str:
    """Asked of every key: most of a page are of one day."""
    try:
        return date.fromisoformat(written.replace("/", "-")).isoformat() if written[4:5] == "/" else ""
    except ValueError:
        return ""
