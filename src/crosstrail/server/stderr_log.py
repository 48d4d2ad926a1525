"""The log of a server on stderr, where its record may go as well: one line an entry, whoever chose the words in it.

Decides that no entry begins a line of its own choice and no control character reaches a terminal: a stranger who could put a
line break into an entry could write the record of a call that never was.
"""

from __future__ import annotations

import logging
import sys
from types import TracebackType

from crosstrail.answers.render import clean

_LONGEST = 2_000
"""Bytes of a message, and of a line of a traceback."""
_Failure = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
"""What sys.exc_info gives."""


def log_to_stderr(level: str) -> None:
    """From now on everything that is logged goes there, in this form; what was set up before ends."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


class _OneLine(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.message = clean(record.message, _LONGEST)
        return super().formatMessage(record)

    def formatException(self, ei: _Failure) -> str:  # noqa: N802 - logging's name
        lines = super().formatException(ei).splitlines()
        return "\n".join(f"  | {clean(line, _LONGEST)}" for line in lines)

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - logging's name
        return "\n".join(f"  | {clean(line, _LONGEST)}" for line in stack_info.splitlines())
