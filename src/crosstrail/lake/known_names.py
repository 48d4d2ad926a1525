"""Which event names and event sources a lake has met: a small list beside it, for whoever completes what somebody types.

Decides nothing that is answered: the list may lack names, keep those of events that have expired, be deleted at any time, and is
bounded. What reads it loads no library; a commit adds to it what its data files have in two columns.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from crosstrail import private
from crosstrail.text import visible

if TYPE_CHECKING:
    import pyarrow as pa

NAMES_FILE = "names.json"
_MAX_NAMES, _MAX_SOURCES, _MAX_ACCOUNTS = 3_000, 500, 2_000
_MAX_FILES = 200
"""Data files that one commit reads two columns of."""
_MAX_LENGTH = 100
_COLUMNS = ("eventname", "eventsource")
_MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class KnownNames:
    names: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


def known_names(lake: Path) -> KnownNames:
    """Nothing where there is no list, or one that is damaged."""
    with suppress(OSError, ValueError):
        with (lake / NAMES_FILE).open("rb") as file:
            stored = json.loads(file.read(_MAX_BYTES))
        if isinstance(stored, dict):
            return KnownNames(_texts(stored.get("names")), _texts(stored.get("sources")))
    return KnownNames()


def held_accounts(lake: Path) -> list[str]:
    """Ids of accounts that a lake has a folder of: what is told without opening it."""
    found: list[str] = []
    with suppress(OSError):
        for cloud in sorted(os.scandir(lake / "events" / "data"), key=lambda one: one.name):
            if cloud.is_dir():
                found += [unquote(name) for name in sorted(os.listdir(cloud.path))[:_MAX_ACCOUNTS]]
    return found


def add_names(lake: Path, added: Sequence[Path], all_files: Iterable[str]) -> None:
    """After a commit of the files `added`. Where there is no list yet, the newest of `all_files` are read too. Raises OSError."""
    known = known_names(lake)
    paths = [str(path) for path in added]
    if not known.names:
        paths += [path for path in all_files if path not in set(paths)]
    names, sources = set(known.names), set(known.sources)
    before = len(names), len(sources)
    for path in paths[:_MAX_FILES]:
        met_names, met_sources = _read(path)
        names |= set(sorted(met_names - names)[: _MAX_NAMES - len(names)])
        sources |= set(sorted(met_sources - sources)[: _MAX_SOURCES - len(sources)])
    if (len(names), len(sources)) != before:
        _store(lake, KnownNames(tuple(sorted(names)), tuple(sorted(sources))))


def _store(lake: Path, known: KnownNames) -> None:
    new = lake / f"{NAMES_FILE}.{os.getpid()}"
    try:
        private.create(new)
        new.write_text(json.dumps({"names": known.names, "sources": known.sources}, ensure_ascii=False), "utf-8")
        new.replace(lake / NAMES_FILE)
    finally:
        new.unlink(missing_ok=True)


def _read(path: str) -> tuple[set[str], set[str]]:
    """The names and the sources that one file has, by its dictionaries."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, read_dictionary=list(_COLUMNS)) as file:
            read = file.read(columns=list(_COLUMNS))
    except pa.ArrowException as error:
        raise OSError(str(error)) from error
    names, sources = (_listed(read.column(column).chunks) for column in _COLUMNS)
    return names, sources


def _listed(chunks: Iterable[pa.DictionaryArray]) -> set[str]:
    """A log's values are whoever's wrote them: what would move a terminal, or is no name, is left out."""
    values = {value for chunk in chunks for value in chunk.dictionary.to_pylist() if value}
    return {value for value in values if len(value) <= _MAX_LENGTH and visible(value) == value}


def _texts(value: object) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()
