"""What `list_accounts` and `list_event_data_stores` say: what is there to ask, and how SQL names it.

Decides the columns of both lists. It never reads events and knows no MCP. Aliases and tags come from the configuration,
not from logs, so these lists are not fenced.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from crosstrail.accounts.directory import AccountList
from crosstrail.cursor import AccountsCursor
from crosstrail.errors import StalePageToken
from crosstrail.lookup import Progress
from crosstrail.models import ALL_STORES_ID, Account, AccountKey
from crosstrail.server.columns import described_columns
from crosstrail.server.coverage import days_without_events
from crosstrail.server.live_stores import live_stores
from crosstrail.server.render import ANSWER_BYTES, Answer, Table, fit_table, size
from crosstrail.timerange import TimeRange, iso
from crosstrail.visible import Visible

if TYPE_CHECKING:
    from crosstrail.lake.table import AccountSummary

_CELL_CAPS = (120, 60, 40)
_MOST_ROWS = 500
"""More never fit an answer."""
_TOKEN_BYTES = 1_200


async def accounts(estate: Visible, selector: str, next_token: str = "") -> Answer:
    """A page of the listed accounts that the selector names; of all of them when it is empty.

    Raises AccountNotFound, StalePageToken.
    """
    cursor = AccountsCursor.decode(next_token) if next_token else AccountsCursor(selector.strip(), 0, "")
    if selector.strip() not in ("", cursor.selector):
        raise StalePageToken("next_token belongs to another selector", hint="Send next_token alone to go on.")
    chosen, known = await _chosen(estate, cursor.selector)
    start, digest = cursor.start, _digest(chosen)
    if next_token and (cursor.digest != digest or start >= len(chosen)):
        raise StalePageToken("the accounts have changed since this next_token", hint="Start again without next_token.")
    held = await _held(estate)
    if not chosen:
        return Answer(
            "No account is listed and the lake is empty: run `crosstrail collect` on log files.", {"count": 0}
        )
    columns = (
        "account",
        "alias",
        "cloud",
        "regions",
        "default",
        "kind",
        "events",
        "first",
        "last",
        "no_events_on",
        "tags",
    )
    rows = [
        (
            account.id,
            account.alias,
            account.cloud,
            " ".join(account.regions or (account.region,)),
            "yes" if account.default else "",
            "live" if account.auth else "archive",
            *_holding([held[account.key]] if account.key in held else []),
            days_without_events(held[account.key].days, TimeRange()) if account.key in held else "",
            " ".join(f"{name}={value}" for name, value in account.tags.items()),
        )
        for account in chosen[start : start + _MOST_ROWS]
    ]
    head = [f"{len(chosen)} account{'s' * (len(chosen) != 1)}; an archive is known by its log files alone."]
    head += [*known.warnings, *known.left_out]
    room = ANSWER_BYTES - size("\n".join(head)) - _TOKEN_BYTES
    table = fit_table(columns, rows, room, caps=_CELL_CAPS, fold=True)
    end = start + table.shown
    token = AccountsCursor(cursor.selector, end, digest).encode() if end < len(chosen) else ""
    if token or start:
        head.append(f"These are {start + 1:,} to {end:,}; {len(chosen) - end:,} are left.")
    parts = [*head, table.text, *([f'Next page: list_accounts(next_token="{token}")'] if token else [])]
    facts = {"count": len(chosen), **({"next_token": token} if token else {})}
    return Answer("\n".join(parts), facts, tables=[Table(columns, rows[: table.shown])])


async def stores(
    estate: Visible, selector: str, region: str, *, details: bool, progress: Progress | None = None
) -> Answer:
    """The embedded lake's store of each account, the one that stands for all, and those of live accounts' own clouds.

    Raises AccountNotFound, InvalidRequest.
    """
    accounts, known = await _chosen(estate, selector)
    chosen = accounts
    wanted = {name.strip() for name in region.split(",")} - {"", "all", "*"}
    if wanted:
        chosen = [one for one in chosen if not (one.region or one.regions) or wanted & {one.region, *one.regions}]
    held = await _held(estate)
    columns = ("event_data_store_id", "account", "name", "cloud", "events", "first", "last")
    found = {account.key: [held[account.key]] for account in chosen if account.key in held}
    own = [(one.store_id, one.id, one.name, one.cloud, *_holding(found.get(one.key, []))) for one in chosen]
    every = (ALL_STORES_ID, "*", "all", "", *_holding([summary for [summary] in found.values()]))
    head = [
        f"{len(own)} event data store{'s' * (len(own) != 1)}, and one for all. In lake_query FROM names a store id, "
        "an account's id or alias, or events (all).",
        *known.warnings,
    ]
    described = described_columns() if details else ""
    room = ANSWER_BYTES - size(described)
    live, theirs = await live_stores(estate, accounts, region, details=details, room=room // 2, progress=progress)
    text = _with_table("\n".join(head), columns, [every, *own], room - size(live))
    parts = [text, live] if found or not theirs.rows else [live, text]  # what holds events first
    text = "\n\n".join(filter(None, [*parts, described]))
    return Answer(text, {"count": len(own) + len(theirs.rows)}, tables=[Table(columns, [every, *own]), theirs])


def _digest(accounts: Sequence[Account]) -> str:
    names = "\n".join(f"{account.cloud}/{account.id}" for account in accounts)
    return hashlib.blake2b(names.encode(), digest_size=8).hexdigest()


async def _chosen(estate: Visible, selector: str) -> tuple[Sequence[Account], AccountList]:
    """The accounts, and the list that they are of."""
    known = await estate.listed()
    registry = known.registry
    return registry.select(selector) if selector.strip() else registry.accounts, known


async def _held(estate: Visible) -> dict[AccountKey, AccountSummary]:
    return {(one.cloud, one.account): one for one in await estate.held()}


def _holding(held: Sequence[AccountSummary]) -> tuple[str, str, str]:
    """Events, first and last time of these together."""
    if not held:
        return "0", "", ""
    first, last = min(one.first for one in held), max(one.last for one in held)
    return str(sum(one.events for one in held)), iso(first), iso(last)


def _with_table(head: str, columns: Sequence[str], rows: Sequence[Sequence[str]], room: int = ANSWER_BYTES) -> str:
    table = fit_table(columns, rows, room - size(head) - 200, caps=_CELL_CAPS, fold=True)
    left = len(rows) - table.shown
    note = f"\n{left} more do not fit: narrow them by a selector such as prod-*." if left else ""
    return f"{head}\n{table.text}{note}"
