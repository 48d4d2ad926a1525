"""What a collection from a bucket would list and read, found out by listing alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crosstrail.lake.ledger import LEDGER_FILE, Ledger
from crosstrail.lake.sources.base import ListedFolder, LogObject, LogSource


@dataclass(slots=True)
class PlannedFolder:
    """New objects of one account and region (empty where keys do not say), delivered on days from `first` to `last`."""

    cloud: str
    account: str
    region: str
    objects: int = 0
    bytes: int = 0
    first: str = ""
    last: str = ""

    def add(self, log: LogObject) -> None:
        self.objects += 1
        self.bytes += log.bytes
        day = log.placed[3]
        self.first = min(self.first or day, day)
        self.last = max(self.last, day)


@dataclass(slots=True)
class CollectionPlan:
    """`known` counts objects that were read already. `listed_whole`: some have names whose order tells nothing, so that every
    collection lists all of them."""

    folders: list[PlannedFolder] = field(default_factory=list)
    known: int = 0
    listed_whole: bool = False

    @property
    def objects(self) -> int:
        return sum(one.objects for one in self.folders)

    @property
    def bytes(self) -> int:
        return sum(one.bytes for one in self.folders)


class _NothingKnown:
    """The ledger of a lake that is not there."""

    def listing(self, prefix: str, scope: str) -> ListedFolder | None:
        return None

    def unfinished(self, prefix: str, scope: str) -> list[tuple[str, int]]:
        return []

    def unknown(self, objects: Sequence[LogObject]) -> list[LogObject]:
        return list(objects)

    def close(self) -> None:
        pass


def plan(source: LogSource, folder: Path) -> CollectionPlan:
    """Lists, fetches nothing, and writes nothing. Raises what `find` raises."""
    ledger = Ledger(folder) if (folder / LEDGER_FILE).is_file() else _NothingKnown()
    planned = CollectionPlan()
    places: dict[tuple[str, str, str], PlannedFolder] = {}
    flat = ""
    try:
        for batch in source.find(folder, ledger, "").batches:
            new = ledger.unknown(batch)
            flat = flat or next((log.uri for log in batch if not any(log.placed)), "")
            planned.known += len(batch) - len(new)
            for log in new:
                key = log.placed[:3]
                places.setdefault(key, PlannedFolder(*key)).add(log)
    finally:
        ledger.close()
    planned.listed_whole = bool(flat) and not any(flat.startswith(one.prefix) for one in source.listed())
    planned.folders = [places[key] for key in sorted(places)]
    return planned
