"""Keys that lie in no folder of an account: whether their order is that of their days, so that a listing may begin at one.

Decides it by all keys that a listing of everything shows: each begins, below the prefix, with a date of the same form
(`2026/11/19`, `2026-11-19`, `20261119`). It lists nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta

from crosstrail.object_store import ObjectInfo

_DATE = re.compile(r"(\d{4})([-/]?)(\d\d)\2(\d\d)(?!\d)", re.ASCII)
_DAY = timedelta(days=1)


class FlatNames:
    """The keys below one prefix that a listing came upon. `newest`: the latest day (YYYY-MM-DD) that both keys and the bucket's own
    clock tell."""

    def __init__(self, prefix: str) -> None:
        self._inside = f"{prefix}/" if prefix else ""
        self._form: str | None = None
        self._others = False
        self.last = ""
        self.newest = ""

    @property
    def are_led_by_dates(self) -> bool:
        """Whether all of them so far are, in one form."""
        return self._form is not None and not self._others

    def add(self, objects: Iterable[ObjectInfo]) -> None:
        """Some more, in the order of their keys."""
        for one in objects:
            self.last = one.key
            day, form = _dated(one.key[len(self._inside) :])
            self._form = form if self._form is None else self._form
            self._others |= not day or form != self._form
            if day and day <= (one.modified + _DAY).date().isoformat():
                self.newest = max(self.newest, min(day, one.modified.date().isoformat()))

    def add_others(self) -> None:
        """There are folders with an order of their own among them."""
        self._others = True

    def key_of(self, day: date) -> str:
        """After which the objects of that day come, and of all later ones."""
        form = self._form or ""
        return f"{self._inside}{day:%Y}{form}{day:%m}{form}{day:%d}"


def _dated(name: str) -> tuple[str, str]:
    """(day, what stands between its parts) of a name that begins with a date; two empty texts for others."""
    if found := _DATE.match(name):
        try:
            return date(int(found[1]), int(found[3]), int(found[4])).isoformat(), found[2]
        except ValueError:
            pass
    return "", ""
