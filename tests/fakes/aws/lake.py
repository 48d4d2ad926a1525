"""CloudTrail Lake: event data stores and queries whose state moves on with every look at it."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fakes.cloud import Refusal

if TYPE_CHECKING:
    from .world import FakeAccount, Query, World

_STORE_IN_SQL = re.compile(r"\bFROM\s+\"?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b", re.IGNORECASE)
_LONGEST_STATEMENT = 10_000
_MAX_RUNNING = 10
_RUNNING = ("QUEUED", "RUNNING")


def _page(items: list[Any], params: dict[str, Any], most: int, default: int) -> tuple[list[Any], dict[str, str]]:
    """One page, and the NextToken member when there is another."""
    size = params.get("MaxResults", params.get("MaxQueryResults", default))
    if not 1 <= size <= most:
        raise Refusal("InvalidMaxResultsException", f"Give 1 to {most} results.")
    token = params.get("NextToken", "at-0")
    start = int(token[3:]) if re.fullmatch(r"at-\d+", token) else -1
    if not 0 <= start <= len(items):
        raise Refusal("InvalidNextTokenException", "A token that is not valid.")
    end = start + size
    return items[start:end], ({"NextToken": f"at-{end}"} if end < len(items) else {})


def _store(account: FakeAccount, region: str, name: str) -> dict[str, Any]:
    for arn, store in account.stores.items():
        if arn.split(":")[3] == region and (name == arn or arn.endswith(f"/{name}")):
            return store
    raise Refusal("EventDataStoreNotFoundException", "The specified event data store was not found.")


def list_event_data_stores(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> Any:
    """Arn and name only: the API stopped giving the other members here."""
    here = [
        {"EventDataStoreArn": arn, "Name": store["Name"]}
        for arn, store in account.stores.items()
        if arn.split(":")[3] == region
    ]
    stores, more = _page(here, params, 1000, 10)
    return {"EventDataStores": stores, **more}


def get_event_data_store(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> Any:
    return _store(account, region, params["EventDataStore"])


def start_query(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> Any:
    statement = params["QueryStatement"]
    if len(statement) > _LONGEST_STATEMENT:
        raise Refusal("InvalidParameterException", "The statement is longer than 10000 characters.")
    if not re.match(r"\s*(SELECT|WITH)\b", statement, re.IGNORECASE):
        word = (statement.split() or [""])[0]
        raise Refusal("InvalidQueryStatementException", f"line 1:1: mismatched input '{word}'. Expecting: <query>")
    found = _STORE_IN_SQL.search(statement)
    if not found:
        raise Refusal("InvalidQueryStatementException", "line 1:15: The statement names no event data store.")
    store = _store(account, region, found.group(1))
    if store["Status"] != "ENABLED":
        raise Refusal("InactiveEventDataStoreException", "The event data store is inactive.")
    if sum(query.states[0] in _RUNNING for query in account.queries.values()) >= _MAX_RUNNING:
        raise Refusal("MaxConcurrentQueriesException", "You are already running the maximum number of queries.")
    query = replace(
        account.outcome,
        id=str(uuid.uuid4()),
        statement=statement,
        store=store["EventDataStoreArn"],
        states=list(account.outcome.states),
        began=time.time(),
    )
    account.queries[query.id] = query
    return {"QueryId": query.id}


def _query(account: FakeAccount, region: str, params: dict[str, Any]) -> Query:
    query = account.queries.get(params.get("QueryId", ""))
    if query is None or query.store.split(":")[3] != region:
        raise Refusal("QueryIdNotFoundException", "The query ID does not exist or does not map to a query.")
    return query


def describe_query(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> Any:
    query = _query(account, region, params)
    state = query.step()
    return {
        "QueryId": query.id,
        "QueryString": query.statement,
        "QueryStatus": state,
        "QueryStatistics": {
            "EventsMatched": len(query.rows),
            "EventsScanned": 1000,
            "BytesScanned": 4096,
            "ExecutionTimeInMillis": int((time.time() - query.began) * 1000),
            "CreationTime": query.began,
        },
        **({"ErrorMessage": query.error} if state == "FAILED" else {}),
    }


def get_query_results(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> Any:
    query = _query(account, region, params)
    state = query.step()
    answer: dict[str, Any] = {"QueryStatus": state}
    if state == "FINISHED":
        rows, more = _page(list(query.rows), params, 1000, 1000)
        named = [[{name: value} for name, value in zip(query.columns, row, strict=True)] for row in rows]
        answer |= {"QueryResultRows": named, **more}
    if state == "FAILED":
        answer["ErrorMessage"] = query.error
    statistics = {"ResultsCount": len(answer.get("QueryResultRows", ())), "TotalResultsCount": len(query.rows)}
    return {**answer, "QueryStatistics": {**statistics, "BytesScanned": 4096}}


def cancel_query(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> Any:
    query = _query(account, region, params)
    if query.states[0] not in _RUNNING:
        raise Refusal("InactiveQueryException", "The specified query cannot be canceled: it is not running.")
    query.states = ["CANCELLED"]
    return {"QueryId": query.id, "QueryStatus": "CANCELLED"}


def list_queries(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> Any:
    store = _store(account, region, params["EventDataStore"])["EventDataStoreArn"]
    wanted = params.get("QueryStatus")
    found = [
        {"QueryId": query.id, "QueryStatus": query.states[0], "CreationTime": query.began}
        for query in account.queries.values()
        if query.store == store and wanted in (None, query.states[0])
    ]
    queries, more = _page(found, params, 1000, 1000)
    return {"Queries": queries, **more}


HANDLERS = {
    "ListEventDataStores": list_event_data_stores,
    "GetEventDataStore": get_event_data_store,
    "StartQuery": start_query,
    "DescribeQuery": describe_query,
    "GetQueryResults": get_query_results,
    "CancelQuery": cancel_query,
    "ListQueries": list_queries,
}
