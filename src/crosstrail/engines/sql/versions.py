"""`FOR TIMESTAMP AS OF`: which state of the lake a table's name stands for.

Decides what may stand there, and names a relation of its own for each time. What that time is, and which files it names, is
found out where the statement runs.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from crosstrail.engines.sql.expr import Expr, Refusal, moment_of
from crosstrail.engines.sql.scope import Scope
from crosstrail.engines.sql.types import is_moment
from crosstrail.lake.reader import EVENTS_VIEW, past_view

Compile = Callable[[exp.Expr, Scope], Expr]
_MAX_TIMES = 10
_KNOWN = {"this", "db", "catalog", "alias", "joins", "version"}
_HINT = "Write it as FOR TIMESTAMP AS OF TIMESTAMP '2026-11-20 09:00:00 UTC', or current_timestamp - INTERVAL '6' HOUR."


class Versions:
    """The states of the lake that one statement reads. `times`: SQL for each of those past, a TIMESTAMP in UTC."""

    def __init__(self) -> None:
        self.times: list[str] = []
        self.newest = False
        """Whether the newest is read as well."""

    def relation(self, compiled: Compile, node: exp.Table, *, defined: bool) -> str:
        """The relation with the events that the name stands for; `defined`: by the statement itself. Raises Refusal."""
        if unknown := {key for key, value in node.args.items() if value} - _KNOWN:
            raise Refusal(f"{', '.join(sorted(unknown))} is not supported here")
        version = node.args.get("version")
        if version is None:
            self.newest = self.newest or not defined
            return EVENTS_VIEW
        if defined:
            raise Refusal("a WITH query has no past", "Put FOR TIMESTAMP AS OF after the table's name inside of it.")
        time = _time(compiled, version)
        if time not in self.times:
            if len(self.times) == _MAX_TIMES:
                raise Refusal(f"a statement reads the lake as it was at {_MAX_TIMES} times at most", "Split it.")
            self.times.append(time)
        return past_view(self.times.index(time))


def _time(compiled: Compile, node: exp.Expr) -> str:
    if str(node.this).upper() != "TIMESTAMP" or str(node.args.get("kind")).upper() != "AS OF":
        raise Refusal("only FOR TIMESTAMP AS OF is supported here", _HINT)
    given = node.args["expression"]
    if given.find(exp.Query, exp.Column):
        raise Refusal("the time after AS OF must be a constant", _HINT)
    value = moment_of(compiled(given, Scope()))
    if not is_moment(value.type):
        raise Refusal(f"the time after AS OF is a timestamp or a date, not {value.type}", _HINT)
    return f"CAST({value.sql} AS TIMESTAMP)"
