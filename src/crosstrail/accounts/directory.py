"""The accounts of all sources together, kept for a while.

Decides how old a listing may be, and what happens when a source does not answer: its last listing stands for a limited
time, with a warning; without one the call fails. It never leaves a source out silently, because a `*` that covers fewer
accounts than it seems would read as a clean answer.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import anyio
import anyio.to_thread

from crosstrail.accounts.listing import AccountSource, Listing
from crosstrail.accounts.policy import AccessRule
from crosstrail.accounts.registry import Registry
from crosstrail.errors import AccountsUnavailable, CrosstrailError

_log = logging.getLogger("crosstrail.accounts")
_ASK_AGAIN_SECONDS = 5.0
"""After a failure a source is left alone this long, so that a crowd does not queue at one that is away."""


@dataclass(frozen=True, slots=True)
class AccountList:
    """Every account there is, and what an answer about them must say beside it."""

    registry: Registry
    warnings: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    """Entries of a source that are no account, for whoever keeps that source: the log and `accounts list` tell them."""
    rules: tuple[AccessRule, ...] = ()

    def without_credentials(self) -> AccountList:
        """The same, with nobody's cloud to be asked."""
        return replace(
            self, registry=Registry([one.model_copy(update={"auth": None}) for one in self.registry.accounts])
        )


@dataclass(frozen=True, slots=True)
class _Kept:
    """What one source last said, and how its last asking went; times are the clock's."""

    listing: Listing | None = None
    read_at: float = 0.0
    failure: CrosstrailError | None = None
    failed_at: float = 0.0


class Directory:
    """Fixed listings and sources, merged in their order. One instance serves all calls of a process."""

    def __init__(
        self,
        fixed: Iterable[Listing],
        sources: Iterable[AccountSource],
        *,
        refresh: float = 60.0,
        keep: float = 3600.0,
        wait: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`refresh`: seconds a listing is used before its source is asked again; `keep`: most seconds it is used after
        that source stopped answering; `wait`: most seconds a call waits for the sources."""
        self._fixed = tuple(fixed)
        self._kept = {source: _Kept() for source in sources}
        self._refresh_seconds = refresh
        self._keep_seconds = keep
        self._wait_seconds = wait
        self._clock = clock
        self._lock = threading.Lock()
        self._turn = anyio.CapacityLimiter(1)
        self._told: tuple[str, ...] = ()
        self._merged: tuple[tuple[Listing, ...], Registry] | None = None

    async def listed(self) -> AccountList:
        """The accounts as they are now or were a moment ago. One asking is in flight, off the event loop, for all callers.

        Raises what a source raised when no listing of it is recent enough, ConfigError when two sources name one account.
        """
        if self._due():
            with anyio.move_on_after(self._wait_seconds) as waiting:
                await anyio.to_thread.run_sync(self._ask, limiter=self._turn, abandon_on_cancel=True)
            if waiting.cancelled_caught:
                for source in self._due():
                    self._fail(
                        source, AccountsUnavailable(f"{source.name} did not answer in {self._wait_seconds:.0f} s")
                    )
        listings, warnings = list(self._fixed), list[str]()
        for source, kept in self._kept.items():
            listing, said = self._usable(source, kept)
            listings.append(listing)
            warnings += said
        rules = tuple(rule for listing in listings for rule in listing.rules)
        left_out = tuple(text for listing in listings for text in listing.warnings)
        if left_out != self._told:
            self._told = left_out
            for text in left_out:
                _log.warning("%s", text)
        return AccountList(self._registry(tuple(listings)), tuple(warnings), left_out, rules)

    def _due(self) -> list[AccountSource]:
        now = self._clock()
        return [
            source
            for source, kept in self._kept.items()
            if (kept.listing is None or now - kept.read_at >= max(self._refresh_seconds, source.lifetime))
            and (kept.failure is None or now - kept.failed_at >= _ASK_AGAIN_SECONDS)
        ]

    def _ask(self) -> None:
        """Ask every source that is due; in a thread. Whoever waited for this may be gone: what is learnt is kept."""
        if not self._lock.acquire(timeout=self._wait_seconds):
            return  # an asking that was given up still hangs
        try:
            for source in self._due():
                try:
                    listing = source.read()
                except CrosstrailError as error:
                    self._fail(source, error)
                else:
                    self._kept[source] = _Kept(listing, self._clock())
        finally:
            self._lock.release()

    def _fail(self, source: AccountSource, error: CrosstrailError) -> None:
        self._kept[source] = replace(self._kept[source], failure=error, failed_at=self._clock())

    def _usable(self, source: AccountSource, kept: _Kept) -> tuple[Listing, tuple[str, ...]]:
        """The listing to answer from, and its warnings. Raises the source's failure."""
        failure = kept.failure
        if kept.listing and failure is None:
            return kept.listing, ()
        age = self._clock() - kept.read_at
        if kept.listing and age <= self._keep_seconds:
            stale = f"the accounts of {source.name} are as of {age / 60:.0f} min ago: {failure}"
            return kept.listing, (stale,)
        raise (failure or AccountsUnavailable(f"{source.name} did not answer")).with_traceback(None)

    def _registry(self, listings: tuple[Listing, ...]) -> Registry:
        if self._merged is None or self._merged[0] != listings:
            self._merged = (listings, Registry.merged(listings))
        return self._merged[1]
