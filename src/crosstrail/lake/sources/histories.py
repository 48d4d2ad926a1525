"""An account's own event history (LookupEvents) as a source of log objects: what was read of one target, cut into pieces.

Decides what of a target's time is known whole after each page: a history is listed newest first, so everything newer than the
last event given. Whose events they are is known by who was asked, and by nothing in them. It never picks accounts, never
commits, and keeps no more than a page in memory: events go to a file of the spool.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO
from urllib.parse import quote

import orjson

from crosstrail import private
from crosstrail.clouds.base import AuditTrail
from crosstrail.errors import CloudUnavailable
from crosstrail.lake.faults import reading
from crosstrail.lake.sources.base import Fetched, Found, Known, LogObject
from crosstrail.lake.spans import TICK, Span
from crosstrail.lake.windows import LOOKUP_EVENTS, Window
from crosstrail.models import Event, EventPage, EventQuery, Position, Target
from crosstrail.timerange import TimeRange, iso

LATE = timedelta(minutes=15)
"""How long after it happened an event may come into a history: three times the average of about 5 minutes that AWS names in
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html. What is newer is taken, and asked for again."""
PAGE_EVENTS = 500
"""Asked for together: ten requests of the cloud's pages."""
_EVENTS_A_REQUEST = 50
_MAX_HALVINGS = 10
"""Of a span that is too much for one answer, one after another without an answer between."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a target's history. `log` is None where nothing happened, `window` where none of it can be known whole yet."""

    target: Target
    log: LogObject | None
    window: Window | None
    events: int


class HistorySource:
    """A LogSource of pieces whose events lie in local files already."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces

    def find(self, lake: Path, known: Known, scope: str) -> Found:
        return Found([[piece.log for piece in self._pieces if piece.log]], roots=(f"{LOOKUP_EVENTS}:",))

    def fetch(self, objects: Sequence[LogObject], folder: Path) -> Fetched:
        return Fetched(tuple(objects))

    def listed(self) -> tuple[()]:
        """What was asked for, the windows say."""
        return ()


class History:
    """Reads the spans `gaps` of one target, the newest first. Between any two pages `cut` gives what came so far."""

    def __init__(self, target: Target, trail: AuditTrail, gaps: Sequence[Span], spool: Path) -> None:
        """`spool`: how the paths of its files begin."""
        self.target = target
        self._trail = trail
        self._gaps = list(gaps)[::-1]
        self._spool = spool
        self._files = 0
        self._file: IO[bytes] | None = None
        self._bytes = 0
        self.spooled = 0
        """Bytes that were written so far, in all."""
        self._events = 0
        self._end: datetime | None = None
        """Of the piece that is being read; everything from `_reached` to it is in its file."""
        self._reached: datetime | None = None
        self._before: Position | None = None
        self._halvings = 0
        self._waiting: list[Event] = []
        """Those of the moment up to which is read: with others of that moment they belong to the next piece."""

    async def read_page(self, *, in_one_request: bool = False) -> tuple[Piece, ...]:
        """Ask for the next events: the pieces that are whole by that, when a gap came to its start.

        Raises CrosstrailError: what came before stays, for `cut`.
        """
        gap = self._gaps[-1]
        if self._end is None:
            self._end = self._reached = gap.end
        span = TimeRange(gap.start, gap.end - TICK)
        limit = _EVENTS_A_REQUEST if in_one_request else PAGE_EVENTS
        query = EventQuery(span, (), limit, self._before, with_record=True, fill=not in_one_request)
        page = await self._answer(query, gap)
        if page is None:
            return ()
        if page.more:
            self._go_on(page)
            return ()
        self._write(page.events)
        self._flush_waiting()
        kept = page.held.start if page.held and page.held.start else gap.start
        self._reached = min(max(gap.start, kept), self._end)
        piece = self.cut()
        self._gaps.pop()
        self._end = self._before = None
        return (piece,) if piece else ()

    @property
    def ended(self) -> bool:
        return not self._gaps

    def cut(self) -> Piece | None:
        """What was read since the last piece, if it is anything, as a piece of its own."""
        end, reached = self._end, self._reached
        if end is None or reached is None or reached >= end:
            return None
        now = datetime.now(UTC)
        whole_until = min(end, (now - LATE).replace(microsecond=0))
        account, region = self.target.account, self.target.region
        window = (
            Window(account.cloud, account.id, region, LOOKUP_EVENTS, reached, whole_until, now, self._events)
            if whole_until > reached
            else None
        )
        piece = Piece(self.target, self._close(reached, end, now), window, self._events)
        self._end, self._events, self._bytes = reached, 0, 0
        return piece

    def drop(self) -> None:
        """Closes the file of a piece that nobody will ask for."""
        if self._file:
            self._file.close()

    async def _answer(self, query: EventQuery, gap: Span) -> EventPage | None:
        """None where the span was too much for one answer: then half of it is asked next."""
        try:
            page = await self._trail.lookup_events(self.target, query)
        except CloudUnavailable as error:
            middle = (gap.start + ((self._reached or gap.end) - gap.start) / 2).replace(microsecond=0)
            if error.code != "DeadlineExceeded" or self._halvings == _MAX_HALVINGS or middle <= gap.start:
                raise
            self._halvings += 1
            self._gaps[-1:] = [Span(gap.start, middle), Span(middle, gap.end)]
            return None
        self._halvings = 0
        return page

    def _go_on(self, page: EventPage) -> None:
        moment = page.back_to or page.events[-1].time
        self._write([event for event in page.events if event.time > moment])
        at = [event for event in page.events if event.time <= moment]
        if self._before and self._before.time > moment:
            self._flush_waiting()
        self._waiting += at
        self._before = Position(moment, frozenset(event.identity for event in self._waiting))
        self._reached = min(moment + TICK, self._end or moment + TICK)

    def _flush_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._write(waiting)

    def _write(self, events: Sequence[Event]) -> None:
        with reading("the lake's folder"):
            self._append(events)

    def _append(self, events: Sequence[Event]) -> None:
        for event in events:
            text = event.text.encode("utf-8", "replace") if event.text else orjson.dumps(event.record)
            file = self._opened()
            written = file.write((b",\n" if self._events else b'{"Records":[\n') + text)
            self._bytes += written
            self.spooled += written
            self._events += 1

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            path = Path(f"{self._spool}-{self._files:06d}.json")
            private.create(path)
            self._file = path.open("wb")
            self._files += 1
        return self._file

    def _close(self, start: datetime, end: datetime, now: datetime) -> LogObject | None:
        if self._file is None:
            return None
        self._file.write(b"\n]}")
        self._file.close()
        path, self._file = self._file.name, None
        account = self.target.account
        place = "/".join(quote(part, safe="") for part in (account.cloud, account.id, self.target.region or "-"))
        name = f"{LOOKUP_EVENTS}://{place}/{iso(start)}/{iso(end)}"
        return LogObject(path, self._bytes, now.isoformat(), named=False, uri=name, owner=account.key)
