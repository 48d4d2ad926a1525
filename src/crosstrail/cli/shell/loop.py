"""The shell from its first line to its last: at a terminal, or over statements that are piped in.

Decides when it ends and with which status. At a terminal an error ends nothing and the status is 0; of what is piped in, all is run,
and the status says whether all, some or none of it went well.
"""

from __future__ import annotations

import sys
from contextlib import aclosing
from dataclasses import replace
from functools import partial

import anyio
import anyio.to_thread

from crosstrail import __version__
from crosstrail.cli.output import CommandOutput
from crosstrail.cli.shell.interrupts import Interrupts
from crosstrail.cli.shell.printing import SHOWN_ROWS, Printer
from crosstrail.cli.shell.shell import Shell
from crosstrail.cli.shell.statements import TypedStatement, parted
from crosstrail.cli.sql_session import SqlSession
from crosstrail.cli.statuses import DONE, status_of
from crosstrail.cli.words import say
from crosstrail.errors import CrosstrailError, LakeError
from crosstrail.origin import install_hint
from crosstrail.settings.config import Settings

_TABLES_OFFERED = 2_000
_NAMED = 8


def run_shell(
    settings: Settings, output: CommandOutput, account: str, engine: str, limit: int | None, *, history: bool
) -> int:
    """The exit status. Raises LakeError at a terminal where the libraries of one are not installed."""
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    if interactive:
        _require_libraries()
    return anyio.run(partial(_run, settings, output, account, engine, limit, history=history, interactive=interactive))


async def _run(
    settings: Settings,
    output: CommandOutput,
    account: str,
    engine: str,
    limit: int | None,
    *,
    history: bool,
    interactive: bool,
) -> int:
    async with aclosing(SqlSession(settings, account, engine)) as session:
        printer = Printer(output, limit or SHOWN_ROWS, limit, timing=interactive)
        shell = Shell(settings, session, printer)
        try:
            if interactive:
                await _at_a_terminal(shell, session, output, history=history)
                return DONE
            await _piped(shell)
            return status_of(done=shell.done, failed=shell.failed)
        finally:
            printer.to_terminal()


async def _at_a_terminal(shell: Shell, session: SqlSession, output: CommandOutput, *, history: bool) -> None:
    from crosstrail.cli.shell.commands import command_words
    from crosstrail.cli.shell.prompt import Prompt

    tables = await _tables(session)
    prompt = Prompt(lambda: tables, command_words(), session.keep_warm, colour=output.colour, history=history)
    interrupts = Interrupts()
    with interrupts.caught():
        while not shell.ended:
            draft, shell.draft = shell.draft, ""
            text = await prompt.text(draft)
            if text is None:
                return
            found = parted(text)
            for part in found.parts:
                if not await interrupts.run(shell.execute(part)):
                    say("Cancelled.")
                    break
                if shell.ended:
                    return


async def _piped(shell: Shell) -> None:
    """Each as soon as it is there whole: who writes may wait for its answer. A last one need not end with `;`."""
    waiting, first = "", 1
    while line := await anyio.to_thread.run_sync(sys.stdin.readline):
        waiting += line
        if not any(sign in line for sign in ";\\."):
            continue
        found = parted(waiting)
        for part in found.parts:
            await shell.execute(replace(part, line=part.line + first - 1), numbered=True)
            if shell.ended:
                return
        first += waiting.count("\n", 0, found.end)
        waiting = waiting[found.end :]
    if (found := parted(waiting)).rest:
        await shell.execute(
            TypedStatement(found.rest, first + waiting.count("\n", 0, waiting.find(found.rest))), numbered=True
        )


async def _tables(session: SqlSession) -> tuple[str, ...]:
    """What FROM takes, for completion; a banner that says what there is."""
    say(f"crosstrail {__version__}. A statement ends with ;  \\? lists the commands, .examples queries to begin with.")
    try:
        accounts = await session.accounts()
    except CrosstrailError as error:
        say(error.operators_text)
        return ("events",)
    events = sum(held.events for _, held in accounts if held)
    names = ", ".join(account.name for account, _ in accounts[:_NAMED])
    if len(accounts) > _NAMED:
        say(f"FROM events: {events:,} events of {len(accounts):,} accounts: {names}, ...")
    else:
        say(f"FROM events: {events:,} events of {names}.")
    found = [name for account, _ in accounts for name in (account.alias, account.id, account.store_id) if name]
    return ("events", *found[:_TABLES_OFFERED])


def _require_libraries() -> None:
    """Raises LakeError."""
    from importlib.util import find_spec

    if missing := [name for name in ("prompt_toolkit", "pygments") if find_spec(name) is None]:
        raise LakeError(f"the shell needs {', '.join(missing)}", hint=install_hint("shell"))


__all__ = ["run_shell"]
