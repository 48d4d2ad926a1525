"""`crosstrail demo`: the made-up organisation, asked five questions over MCP, on the terminal.

Decides how the demo looks, and its exit status: 1 when an answer is not what happened. On a terminal long lines are
cropped to its width and long tables cut; into a pipe every answer goes whole.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import anyio
import click
from rich.console import Console
from rich.padding import Padding
from rich.syntax import Syntax
from rich.text import Text

from crosstrail.demo.client import connected
from crosstrail.demo.incident import incident
from crosstrail.demo.investigation import Exchange, Findings, Investigation
from crosstrail.demo.prepared import Prepared, prepared
from crosstrail.server.render import clean

_ROWS_SHOWN = 12
_OBJECT_LINES_SHOWN = 8
_BAR = "│ "


@click.command()
@click.option(
    "--folder", metavar="FOLDER", type=click.Path(path_type=Path), help="Make it here, not in the user's cache."
)
def demo(folder: Path | None) -> int:
    """See it work: a made-up organisation, an incident, and five questions asked over MCP."""
    began = monotonic()
    console = Console(highlight=False)
    made = _prepare(console, folder)
    arguments = ["serve", "--config", str(made.config)] if folder else ["serve", "--demo"]
    wrong = anyio.run(_investigate, console, arguments)
    if wrong:
        console.print(Text(f"\nThis answer is not what happened: {wrong}.", style="bold red"))
        return 1
    _show_snippet(console, arguments)
    console.print(
        Text(f"{monotonic() - began:.1f} s in all. The log files and the lake are in {made.folder}", style="dim")
    )
    return 0


def _prepare(console: Console, folder: Path | None) -> Prepared:
    """Make the organisation, or find it made, and say what there is."""
    with console.status("Looking for the organisation") as status:
        made = prepared(folder, lambda words: status.update(words))
    figures = made.figures
    console.print(Text.assemble("\n", ("crosstrail demo", "bold cyan")))
    _say(console, "A made-up organisation: three AWS accounts and one Volcengine account, thirty days, one incident.")
    if made.fresh:
        took = f"generated in {figures.generated_seconds:.1f} s and collected into a lake in {figures.collected_seconds:.1f} s"
    else:
        took = "collected into a lake by an earlier run"
    _say(console, f"{figures.events:,} events from {figures.files:,} log files, {took}.")
    return made


async def _investigate(console: Console, arguments: list[str]) -> str:
    """Ask and show everything; what is wrong with an answer, or nothing."""
    began = monotonic()
    async with connected(arguments) as connection:
        _say(
            console,
            f"Serving over stdio: python -m crosstrail {' '.join(arguments)} ({connection.tools} tools, "
            f"MCP {connection.protocol}, ready in {monotonic() - began:.1f} s).",
        )
        investigation = Investigation(connection.call_tool, incident())
        asked_at, number = monotonic(), 0
        async for exchange in investigation.ask():
            number += 1
            _show(console, number, exchange, monotonic() - asked_at, investigation.findings)
            if exchange.wrong:
                return exchange.wrong
            asked_at = monotonic()
    console.print()
    _heading(console, "What happened")
    _say(console, investigation.findings.conclusion())
    return ""


def _show(console: Console, number: int, exchange: Exchange, seconds: float, findings: Findings) -> None:
    """The question, the call, and the answer as the agent gets it, with the thread of the case marked."""
    console.print()
    _heading(console, f"{number}  {exchange.question}")
    arguments = dict(exchange.arguments)
    sql = arguments.pop("sql", "")
    call = Text(exchange.tool, style="green")
    for name, value in arguments.items():
        call.append(f"  {name}=", style="dim").append(json.dumps(value))
    call.append(f"  {seconds * 1000:.0f} ms", style="dim")
    console.print(Padding(call, (0, 0, 0, 3)))
    if sql:
        shown = Syntax(sql, "sql", theme="ansi_dark", background_color="default", word_wrap=True)
        console.print(Padding(shown, (0, 0, 0, 5)))
    marks = [findings.access_key, findings.address] if findings.stopped else []
    for line in _answer(exchange.answer, console.width - 5 if console.is_terminal else 0):
        line.highlight_words(marks, "bold yellow")
        console.print(Text.assemble("   ", (_BAR, "cyan"), line), soft_wrap=True)


def _answer(answer: str, width: int) -> Iterator[Text]:
    """The answer's lines, cut to the width; all of them, whole, when the width is 0."""
    lines = answer.splitlines()
    fences = [place for place, line in enumerate(lines) if line.startswith(("--- log data", "--- end"))]
    last_shown = fences[0] + 1 + _ROWS_SHOWN if len(fences) == 2 and width else len(lines)
    for place, line in enumerate(lines):
        inside = len(fences) == 2 and fences[0] < place < fences[1]
        if inside and place > last_shown:
            if place == last_shown + 1:
                yield Text(f"… {fences[1] - place} more rows", style="dim italic")
        elif width and inside and line.startswith("{"):
            yield from _folded(line, width)
        else:
            text = Text(clean(line), style="dim" if place in fences else "")
            if width:
                text.truncate(width, overflow="ellipsis")
            yield text


def _folded(line: str, width: int) -> Iterator[Text]:
    """A whole event over some lines, the first of them."""
    pieces = [line[start : start + width] for start in range(0, len(line), width)]
    yield from (Text(clean(piece)) for piece in pieces[:_OBJECT_LINES_SHOWN])
    if len(pieces) > _OBJECT_LINES_SHOWN:
        left = len(line) - width * _OBJECT_LINES_SHOWN
        yield Text(f"… {left} more characters", style="dim italic")


def _show_snippet(console: Console, arguments: list[str]) -> None:
    """What to put into an MCP client's configuration to ask this organisation oneself."""
    script = Path(sys.executable).with_name("crosstrail")
    command = [str(script)] if script.exists() else [sys.executable, "-m", "crosstrail"]
    server = {"command": command[0], "args": [*command[1:], *arguments]}
    snippet = json.dumps({"mcpServers": {"crosstrail-demo": server}}, indent=2)
    console.print()
    _heading(console, "Ask it yourself: put this into your MCP client's configuration")
    console.print(Padding(Text(snippet), (0, 0, 1, 3)), soft_wrap=True)


def _heading(console: Console, words: str) -> None:
    console.print(Text(words, style="bold cyan"))


def _say(console: Console, words: str) -> None:
    console.print(Padding(Text(words), (0, 0, 0, 3)))
