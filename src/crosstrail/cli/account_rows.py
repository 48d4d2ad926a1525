"""The rows of `crosstrail accounts list`: an account each, with what the lake holds of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crosstrail.cli.output import Cell, RowColumn, RowType
from crosstrail.coverage import count, gaps
from crosstrail.timerange import TimeRange

if TYPE_CHECKING:
    from crosstrail.lake.snapshot import AccountSummary
    from crosstrail.models import Account

ACCOUNTS = RowType(
    "accounts list",
    (
        RowColumn("alias", about="Its name in the configuration; empty where it has none."),
        RowColumn("account", whole=True, about="Its id."),
        RowColumn("cloud", about="aws, volcengine, alibaba, or what a distribution brings."),
        RowColumn("events", "integer", thousands=True, about="How many of its events the lake holds."),
        RowColumn("first", "time", optional=True, as_day=True, about="Time of the first of them."),
        RowColumn("last", "time", optional=True, as_day=True, about="Time of the last of them."),
        RowColumn("gaps", "integer", thousands=True, about="Days without an event between two days that have some."),
        RowColumn("store", whole=True, about="Id of the event data store that names it in SQL."),
    ),
    first_to_go=("store",),
)


def account_row(account: Account, lake: AccountSummary | None) -> list[Cell]:

    named: list[Cell] = [account.alias, account.id, account.cloud]
    if lake is None:
        return [*named, 0, None, None, 0, account.store_id]
    return [*named, lake.events, lake.first, lake.last, count(gaps(lake.days, TimeRange())), account.store_id]
