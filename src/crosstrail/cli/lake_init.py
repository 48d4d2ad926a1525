"""`crosstrail lake init`: what an engine that runs elsewhere needs to read the lake's table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from crosstrail.cli import with_settings
from crosstrail.cli.command import Command
from crosstrail.cli.statuses import DONE
from crosstrail.cli.words import out, out_document
from crosstrail.errors import ConfigError

if TYPE_CHECKING:
    from crosstrail.settings.config import Settings


@click.command("init", cls=Command)
@click.option("--engine", type=click.Choice(["trino"]), required=True, help="Which engine is to read the lake.")
@click.option("--print", "prints", is_flag=True, help="Print the statement, and run nothing.")
@with_settings
def init(settings: Settings, engine: str, prints: bool) -> int:
    """Make the view through which Trino reads the lake's table, or make it anew, and say whom to let read it.

    The user of trino.user makes it here, and so must be allowed to; for queries that user needs the view alone.
    """
    from crosstrail.engines.trino_view import create_view, grant

    trino = settings.trino
    if not trino.catalog:
        raise ConfigError("trino.catalog is missing", hint="Name the catalog on Trino that has the lake's table.")
    statement = create_view(trino.view_name, trino.table_name)
    if prints:
        out_document(f"{statement};")
        return DONE
    access = trino.access()
    from crosstrail.lake import require_libraries

    require_libraries()
    from crosstrail.engines.trino import require_client

    require_client()
    from crosstrail.engines.trino_init import make_view

    make_view(access, statement)
    view, table = ".".join(trino.view_name), ".".join(trino.table_name)
    out(f"Made the view {view} of {table}. It reads the table as whoever made it (SECURITY DEFINER).")
    out("Let the user that crosstrail asks Trino as read this view and nothing else:")
    out(f"  {grant(trino.view_name)}")
    out(
        f"Leave {table} to administrators: it shows every account, and its hidden columns and its tables of metadata "
        f'("{trino.table_name[2]}$files" and others) show more than that.'
    )
    return DONE
