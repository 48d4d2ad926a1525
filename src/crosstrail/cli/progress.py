"""What a command shows while it takes time: one line on a terminal, once a second has passed; nothing in a file or a pipe.

Decides when and how it is shown: what is done of how much, how fast, and what is left. The line is gone when the command goes on to
its answer. It never delays an answer, nor loads what draws it for a command that is done within a second.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING

from crosstrail.cli.translation import translated

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_QUIET_SECONDS = 1.0
_PAUSE_SECONDS = 0.1


@dataclass(slots=True)
class ProgressLine:
    """Told by whoever works what is done; read by the thread that draws."""

    unit: str
    began: float = field(default_factory=monotonic)
    done: int = 0
    total: int | None = None
    state: str = ""
    drawn: bool = False
    lock: Lock = field(default_factory=Lock)

    @contextmanager
    def beside(self) -> Iterator[None]:
        """While something is printed to the same terminal: the line is taken away, and comes again after it."""
        with self.lock:
            if self.drawn:
                sys.stderr.write("\r\x1b[2K")
                sys.stderr.flush()
            yield

    def count(self, done: int, total: int | None) -> None:
        """`total`: None where nobody knows yet."""
        self.done, self.total = done, total

    async def counted(self, done: int, total: int) -> None:
        """The same, as those take it that ask many targets."""
        self.count(done, total)

    async def waited(self, _seconds: float, state: str) -> None:
        """As engines tell it: what the query does now."""
        self.state = state

    def text(self) -> str:
        """How much is done, how fast, how long it took, and what is left."""
        seconds = max(monotonic() - self.began, 0.001)
        parts = [self.state.lower()] if self.state else []
        if self.total is not None or self.done:
            unit = f" {translated(self.unit)}" if self.unit else ""
            parts.append(f"{self.done:,}/{self.total:,}{unit}" if self.total else f"{self.done:,}{unit}")
            parts.append(f"{self.done / seconds:,.0f}/s" if self.done >= seconds else f"{self.done / seconds:.2f}/s")
        parts.append(_clock(seconds))
        if self.total and self.done:
            parts.append(f"eta {_clock(seconds / self.done * max(self.total - self.done, 0))}")
        return "  ".join(parts)


def _clock(seconds: float) -> str:
    whole = int(seconds)
    hours = f"{whole // 3600}:" if whole >= 3600 else ""
    return f"{hours}{whole % 3600 // 60:02}:{whole % 60:02}"


@contextmanager
def progress_line(title: str, unit: str = "") -> Iterator[ProgressLine]:
    """The line of one piece of work. `title`: what is done, such as `Collecting`; `unit`: what is counted, such as `files`."""
    line = ProgressLine(unit)
    if not sys.stderr.isatty():
        yield line
        return
    ended = Event()
    drawing = Thread(target=_draw, args=(translated(title), line, ended), name="progress", daemon=True)
    drawing.start()
    try:
        yield line
    finally:
        ended.set()
        drawing.join()


def _draw(title: str, line: ProgressLine, ended: Event) -> None:
    if ended.wait(_QUIET_SECONDS):
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20), TextColumn("{task.fields[told]}"))
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as shown:
        task = shown.add_task(title, total=None, told="")
        while not ended.wait(_PAUSE_SECONDS):
            _update(shown, task, line)


def _update(shown: Progress, task: TaskID, line: ProgressLine) -> None:
    with line.lock:
        line.drawn = True
        shown.update(task, completed=line.done, total=line.total, told=line.text())
        shown.refresh()
