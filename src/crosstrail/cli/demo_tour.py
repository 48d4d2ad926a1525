"""What `crosstrail demo` shows: the made-up organisation, asked five questions over MCP, on the terminal.

Decides how the demo looks, and its exit status: 1 when an answer is not what happened. On a terminal long lines are
cropped to its width and long tables cut; into a pipe every answer goes whole.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic

import anyio
from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from crosstrail import private
from crosstrail.cli.coverage_picture import PICTURE, print_coverage
from crosstrail.cli.demo_findings import show_findings
from crosstrail.cli.output import table_on_stdout
from crosstrail.cli.translation import translated
from crosstrail.demo.client import connected
from crosstrail.demo.digests import BUCKET
from crosstrail.demo.incident import incident
from crosstrail.demo.investigation import Exchange, Findings, Investigation
from crosstrail.demo.prepared import Prepared, prepared
from crosstrail.json_values import text
from crosstrail.text import clean, visible

_INDENT = 3
_ROWS_SHOWN = 12
_EVENT_LINES_SHOWN = 9
_EVIDENCE_LINES_SHOWN = 3
_DENIED = r"AccessDenied\w*|Client\.Unauthorized\w*|NoPermission|Forbidden\.RAM"


def show_demo(folder: Path | None) -> int:
    """Make it in `folder`, else in the user's cache, and show it. The exit status."""
    began = monotonic()
    console = Console(highlight=False)
    made = _prepare(console, folder)
    arguments = ["serve", "--config", str(made.config)] if folder else ["serve", "--demo"]
    _show_coverage(console, made)
    wrong = anyio.run(_investigate, console, arguments)
    if wrong:
        console.print(Text(f"\nThe demo failed: {wrong}.", style="bold red"))
        return 1
    if not _show_export(console, made):
        console.print(Text("\nThe demo failed: the export could not be made, or is not proved.", style="bold red"))
        return 1
    _show_snippet(console, arguments)
    if wrong := show_findings(partial(_heading, console), partial(_say, console), made):
        console.print(Text(f"\nThe demo failed: {wrong}.", style="bold red"))
        return 1
    console.print()
    _say(console, f"{monotonic() - began:.1f} s in all. The log files and the lake are in {visible(str(made.folder))}")
    return 0


def _prepare(console: Console, folder: Path | None) -> Prepared:
    """Make the organisation, or find it made, and say what there is."""
    with console.status(translated("Looking for the organisation")) as status:
        made = prepared(folder, lambda words: status.update(words))
    figures = made.figures
    _heading(console, "crosstrail demo")
    _say(
        console,
        "A made-up organisation: three AWS accounts, one of Volcengine and one of Alibaba Cloud, "
        f"{figures.days} days, one incident.",
    )
    if made.fresh:
        took = f"generated in {figures.generated_seconds:.1f} s and collected into a lake in {figures.collected_seconds:.1f} s"
    else:
        took = "collected into a lake by an earlier run"
    _say(console, f"{figures.events:,} events from {figures.files:,} log files, {took}.")
    return made


def _show_coverage(console: Console, made: Prepared) -> None:
    """What was proved, and the map of all days."""
    figures = made.figures
    _heading(console, "Is it all there, and untouched?")
    if figures.digests:
        _say(
            console,
            f"Collected from s3://{BUCKET} on loopback and verified: {figures.digests:,} signed digests and {figures.logs:,} log "
            f"files are valid. {'In prod both stop for a while: the day with a gap is not proved.' if figures.gap else ''}",
        )
    console.print()
    print_coverage(made.settings, "", "", ("", ""), replace(table_on_stdout(), form=PICTURE))


def _show_export(console: Console, made: Prepared) -> bool:
    """The intruder's events as a file of evidence, and its check; whether it is proved."""
    _heading(console, "Evidence")
    file = made.folder / "evidence" / "intruder.jsonl"
    private.make_folder(file.parent)
    sql = f"SELECT eventid FROM events WHERE sourceipaddress = '{incident().source_ip}'"  # noqa: S608 - our own
    for arguments in (
        ("export", sql, "-o", str(file), "--overwrite", "--config", str(made.config)),
        ("export", "--check", f"{file}.manifest.json"),
    ):
        _say(console, Text(f"crosstrail {' '.join(map(_quoted, arguments))}", style="green"))
        done = subprocess.run([*_command(), *arguments], capture_output=True, text=True, check=False)  # noqa: S603 - ourselves
        for line in (done.stdout + done.stderr).splitlines()[:_EVIDENCE_LINES_SHOWN]:
            _line(console, Text.assemble(("│ ", "cyan"), clean(line)))
        if done.returncode:
            return False
    if made.figures.digests:
        _say(console, "Verified are those of AWS; Volcengine and Alibaba Cloud sign nothing of what they deliver.")
    return True


