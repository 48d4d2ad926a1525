"""When a collection commits: often enough that a kill costs little work, seldom enough that comparing ids does.

A commit compares the ids that it brings with all that the lake holds of their accounts, which takes longer the more that is:
a second of a processor for 100,000,000 events whose hashes are written down, minutes once where they are not. So commits are at
least four times as long apart as the last one took, up to a number of events; of most lakes, where it takes less than a second,
nothing changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

_ROWS = 250_000
_SECONDS = 10.0
_APART = 4
MOST_ROWS = 2_000_000
"""Twenty bytes of each are held while they are compared."""


class CommitPace:
    """Of one collection."""

    def __init__(self) -> None:
        self._committed_at = monotonic()
        self._took = 0.0

    def is_due(self, rows: int) -> bool:
        """Whether so many events are worth a commit now."""
        waited, pause = monotonic() - self._committed_at, _APART * self._took
        return rows >= MOST_ROWS or waited > max(_SECONDS, pause) or (rows >= _ROWS and waited >= pause)

    @contextmanager
    def committing(self) -> Iterator[None]:
        """Around each commit."""
        began = monotonic()
        yield
        self._committed_at = monotonic()
        self._took = self._committed_at - began
