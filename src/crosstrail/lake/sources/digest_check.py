"""Log objects of another source, each checked against the digests of its archive before it is read.

What is checked is the very bytes that are read afterwards. An object that fails does not come in, unless it is asked for: then
its rows say that it failed.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from crosstrail.clouds.integrity import ArchiveProofs
from crosstrail.lake.sources.base import Fetched, Found, Known, ListedFolder, LogObject, LogSource, State
from crosstrail.lake.sources.spool import opened

_CHUNK = 64 * 1024


class DigestCheckedSource:
    """See LogSource."""

    def __init__(self, source: LogSource, proofs: ArchiveProofs, *, keep_failed: bool = False) -> None:
        self._source = source
        self._proofs = proofs
        self._keep_failed = keep_failed
        self._lock = threading.Lock()
        self.counts: Counter[bool | None] = Counter()
        """Objects by what their check gave."""

    def find(self, lake: Path, known: Known, scope: str) -> Found:
        return self._source.find(lake, known, scope)

    def listed(self) -> Sequence[ListedFolder]:
        return self._source.listed()

    def fetch(self, objects: Sequence[LogObject], folder: Path) -> Fetched:
        fetched = self._source.fetch(objects, folder)
        kept: list[LogObject] = []
        failed: list[tuple[LogObject, str, State]] = list(fetched.failed)
        for log in fetched.objects:
            verified, reason = self._checked(log)
            with self._lock:
                self.counts[verified] += 1
            if verified is False and not self._keep_failed:
                failed.append((log, f"failed verification: {reason}", "failed"))
            else:
                kept.append(log._replace(verified=verified))
        return Fetched(tuple(kept), tuple(failed))

    def _checked(self, log: LogObject) -> tuple[bool | None, str]:
        try:
            return self._proofs.check(log.name, _chunks(log))
        except OSError:
            return None, "cannot be read"


def _chunks(log: LogObject) -> Iterator[bytes]:
    with opened(log) as file:
        while chunk := file.read(_CHUNK):
            yield chunk
