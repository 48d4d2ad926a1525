"""`crosstrail help`: what there is to read about a command or a topic. A command's own help comes first, then the page of its name."""

from __future__ import annotations

import difflib

import click

from crosstrail.cli.command import Command
from crosstrail.cli.statuses import DONE


@click.command(cls=Command)
@click.argument("topic", nargs=-1)
@click.pass_context
def help(ctx: click.Context, topic: tuple[str, ...]) -> int:  # a command is named as its function
    """Explain a command, such as `accounts add`, or a topic of the documentation.

    Without a topic, list all commands; `crosstrail docs` lists the topics.
    """
    from crosstrail.cli.page_view import show_markdown
    from crosstrail.cli.words import out
    from crosstrail.documentation import CHINESE, page, topics
    from crosstrail.settings.language_settings import reads_chinese

    top = ctx.find_root()
    if not topic:
        out(top.get_help())
        return DONE
    found = _command(top, topic)
    read = "-".join(topic).lower()
    if found is not None:
        out(found.get_help())
    if read in topics():
        if found is not None:
            out("")
        show_markdown(page(read, CHINESE if reads_chinese() else "").text)
    elif found is None:
        raise click.UsageError(_unknown(top, topic))
    return DONE


def _command(top: click.Context, words: tuple[str, ...]) -> click.Context | None:
    """The context of the command that these words name; None where they name none."""
    context = top
    for word in words:
        group = context.command
        command = group.get_command(context, word) if isinstance(group, click.Group) else None
        if command is None:
            return None
        context = command.context_class(command, parent=context, info_name=word)
    return context


def _unknown(top: click.Context, words: tuple[str, ...]) -> str:
    from crosstrail.documentation import topics

    asked = " ".join(words)[:60]
    known = {*topics(), *_paths(top.command, top)}
    close = difflib.get_close_matches(asked.lower(), sorted(known), 1, 0.5)
    nearest = f" Did you mean {close[0]}?" if close else ""
    return f"There is no command and no topic {asked}.{nearest} `crosstrail help` lists commands, `crosstrail docs` topics."


def _paths(command: click.Command, context: click.Context, before: str = "") -> list[str]:
    """The words of every command below this one."""
    if not isinstance(command, click.Group):
        return []
    found: list[str] = []
    for name in command.list_commands(context):
        path = f"{before} {name}".strip()
        below = command.get_command(context, name)
        found += [path, *(_paths(below, context, path) if below is not None else [])]
    return found
