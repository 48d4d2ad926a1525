"""What `list_accounts` and `list_event_data_stores` say: what is there to ask, and how SQL names it.

Decides the columns of both lists. It never reads events and knows no MCP. Aliases and tags come from the configuration,
not from logs, so these lists are not fenced.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from crosstrail.accounts.directory import AccountList
from crosstrail.answers.blocks import Paged, block_of
from crosstrail.answers.event_columns import described_columns
from crosstrail.answers.held_days import days_without_events
from crosstrail.answers.live_stores import live_stores
from crosstrail.answers.render import ANSWER_BYTES, Answer, Table, fit_table, listed, size
from crosstrail.errors import StalePageToken
from crosstrail.lookup.cursor import AccountsCursor, stale
from crosstrail.lookup.fanout import Progress
from crosstrail.lookup.targets import Chosen
from crosstrail.models import Account, AccountKey
from crosstrail.store_ids import ALL_STORES_ID
from crosstrail.timerange import TimeRange, iso
from crosstrail.vocabulary import words
from crosstrail.workspace.scoped import ScopedWorkspace

if TYPE_CHECKING:
    from crosstrail.lake.snapshot import AccountSummary

_CELL_CAPS = (120, 60, 40)
_MAX_ROWS = 500
"""More never fit an answer."""
_TOKEN_BYTES = 1_200
_NAMES = 12
_USUAL_OF_STORES = {"target_account_id": "", "include_details": True, "region": ""}


async def accounts(workspace: ScopedWorkspace, selector: str, next_token: str = "") -> Answer:
    """A page of the listed accounts that the selector names; of all of them when it is empty.

    Raises AccountNotFound, StalePageToken.
    """
    cursor = AccountsCursor.decode(next_token) if next_token else AccountsCursor(selector.strip(), 0, "")
    if selector.strip() not in ("", cursor.selector):
        raise StalePageToken(
            f"{words().next_page} belongs to another selector", hint=f"Send {words().next_page} alone to go on."
        )
    chosen, known = await _chosen(workspace, cursor.selector)
    start, digest = cursor.start, _digest(chosen)
    if next_token and (cursor.digest != digest or start >= len(chosen)):
        raise stale(f"the accounts have changed since this {words().next_page}")
    held = await _held(workspace)
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
        for account in chosen[start : start + _MAX_ROWS]
    ]
    head = [f"{len(chosen)} account{'s' * (len(chosen) != 1)}; an archive is known by its log files alone."]
    head += [*known.warnings, *known.left_out]
    room = ANSWER_BYTES - size("\n".join(head)) - _TOKEN_BYTES
    table = fit_table(columns, rows, room, caps=_CELL_CAPS, fold=True)
    end = start + table.shown
    token = AccountsCursor(cursor.selector, end, digest).encode() if end < len(chosen) else ""
    if token or start:
        head.append(f"These are {start + 1:,} to {end:,}; {len(chosen) - end:,} are left.")
    parts = [*head, table.text, *([f'Next page: {words().accounts}({words().next_page}="{token}")'] if token else [])]
    facts = {"count": len(chosen), **({"next_token": token} if token else {})}
    return Answer("\n".join(parts), facts, tables=[Table(columns, rows[: table.shown])])


async def stores(
    workspace: ScopedWorkspace,
    selector: str,
    region: str,
    next_token: str = "",
    *,
    details: bool,
    progress: Progress | None = None,
) -> Answer:
    """The embedded lake's store of each account, the one that stands for all, and those of live accounts' own clouds.

    With `next_token` the next block of the latter alone. Raises AccountNotFound, InvalidRequest, StalePageToken.
    """
    arguments = {"target_account_id": selector.strip(), "include_details": details, "region": region.strip()}
    call, cursor = Paged("list_event_data_stores", arguments, _USUAL_OF_STORES, next_token).opened()
    selector, region = call.text("target_account_id"), call.text("region")
    details = call.flag("include_details")
    accounts, known = await _chosen(workspace, selector)
    live = workspace.with_stores(accounts)
    chosen = (
        await block_of(cursor, lambda start: workspace.targets_of(live, region, start=start)) if live else Chosen(())
    )
    if cursor and not live:
        raise stale(f"the accounts of this {words().next_page} are not there")
    token, onward = call.next_call(chosen)
    described = described_columns() if details and not cursor else ""
    room = ANSWER_BYTES - size(described) - size(onward)
    text, theirs = await live_stores(chosen, details=details, room=room if cursor else room // 2, progress=progress)
    count, tables = len(theirs.rows), [theirs]
    if not cursor:
        own, table, with_events = await _own_stores(workspace, accounts, known, region, room - size(text))
        count, tables = count + len(table.rows) - 1, [table, theirs]
        text = "\n\n".join(filter(None, [own, text] if with_events or not theirs.rows else [text, own]))
    facts = {"count": count, **({"next_token": token} if token else {})}
    return Answer("\n\n".join(filter(None, [text, described, onward])), facts, tables=tables)


async def _own_stores(
    workspace: ScopedWorkspace, chosen: Sequence[Account], known: AccountList, region: str, room: int
) -> tuple[str, Table, bool]:
    """Those of the embedded lake as text and as rows, the one for all first, and whether any holds events."""
    wanted = {name.strip() for name in region.split(",")} - {"", "all", "*"}
    if wanted:
        chosen = [one for one in chosen if not (one.region or one.regions) or wanted & {one.region, *one.regions}]
    held = await _held(workspace)
    columns = ("event_data_store_id", "account", "name", "cloud", "events", "first", "last")
    found = {account.key: [held[account.key]] for account in chosen if account.key in held}
    own = [(one.store_id, one.id, one.name, one.cloud, *_holding(found.get(one.key, []))) for one in chosen]
    every = (ALL_STORES_ID, "*", "all", "", *_holding([summary for [summary] in found.values()]))
    empty = [one.name for one in chosen if one.key not in found]
    head = [
        f"{len(own)} event data store{'s' * (len(own) != 1)}, and one for all. In {words().sql} FROM names a store id, "
        "an account's id or alias, or events (all).",
        *([f"These hold no events: {listed(empty, _NAMES)}. SQL over them finds nothing."] if empty else []),
        *known.warnings,
    ]
    rows = [every, *own]
    return _with_table("\n".join(head), columns, rows, room), Table(columns, rows), bool(found)


def _digest(accounts: Sequence[Account]) -> str:
    names = "\n".join(f"{account.cloud}/{account.id}" for account in accounts)
    return hashlib.blake2b(names.encode(), digest_size=8).hexdigest()


async def _chosen(workspace: ScopedWorkspace, selector: str) -> tuple[Sequence[Account], AccountList]:
    """The accounts, and the list that they are of."""
    known = await workspace.listed()
    registry = known.registry
    return registry.select(selector) if selector.strip() else registry.accounts, known


async def _held(workspace: ScopedWorkspace) -> dict[AccountKey, AccountSummary]:
    return {(one.cloud, one.account): one for one in await workspace.held()}


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
