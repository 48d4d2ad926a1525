"""The first answer of a new configuration, by the command that a person would run, and what to run next."""

from __future__ import annotations

import shlex
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import anyio
import click

from crosstrail.cli.cells import wrapped
from crosstrail.cli.statuses import DONE
from crosstrail.cli.translation import translated
from crosstrail.cli.words import out, say
from crosstrail.clients.machine import this_machine
from crosstrail.clients.states import states
from crosstrail.errors import CrosstrailError
from crosstrail.lookup.fanout import lookup_events
from crosstrail.models import AttributeKey, EventQuery, Filter
from crosstrail.settings.config import FILE_NAME, Settings
from crosstrail.settings.environment import environment
from crosstrail.setup.plan import SetupPlan
from crosstrail.text import visible
from crosstrail.timerange import parse_range
from crosstrail.workspace.workspace import Workspace

_SECONDS = 25.0
_MAX_ACCOUNTS = 20


def first_answer(settings: Settings, path: Path, *, live: bool) -> bool:
    """Whether there was one."""
    try:
        arguments = anyio.run(_question, settings, live)
    except CrosstrailError as error:
        say(f"No answer yet: {error.operators_text}")
        return False
    if arguments is None:
        say("No answer yet: no account has an event, or none answered. See what is wrong: crosstrail doctor")
        return False
    from crosstrail.cli import crosstrail

    out("")
    out("A first answer, by this command:")
    click.echo(f"  {visible(_command(arguments, path))}")
    sys.stdout.flush()
    status: object = crosstrail.main([*arguments, "--config", str(path)], "crosstrail", standalone_mode=False)
    return status == DONE


async def _question(settings: Settings, live: bool) -> list[str] | None:
    """Sign-ins of the last day, of the first account that has some; else the newest events of the first that has any."""
    workspace = Workspace(settings)
    login = Filter(AttributeKey.EVENT_NAME, "ConsoleLogin")
    try:
        accounts = (await workspace.listed()).registry.accounts
        found = await workspace.targets_of(accounts[:_MAX_ACCOUNTS], "")
        day = parse_range("24h" if live else "", "", now=datetime.now(UTC), default_age=None)
        queries = [
            (EventQuery(day, (login,), limit=1), ["--name", "ConsoleLogin", *(["--since", "24h"] if live else [])]),
            (EventQuery(limit=1), []),
        ]
        with anyio.move_on_after(_SECONDS):
            for query, options in queries:
                page = await lookup_events(found.targets, query, alone=False)
                for failure in page.failures if not options else ():
                    line("  ", f"{failure.target.account.name}: {failure.error.operators_text}")
                if page.events:
                    event = page.events[0]
                    named = next(one for one in accounts if one.key == (event.cloud, event.account))
                    return ["lookup", "--account", named.name, *options, "--limit", "5"]
        return None
    finally:
        await workspace.aclose()


def next_commands(plan: SetupPlan, path: Path) -> None:
    """Three of them."""
    bucket = next((trail.destination for _, trail in plan.trails if trail.destination), "")
    installed = [one.client.name for one in states(this_machine(environment()), "crosstrail", None) if one.installed]
    collect = ["collect", bucket] if bucket else ["lookup", "--account", "*", "--since", "1h"]
    commands = {
        _command(["doctor"], path): "what works, and what to do about the rest",
        _command(["client", "add", installed[0] if installed else "claude"], path): "for your agent",
        _command(collect, path): "all that a trail has delivered" if bucket else "what happened in the last hour",
    }
    width = max(map(len, commands))
    out("")
    out("Next:")
    for command, about in commands.items():
        click.echo(f"  {visible(command):<{width}}  # {translated(about)}")


def _command(arguments: list[str], path: Path) -> str:
    elsewhere = path.absolute() != Path(FILE_NAME).absolute()
    return shlex.join(["crosstrail", *arguments, *(["--config", str(path)] if elsewhere else [])])


def line(first: str, text: str) -> None:
    """On stderr; `first` stands in front, and what does not fit on a terminal goes on below the text."""
    text = translated(text)
    if not sys.stderr.isatty():
        click.echo(first + visible(text), err=True)
        return
    for one in wrapped(visible(text), shutil.get_terminal_size().columns, first=first, rest=" " * len(first)):
        click.echo(one, err=True)
