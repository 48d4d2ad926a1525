"""The log of a server on stderr, where its record may go as well: one line an entry, whoever chose the words in it.

Decides that no entry begins a line of its own choice and no control character reaches a terminal: a stranger who could put a
line break into an entry could write the record of a call that never was. As JSON an entry is one object, which never has the
field `kind` that every line of the record has. What Python itself would print, of warnings and of errors that nobody caught, is an
entry as well.
"""

from __future__ import annotations

import logging
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal, TextIO

from crosstrail.text import clean, json_text, shorten

LogFormat = Literal["text", "json"]
_LONGEST = 2_000
"""Bytes of a message, and of a line of a traceback."""
_LONGEST_NAME = 200
_LONGEST_TRACE = 6_000
"""Bytes of a traceback as JSON. Each may take two in its line, which stays below 16 KiB: container runtimes break longer ones up."""
_Failure = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
"""What sys.exc_info gives."""
_log = logging.getLogger("crosstrail")


def log_to_stderr(level: str, form: LogFormat = "text") -> None:
    """From now on everything that is logged goes there, in this form; what was set up before ends."""
    handler = _Stderr(sys.stderr)
    handler.setFormatter(_JsonLine() if form == "json" else _OneLine("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    threading.excepthook = _uncaught_in_thread


def said_as_json(text: str, level: int) -> bool:
    """Whether the log is JSON: then the text, unless it is blank, is an entry of it now, whatever level is logged."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, _JsonLine):
            if text.strip():
                handler.handle(logging.LogRecord(_log.name, level, "", 0, text, None, None))
            return True
    return False


class _Stderr(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """An entry whose arguments do not fit is one about that. Where stderr itself is gone there is nobody to tell."""
        text = "an entry of the log cannot be written"
        with suppress(Exception):
            one = logging.LogRecord(record.name, logging.ERROR, "", 0, text, None, sys.exc_info())
            self.stream.write(self.format(one) + self.terminator)
            self.flush()


class _OneLine(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.message = clean(record.message, _LONGEST)
        return super().formatMessage(record)

    def formatException(self, ei: _Failure) -> str:  # noqa: N802 - logging's name
        return "\n".join(f"  | {line}" for line in _cleaned(super().formatException(ei)))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - logging's name
        return "\n".join(f"  | {line}" for line in _cleaned(stack_info))


class _JsonLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "logger": clean(record.name, _LONGEST_NAME),
            "message": clean(record.getMessage(), _LONGEST),
            "process": record.process,
        }
        traces = [self.formatException(record.exc_info)] if record.exc_info and record.exc_info[0] else []
        if lines := _cleaned("\n".join([*traces, record.stack_info or ""])):
            entry["exception"] = shorten("\n".join(lines), _LONGEST_TRACE)
        return json_text(entry)


def _cleaned(trace: str) -> list[str]:
    return [clean(line, _LONGEST) for line in trace.splitlines()]


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _log.critical("an unexpected error ends this process", exc_info=(kind, error, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if not issubclass(args.exc_type, SystemExit):  # that ends the thread, as it is meant to
        error = args.exc_value or args.exc_type()
        name = args.thread.name if args.thread else "unknown"
        _log.error("an unexpected error ended the thread %s", name, exc_info=(args.exc_type, error, args.exc_traceback))


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    """Such as an error of a destructor, which nobody can catch."""
    error = args.exc_value or args.exc_type()
    what = args.err_msg or "an error that nobody can catch, in"
    _log.error("%s: %r", what, args.object, exc_info=(args.exc_type, error, args.exc_traceback))
