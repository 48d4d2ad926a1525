"""One query on Trino, from its statement to its last page, over the official client.

Decides when Trino has accepted a statement, and that Trino works no more on a query that nobody waits for: a thread fetches
its pages, because Trino gives up what is not fetched. It never chooses what is sent.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from requests.structures import CaseInsensitiveDict
from trino.client import ClientSession, TrinoRequest, TrinoStatus
from trino.constants import HEADER_CLIENT_INFO, HEADER_ENCODING, HEADER_USER, URL_STATEMENT_PATH
from trino.exceptions import HttpError, TrinoConnectionError, TrinoQueryError

from crosstrail.engines.remote_runs import RemoteEnded, RemoteProgress, RemoteQuery, Rows
from crosstrail.engines.trino_access import TrinoAccess, origin_of
from crosstrail.engines.trino_cells import Cell, cells, rendered
from crosstrail.engines.trino_faults import (
    Statement,
    TrinoRefused,
    elsewhere,
    ended,
    refused_status,
    unreachable,
    unreadable,
)
from crosstrail.engines.trino_http import MAX_ANSWER_BYTES, CoordinatorSession, tls_context
from crosstrail.engines.trino_sign_in import TrinoSignIn
from crosstrail.errors import LakeError

if TYPE_CHECKING:
    import ssl

_SECONDS = (10.0, 60.0)
"""To connect, and of each wait for bytes. Trino answers within a second that there is nothing yet."""
_CANCEL_SECONDS = (3.0, 5.0)
_CANCEL_TRIES = 2
_TRIES = 4
_START_GRACE_SECONDS = 5.0
_LONGEST_PAUSE = 0.2
_QUEUED = ("WAITING_FOR_PREREQUISITES", "QUEUED", "WAITING_FOR_RESOURCES", "DISPATCHING", "PLANNING", "STARTING")
_MAX_COLUMNS = 10_000
_STATUS = re.compile(r"error (\d{3})")


class _Request(TrinoRequest):
    """Without the protocol that has results fetched from elsewhere (spooling): its addresses are other hosts'."""

    @property
    def http_headers(self) -> CaseInsensitiveDict[str]:
        headers = super().http_headers
        headers.pop(HEADER_ENCODING, None)
        if not headers.get(HEADER_USER):
            headers.pop(HEADER_USER, None)  # a token or a certificate says who it is
        return headers


@dataclass(slots=True)
class TrinoConnection:
    """What all queries of one engine share."""

    access: TrinoAccess
    sign_in: TrinoSignIn
    context: ssl.SSLContext

    @classmethod
    def made(cls, access: TrinoAccess) -> TrinoConnection:
        """Reads certificates. Raises ConfigError."""
        return cls(access, TrinoSignIn(access), tls_context(access))

    def is_page(self, address: str) -> bool:
        """Whether it is one of the coordinator itself, where pages are."""
        try:
            parts = urlsplit(address)
            same = parts.username is None and origin_of(address) == self.access.origin
        except (ValueError, KeyError):
            return False
        return same and parts.path.startswith(f"{URL_STATEMENT_PATH}/")

    def session(self) -> CoordinatorSession:
        return CoordinatorSession(self.access.origin, self.context, max_bytes=MAX_ANSWER_BYTES)

    def request(
        self,
        http: CoordinatorSession,
        properties: Mapping[str, str],
        caller: str = "",
        *,
        tries: int = _TRIES,
        seconds: tuple[float, float] = _SECONDS,
    ) -> TrinoRequest:
        """Asks for a token where there is none. Raises LakeError."""
        access = self.access
        scheme, host, port = access.origin
        about_caller = {HEADER_CLIENT_INFO: _header(caller)} if caller and access.names_callers else {}
        session = ClientSession(
            user=access.user,
            catalog=access.catalog or None,
            schema=access.schema or None,
            source=access.source,
            properties={name: value for name, value in {**properties, **access.session}.items() if value},
            headers=about_caller,
            timezone="UTC",
        )
        return _Request(
            f"[{host}]" if ":" in host else host,
            port,
            session,
            http_session=http,
            http_scheme=scheme,
            auth=self.sign_in.authentication(),
            max_attempts=tries,
            request_timeout=seconds,
        )


