"""The record of every call: one JSON line that says who asked what of which accounts, and how it ended.

Decides what a record holds: times, names, counts and ids, and of a call's arguments the account, the region and the time
range alone. It never holds SQL, attribute values, events, tokens or keys. Where the record is required, a call whose line
cannot be written gets no answer, and the next one is refused before any cloud is asked, until lines can be written again;
elsewhere it stops no call. Who is turned away chooses how often: after some hundreds in a minute refusals are counted, so
that they cannot push the calls out of a rotated file.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import anyio
import orjson

from crosstrail.accounts.policy import Principal
from crosstrail.answers.render import clean
from crosstrail.call_context import CallContext, Upstream
from crosstrail.errors import ConfigError, RecordUnavailable
from crosstrail.record.account_sets import DEFINITION, AccountSet, account_set
from crosstrail.server.access.record_sink import Line, RecordSink, StreamSink
from crosstrail.server.access.shared_file import SharedFile
from crosstrail.settings.audit_settings import AuditSettings
from crosstrail.timerange import iso

_CAP = 200
_MAX_CLIENT = 100
"""Bytes of what a client says it is."""
_TOLD = {"target_account_id": "account", "selector": "account", "region": "region"}
_TIMES = ("start_time", "end_time")
_TURNED_AWAY = ("refused", "limited")
_MAX_REFUSALS = 300
"""Written one by one in a minute; of more than these a number."""
_MINUTE = 60.0
_LOOK_SECONDS = 0.002
_DECIDED_SECONDS = 10.0
"""By then a line is written or not, unless the thread that writes it hangs: then it counts as not written."""
_UNRECORDED = "unrecorded"
_NOT_NOW = "Try again soon; the operator's log says why."


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
        to = settings.to or default
        self._required = is_required(settings, default=default)
        self._sink = _sink(settings, to)
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
    ) -> Line | None:
        """`asked`: ids of the accounts, and regions, that the call resolved to; `size`: bytes of the answer. The line, for
        `answerable`; None where the call is counted only, or there is no record."""
        accounts, regions = asked
        if outcome in _TURNED_AWAY and self._too_many(outcome):
            return None
        self._next_minute()
        named = account_set(accounts)
        return self._write(
            {
                "kind": "call",
                "request_id": request_id,
                **_who(principal),
                **_from(source),
                "tool": clean(tool, _CAP),
                "outcome": outcome,
                "ms": round(seconds * 1000, 1),
                "asked": _told(arguments),
                **({"account_set": named.name} if named else {"accounts": accounts}),
                "account_count": len(accounts),
                "regions": [clean(region, _CAP) for region in regions],
                "upstream_calls": caller.count,
                "upstream": [_upstream(one) for one in caller.kept],
                "bytes": size,
            }
            | ({"error": caller.error} if caller.error else {}),
            named,
            required=self._required,
        )

    async def begin(self) -> None:
        """Before anything is done for a call. Raises RecordUnavailable where it could not be recorded."""
        if not self._required or self._sink is None or not self._sink.failing:
            return
        probe = Line(b"")
        self._sink.put(probe)
        if not await _is_written(probe):
            self._next_minute()
            self._more[_UNRECORDED] += 1
            raise RecordUnavailable("calls cannot be recorded now, so nothing was done", hint=_NOT_NOW)

    async def check(self, *lines: Line | None) -> None:
        """Before the answer of a recorded call leaves. Raises RecordUnavailable where a line of it could not be written."""
        if not all([await _is_written(line) for line in lines if line is not None and line.required]):
            raise RecordUnavailable(
                "the call was made, and its answer is withheld: it cannot be recorded", hint=_NOT_NOW
            )

    def refused(
        self,
        status: int,
        *,
        method: str,
        path: str,
        address: str,
        principal: Principal | None = None,
        reason: str = "",
    ) -> None:
        """A request that no tool ever saw: not signed in, foreign Host, too large. `address`: of whoever sent it. `reason`:
        the class of what is wrong with a token."""
        if self._too_many(status):
            return
        known = _who(principal) if principal else {}
        self._write(
            {"kind": "refused", "status": status, "method": clean(method, 20), "path": clean(path, _CAP)}
            | {"address": clean(address, _CAP), **known}
            | ({"reason": clean(reason, _CAP)} if reason else {})
        )

    def close(self) -> None:
        self._tell_more()
        if self._sink:
            self._sink.close()

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

    def _write(
        self, record: dict[str, object], named: AccountSet | None = None, *, required: bool = False
    ) -> Line | None:
        if self._sink is None:
            return None
        definition = {"kind": DEFINITION, "account_set": named.name, "accounts": named.ids} if named else {}
        line = Line(_line(record), (named.name, _line(definition)) if named else None, required)
        self._sink.put(line)
        return line


def is_required(settings: AuditSettings, *, default: str) -> bool:
    """Whether no call may go unrecorded; where the settings do not say, over HTTP with a record in a file. Raises ConfigError."""
    to = settings.to or default
    if settings.required and to == "off":
        raise ConfigError(
            "audit.required is true, and there is no record",
            hint="Set audit.to (CROSSTRAIL_AUDIT) to a file, or stderr.",
        )
    over_http = default == "stderr"
    return over_http and to not in ("stderr", "off") if settings.required is None else settings.required


def retention(settings: AuditSettings, *, default: str) -> str:
    """What of the record stays, for the operator: `FILE, 90 days or 5 GB, whichever is less`."""
    to = settings.to or default
    if to in ("stderr", "off"):
        return to
    where = f"{to}, {settings.keep_days} days or {settings.max_total / 1e9:g} GB, whichever is less"
    return f"{where}; a call that cannot be recorded is refused" if is_required(settings, default=default) else where


async def _is_written(line: Line) -> bool:
    with anyio.move_on_after(_DECIDED_SECONDS):
        while line.written is None:  # noqa: ASYNC110 - a thread says so, once another process has ended its line
            await anyio.sleep(_LOOK_SECONDS)
    return line.written is True


def _line(record: Mapping[str, object]) -> bytes:
    return orjson.dumps({"time": iso(datetime.now(UTC)), **record}) + b"\n"


def _lost(count: int) -> bytes:
    return _line({"kind": "lost", "more": count})


def _sink(settings: AuditSettings, to: str) -> RecordSink | None:
    if to == "off":
        return None
    if to == "stderr":
        return StreamSink(sys.stderr, _lost)
    try:
        return SharedFile(
            to, _lost, max_bytes=settings.max_bytes, keep_days=settings.keep_days, max_total=settings.max_total
        )
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
