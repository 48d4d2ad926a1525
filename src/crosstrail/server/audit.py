"""The record of every call: one JSON line that says who asked what of which accounts, and how it ended.

Decides what a record holds: times, names, counts and ids, and of a call's arguments the account, the region and the time
range alone. It never holds SQL, attribute values, events, tokens or keys, and one that cannot be written stops no call.
"""

from __future__ import annotations

import logging
import logging.handlers
import sys
from datetime import UTC, datetime
from typing import Any

import orjson

from crosstrail.accounts.policy import Principal
from crosstrail.caller import Caller
from crosstrail.errors import ConfigError
from crosstrail.server.render import clean
from crosstrail.serving import AuditSettings
from crosstrail.timerange import iso

_CAP = 200
_MOST_NAMES = 50
_TOLD = {"target_account_id": "account", "selector": "account", "region": "region"}
_TIMES = ("start_time", "end_time")


class AuditLog:
    """Where records go. Open one a process, `close` it at the end."""

    def __init__(self, settings: AuditSettings, *, default: str = "off") -> None:
        """`default`: stderr or off, where the settings do not say. Raises ConfigError for a file that cannot be opened."""
        self._handler = _handler(settings, settings.to or default)

    def call(
        self,
        principal: Principal,
        tool: str,
        arguments: Any,
        *,
        request_id: str,
        outcome: str,
        seconds: float,
        caller: Caller,
        asked: tuple[list[str], list[str]] = ((), ()),  # type: ignore[assignment]
        size: int = 0,
    ) -> None:
        """`asked`: ids of the accounts, and regions, that the call resolved to; `size`: bytes of the answer."""
        accounts, regions = asked
        self._write(
            {
                "kind": "call",
                "request_id": request_id,
                **_who(principal),
                "tool": clean(tool, _CAP),
                "outcome": outcome,
                "ms": round(seconds * 1000, 1),
                "asked": _told(arguments),
                "accounts": accounts[:_MOST_NAMES],
                "account_count": len(accounts),
                "regions": regions[:_MOST_NAMES],
                "upstream_calls": caller.count,
                "upstream": [
                    {"action": one.action, "account": one.account, "region": one.region, "id": one.request_id}
                    | ({"error": one.error} if one.error else {})
                    for one in caller.kept
                ],
                "bytes": size,
            }
        )

    def refused(self, status: int, *, method: str, path: str, client: str, principal: Principal | None = None) -> None:
        """A request that no tool ever saw: not signed in, foreign Host, too large."""
        known = _who(principal) if principal else {}
        self._write(
            {"kind": "refused", "status": status, "method": clean(method, 20), "path": clean(path, _CAP)}
            | {"client": clean(client, _CAP), **known}
        )

    def close(self) -> None:
        if self._handler:
            self._handler.close()

    def _write(self, record: dict[str, Any]) -> None:
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
        return logging.handlers.RotatingFileHandler(
            to, maxBytes=settings.max_bytes, backupCount=settings.keep, encoding="utf-8"
        )
    except OSError as error:
        raise ConfigError(
            f"the audit file {to} cannot be written: {error.strerror}", hint="Check audit.to (CROSSTRAIL_AUDIT)."
        ) from None


def _who(principal: Principal) -> dict[str, str]:
    known = {"principal": principal.name, "subject": principal.subject, "client": principal.client}
    return {name: clean(value, _CAP) for name, value in known.items() if value}


def _told(arguments: Any) -> dict[str, str]:
    """Account, region and times as they were sent."""
    if not isinstance(arguments, dict):
        return {}
    named = {**_TOLD, **{name: name for name in _TIMES}}
    return {
        named[name]: clean(str(value), _CAP)
        for name, value in arguments.items()
        if name in named and value not in ("", None)
    }