@dataclass(slots=True, eq=False)
class TrinoRun(RemoteQuery):
    """A RemoteQuery on Trino. `accepted` is set when Trino has begun to run it, or it has ended; `refused` when it never did."""

    connection: TrinoConnection
    statement: Statement
    properties: Mapping[str, str]
    caller: str = ""
    columns: tuple[str, ...] = ()
    refused: TrinoRefused | None = None
    accepted: threading.Event = field(default_factory=threading.Event)
    _http: CoordinatorSession | None = None
    _next: str = ""
    _posting: bool = False
    _stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def pages(self, report: Callable[[RemoteProgress], None]) -> Iterator[Rows]:
        with self._lock:
            self._http = self.connection.session()
        try:
            yield from self._fetched(report)
        except TrinoRefused as refused:
            if not self._stopped.is_set():
                self.refused = refused
            raise

    def stop(self) -> None:
        self._stopped.set()
        with self._lock:
            if self._http is None:
                return
            if not self._posting:
                self._http.abort()
                return
        # Trino is just taking the statement: once it has, it can be told to stop
        timer = threading.Timer(_START_GRACE_SECONDS, self._http.abort)
        timer.daemon = True
        timer.start()

    def close(self) -> None:
        """Cancels on Trino what has not ended there."""
        self.accepted.set()
        if self._http:
            self._http.close()
        if not self._next:
            return
        with self.connection.session() as http:
            try:
                request = self.connection.request(http, {}, tries=_CANCEL_TRIES, seconds=_CANCEL_SECONDS)
                request.delete(self._next)
            except (requests.RequestException, RemoteEnded, LakeError):
                pass  # Trino gives it up by itself after a while

    def _fetched(self, report: Callable[[RemoteProgress], None]) -> Iterator[Rows]:
        assert self._http  # noqa: S101 - `pages` has made it
        try:
            request = self.connection.request(self._http, self.properties, self.caller)
        except LakeError as error:  # no token
            raise TrinoRefused(error) from None
        self._posting = True
        try:
            status = self._answer(request, partial(request.post, self.statement.sent))
        finally:
            with self._lock:
                self._posting = False
        shown: tuple[Cell, ...] = ()
        pause = 0.0
        while True:
            report(_progress(status))
            if status.columns and not self.columns:
                shown = self._typed(status)
            if str(status.stats.get("state")) not in _QUEUED:
                self.accepted.set()
            if status.rows:
                yield self._page(status, shown)
            if not self._next:
                return
            pause = 0.0 if status.rows else min(pause + 0.01, _LONGEST_PAUSE)  # however fast it says nothing
            if self._stopped.wait(pause):
                raise RemoteEnded("the query was given up")
            status = self._answer(request, partial(request.get, self._next))

    def _answer(self, request: TrinoRequest, ask: Callable[[], requests.Response]) -> TrinoStatus:
        """Raises RemoteEnded."""
        try:
            response = ask()
            if not response.ok:
                if response.status_code == 401:
                    self.connection.sign_in.forget()
                raise refused_status(response.status_code)
            status = request.process(response)
        except TrinoQueryError as error:
            self._next = ""
            raise self._fault(error) from None
        except (requests.RequestException, TrinoConnectionError, OSError) as error:
            raise unreachable(error) from None
        except HttpError as error:
            found = _STATUS.search(str(error))
            raise refused_status(int(found[1]) if found else 0) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise unreadable() from None
        self._next = ""
        if not isinstance(status.next_uri, str | None) or not isinstance(status.stats, dict):
            raise unreadable()
        if status.next_uri and not self.connection.is_page(status.next_uri):
            raise elsewhere()
        self._next = status.next_uri or ""
        return status

    def _fault(self, error: TrinoQueryError) -> RemoteEnded:
        return ended(error, self.statement)

    def _typed(self, status: TrinoStatus) -> tuple[Cell, ...]:
        try:
            shown = cells(status.columns)
            names = tuple(str(column["name"]) for column in status.columns)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            raise unreadable() from None
        if len(names) > _MAX_COLUMNS:
            raise unreadable()
        self.columns = names
        return shown

    def _page(self, status: TrinoStatus, shown: tuple[Cell, ...]) -> Rows:
        if not isinstance(status.rows, list) or not shown:
            raise unreadable()
        try:
            return rendered(status.rows, shown)
        except (ValueError, TypeError):
            raise unreadable() from None


def _progress(status: TrinoStatus) -> RemoteProgress:
    stats: Mapping[str, object] = status.stats
    percent, rows = stats.get("progressPercentage"), stats.get("processedRows")
    read = stats.get("physicalInputBytes", stats.get("processedBytes"))
    return RemoteProgress(
        float(percent) if isinstance(percent, (int, float)) else None,
        rows if isinstance(rows, int) else None,
        read if isinstance(read, int) else None,
    )


def _header(text: str) -> str:
    """As a header holds it."""
    return "".join(sign for sign in text[:200] if " " <= sign <= "~")
