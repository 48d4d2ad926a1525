"""Which data files a compiled statement reads, of the lake as it is and as it was, and that they are on this machine.

Decides nothing about statements: which accounts, which event times, and when it is asked for. Heavy libraries are loaded when
there is a lake to open.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from crosstrail.engines.jobs import CompiledQuery
from crosstrail.errors import LakeError
from crosstrail.timerange import iso

if TYPE_CHECKING:
    from crosstrail.lake.snapshot import LakeFile
    from crosstrail.lake.warehouse import LakeCatalog


@dataclass(frozen=True, slots=True)
class LakeReading:
    """`past`: the files of each time at which the lake is read as it was. `table`: its id, and `snapshot` that of the one snapshot
    that names the newest files, or, where these are not read, the first past ones."""

    newest: tuple[LakeFile, ...]
    past: tuple[tuple[LakeFile, ...], ...] = ()
    table: str = ""
    snapshot: int | None = None

    @property
    def files(self) -> tuple[LakeFile, ...]:
        """All of them, each once."""
        return tuple({file.path: file for files in (self.newest, *self.past) for file in files}.values())

    @property
    def bytes(self) -> int:
        """Of all of them: what is read at most."""
        return sum(file.bytes for file in self.files)


def files_of(
    folder: Path,
    catalog: str | Callable[[], LakeCatalog],
    as_of: datetime | None,
    prepared: CompiledQuery,
    ready: Callable[[LakeReading], bool],
    only: Callable[[LakeFile], bool] | None = None,
) -> LakeReading:
    """`only`: which of the newest files are read, else all of these accounts and times. `as_of`: what `prepared` calls the newest is the lake as it was then. `ready` is asked before files are fetched whether
    they are to be, and may raise. Raises LakeError, also for a time before the oldest snapshot that is kept, and what opening
    and fetching raise."""
    from crosstrail.lake.catalog import has_lake
    from crosstrail.lake.sound_files import check_sound
    from crosstrail.lake.table import LakeTable
    from crosstrail.lake.warehouse import LakeCatalog

    nothing = LakeReading((), tuple(() for _ in prepared.past))
    if not prepared.accounts:
        return nothing
    if as_of and (late := [one for one in prepared.past if one > as_of]):
        raise LakeError(f"the lake is read as it was at {iso(as_of)} (lake.as_of), and {iso(late[0])} is later")
    place = catalog() if callable(catalog) else LakeCatalog(catalog)
    if not place.uri and not has_lake(folder):
        return nothing
    past: list[tuple[LakeFile, ...]] = []
    first: int | None = None
    for moment in prepared.past:
        with closing(LakeTable.open(folder, catalog=place, as_of=moment)) as then:
            past.append(then.files(prepared.accounts, prepared.span))
            first = first or then.snapshot().id
    with closing(LakeTable.open(folder, catalog=place, as_of=as_of)) as table:
        while True:  # as long as somebody commits between the looks
            snapshot = table.snapshot().id
            newest = table.files(prepared.accounts, prepared.span) if prepared.newest else ()
            if only:
                newest = tuple(filter(only, newest))
            reading = LakeReading(newest, tuple(past), table.uuid, snapshot if prepared.newest else first)
            if not ready(reading):
                return reading
            table.fetch(reading.files)
            if table.snapshot().id == snapshot:
                check_sound(reading.files)
                return reading
