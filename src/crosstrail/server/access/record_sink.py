"""Where lines of the record go, in their order, and what becomes of one that cannot be written.

Decides that no line is forgotten while this process lives: what a full disk refuses stays in memory, up to a bound, and is written
before anything newer once there is room; what is beyond the bound is counted, and the record says how many. It says once
that lines cannot be written, and once that they can be again. It never waits: where another process writes just now, a thread
looks again, because lines come from the event loop.
"""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TextIO

_log = logging.getLogger("crosstrail.audit")
_MAX_LINES, _MAX_BYTES = 1_000, 16_000_000
"""That wait in memory to be written."""
_LOOK_SECONDS = 0.001
_WITHHELD = b',"withheld":true}\n'


@dataclass(slots=True, eq=False)
class Line:
    """`text`: one JSON object and a line break, or nothing, which is written when all lines before it are. `defines`: name of
    the account set that it names, and the line that defines that. `required`: an answer waits for it. `written`: None until
    that is decided; False stays, also when the line is written later."""

    text: bytes
    defines: tuple[str, bytes] | None = None
    required: bool = False
    written: bool | None = None

    def failed(self) -> None:
        if self.written is None and self.required and self.text:
            self.text = self.text.removesuffix(b"}\n") + _WITHHELD  # who reads it later must not believe in an answer
        self.written = False


class RecordSink(ABC):
    """For any thread. `failing`: whether the last line could not be written."""

    max_waiting = _MAX_LINES

    def __init__(self, lost: Callable[[int], bytes]) -> None:
        """`lost`: the line that says how many lines there was no memory for."""
        self.failing = False
        self._lost_line = lost
        self._lost = 0
        self._lock = threading.RLock()
        self._lines: deque[Line] = deque()
        self._looking = False

    def put(self, line: Line) -> None:
        """Write the line after all that wait. Its `written` says how that ended, at once or within a moment."""
        with self._lock:
            self._lines.append(line)
            if not self._looking and self._drain():
                self._looking = True
                threading.Thread(target=self._look_again, name="crosstrail-record", daemon=True).start()

    def close(self) -> None:
        """Lines that wait are written first."""
        with self._lock:
            while self._drain():
                time.sleep(_LOOK_SECONDS)
            if left := self._lost + sum(bool(line.text) for line in self._lines):
                _log.error("lines of the record that are lost, because they could not be written: %d", left)
            self._close()

    def _look_again(self) -> None:
        """In a thread, until no line waits for its turn."""
        while self._looking:
            time.sleep(_LOOK_SECONDS)
            with self._lock:
                self._looking = False  # whatever goes wrong now, the next line begins another thread
                self._looking = self._drain()

    def _drain(self) -> bool:
        """Write all lines in their order, if it is this process's turn or too late to wait. Whether they still wait for it."""
        if not self._lines:
            return False
        alone = self._turn()
        if alone is None:
            return True
        try:
            while self._lines:
                self._write(self._lines[0], alone=alone)
                line = self._lines.popleft()
                line.written = line.written is None
            if self._lost:
                self._write(Line(self._lost_line(self._lost)), alone=alone)
                self._lost = 0
        except (OSError, ValueError) as error:  # ValueError is a stream that somebody closed
            self._failed(error)
        else:
            self._worked()
        finally:
            self._end_turn()
        return False

    def _failed(self, error: OSError | ValueError) -> None:
        for line in self._lines:
            line.failed()
        size = sum(len(line.text) for line in self._lines)
        while len(self._lines) > _MAX_LINES or size > _MAX_BYTES:
            line = self._lines.pop()
            size -= len(line.text)
            self._lost += bool(line.text)
        if not self.failing:
            self.failing = True
            reason = getattr(error, "strerror", None) or type(error).__name__
            _log.error("the record of calls cannot be written: %s", reason)

    def _worked(self) -> None:
        if self.failing:
            self.failing = False
            _log.warning("the record of calls can be written again")

    def _turn(self) -> bool | None:
        """Whether this process writes alone; None: not its turn."""
        return True

    @abstractmethod
    def _end_turn(self) -> None:
        """Whoever waits may write."""

    @abstractmethod
    def _write(self, line: Line, *, alone: bool) -> None:
        """Raises OSError, ValueError."""

    @abstractmethod
    def _close(self) -> None: ...


class StreamSink(RecordSink):
    """A stream that somebody else opened, such as stderr. Nobody knows where it ends up: a set is defined in it again and again."""

    _SET_SECONDS = 600.0

    def __init__(self, stream: TextIO, lost: Callable[[int], bytes]) -> None:
        super().__init__(lost)
        self._stream = stream
        self._defined: dict[str, float] = {}

    def _write(self, line: Line, *, alone: bool) -> None:
        now = time.monotonic()
        self._defined = {name: since for name, since in self._defined.items() if now - since < self._SET_SECONDS}
        new = line.defines if line.defines and line.defines[0] not in self._defined else None
        self._stream.write(((new[1] if new else b"") + line.text).decode())
        self._stream.flush()
        if new:
            self._defined[new[0]] = now

    def _end_turn(self) -> None:
        """Nobody waits."""

    def _close(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()
