"""How long the lake keeps things: the events of each account, and what was replaced.

Decides the first day that is kept, which is the same for `lake expire`, which drops older ones, and for a collection, which
brings none of them back: see expiry.py. A day is kept as long as any moment of it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from crosstrail.timerange import parse_time

FOREVER = "forever"
KEEP_SNAPSHOTS = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Keeping:
    """`events`: an age such as 400d, or `forever`; `by_account`: the same by account id, where it is another one.

    `snapshots`: how long what was replaced stays for the queries that read it, and for AS OF.
    """

    events: str = FOREVER
    by_account: Mapping[str, str] = field(default_factory=dict)
    snapshots: timedelta = KEEP_SNAPSHOTS

    def first_day(self, account: str, now: datetime) -> date:
        """The oldest day of which the account's events are kept."""
        age = self.by_account.get(account, self.events)
        return date.min if age == FOREVER else parse_time(age, now).date()
