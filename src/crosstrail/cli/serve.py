"""`crosstrail serve`: the MCP tools over stdio."""

from __future__ import annotations

import logging
import sys

import click

from crosstrail.cli import Settings, with_settings
from crosstrail.estate import Estate


@click.command()
@click.option("--demo", is_flag=True, help="Serve the made-up organisation of `crosstrail demo`.")
@with_settings
def serve(settings: Settings, demo: bool) -> None:
    """Serve the MCP tools to one client over stdin and stdout; what is logged goes to stderr."""
    from crosstrail.server.app import create_server

    logging.basicConfig(
        stream=sys.stderr, level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s"
    )
    if demo:
        from crosstrail.demo import prepare

        settings = prepare()
    create_server(Estate(settings)).run("stdio")