def _quoted(argument: str) -> str:
    """As a shell takes it, and a person reads it: SQL has its own single quotes."""
    return f'"{argument}"' if "'" in argument else shlex.quote(argument)


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
    _heading(console, "What happened")
    _say(console, Text(investigation.findings.conclusion(), style="bold"))
    return ""


def _show(console: Console, number: int, exchange: Exchange, seconds: float, findings: Findings) -> None:
    """The question, the call, and the answer as the agent gets it, with the thread of the case marked."""
    _heading(console, f"{number}  {exchange.question}")
    arguments = dict(exchange.arguments)
    sql = text(arguments.pop("sql", ""))
    call = Text(exchange.tool, style="green")
    for name, value in arguments.items():
        call.append(f"  {name}=", style="dim").append(json.dumps(value), style="default")
    call.append(f"  {seconds * 1000:.0f} ms", style="dim")
    _say(console, call)
    if sql:
        highlighted = Syntax(sql, "sql", theme="ansi_dark", background_color="default").highlight(sql)
        for line in highlighted.split("\n"):
            _say(console, Text("  ").append_text(line))
    marks = findings.marks()
    for line in _answer(console, exchange.answer):
        line.highlight_words(marks, "bold yellow")
        line.highlight_regex(_DENIED, "red")
        _line(console, Text.assemble(("│ ", "cyan"), line))


def _answer(console: Console, answer: str) -> Iterator[Text]:
    """The answer, line by line. On a terminal prose is wrapped, a table's lines are cropped, long log data is cut."""
    lines = [clean(line) for line in answer.splitlines()]
    if not console.is_terminal:
        yield from map(Text, lines)
        return
    width = console.width - _INDENT - 2
    fences = [place for place, line in enumerate(lines) if line.startswith(("--- log data", "--- end"))]
    first, last = fences if len(fences) == 2 else (len(lines), len(lines))
    yield from _prose(console, lines[:first], width)
    if data := lines[first + 1 : last]:
        yield _cropped(lines[first], width, "dim")
        yield from _event(data[0], width) if data[0].startswith("{") else _table(data, width)
        yield Text(lines[last], style="dim")
    yield from _prose(console, lines[last + 1 :], width)


def _prose(console: Console, lines: list[str], width: int) -> Iterator[Text]:
    """Sentences; a list's table may stand among them, told by commas that no blank follows."""
    for line in lines:
        yield from [_cropped(line, width)] if "," in line and ", " not in line else Text(line).wrap(console, width)


def _table(lines: list[str], width: int) -> Iterator[Text]:
    head = 1 + lines[0].startswith("every row: ")
    for place, line in enumerate(lines[: head + _ROWS_SHOWN]):
        yield _cropped(line, width, "bold" if place == head - 1 else "")
    if left := len(lines[head + _ROWS_SHOWN :]):
        yield Text(f"… {left} more rows", style="dim italic")


def _cropped(line: str, width: int, style: str = "") -> Text:
    text = Text(line, style=style)
    text.truncate(width, overflow="ellipsis")
    return text


def _event(line: str, width: int) -> Iterator[Text]:
    """A whole event over some lines, broken where a field ends, the first of them."""
    pieces = [""]
    for field in line.replace(",", ",\0").split("\0"):
        if len(pieces[-1]) + len(field) > width and pieces[-1]:
            pieces.append("")
        pieces[-1] += field
    for piece in pieces[:_EVENT_LINES_SHOWN]:
        yield _cropped(piece, width)
    if left := sum(map(len, pieces[_EVENT_LINES_SHOWN:])):
        yield Text(f"… {left} more characters", style="dim italic")


def _show_snippet(console: Console, arguments: list[str]) -> None:
    """What to put into an MCP client's configuration to ask this organisation oneself."""
    command = _command()
    server = {"command": command[0], "args": [*command[1:], *arguments]}
    _heading(console, "Ask it yourself: put this into your MCP client's configuration")
    for line in json.dumps({"mcpServers": {"crosstrail-demo": server}}, indent=2).splitlines():
        _line(console, Text(line))


def _command() -> list[str]:
    script = Path(sys.executable).with_name("crosstrail")
    return [str(script)] if script.exists() else [sys.executable, "-m", "crosstrail"]


def _heading(console: Console, words: str) -> None:
    console.print()
    console.print(Text(translated(words), style="bold cyan"))


def _say(console: Console, words: str | Text) -> None:
    """Wrapped on a terminal, whole elsewhere."""
    text = Text(translated(words)) if isinstance(words, str) else words
    for line in text.wrap(console, console.width - _INDENT) if console.is_terminal else [text]:
        _line(console, line)


def _line(console: Console, line: Text) -> None:
    console.print(Text(" " * _INDENT).append_text(line), soft_wrap=True)
