"""What the proof of an archive is, whichever cloud signs it: what is asked, what was found, and what proves it.

A cloud that signs what it delivers has an `Integrity` (see clouds/base.py). It reads an archive through `ArchiveObjects` alone,
so a folder and a bucket are verified by the same code. Nothing here knows a cloud's layout, a signature or a library.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

from crosstrail.accounts.broker import AnyBroker
from crosstrail.models import Account

__all__ = [
    "ArchiveObjects",
    "ArchiveProofs",
    "AskedSpan",
    "DigestSpan",
    "FindingFormat",
    "FindingKind",
    "Integrity",
    "IntegrityFinding",
    "KeyFile",
    "ListedObject",
    "Narrowed",
    "ObjectBody",
    "OnlineKeys",
    "Selection",
    "Verdict",
]


class FindingKind(StrEnum):
    """What a finding is about."""

    DIGEST = "digest"
    LOG = "log"
    GAP = "gap"


class Verdict(StrEnum):
    """What was found of one object, or of one span of time (`gap`)."""

    VALID = "valid"
    MODIFIED = "modified"
    """Its content is not what was signed."""
    DELETED = "deleted"
    MOVED = "moved"
    FORGED = "forged"
    """Its signature was made with another key than the cloud's."""
    APPENDED = "appended"
    """What was signed is whole, and more follows it."""
    UNLISTED = "unlisted"
    """No digest of its time names it."""
    GAP = "gap"
    """Nothing was delivered in that span."""
    MISSING = "missing"
    """Digests that should be there by now are not."""
    UNCOVERED = "uncovered"
    """Nothing proves it, and nothing speaks against it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrityFinding:
    """One line of an answer. `object` is the address of the object, or of the trail's digests for a span of time."""

    object: str
    kind: FindingKind
    verdict: Verdict
    reason: str = ""
    """Empty for what is valid. Parts of it come out of the archive: clean it before it is shown."""
    fault: str = ""
    """A short word for the kind of fault, for a cloud's own format."""
    account: str = ""
    region: str = ""
    trail: str = ""
    """NAME_HOMEREGION, or however the cloud tells trails of one account and region apart."""
    late: bool = False
    """Of a chain of digests that were made later (backfill)."""
    start: datetime | None = None
    end: datetime | None = None
    asked: bool = True
    """Whether it lies in the asked span: what was delivered too late for any digest yet does not."""

    @property
    def proved(self) -> bool:
        return self.verdict is Verdict.VALID


@dataclass(frozen=True, slots=True)
class ListedObject:
    key: str
    bytes: int


@dataclass(frozen=True, slots=True)
class ObjectBody:
    """One object as it is stored. `chunks` can be read once."""

    metadata: Mapping[str, str]
    """What its writer said of it, by names in lower case; nothing where the archive keeps none."""
    chunks: Iterator[bytes]


class ArchiveObjects(Protocol):
    """An archive below one prefix. Called from many threads. Keys are whole, from the root of the bucket on.

    Reading raises ObjectNotFound where there is none; it and listing raise another CrosstrailError for what cannot be read.
    Nothing outside of the archive is ever read.
    """

    @property
    def bucket(self) -> str | None:
        """None where nobody can tell, as of a folder."""
        ...

    @property
    def prefix(self) -> str:
        """What every key begins with: empty, or ending in a slash."""
        ...

    @property
    def has_metadata(self) -> bool:
        """Whether objects come with the metadata they were delivered with."""
        ...

    def address(self, key: str) -> str:
        """How a reader calls the object."""
        ...

    def folders(self, prefix: str) -> Sequence[str]:
        """The common prefixes one level below `prefix`, each whole and ending in a slash, in order."""
        ...

    def objects(self, prefix: str, after: str = "") -> Iterator[ListedObject]:
        """Every object whose key begins with `prefix`, in order of keys; with `after`, those after it."""
        ...

    def read(self, key: str) -> ObjectBody: ...


