"""Who is writing data files right now, so that the files of a run that died can be told from those of one that lives.

Each run holds a lock on a file of its own; the lock ends with its process, however that ends. Leftovers are data files
that begin with a dead run's name and stand in no snapshot.
"""

from __future__ import annotations

import shutil
import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

from crosstrail import private
from crosstrail.lake.locks import is_taken, take
from crosstrail.lake.table import LakeTable

RUNS_FOLDER = "runs"
SPOOL_FOLDER = "spool"
"""Of the bytes of log objects that were fetched and are not read yet: a folder for each job, named after its run."""
_UNLOCKED = ".new"


class Run:
    """A context: inside, `name` is this run's; on entry, what dead runs left is removed."""

    def __init__(self, table: LakeTable) -> None:
        self.name = uuid.uuid4().hex
        self._table = table
        self._folder = table.folder / RUNS_FOLDER
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> Run:
        private.make_folder(self._folder)
        unlocked = self._folder / f"{self.name}{_UNLOCKED}"
        private.create(unlocked)
        self._lock = take(unlocked)
        try:
            unlocked.rename(self._folder / self.name)
            self._remove_leftovers()
        except BaseException:
            self._lock.close()  # the file stays: whoever comes next takes it for a dead run's
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            with self._lock:  # given up also where the table cannot be read: then the next run removes the files
                if kind:
                    self._remove_files({self.name})
                (self._folder / self.name).unlink(missing_ok=True)

    def _remove_leftovers(self) -> None:
        dead = {path.name for path in self._folder.iterdir() if path.name != self.name and _is_dead(path)}
        if dead:
            self._remove_files(dead)
            for name in dead:
                (self._folder / name).unlink(missing_ok=True)

    def _remove_files(self, runs: set[str]) -> None:
        for spool in (self._table.folder / SPOOL_FOLDER).glob("*-*"):
            if spool.name.partition("-")[0] in runs:
                shutil.rmtree(spool, ignore_errors=True)
        self._table.delete(self._table.leftovers(runs))


def _is_dead(path: Path) -> bool:
    """Whether nobody holds the lock of that run. A run that has not got as far as locking counts as living."""
    with suppress(OSError):
        return not path.name.endswith(_UNLOCKED) and not is_taken(path)
    return False
