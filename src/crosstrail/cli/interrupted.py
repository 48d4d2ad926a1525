"""What is said when a command is stopped by Ctrl-C: what is kept, and what goes on from there.

Decides no behaviour: each sentence tells what the command's own work guarantees, however it ends.
"""

from __future__ import annotations

import sys

import click

from crosstrail.cli.words import say


def say_kept(command: str) -> None:
    """`command`: its words after `crosstrail`."""
    if sys.stderr.isatty():
        click.echo(err=True)  # after the ^C that the terminal shows
    match command:
        case "collect":
            say(
                "Stopped. What is in the lake stays; the same command goes on with what is not, and takes nothing twice."
            )
        case "lake compact" | "lake expire":
            say("Stopped. What was done stays, and no event is lost; the same command goes on.")
        case "lake repair":
            say("Stopped. What was repaired stays; the same command goes on.")
        case "lake migrate" | "lake move":
            say("Stopped. The lake is as before, or done; the same command does what is left.")
        case "accounts import":
            say("Stopped. No account was added; the same command adds all.")
        case "export" | "report":
            say("Stopped. Nothing is left of what was begun; the same command makes it anew.")
        case "demo":
            say("Stopped. The same command goes on, or makes the organisation anew.")
        case "detect":
            say("Stopped. Findings that were told are not told again by --follow; the same command looks again.")
        case "serve" | "wrap" | "sql":
            pass
        case _:
            say("Stopped. Nothing was changed; the same command begins anew.")