@dataclass(frozen=True, slots=True)
class Narrowed:
    """An archive's own prefix, and the account and region within it that a longer prefix names."""

    prefix: str
    account: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """Of accounts or regions: names and globs; no pattern selects all."""

    patterns: tuple[str, ...] = ()

    def has(self, name: str) -> bool:
        return not self.patterns or any(fnmatchcase(name, one) for one in self.patterns)

    def absent(self, found: Sequence[str]) -> tuple[str, ...]:
        """The patterns that select none of these."""
        return tuple(one for one in self.patterns if not any(fnmatchcase(name, one) for name in found))


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedSpan:
    """Which accounts, regions and times are to be proved. Times are aware, in UTC; without `since` from the first digest on."""

    until: datetime
    """The end, `now` at most; digests come after their hour."""
    now: datetime
    since: datetime | None = None
    to_now: bool = False
    """Nobody named an end: what is too young for a digest is told, and does not count."""
    accounts: Selection = field(default_factory=Selection)
    regions: Selection = field(default_factory=Selection)


@dataclass(slots=True)
class KeyFile:
    """What verifies an archive without its cloud: public keys and signatures. `keys` is the cloud's own form of them."""

    keys: dict[tuple[str, str], Mapping[str, object]] = field(default_factory=dict)
    """(region, or empty where the file names none; fingerprint) -> the entry of the list."""
    signatures: dict[str, str] = field(default_factory=dict)
    """Address of an object -> its signature, where the archive keeps no metadata."""


OnlineKeys = Callable[[str, datetime, datetime], Sequence[Mapping[str, object]]]
"""(region, start, end) -> the public keys valid in that span, as the cloud lists them; blocking. Raises CrosstrailError."""


class FindingFormat(Protocol):
    """How a cloud's own tool prints the same findings."""

    def lines(self, findings: Iterator[IntegrityFinding]) -> Iterator[tuple[str, bool]]:
        """(line, whether it goes to stderr); lines of valid objects only where asked for."""
        ...


@dataclass(frozen=True, slots=True)
class DigestSpan:
    """One digest that is proved, as far as it speaks of time."""

    account: str
    region: str
    trail: str
    start: datetime
    end: datetime
    complete: bool
    """Whether every log file that it names is held."""


class ArchiveProofs(Protocol):
    """What the digests of an archive say of its log files, read before these are. Called from many threads."""

    @property
    def findings(self) -> Sequence[IntegrityFinding]:
        """Of digests and gaps: what is not valid."""
        ...

    def check(self, address: str, chunks: Iterable[bytes]) -> tuple[bool | None, str]:
        """(True: the content is what a proved digest names; False: it is not, or no digest of its time names it; None: nothing
        proves it, why not). `address`: as `ArchiveObjects.address` gives it."""
        ...

    def named(self) -> Iterator[tuple[str, str]]:
        """(address, account) of every log file that a proved digest names."""
        ...

    def spans(self, held: Callable[[Sequence[tuple[str, str]]], Collection[str]]) -> Iterator[DigestSpan]:
        """Of every proved digest that speaks for its hour, which one of a backfill does not. `held`: which of the log files that
        `named` gives are held, proved."""
        ...


class Integrity(Protocol):
    """A cloud's capability: it signs what it delivers, so that an archive can be proved."""

    @property
    def format_name(self) -> str:
        """The name of its own tool's format."""
        ...

    def verify(
        self,
        objects: ArchiveObjects,
        asked: AskedSpan,
        keys: KeyFile,
        online: OnlineKeys | None,
        *,
        jobs: int,
        stop: threading.Event,
    ) -> Iterator[IntegrityFinding]:
        """Everything found, while it is found. Fills `keys` with the keys it asked for and the newest signatures."""
        ...

    def proofs(
        self, objects: ArchiveObjects, asked: AskedSpan, keys: KeyFile, online: OnlineKeys | None, stop: threading.Event
    ) -> ArchiveProofs:
        """All digests read and judged, no log file. Memory: 200 bytes for each log file that they name."""
        ...

    def narrowed(self, prefix: str) -> Narrowed:
        """Of a prefix of a bucket, or the path of a folder."""
        ...

    def online_keys(self, broker: AnyBroker, account: Account) -> OnlineKeys:
        """Called on the event loop that asks, with the credentials of that account; what it gives is called from other threads."""
        ...

    def read_keys(self, path: Path) -> KeyFile:
        """Raises ConfigError."""
        ...

    def keys_text(self, keys: KeyFile) -> bytes: ...

    def format(self, asked: AskedSpan, *, verbose: bool) -> FindingFormat: ...
