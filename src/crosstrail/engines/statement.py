"""A statement for a cloud's own engine, looked at without being parsed: is it one SELECT, and which stores does it name.

Decides no more than that: the cloud checks the rest, and the text goes there as it came. It needs no SQL library, so
that an installation without the lake can use it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from crosstrail.errors import SqlRejected

MAX_CHARACTERS = 10_000
"""CloudTrail Lake's own limit."""
_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_TOKEN = re.compile(
    rf"""(?P<blank>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))
      | (?P<string>'(?:[^']|'')*')
      | (?P<store>"{_UUID}"|{_UUID}(?![\w-]))
      | (?P<quoted>"(?:[^"]|"")*")
      | (?P<end>;)
      | (?P<word>\w+)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)


def check_length(sql: str) -> None:
    """Raises SqlRejected for a statement that no engine takes."""
    if len(sql) > MAX_CHARACTERS:
        raise SqlRejected(
            f"the statement has {len(sql)} characters; {MAX_CHARACTERS} are the most",
            line=1,
            column=1,
            hint="Shorten it: filter with LIKE or a WITH query instead of long lists.",
        )


def check_one_select(sql: str) -> None:
    """Raises SqlRejected for anything but one SELECT (or WITH ... SELECT), which a `;` may end."""
    check_length(sql)
    tokens = [token for token in _TOKEN.finditer(sql) if token.lastgroup != "blank"]
    first = next((token for token in tokens if token.group() != "("), None)
    if first is None or first.group().upper() not in ("SELECT", "WITH"):
        raise _rejected("only SELECT is allowed", sql, first.start() if first else 0)
    for token, after in pairwise(tokens):
        if token.lastgroup == "end":
            raise _rejected("one statement at a time", sql, after.start())


def without_end(sql: str) -> str:
    """One statement, as `check_one_select` lets through, without the `;` that ends it."""
    return next((sql[: token.start()] for token in _tokens(sql, "end")), sql)


def store_ids(sql: str) -> tuple[str, ...]:
    """The event data store ids that the statement names, in lower case, each once; not those in texts or comments.

    None of a statement too long for any engine: each refuses it itself.
    """
    if len(sql) > MAX_CHARACTERS:
        return ()
    found = (token.group().strip('"').lower() for token in _tokens(sql, "store"))
    return tuple(dict.fromkeys(found))


def _tokens(sql: str, kind: str) -> Iterator[re.Match[str]]:
    return (token for token in _TOKEN.finditer(sql) if token.lastgroup == kind)


def _rejected(message: str, sql: str, position: int) -> SqlRejected:
    before = sql[:position]
    column = position - (before.rfind("\n") + 1) + 1
    return SqlRejected(message, line=before.count("\n") + 1, column=column, hint="Send one SELECT.")
