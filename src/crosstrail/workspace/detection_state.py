"""What detections have looked at and found before: what makes the next run's findings the new ones alone.

Decides what is new: a match whose rule and event were never recorded, whichever data file it came in, so that neither a file that
comes late nor a compaction, which writes old events into new files, loses or doubles one. A match, its finding, and that a data file
was looked at are written in one transaction; a finding stays until it was printed and, where there is a webhook, sent. A process
killed in between shows it again rather than never. It reads no event and knows no rule.

One SQLite file in the lake's folder. `seen` has the data files by their names, each with the rules that were run on it; `found` a
digest of each match; `waiting` the findings that are still to be printed or sent.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter

from crosstrail import private
from crosstrail.detections.findings import DetectionFinding
from crosstrail.errors import LakeError
from crosstrail.lake import locks
from crosstrail.lake.sqlite_format import check_version, write_schema
from crosstrail.user_folders import data_folder

STATE_FILE = "detections.sqlite"
_LOCK_FILE = "detections.lock"
"""Not the state's own file: on some file systems this lock and SQLite's are one."""
_VERSION = 1
_FOUND_ANEW = "everything is then found once more."
_BUSY_SECONDS = 30
_AT_ONCE = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS lake (uuid TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS begun (yes INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS seen (file TEXT, rules TEXT, PRIMARY KEY (file, rules)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS found (match BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS waiting (
    number INTEGER PRIMARY KEY AUTOINCREMENT, finding TEXT NOT NULL, printed INTEGER NOT NULL, sent INTEGER NOT NULL
);
"""
_FINDING = TypeAdapter(DetectionFinding)


class MatchKey(NamedTuple):
    """What tells one match from every other. `event`: its event's id; of a correlation, that of the event which completed it."""

    rule: str
    cloud: str
    account: str
    event: str

    @property
    def digest(self) -> bytes:
        return hashlib.sha256("\0".join(self).encode(errors="surrogatepass")).digest()[:16]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A finding that is still to be printed or sent."""

    number: int
    finding: DetectionFinding
    printed: bool
    sent: bool


FindingsOf = Callable[[frozenset[MatchKey]], Sequence[DetectionFinding]]
"""The findings that consist of these matches alone."""


def state_folder(lake: Path) -> Path:
    """The lake's; the user's own where that cannot be written. Raises ConfigError."""
    if not lake.is_dir() or os.access(lake, os.W_OK):
        return lake
    name = hashlib.sha256(str(lake.resolve()).encode()).hexdigest()[:16]
    return data_folder("lake.path (CROSSTRAIL_LAKE)") / "detections" / name


@contextmanager
def opened_state(lake: Path, uuid: str = "") -> Iterator[DetectionState]:
    """For one run, which waits for others of the same lake to end. `uuid`: of the lake's table, where there is one. Raises LakeError."""
    folder = state_folder(lake)
    try:
        private.make_root(folder)
        place = folder / STATE_FILE
        for each in (place, folder / _LOCK_FILE):
            private.create(each)
        with locks.take(folder / _LOCK_FILE):
            state = DetectionState(place, uuid)
            try:
                yield state
            finally:
                state.close()
    except sqlite3.Error as error:
        raise LakeError(
            f"what detections found before cannot be read: {error}",
            hint=f"Delete {STATE_FILE} in the lake's folder: {_FOUND_ANEW}",
        ) from error


