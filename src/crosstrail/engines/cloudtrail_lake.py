"""The engine `cloudtrail_lake`: SQL that an account's own CloudTrail Lake runs.

Decides which account and region run a statement, and how its pages are cut. The statement goes there as it came, under
the account's own credentials. A query id is only ever used for an account of the call's scope; nothing is kept but where
a store was found and the last pages of results, which no longer change.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypedDict, cast

import anyio

from crosstrail.accounts.lru_cache import LruCache
from crosstrail.clouds.aws.calls import CloudTrailCalls
from crosstrail.engines.base import QueryScope
from crosstrail.engines.error_words import safe_words
from crosstrail.engines.statement import check_one_select, store_ids
from crosstrail.errors import CrosstrailError, InvalidRequest, StalePageToken
from crosstrail.measures import measures
from crosstrail.models import Account, AccountKey, QueryRef, QueryState, QueryStatus, ResultPage, Target, is_region
from crosstrail.vocabulary import words

CLOSED = "CloudTrail Lake is closed to new customers since 2026-05-31: collect log files, and ask the lake instead."
_UPSTREAM_PAGE = 1000
_MAX_PAGES = 4
_MAX_STORES = 1000
_MAX_STARTED = 1000
"""Queries whose starts are known, for how long they ran."""
_ASKED_AT_ONCE = 32


class _Statistics(TypedDict, total=False):
    ExecutionTimeInMillis: int
    EventsScanned: int
    TotalResultsCount: int


class _Answer(TypedDict, total=False):
    """Of the answers about one query, what is asked for here: DescribeQuery, GetQueryResults and CancelQuery."""

    QueryStatus: str
    QueryStatistics: _Statistics | None
    QueryString: str
    ErrorMessage: str
    QueryResultRows: list[list[dict[str, str | None]]] | None
    NextToken: str | None


@dataclass(frozen=True, slots=True)
class _Page:
    """A page as the cloud cuts them."""

    status: QueryStatus
    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    next_token: str


class CloudTrailLake:
    """A QueryEngine; a query belongs to one account and region."""

    name = "cloudtrail_lake"
    cloud = "aws"
    """Whose accounts can have queries."""

    def __init__(self, calls: CloudTrailCalls) -> None:
        self._calls = calls
        self._pages: LruCache[tuple[QueryRef, str], _Page] = LruCache(_MAX_PAGES)
        self._began: LruCache[QueryRef, float] = LruCache(_MAX_STARTED)
        self._found: LruCache[str, tuple[AccountKey, str]] = LruCache(_MAX_STORES)

    async def owner_of(self, sql: str, scope: QueryScope) -> Target | None:
        """The account and region of the scope whose CloudTrail Lake has the first store that the statement names.

        None when it names none, or nobody has it. Raises what an account answered when none has it and some could not say.
        """
        ids = store_ids(sql)
        targets = await self._targets(scope) if ids else []
        if not targets:
            return None
        known = self._found.get(ids[0])
        for target in targets:
            if known == (target.account.key, target.region):
                return target
        failures: list[CrosstrailError] = []
        owners: list[Target] = []
        limiter = anyio.CapacityLimiter(_ASKED_AT_ONCE)

        async def ask(target: Target) -> None:
            async with limiter:
                try:
                    await self._calls.ask(target.account, target.region, "get_event_data_store", EventDataStore=ids[0])
                except InvalidRequest:
                    return  # no such store here
                except CrosstrailError as error:
                    failures.append(error)
                else:
                    owners.append(target)
                    group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for target in targets:
                group.start_soon(ask, target)
        if owners:
            self._found.put(ids[0], (owners[0].account.key, owners[0].region))
            return owners[0]
        if failures:
            raise failures[0]
        return None

    async def found(self, native_id: str, scope: QueryScope) -> QueryRef:
        """The query of this id of the scope's only account, in whichever of its regions. Raises InvalidRequest, CloudError."""
        targets = await self._targets(scope)
        refs = [QueryRef(self.name, target.account.id, target.region, native_id) for target in targets]
        if len(refs) == 1:
            return refs[0]
        failures: list[CrosstrailError] = []
        for ref in refs:
            try:
                await self._asked(ref, scope, "describe_query")
            except InvalidRequest:
                continue  # not in this region
            except CrosstrailError as error:
                failures.append(error)
            else:
                return ref
        if failures:
            raise failures[0]
        names = ", ".join(ref.region for ref in refs)
        raise InvalidRequest(
            f"account {targets[0].account.name} has no such query in {names}",
            hint="Name the region in which it was started; results are kept for 7 days.",
        )

    async def start(self, sql: str, scope: QueryScope) -> QueryRef:
        """In the scope's only account and region, else where the store is. Raises SqlRejected, InvalidRequest, CloudError."""
        check_one_select(sql)
        targets = await self._targets(scope)
        target = targets[0] if len(targets) == 1 else await self.owner_of(sql, scope)
        if target is None:
            raise InvalidRequest(
                "no account that can be asked has an event data store which this statement names",
                hint=f"{words().stores} shows those there are. {CLOSED}",
            )
        answer = await self._calls.ask(target.account, target.region, "start_query", QueryStatement=sql)
        ref = QueryRef(self.name, target.account.id, target.region, answer["QueryId"])
        self._began.put(ref, time.monotonic())
        return ref

    async def status(self, ref: QueryRef, scope: QueryScope) -> QueryStatus:
        answer = await self._asked(ref, scope, "describe_query")
        statistics = answer.get("QueryStatistics") or _Statistics()
        milliseconds = statistics.get("ExecutionTimeInMillis")
        return QueryStatus(
            ref,
            self._seen(ref, answer["QueryStatus"]),
            rows=None,
            scanned_rows=statistics.get("EventsScanned"),
            seconds=None if milliseconds is None else milliseconds / 1000,
            error=safe_words(answer.get("ErrorMessage") or "", answer.get("QueryString") or ""),
        )

    async def results(self, ref: QueryRef, scope: QueryScope, *, page_token: str = "", limit: int = 100) -> ResultPage:
        """One upstream request for up to 1,000 rows; pages within these rows need no other."""
        offset, upstream = _place(page_token)
        self._account(ref, scope)
        page = self._pages.get((ref, upstream))
        if page is None:
            more = {"NextToken": upstream} if upstream else {}
            answer = await self._asked(ref, scope, "get_query_results", MaxQueryResults=_UPSTREAM_PAGE, **more)
            page = _page(ref, answer)
            self._seen(ref, page.status.state)
            if page.status.state is QueryState.FAILED:
                page = replace(page, status=await self.status(ref, scope))  # which knows the statement beside the error
            if page.status.state is QueryState.FINISHED:
                self._pages.put((ref, upstream), page)
        rows = page.rows[offset : offset + limit]
        if offset + limit < len(page.rows):
            following = f"{offset + limit}.{upstream}"
        else:
            following = f"0.{page.next_token}" if page.next_token else ""
        return ResultPage(page.status, page.columns, rows, following)

    async def cancel(self, ref: QueryRef, scope: QueryScope) -> QueryStatus:
        try:
            answer = await self._asked(ref, scope, "cancel_query")
        except InvalidRequest:
            return await self.status(ref, scope)  # it has ended, or never was: status says which
        return QueryStatus(ref, self._seen(ref, answer.get("QueryStatus", QueryState.CANCELLED)))

    def _seen(self, ref: QueryRef, word: str) -> QueryState:
        """The state that the cloud names; the first end seen of a query that this process started is measured."""
        state = QueryState(word)
        began = self._began.pop(ref) if state.ended else None
        if began is not None:
            measures().query_ended(self.name, state, time.monotonic() - began)
        return state

    async def _asked(self, ref: QueryRef, scope: QueryScope, operation: str, **params: object) -> _Answer:
        account = self._account(ref, scope)
        try:
            return cast(_Answer, await self._calls.ask(account, ref.region, operation, QueryId=ref.native_id, **params))
        except StalePageToken:
            raise
        except InvalidRequest as error:
            raise _no_such_query(error.text) from None

    def _account(self, ref: QueryRef, scope: QueryScope) -> Account:
        """The account that runs the query. Raises InvalidRequest, the same as for a query that is not there."""
        for account in _askable(scope):
            if account.id == ref.account and is_region(ref.region) and scope.region in ("", ref.region):
                return account
        raise _no_such_query()

    async def _targets(self, scope: QueryScope) -> list[Target]:
        """Raises InvalidRequest for what is no region."""
        if scope.region and not is_region(scope.region):
            raise InvalidRequest(f"{scope.region[:40]!r} is no region", hint="Write a name such as eu-west-1.")
        targets: list[Target] = []
        for account in _askable(scope):
            regions = (scope.region,) if scope.region else account.regions
            targets += [Target(account, region) for region in regions or (await self._calls.home_region(account),)]
        return targets


