"""What was taken out of the table, told to whoever shares it: expired days, and days of damaged files.

Each machine keeps for itself what it collected of whose history (windows.py) and what digests prove (covered_spans.py), and a
lookup believes that. So what leaves the table is written into it, by the commit that takes it out. Decides the form of that
property and its bounds: where there are too many entries an account's become one, which covers all of them. To cover too much
is safe: an account is asked again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from crosstrail.lake.spans import BEGINNING, EPOCH, TICK, Span
from crosstrail.models import AccountKey

PROPERTY = "crosstrail.removals"
_MAX_ENTRIES = 500


@dataclass(frozen=True, slots=True)
class Removal:
    """`number`: later ones have higher ones."""

    number: int
    cloud: str
    account: str
    span: Span

    @property
    def key(self) -> AccountKey:
        return self.cloud, self.account

    @property
    def expired(self) -> bool:
        """Everything older than a day, and not one day alone."""
        return self.span.start == BEGINNING


def removals_of(properties: Mapping[str, str]) -> tuple[Removal, ...]:
    """Those that the table's properties name, the oldest first; what is not as this module writes it counts as none."""
    found: list[Removal] = []
    with suppress(ValueError, TypeError, OverflowError):
        for number, cloud, account, start, end in json.loads(properties.get(PROPERTY) or "[]"):
            found.append(Removal(int(number), str(cloud), str(account), Span(_moment(start), _moment(end))))
    return tuple(sorted(found, key=lambda one: one.number))


def with_removals(properties: Mapping[str, str], spans: Iterable[tuple[AccountKey, Span]]) -> dict[str, str]:
    """The property with these as well, which are the newest."""
    known = removals_of(properties)
    number = max((one.number for one in known), default=0) + 1
    new = [Removal(number, *key, span) for key, span in spans]
    covered = [one for one in known if not any(_covers(later, one) for later in new)]
    entries = _bounded([*covered, *new])
    rows = [[one.number, one.cloud, one.account, *map(_micros, one.span)] for one in entries]
    return {PROPERTY: json.dumps(rows, separators=(",", ":"))} if new else {}


def _covers(later: Removal, one: Removal) -> bool:
    return later.key == one.key and later.span.start <= one.span.start and later.span.end >= one.span.end


def _bounded(entries: Sequence[Removal]) -> Sequence[Removal]:
    if len(entries) <= _MAX_ENTRIES:
        return entries
    of_account: dict[AccountKey, Removal] = {}
    for one in entries:
        other = of_account.get(one.key, one)
        span = Span(min(one.span.start, other.span.start), max(one.span.end, other.span.end))
        of_account[one.key] = Removal(max(one.number, other.number), *one.key, span)
    return list(of_account.values())


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // TICK


def _moment(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)