class DetectionState:
    """Open in one process at a time; used by one thread at a time."""

    def __init__(self, place: Path, uuid: str) -> None:
        self._db = sqlite3.connect(place, timeout=_BUSY_SECONDS, check_same_thread=False, isolation_level=None)
        check_version(self._db, _VERSION, STATE_FILE, without=_FOUND_ANEW)
        write_schema(self._db, _VERSION, _SCHEMA)
        if uuid:
            self._belongs_to(uuid)

    def close(self) -> None:
        self._db.close()

    def _belongs_to(self, uuid: str) -> None:
        """Of a lake that was made anew in the same place, nothing was looked at."""
        before = {one for (one,) in self._db.execute("SELECT uuid FROM lake")}
        if before == {uuid}:
            return
        with self._transaction():
            for table in ("lake", "seen", "found") if before else ():
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - a name of ours
            self._db.execute("INSERT INTO lake VALUES (?)", (uuid,))

    @property
    def has_begun(self) -> bool:
        """Whether somebody watches this lake: from then on whatever comes is new."""
        return self._db.execute("SELECT 1 FROM begun").fetchone() is not None

    def begin(self) -> None:
        self._db.execute("INSERT OR IGNORE INTO begun VALUES (1)")

    def unseen(self, files: Collection[str], rules: str = "") -> set[str]:
        """Those on which these rules never ran; without `rules`, those on which none ever did."""
        sql = "SELECT file FROM seen WHERE rules = ?1 OR ?1 = ''"
        return set(files) - {file for (file,) in self._db.execute(sql, (rules,))}

    def record(
        self, matches: Collection[MatchKey], findings_of: FindingsOf, files: Iterable[str], rules: str, *, sends: bool
    ) -> int:
        """Notes that these rules ran on these files and gave these matches: those never recorded make findings that wait to be
        printed and, with `sends`, sent. How many findings."""
        with self._transaction():
            self.begin()
            fresh = self._fresh(matches)
            findings = findings_of(frozenset(fresh.values())) if fresh else ()
            self._note_found(fresh)
            self._db.executemany(
                "INSERT INTO waiting (finding, printed, sent) VALUES (?, 0, ?)",
                ((_FINDING.dump_json(finding).decode(), not sends) for finding in findings),
            )
            self._db.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", ((file, rules) for file in files))
        return len(findings)

    def take_as_known(self, matches: Collection[MatchKey], files: Iterable[str], rules: str) -> int:
        """The same for what is not to be told: how many matches were not known."""
        with self._transaction():
            self.begin()
            fresh = self._fresh(matches)
            self._note_found(fresh)
            self._db.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", ((file, rules) for file in files))
        return len(fresh)

    def forget_files(self, there: Collection[str]) -> None:
        """All but these: what a compaction replaced comes no more."""
        gone = {file for (file,) in self._db.execute("SELECT file FROM seen")} - set(there)
        with self._transaction():
            self._db.executemany("DELETE FROM seen WHERE file = ?", ((file,) for file in gone))

    def waiting(self) -> list[Waiting]:
        """In the order in which they were found."""
        rows = self._db.execute("SELECT number, finding, printed, sent FROM waiting ORDER BY number")
        return [
            Waiting(number, _FINDING.validate_json(text), bool(printed), bool(sent))
            for number, text, printed, sent in rows
        ]

    def note_all_sent(self) -> None:
        """Where there is nobody to send them to."""
        with self._transaction():
            self._db.execute("UPDATE waiting SET sent = 1 WHERE NOT sent")
            self._db.execute("DELETE FROM waiting WHERE printed")

    def note_printed(self, numbers: Iterable[int]) -> None:
        self._note("printed", numbers)

    def note_sent(self, numbers: Iterable[int]) -> None:
        self._note("sent", numbers)

    def _note(self, what: str, numbers: Iterable[int]) -> None:
        with self._transaction():
            self._db.executemany(f"UPDATE waiting SET {what} = 1 WHERE number = ?", ((one,) for one in numbers))  # noqa: S608
            self._db.execute("DELETE FROM waiting WHERE printed AND sent")

    def _note_found(self, matches: Iterable[bytes]) -> None:
        self._db.executemany("INSERT INTO found VALUES (?)", ((one,) for one in sorted(matches)))

    def _fresh(self, matches: Collection[MatchKey]) -> dict[bytes, MatchKey]:
        """Those never recorded, by their digests."""
        by_digest = {one.digest: one for one in matches}
        digests = list(by_digest)
        for start in range(0, len(digests), _AT_ONCE):
            some = digests[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            for (known,) in self._db.execute(f"SELECT match FROM found WHERE match IN ({marks})", some):  # noqa: S608
                del by_digest[known]
        return by_digest

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
