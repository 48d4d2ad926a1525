"""What went wrong on Trino, in words for whoever asked: where it is in their statement, and whose turn it is.

Decides what is passed on of Trino's own message: words of the caller's statement and those that such messages are made of
(error_words.py), never a value of an event, a name of the view or the text that was sent. Places are those of the caller's
text, or none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crosstrail.engines.error_words import safe_words
from crosstrail.engines.remote_runs import RemoteEnded
from crosstrail.errors import LakeError, SqlRejected
from crosstrail.models import QueryState
from crosstrail.trust import refusal_hint

if TYPE_CHECKING:
    from trino.exceptions import TrinoQueryError

_PLACE = re.compile(r"^line \d+:\d+: ")
_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,60}")
_QUERY_ID = re.compile(r"\d{8}_\d{6}_\d{5}_[a-z0-9]{5}")
_NARROWER = "narrow it by eventtime or group by fewer columns"
_MAKE_VIEW = "make it with: crosstrail lake init --engine trino"
_WORDS = {
    "CATALOG_NOT_FOUND": f"Trino has no such catalog as trino.catalog names, where the lake's view should be; {_MAKE_VIEW}",
    "SCHEMA_NOT_FOUND": f"Trino has no such schema as trino.schema names, where the lake's view should be; {_MAKE_VIEW}",
    "TABLE_NOT_FOUND": f"Trino does not have the lake's view; {_MAKE_VIEW}",
    "VIEW_IS_STALE": f"the lake's view on Trino is older than the lake's table; {_MAKE_VIEW}",
    "INVALID_VIEW": f"the lake's view on Trino cannot be read; {_MAKE_VIEW}",
    "PERMISSION_DENIED": "Trino denies this user what the query needs: SELECT on the lake's view, or a session property of "
    "trino.session",
    "QUERY_QUEUE_FULL": "too many queries wait on Trino; try again later",
    "EXCEEDED_LOCAL_MEMORY_LIMIT": f"it needs more memory than Trino gives it; {_NARROWER}",
    "EXCEEDED_GLOBAL_MEMORY_LIMIT": f"it needs more memory than Trino gives it; {_NARROWER}",
    "CLUSTER_OUT_OF_MEMORY": "Trino's cluster has no memory left; try again later",
    "EXCEEDED_CPU_LIMIT": f"it takes more processor time than Trino gives it; {_NARROWER}",
    "EXCEEDED_SCAN_LIMIT": f"it reads more than Trino lets it; {_NARROWER}",
    "EXCEEDED_SPILL_LIMIT": f"it needs more disk than Trino gives it; {_NARROWER}",
    "ADMINISTRATIVELY_KILLED": "an administrator of Trino ended it",
    "ADMINISTRATIVELY_PREEMPTED": "Trino ended it in favour of others; try again later",
    "ABANDONED_QUERY": "Trino gave it up, because its results were not fetched",
    "SERVER_SHUTTING_DOWN": "Trino shuts down; try again later",
    "SERVER_STARTING_UP": "Trino starts; try again soon",
    "NO_NODES_AVAILABLE": "Trino has no workers; try again later",
}
_STATUS = {
    401: "Trino does not accept the credentials of the settings group `trino`",
    403: "Trino does not let trino.user ask it",
    404: "at trino.url there is no Trino coordinator",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """As the caller wrote it, and as it was sent."""

    given: str
    sent: str


class TrinoRefused(RemoteEnded):
    """The query did not come to run. `reason`: what `start` raises where that is still waited for."""

    def __init__(self, reason: SqlRejected | LakeError) -> None:
        super().__init__(str(reason))
        self.reason = reason


def ended(error: TrinoQueryError, statement: Statement) -> RemoteEnded:
    """Of an error that Trino reports."""
    name = error.error_name or ""
    if name == "USER_CANCELED":
        return RemoteEnded("", QueryState.CANCELLED)
    if name == "EXCEEDED_TIME_LIMIT":
        return RemoteEnded("Trino's limit of time was reached", QueryState.TIMED_OUT)
    if words := _WORDS.get(name):
        return RemoteEnded(words)
    if error.error_type == "USER_ERROR":
        words = _message(error, statement)
        if not error.error_location:
            return RemoteEnded(words)
        line, column = place(statement, error.error_location) or (0, 0)
        return TrinoRefused(SqlRejected(words, line=line, column=column))
    known = name if _NAME.fullmatch(name) else "no reason given"
    asked = f", Trino's query {error.query_id}" if _QUERY_ID.fullmatch(error.query_id or "") else ""
    return RemoteEnded(f"Trino could not run it ({known}{asked})")


def _message(error: TrinoQueryError, statement: Statement) -> str:
    return safe_words(_PLACE.sub("", str(error.message)), statement.given) or "Trino refuses the statement"


def place(statement: Statement, location: tuple[int, int]) -> tuple[int, int] | None:
    """Where in the caller's text (line, column) a place of the text that was sent is, as long as both read alike up to there:
    a run of white space is one blank in what was sent."""
    line, column = location
    if not all(isinstance(one, int) and one > 0 for one in (line, column)):
        return None
    lines = statement.sent.split("\n")
    if line > len(lines):
        return None
    end = sum(len(one) + 1 for one in lines[: line - 1]) + column - 1
    given, at = statement.given, 0
    at = len(given) - len(given.lstrip())
    for sign in statement.sent[:end]:
        if at >= len(given):
            return None
        if sign == " " and given[at].isspace():
            while at < len(given) and given[at].isspace():
                at += 1
        elif given[at] == sign:
            at += 1
        else:
            return None
    before = given[:at]
    return before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1


def refused_status(status: int) -> TrinoRefused:
    """Of an answer that is none of Trino's."""
    words = _STATUS.get(status, f"Trino does not answer (HTTP status {status})")
    return TrinoRefused(
        LakeError(words, hint="See the settings group `trino`." if status in _STATUS else "Try again later.")
    )


def unreachable(error: Exception) -> TrinoRefused:
    """No answer came."""
    hint = refusal_hint(error, "trino.ca")
    reason = "its certificate is not trusted" if hint else _reason(error)
    return TrinoRefused(LakeError(f"Trino cannot be reached: {reason}", hint=hint or "See trino.url."))


def _reason(error: Exception) -> str:
    """In few words, without addresses."""
    text = repr(error)
    for sign, words in (
        ("NameResolution", "its host has no address"),
        ("refused", "nothing listens there"),
        ("imed out", "it does not answer in time"),
        ("imeout", "it does not answer in time"),
        ("certificate required", "it wants a certificate of trino.certificate"),
        ("CERTIFICATE_REQUIRED", "it wants a certificate of trino.certificate"),
        ("SSL", "no TLS connection comes about"),
    ):
        if sign in text:
            return words
    return "the connection breaks"


def unreadable() -> RemoteEnded:
    return RemoteEnded("Trino's answer cannot be read; is trino.url the address of a Trino coordinator?")


def elsewhere() -> RemoteEnded:
    """Of the next page's address. Behind a proxy, Trino names its own unless it is told of the proxy's."""
    return RemoteEnded(
        "Trino's answer names an address on another host or by another scheme, which is not asked; behind a proxy, Trino "
        "needs http-server.process-forwarded=true"
    )
