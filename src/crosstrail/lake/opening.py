"""The lake's table opened by PyIceberg, after its folder was made and an old or moved one was brought up to date.

Decides when files are named anew and columns added: only for who will write. How files are named anew is relocate.py's.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

from crosstrail import private
from crosstrail.lake.catalog import CATALOG_FILE, check_columns, load, open_catalog
from crosstrail.lake.evolution import bring_up_to_date
from crosstrail.lake.faults import reading
from crosstrail.lake.locations import is_local, local, uri_of
from crosstrail.lake.warehouse import LakeCatalog

if TYPE_CHECKING:
    from pyiceberg.table import Table


def opened_table(folder: Path, place: LakeCatalog, create: bool) -> Table:
    """By PyIceberg. Raises LakeError for a table that is not there, was moved, is damaged or has other columns."""
    with ExitStack() as undo:
        opened = open_catalog(folder, place)
        undo.callback(opened.close)
        table = load(opened, folder, place, create)
        if create and _is_misplaced(table, folder, own=not place.uri):
            from crosstrail.lake.relocate import rename_files

            rename_files(folder, place, moved=False)
            opened = undo.enter_context(closing(open_catalog(folder, place)))
            table = load(opened, folder, place, create=False)
        check_columns(table)
        if create:
            with reading("the lake's table"):
                bring_up_to_date(table)
        undo.pop_all()
    return table


def _is_misplaced(table: Table, folder: Path, *, own: bool) -> bool:
    """Whether the table says it is elsewhere than in its folder, or says it without a scheme."""
    location = table.location()
    return is_local(location) and location != uri_of(folder / "events" if own else local(location))


def make_private(folder: Path, *, own: bool) -> None:
    """The folders and the catalog's file before a library makes them in a mode of its own."""
    private.make_root(folder)
    for below in ("events/metadata", "events/data"):
        private.make_folder(folder / below)
    if own:
        private.create(folder / CATALOG_FILE)
