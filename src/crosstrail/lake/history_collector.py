"""The event histories of accounts into the lake: which spans are left to ask for, how many at once, when to commit.

Decides that a span is known to be collected only after the commit of its events, that one target's error is no other's, and that
what came before an error or a kill is kept. How a page is asked for, and at which pace, is the trail's. It never picks accounts.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import anyio
import anyio.to_thread

from crosstrail import private
from crosstrail.clouds.base import AuditTrail
from crosstrail.errors import CrosstrailError, LakeError
from crosstrail.lake import require_libraries
from crosstrail.lake.collector import CollectionReport, collect
from crosstrail.lake.faults import reading
from crosstrail.lake.keeping import Keeping
from crosstrail.lake.ledger import Ledger
from crosstrail.lake.locks import is_taken, take
from crosstrail.lake.sources.histories import History, HistorySource, Piece
from crosstrail.lake.spans import Span, missing
from crosstrail.lake.table import LakeTable
from crosstrail.lake.warehouse import LakeCatalog
from crosstrail.lake.windows import LOOKUP_EVENTS, Windows, covered, since
from crosstrail.models import Target

_SPOOL = "histories"
_ROWS_SECONDS = 86_400
"""How long the rows of other collections that run are left alone."""
_TARGETS_AT_ONCE = 64
_FIRST_COMMIT_SECONDS, _COMMIT_SECONDS = 1.0, 30.0
"""What is committed early is not asked for again after a kill; later on, large commits cost less than small ones."""
_MAX_SPOOLED = 64_000_000
"""Bytes of events that wait for a commit before nobody is asked for more."""

Progress = Callable[[int, int], None]
"""(targets done or failed, targets in all) -> None; called on the event loop."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one collection may take; zero is no bound. What is left then is asked for by the next one."""

    seconds: float = 0.0
    requests: int = 0


@dataclass(slots=True)
class HistoryReport:
    """What a collection of histories did. `left`: the spans, newest first, of those targets that are not collected whole."""

    collection: CollectionReport = field(default_factory=CollectionReport)
    asked: int = 0
    """Targets of which anything was left to ask for."""
    events: int = 0
    """That came, known ones included."""
    failures: list[tuple[Target, CrosstrailError]] = field(default_factory=list)
    left: list[tuple[Target, list[Span]]] = field(default_factory=list)


async def collect_histories(
    targets: Sequence[tuple[Target, AuditTrail]],
    folder: Path,
    span: Span,
    *,
    catalog: str | LakeCatalog = "",
    bounds: Bounds = Bounds(),
    keeping: Keeping = Keeping(),
    progress: Progress | None = None,
    stop: anyio.Event | None = None,
) -> HistoryReport:
    """Every event of the span that the targets' histories keep and the lake's windows lack.

    Once `stop` is set nobody is asked any more, and what came is committed. Raises LakeError for a lake that cannot be written;
    what fails for one target is in the report.
    """
    require_libraries()
    collection = await anyio.to_thread.run_sync(_Collection, targets, folder, span, catalog, bounds, keeping, progress)
    with _spool(folder) as spool:
        await collection.run(spool, stop or anyio.Event())
    return await anyio.to_thread.run_sync(collection.ended)


