"""What a collection has to read: what its source finds, without what the ledger knows. It reads nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from crosstrail.lake.ledger import Ledger
from crosstrail.lake.sources.base import Found, LogObject, LogSource


class Search:
    """One walk over a source, for one set of accounts (`scope`). `known` and `total` count objects found so far: those that were
    read before, and the others."""

    def __init__(self, source: LogSource, folder: Path, ledger: Ledger, scope: str) -> None:
        self.source = source
        self.ledger = ledger
        self.found = Found()
        self.known = 0
        self.total = 0
        self._folder = folder
        self._scope = scope

    def unknown(self) -> Iterator[LogObject]:
        """From the beginning; no batch of the source is held longer than it takes."""
        self.known = self.total = 0
        self.found = self.source.find(self._folder, self.ledger, self._scope)
        for batch in self.found.batches:
            scoped = [one._replace(scope=self._scope) for one in batch] if self._scope else batch
            unknown = self.ledger.unknown(scoped)
            self.known += len(scoped) - len(unknown)
            self.total += len(unknown)
            yield from unknown

    def end(self) -> None:
        """Everything that was found is in the ledger: the next search of it may begin where this one ended."""
        self.ledger.listed(self.source.listed(), self._scope)
