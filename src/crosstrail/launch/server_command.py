"""A command that starts a server: its log is set up before anything else, so that its mistakes are entries of it too.

Decides nothing about formats: serve.log_format does, once settings are read; until then what the command line or the
environment says of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

import click

from crosstrail.cli.command import Command
from crosstrail.stderr_log import log_to_stderr

_VARIABLE = "CROSSTRAIL_LOG_FORMAT"
_FLAG = re.compile(r"(?<![^\0])--log-format[=\0](text|json)(?![^\0])")


class ServerCommand(Command):
    """One whose options may be wrong as well: until all are read nobody knows what they say."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: object
    ) -> click.Context:
        # settings load what a first process has no time for before it hears signals
        from crosstrail.settings.environment import environment

        said = _first_format(args) or environment((_VARIABLE,)).get(_VARIABLE, "")
        log_to_stderr("warning", "json" if said == "json" else "text")
        return super().make_context(info_name, args, parent, **extra)


def _first_format(args: Sequence[str]) -> str:
    """What the options before `--` say; empty where they say nothing."""
    given = _FLAG.findall("\0".join(takewhile(lambda word: word != "--", args)))
    return str(given[-1]) if given else ""
