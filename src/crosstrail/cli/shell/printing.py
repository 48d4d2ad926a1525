"""Rows of a statement on the terminal, in a pipe or in a file, and the lines beside them.

Decides what is said of an answer: how many rows of how many, how long it took, and what it could read, once as long as that is the
same. It asks nothing.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from crosstrail.cli.output import CommandOutput
from crosstrail.cli.output.destination import Destination, opened_destination
from crosstrail.cli.output.options import FORM_OF_SUFFIX
from crosstrail.cli.shell.paging import paged
from crosstrail.cli.sql_session import SqlAnswer
from crosstrail.cli.words import say
from crosstrail.errors import InvalidRequest

SHOWN_ROWS = 1_000
_SHOWN_LINES = 2
"""Of what an answer could read."""
_ONE_RESULT = frozenset({"json", "parquet"})
"""Forms in which a file holds the rows of one statement."""


@dataclass(slots=True)
class Printer:
    """How rows are written now. `output`: as the command line asked; commands of the shell change it."""

    output: CommandOutput
    limit: int | None = None
    """Of rows on the terminal."""
    most: int | None = None
    """Of rows elsewhere."""
    timing: bool = True
    _file: ExitStack = field(default_factory=ExitStack)
    _elsewhere: CommandOutput | None = None
    _said: tuple[str, ...] = ()

    async def show(self, answer: SqlAnswer, seconds: float, *, vertical: bool = False) -> None:
        """Raises what fetching further pages does, InvalidRequest, OSError."""
        output = self._elsewhere or self.output
        if output.form in _ONE_RESULT and output.destination.path and output.destination.rows:
            raise InvalidRequest(
                f"the file has the rows of a statement, and in {output.form} that is all it can hold",
                hint="Name another one with .output FILE.",
            )
        output = replace(output, vertical=output.vertical or vertical)
        on_terminal = output.destination.on_terminal
        shown = await (self._on_terminal(answer, output) if on_terminal else answer.write(output, self.most))
        if sys.stdin.isatty():
            self._say_count(answer.total, shown, seconds)
        self._say_covered(answer.covered)

    def to_file(self, path: Path, *, overwrite: bool) -> None:
        """From now on. Raises InvalidRequest, OSError."""
        self.to_terminal()
        form = FORM_OF_SUFFIX.get(path.suffix.lower(), self.output.form)
        destination = self._file.enter_context(opened_destination(path, overwrite=overwrite))
        self._elsewhere = replace(self.output, form=form, destination=destination)

    def to_terminal(self) -> None:
        """From now on; a file that was written has its name then. Raises OSError."""
        self._elsewhere = None
        self._file.close()

    async def _on_terminal(self, answer: SqlAnswer, output: CommandOutput) -> int:
        with paged(colour=output.colour):
            here = replace(output, destination=Destination(sys.stdout, output.destination.binary))
            return await answer.write(here, self.limit)

    def _say_count(self, total: int, shown: int, seconds: float) -> None:
        if not self.timing:
            say(f"Rows: {total:,}.")
        else:
            say(f"Rows: {total:,}, in {seconds:.2f} s.")
        if shown < total:
            say(f"The first {shown:,} of them are shown: .limit {total} or .output FILE gives all.")

    def say_coverage(self) -> None:
        """Of the last answer, whole."""
        for line in self._said:
            say(line)

    def _say_covered(self, covered: tuple[str, ...]) -> None:
        """What is new of it; at a terminal as much as leaves the rows in sight."""
        fresh = [line for line in covered if line not in self._said]
        self._said = covered
        shown = fresh[:_SHOWN_LINES] if sys.stdin.isatty() else fresh
        for line in shown:
            say(line)
        if len(shown) < len(fresh):
            say(".coverage says the rest of it: what is missing and since when.")