class _Collection:
    """One run; made in a thread, as it opens the lake. Its histories are read on the event loop, its commits made in a thread."""

    def __init__(
        self,
        targets: Sequence[tuple[Target, AuditTrail]],
        folder: Path,
        span: Span,
        catalog: str | LakeCatalog,
        bounds: Bounds,
        keeping: Keeping,
        progress: Progress | None,
    ) -> None:
        self._began = monotonic()
        self._folder, self._catalog, self._bounds, self._progress = folder, catalog, bounds, progress
        self._keeping = keeping
        self._span = span
        self._targets = targets
        with closing(LakeTable.open(folder, catalog=catalog, create=True)) as table:
            self._windows = Windows.of_table(table)
        self._todo = [(target, trail, gaps) for target, trail in targets if (gaps := self._missing(target))]
        self._report = HistoryReport(asked=len(self._todo))
        self._reading: set[History] = set()
        self._pieces: list[Piece] = []
        self._spooled = 0
        self._requests = 0
        self._done = 0
        self._broken: LakeError | None = None
        self._changed = anyio.Event()

    def _missing(self, target: Target) -> list[Span]:
        """Of the span, but for what is too old to go in."""
        spans = covered(self._windows.of(target.account.key), target)
        first = self._keeping.first_day(target.account.id, datetime.now(UTC))
        return [gap for wanted in since(first, [self._span]) for gap in missing(spans, wanted)]

    async def run(self, spool: Path, stop: anyio.Event) -> None:
        """Raises LakeError."""
        async with anyio.create_task_group() as group:
            scope = anyio.CancelScope()
            group.start_soon(self._read_all, spool, scope)
            group.start_soon(self._stop_at, stop, scope)
            try:
                await self._commit_all()
            except LakeError as error:
                self._broken = error
            group.cancel_scope.cancel()  # who waits for the stop, and where the lake is broken who reads on
        if self._broken:
            raise self._broken

    async def _commit_all(self) -> None:
        """What came, again and again, until nothing more can come."""
        pause = _FIRST_COMMIT_SECONDS
        while (self._done < len(self._todo) or self._pieces) and not self._broken:
            with anyio.move_on_after(pause):
                while self._done < len(self._todo) and self._spooled < _MAX_SPOOLED and not self._broken:
                    await self._changed.wait()
            for history in self._reading:
                self._take(history.cut())
            if pieces := self._pieces:
                self._pieces = []
                await anyio.to_thread.run_sync(self._commit, pieces)
                self._spooled -= sum(piece.log.bytes for piece in pieces if piece.log)
                self._change()
                pause = min(2 * pause, _COMMIT_SECONDS)

    def ended(self) -> HistoryReport:
        """The report, with what is left; in a thread."""
        lacking = ((target, self._missing(target)) for target, _ in self._targets)
        self._report.collection.seconds = monotonic() - self._began
        self._report.left = [(target, gaps) for target, gaps in lacking if gaps]
        return self._report

    @staticmethod
    async def _stop_at(stop: anyio.Event, scope: anyio.CancelScope) -> None:
        await stop.wait()
        scope.cancel()

    async def _read_all(self, spool: Path, scope: anyio.CancelScope) -> None:
        limiter = anyio.CapacityLimiter(_TARGETS_AT_ONCE)
        end = anyio.current_time() + self._bounds.seconds if self._bounds.seconds else float("inf")
        with scope:
            async with anyio.create_task_group() as group:
                for number, (target, trail, gaps) in enumerate(self._todo):
                    history = History(target, trail, gaps, spool / f"{number:06d}")
                    group.start_soon(self._read, history, limiter, end)
        self._done = len(self._todo)  # those too that were stopped before their turn
        self._change()

    async def _read(self, history: History, limiter: anyio.CapacityLimiter, end: float) -> None:
        async with limiter:
            self._reading.add(history)
            try:
                with anyio.CancelScope(deadline=end):
                    await self._read_pages(history)
            except LakeError as error:
                self._broken = error
            except CrosstrailError as error:
                self._report.failures.append((history.target, error))
            finally:
                self._reading.discard(history)
                self._take(history.cut())
                history.drop()
                self._done += 1
                self._change()
                if self._progress:
                    self._progress(self._done, len(self._todo))

    async def _read_pages(self, history: History) -> None:
        while not history.ended and not (0 < self._bounds.requests <= self._requests):
            while self._spooled >= _MAX_SPOOLED:
                await self._changed.wait()
            self._requests += 1
            before = history.spooled
            for piece in await history.read_page(in_one_request=bool(self._bounds.requests)):
                self._take(piece)
            self._spooled += history.spooled - before
            self._change()

    def _take(self, piece: Piece | None) -> None:
        if piece:
            self._pieces.append(piece)
            self._report.events += piece.events

    def _change(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    def _commit(self, pieces: Sequence[Piece]) -> None:
        """Events first, then that they are whole: windows of which a record could not be read are asked for again."""
        source = HistorySource(pieces)
        unread: set[str] = set()
        if logs := [piece.log for piece in pieces if piece.log]:
            report = collect(source, self._folder, catalog=self._catalog, workers=1, keeping=self._keeping)
            self._report.collection.add(report)
            with closing(Ledger(self._folder)) as ledger:
                unread = {log.key for log in ledger.unknown(logs)} if report.problem_count else unread
                # Windows say what was read. Each piece has a name of its own, so its row would never be looked for again.
                ledger.drop(logs, f"{LOOKUP_EVENTS}:", _ROWS_SECONDS)
            for log in logs:
                Path(log.path).unlink(missing_ok=True)
        self._windows.add(one.window for one in pieces if one.window and not (one.log and one.log.key in unread))


@contextmanager
def _spool(folder: Path) -> Iterator[Path]:
    """A folder for this run's files; those of runs that died are removed. Raises LakeError."""
    top = folder / "spool" / _SPOOL
    with reading("the lake's folder"):
        private.make_folder(top)
        for old in top.glob("*.lock"):
            if not is_taken(old):
                shutil.rmtree(old.with_suffix(""), ignore_errors=True)
                old.unlink(missing_ok=True)
        own = top / uuid.uuid4().hex
        lock = own.with_suffix(".lock")
        private.create(own.with_suffix(".new"))
        held = take(own.with_suffix(".new"))
        own.with_suffix(".new").rename(lock)  # from now on whoever finds it finds it locked
        private.make_folder(own)
    try:
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)
        lock.unlink(missing_ok=True)
        held.close()