def _askable(scope: QueryScope) -> Sequence[Account]:
    return [account for account in scope.accounts if account.cloud == CloudTrailLake.cloud and account.auth]


def _no_such_query(reason: str = "") -> InvalidRequest:
    return InvalidRequest(
        f"there is no such query in the accounts that this call may ask{f' ({reason})' if reason else ''}",
        hint=f"Results are kept for 7 days. Send the {words().query_id} as {words().sql} returned it, or run the query again.",
    )


def _page(ref: QueryRef, answer: _Answer) -> _Page:
    cells = [[pair for cell in row for pair in cell.items()] for row in answer.get("QueryResultRows") or ()]
    columns, rows = _table(cells)
    state = QueryState(answer["QueryStatus"])
    total = (
        (answer.get("QueryStatistics") or _Statistics()).get("TotalResultsCount")
        if state is QueryState.FINISHED
        else None
    )
    status = QueryStatus(ref, state, rows=total)
    return _Page(status, columns, rows, answer.get("NextToken") or "")


def _table(
    cells: Sequence[Sequence[tuple[str, str | None]]],
) -> tuple[tuple[str, ...], tuple[tuple[str | None, ...], ...]]:
    """Rows come as (name, value) pairs. Names may come twice; a row that leaves some out is put right by name."""
    columns = tuple(name for name, _ in max(cells, key=len, default=()))
    rows = []
    for row in cells:
        if tuple(name for name, _ in row) == columns:
            rows.append(tuple(value for _, value in row))
        else:
            values = dict(row)
            columns += tuple(name for name in values if name not in columns)
            rows.append(tuple(values.get(name) for name in columns))
    return columns, tuple(row + (None,) * (len(columns) - len(row)) for row in rows)


def _place(page_token: str) -> tuple[int, str]:
    """(rows to skip, the cloud's own token) of a page token. Raises StalePageToken."""
    if not page_token:
        return 0, ""
    offset, dot, upstream = page_token.partition(".")
    if not dot or not offset.isascii() or not offset.isdigit() or int(offset) >= _UPSTREAM_PAGE:
        raise StalePageToken(
            f"this {words().next_page} is broken", hint=f"Ask for the first page again, {words().first_page}."
        )
    return int(offset), upstream
