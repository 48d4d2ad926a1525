"""The record of every call: one JSON line that says who asked what of which accounts, and how it ended.

Decides what a record holds: times, names, counts and ids, and of a call's arguments the account, the region and the time
range alone. It never holds SQL, attribute values, events, tokens or keys, and one that cannot be written stops no call. Who is
turned away chooses how often: after some hundreds in a minute refusals are counted, so that they cannot push the calls
out of a rotated file.
"""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from crosstrail.accounts.policy import Principal
from crosstrail.answers.render import clean
from crosstrail.call_context import CallContext, Upstream
from crosstrail.errors import ConfigError
from crosstrail.server.access.shared_file import SharedFile
from crosstrail.settings.server_settings import AuditSettings
from crosstrail.timerange import iso

_CAP = 200
_MAX_CLIENT = 100
"""Bytes of what a client says it is."""
_MAX_NAMES = 50
_TOLD = {"target_account_id": "account", "selector": "account", "region": "region"}
_TIMES = ("start_time", "end_time")
_TURNED_AWAY = ("refused", "limited")
_MAX_REFUSALS = 300
"""Written one by one in a minute; of more than these a number."""
_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class RequestSource:
    """Where a message came from; a field is empty where nobody knows, as the address is on stdio.

    `address`: the caller's, as the server sees it. `client_info` and `user_agent`: what the MCP client says it is.
    """

    address: str = ""
    client_info: str = ""
    user_agent: str = ""


UNKNOWN_SOURCE = RequestSource()


class AuditLog:
    """Where records go. Open one a process, `close` it at the end."""

    def __init__(
        self, settings: AuditSettings, *, default: str = "off", clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`default`: stderr or off, where the settings do not say. Raises ConfigError for a file that cannot be opened."""
        self._handler = _handler(settings, settings.to or default)
        self._clock = clock
        self._minute = clock()
        self._refused = 0
        self._more: Counter[int | str] = Counter()

    def call(
        self,
        principal: Principal,
        tool: str,
        arguments: object,
        *,
        request_id: str,
        outcome: str,
        seconds: float,
        caller: CallContext,
        source: RequestSource = UNKNOWN_SOURCE,
        asked: tuple[list[str], list[str]] = ((), ()),  # type: ignore[assignment]
        size: int = 0,
    ) -> None:
        """`asked`: ids of the accounts, and regions, that the call resolved to; `size`: bytes of the answer."""
        accounts, regions = asked
        if outcome in _TURNED_AWAY and self._too_many(outcome):
            return
        self._next_minute()
        self._write(
            {
                "kind": "call",
                "request_id": request_id,
                **_who(principal),
                **_from(source),
                "tool": clean(tool, _CAP),
                "outcome": outcome,
                "ms": round(seconds * 1000, 1),
                "asked": _told(arguments),
                "accounts": accounts[:_MAX_NAMES],
                "account_count": len(accounts),
                "regions": [clean(region, _CAP) for region in regions[:_MAX_NAMES]],
                "upstream_calls": caller.count,
                "upstream": [_upstream(one) for one in caller.kept],
                "bytes": size,
            }
            | ({"error": caller.error} if caller.error else {})
        )

    def refused(self, status: int, *, method: str, path: str, address: str, principal: Principal | None = None) -> None:
        """A request that no tool ever saw: not signed in, foreign Host, too large. `address`: of whoever sent it."""
        if self._too_many(status):
            return
        known = _who(principal) if principal else {}
        self._write(
            {"kind": "refused", "status": status, "method": clean(method, 20), "path": clean(path, _CAP)}
            | {"address": clean(address, _CAP), **known}
        )

    def close(self) -> None:
        self._tell_more()
        if self._handler:
            self._handler.close()

    def _too_many(self, what: int | str) -> bool:
        """Whether this one is counted only: a status, or how a call ended."""
        self._next_minute()
        self._refused += 1
        if self._refused <= _MAX_REFUSALS:
            return False
        self._more[what] += 1
        return True

    def _next_minute(self) -> None:
        now = self._clock()
        if now - self._minute >= _MINUTE:
            self._tell_more()
            self._minute, self._refused = now, 0

    def _tell_more(self) -> None:
        """One line for each status, or end of a call, of which there were too many to write."""
        more, self._more = self._more, Counter()
        for what, count in more.items():
            self._write({"kind": "refused", "outcome" if isinstance(what, str) else "status": what, "more": count})

    def _write(self, record: dict[str, object]) -> None:
        if self._handler is None:
            return
        line = orjson.dumps({"time": iso(datetime.now(UTC)), **record}).decode()
        self._handler.handle(logging.LogRecord("crosstrail.audit", logging.INFO, "", 0, line, None, None))


def _handler(settings: AuditSettings, to: str) -> logging.Handler | None:
    if to == "off":
        return None
    if to == "stderr":
        return logging.StreamHandler(sys.stderr)
    try:
        return SharedFile(to, max_bytes=settings.max_bytes, keep=settings.keep)
    except OSError as error:
        raise ConfigError(
            f"the audit file {to} cannot be written: {error.strerror}", hint="Check audit.to (CROSSTRAIL_AUDIT)."
        ) from None


def _who(principal: Principal) -> dict[str, str]:
    known = {"principal": principal.name, "subject": principal.subject, "client": principal.client}
    return {name: clean(value, _CAP) for name, value in known.items() if value}


def _from(source: RequestSource) -> dict[str, str]:
    said = {"address": source.address, "client_info": source.client_info, "user_agent": source.user_agent}
    return {name: clean(value, _MAX_CLIENT) for name, value in said.items() if value}


def _upstream(request: Upstream) -> dict[str, str]:
    """A request to a cloud; its region may come from a caller, its id and error from the cloud."""
    told = {"action": request.action, "account": request.account, "region": request.region, "id": request.request_id}
    return {
        name: clean(value, _CAP) for name, value in (told | ({"error": request.error} if request.error else {})).items()
    }


def _told(arguments: object) -> dict[str, str]:
    """Account, region and times as they were sent."""
    if not isinstance(arguments, dict):
        return {}
    named = {**_TOLD, **{name: name for name in _TIMES}}
    return {
        named[name]: clean(str(value), _CAP)
        for name, value in arguments.items()
        if name in named and value not in ("", None)
    }
