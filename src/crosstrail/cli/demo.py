"""`crosstrail demo`: what can be asked of it; demo_tour.py shows it."""

from __future__ import annotations

from pathlib import Path

import click

from crosstrail.cli.command import Command


@click.command(cls=Command)
@click.option(
    "--folder", metavar="FOLDER", type=click.Path(path_type=Path), help="Make it here, not in the user's cache."
)
def demo(folder: Path | None) -> int:
    """See it work: a made-up organisation, an incident, five questions asked over MCP, and what the rules find."""
    from crosstrail.cli.demo_tour import show_demo

    return show_demo(folder)
