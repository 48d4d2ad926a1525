"""What a source of log objects is to the collector.

A source knows which objects there are and brings their bytes into local files, for which reading processes are. It runs in the
collector's process alone, so credentials never leave that; it never parses a record and decides nothing about events. A new
kind of source is one module beside this one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from crosstrail.lake.left_out import Kinds
from crosstrail.models import AccountKey

State = Literal["read", "failed", "denied", "archived", "unavailable", "gone"]
"""`read`: whole, all its events are committed. `failed`: some of it could not be read; the events of the rest are in. What is
`gone` is not asked for again by itself; everything else but `read` is."""


@dataclass(frozen=True, slots=True)
class ListedFolder:
    """How far one folder of a bucket was listed, with everything found there dealt with: of objects of the days from `since` on
    (YYYY-MM-DD; empty: of every day). `newest`: the latest day that both keys and the bucket's own clock tell. `swept`: when
    more than the last days was listed, in seconds since 1970 by this machine's clock."""

    prefix: str
    since: str
    newest: str
    swept: int


class Known(Protocol):
    """What a source may ask of the ledger; `scope` is that of the collection."""

    def listing(self, prefix: str, scope: str) -> ListedFolder | None: ...

    def unfinished(self, prefix: str, scope: str) -> list[tuple[str, int]]: ...


class LogSource(Protocol):
    """One place that log objects come from, opened for one collection."""

    def find(self, lake: Path, known: Known, scope: str) -> Found:
        """Every object that may hold events, in the order in which these happened as far as names tell.

        `lake` is the folder of the lake, for which nothing in it is an object. Raises CrosstrailError where nothing at all
        can be found out, now or while `batches` is read; what is wrong with single objects is in the answer. May be called
        again, for the same from the beginning.
        """
        ...

    def fetch(self, objects: Sequence[LogObject], folder: Path) -> Fetched:
        """The objects, each with the `path` of a local file of its bytes, new ones in `folder`, which the collector removes
        when they were read. Called with one job's objects, of which a few at once exist on the disk."""
        ...

    def listed(self) -> Sequence[ListedFolder]:
        """How far it has listed, once every object of all batches is in the ledger."""
        ...


class LogObject(NamedTuple):
    """One file or object, or one of the equal parts in which the entries of a big zip are read. `stamp` changes when its content may
    have changed. A tuple, since buckets hold millions."""

    path: str
    """Of the local file that holds its bytes; empty before they were fetched."""
    bytes: int
    stamp: str
    named: bool
    """The user named this very file, so it must hold events."""
    part: tuple[int, int] = (0, 1)
    """Which part, of how many."""
    scope: str = ""
    """Tells for which accounts it was read, where not for all: for others it was not read yet."""

    uri: str = ""
    """What it is called where it came from, such as s3://bucket/key; empty for a file, which is called by its path."""
    owner: AccountKey | None = None
    """Whose all of its events are, where that account was asked for them; None: its records say."""
    sha256: str = ""
    """Of its bytes as they are stored, in hex; empty before they were read, and of a part."""
    verified: bool | None = None
    """Whether its content is what a signed digest names; None where that was not tried, or nothing tells."""
    placed: tuple[str, str, str, str] = ("", "", "", "")
    """(cloud, account, region, day as YYYY-MM-DD) as its key says, which is the day of its delivery; empty where it does not."""
    offset: int = -1
    """Where its bytes begin in the local file, which holds those of others too; -1: the whole file is its own. See spool.py."""

    def fetched(self, path: str, offset: int, size: int, stamp: str, sha256: str) -> LogObject:
        """The same with its bytes in a local file."""
        return self._replace(path=path, offset=offset, bytes=size, stamp=stamp, sha256=sha256)

    @property
    def name(self) -> str:
        """Its URI, or its path as text that every program takes, whatever bytes are in it."""
        return self.uri or os.fsencode(self.path).decode("utf-8", "backslashreplace")

    @property
    def key(self) -> str:
        """What the ledger knows it by."""
        part = "" if self.part[1] == 1 else f"#{self.part[0]}/{self.part[1]}"
        return f"{self.name}{part}{self.scope and '@'}{self.scope}"


@dataclass(slots=True)
class Found:
    """What a search came upon. `unreadable` are (path, reason). `left_out` and `unreadable` are whole when `batches` is at its
    end."""

    batches: Iterable[Sequence[LogObject]] = ()
    """The objects, some at a time; read once, and never held whole."""
    roots: tuple[str, ...] = ()
    """The folders and files that were given, links resolved, as text."""
    left_out: Kinds = field(default_factory=dict)
    unreadable: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What of a job's objects can be read now. `failed` are (object, reason, what the ledger calls it)."""

    objects: tuple[LogObject, ...]
    failed: tuple[tuple[LogObject, str, State], ...] = ()


def as_it_is(source: LogSource) -> LogSource:
    """Where nothing stands before a source."""
    return source
