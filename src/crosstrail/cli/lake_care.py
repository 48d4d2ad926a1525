"""`crosstrail lake`: what the lake as a whole needs, now and then."""

from __future__ import annotations

import click

from crosstrail.cli import with_settings
from crosstrail.cli.statuses import DONE
from crosstrail.cli.words import out
from crosstrail.settings.config import Settings


@click.group()
def lake() -> None:
    """Care for the lake: move it, bring an old one up to date."""


@lake.command("migrate")
@with_settings
def migrate(settings: Settings) -> int:
    """Name the files of an old lake by URIs (file:///...), as Trino and Athena want them.

    Lists of files are written anew; no event is copied or read, and queries go on meanwhile. A lake that is written by
    `collect` is brought up to date by that.
    """
    return _renamed(settings, moved=False)


@lake.command("move")
@with_settings
def move(settings: Settings) -> int:
    """Name the files of a lake where they lie now, after its folder was moved or copied.

    `lookup`, `query` and `collect` read a moved lake without that, and `collect` does it by itself; other programs that read
    the table need it. With a catalog server, move the folder first, then run this with --lake NEW-FOLDER.
    """
    return _renamed(settings, moved=True)


def _renamed(settings: Settings, *, moved: bool) -> int:
    from crosstrail.lake import require_libraries
    from crosstrail.lake.relocate import rename_files
    from crosstrail.workspace.lake_catalog import opened_catalog

    require_libraries()
    folder = settings.lake.folder.resolve()
    with opened_catalog(settings) as catalog:
        done = rename_files(folder, catalog, moved=moved)
    out(f"{'Its files are named where they are now' if done else 'Nothing to do: its files are named right'}: {folder}")
    return DONE
