"""What the front end of the present call calls what can be done or given next, for hints that lower layers write.

Decides nothing: the server, the drop-in and the command line each have their table, and say which one holds when a call
or a command begins. A text gets its words when it is made, so no placeholder can be left in what is printed, and no text
of a log can pass for one. Not to be read while a module loads: there is no call then, and the words would be nobody's.
Tasks and threads that a call starts inherit its words; work that no call started has the plain ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Nouns, to stand in a sentence; `first_page` says how to ask for a first page again."""

    account: str
    start: str
    end: str
    filter_key: str
    filter_value: str
    next_page: str
    first_page: str
    query_id: str
    lookup: str
    sql: str
    results: str
    cancel: str
    accounts: str
    stores: str
    coverage: str
    summary: str
    trails: str
    start_logging: str
    sql_page: str


PLAIN = Vocabulary(
    account="the account",
    start="start",
    end="end",
    filter_key="the filter",
    filter_value="the filter's value",
    next_page="page token",
    first_page="without a page token",
    query_id="query id",
    lookup="a lookup",
    sql="SQL",
    results="the query's results",
    cancel="a cancellation",
    accounts="the list of accounts",
    stores="the list of event data stores",
    coverage="the coverage of the logs",
    summary="a summary",
    trails="the account's trails",
    start_logging="the start of its logging",
    sql_page="the documentation's page on SQL",
)
"""Where no front end has spoken, and for what a front end has no word of its own."""

_current: ContextVar[Vocabulary] = ContextVar("crosstrail_vocabulary", default=PLAIN)


def words() -> Vocabulary:
    """Those of the front end that the present call came in by."""
    return _current.get()


@contextmanager
def speaking(vocabulary: Vocabulary) -> Iterator[None]:
    """What runs inside words its texts by this table."""
    token = _current.set(vocabulary)
    try:
        yield
    finally:
        _current.reset(token)
