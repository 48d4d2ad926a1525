"""Staged files into the table, each event once.

Decides which staged events are new: by (cloud, account, event id), against everything committed for those accounts. A
commit holds only when nobody committed since that comparison; otherwise it is made again against the new snapshot. What
becomes of one event's different contents is decided in versions.py; a committed file that such a row lies in is replaced.
"""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crosstrail.errors import LakeBusy
from crosstrail.lake.data_files import sealed, unsealed_stem
from crosstrail.lake.known_names import add_names
from crosstrail.lake.repeats import find_repeats
from crosstrail.lake.table import CommitLost, LakeTable
from crosstrail.lake.versions import Change, Conflict, changed, resolve

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_MAX_TRIES = 60
_LONGEST_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Appended:
    """`known` counts the events that the table had already, or that came twice."""

    new: int
    known: int
    conflicts: tuple[Conflict, ...]


def append(table: LakeTable, staged: Sequence[Path]) -> Appended:
    """Commits the events of `staged` that are new, as one snapshot. Files named by no snapshot are deleted.

    Raises LakeBusy when others kept committing first.
    """
    import pyarrow.parquet as pq

    footers = {str(path): pq.read_metadata(path) for path in staged}
    rows = {path: footer.num_rows for path, footer in footers.items()}
    proved = {path for path, footer in footers.items() if _has_verified(footer)}
    lost: list[Path] = []
    landed: Appended | None = None
    for attempt in range(_MAX_TRIES):
        base = table.snapshot()
        if landed and table.names(lost):
            _delete(set(staged) - set(lost))
            return landed  # the commit that was reported lost had been made
        _delete(set(lost) - set(staged))
        found = find_repeats(table, staged, base)
        repeats = found.repeats
        changes, conflicts = resolve((one for group in repeats.values() for one in group), proved)
        added: list[Path] = []
        for path, count in rows.items():
            dropped = {one.row for one in repeats.get(path, ())}
            if not dropped and path not in changes:
                added.append(Path(path))
            elif len(dropped) < count:
                added.append(_rewritten(path, dropped, changes.get(path, {}), f"{unsealed_stem(Path(path))}-{attempt}"))
        remembered = list(map(str, added))
        replaced = changes.keys() - rows.keys()
        for number, path in enumerate(sorted(replaced)):
            added.append(_rewritten(path, (), changes[path], f"{unsealed_stem(staged[0])}-{attempt}-{number:04d}"))
        known = sum(len(group) for group in repeats.values())
        appended = Appended(sum(rows.values()) - known, known, conflicts)
        try:
            if added:
                table.commit(base, added, replaced)
        except CommitLost:
            lost, landed = added, appended
            time.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.02 * 2**attempt)))  # noqa: S311 - no secret
            continue
        with suppress(OSError):  # the ids are read from the data files when they are asked for next
            table.event_ids.add(found.hashes, remembered)
        with suppress(OSError):  # a list that only completion reads
            add_names(table.folder, added, (file.path for file in reversed(base.files)))
        _delete(set(staged) - set(added))
        return appended
    raise LakeBusy("other processes kept committing to this lake", hint="Collect again: nothing was lost.")


def _delete(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _has_verified(footer: pq.FileMetaData) -> bool:
    """Whether any row of the file is of a log file that a digest proves, as its statistics say."""
    if not footer.num_row_groups:
        return False
    columns = range(footer.num_columns)
    [place] = [one for one in columns if footer.row_group(0).column(one).path_in_schema == "verified"]
    groups = (footer.row_group(number).column(place).statistics for number in range(footer.num_row_groups))
    return any(told and told.has_min_max and told.max for told in groups)


def _rewritten(path: str, dropped: Collection[int], changes: Mapping[int, Change], name: str) -> Path:
    """A file beside that one, with those rows left out and these changed."""
    from crosstrail.lake.schema import ARROW_SCHEMA
    from crosstrail.lake.stage import write_parquet

    copy = Path(path).with_name(f"{name}.parquet")
    write_parquet(changed(path, dropped, changes), copy, ARROW_SCHEMA)
    return sealed(copy)
