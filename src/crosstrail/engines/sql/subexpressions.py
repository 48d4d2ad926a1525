"""Common subexpressions: each compiled part of a statement is held once, and SQL under way names it by a mark.

The templates of the dialect write an operand as often as DuckDB needs it, so texts inside texts would grow by a factor at
every level of nesting. Here a long operand is a mark of a few characters until the statement is complete; then a part that
is used once is written in its place, and one that is used more often is bound to a name in front of the expression.
Decides where such names are bound, and refuses a statement that stays too long even so before its text is made. It never
reads a caller's text: what stands between NUL characters is a mark, and no literal can hold one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from crosstrail.engines.sql.expr import too_complex

MAX_SQL = 1_000_000
"""Characters of DuckDB SQL that one statement may become."""
_SHORT = 120
"""What is shorter is written where it stands, like a column's name."""
_BOUND_FROM = 400
"""Characters from which a part that is used twice gets a name: naming costs a list for each value."""
_NAME = 30
_MARK = re.compile("\0([0-9]+)\0")
_FIXED = re.compile(r"\b(?:SELECT|VALUES|OVER)\b")
"""What may not stand in the body of a DuckDB lambda, which is how a name is bound."""
_LAMBDA = re.compile(r"\blambda ([a-z][a-z0-9]*(?:, [a-z][a-z0-9]*)*):")
_PARAMETER = re.compile(r"\bp[0-9]+\b")
_Piece: TypeAlias = "str | Iterator[_Piece]"


@dataclass(slots=True)
class _Part:
    text: str
    marks: Counter[int]
    fixed: bool
    """Its own text cannot stand in a lambda's body: a sub-query, an aggregate, a window."""
    leaves: frozenset[int]
    """The fixed parts that it becomes part of: they are evaluated in front of a binding around it."""
    free: frozenset[str]
    """The lambda parameters that it may read."""
    size: int
    """Characters that it becomes."""
    same_as: int
    """The first part with the same text."""
    bound: tuple[int, ...]
    """The parts that get a name in front of this one."""


class Subexpressions:
    """The parts of one statement. A part's marks are of earlier parts."""

    def __init__(self) -> None:
        self._parts: list[_Part] = []
        self._first: dict[str, int] = {}

    def hold(self, sql: str, *, fixed: bool = False, size: int | None = None, apart: bool = False) -> str:
        """The text itself where it is short, else a new mark. `size` is what the text counts, if not its length; `apart`:
        sub-queries, aggregates and windows in it are evaluated in front of it."""
        if _MARK.fullmatch(sql):
            return sql
        if not (fixed or apart or len(sql) > _SHORT or _FIXED.search(sql) or self._repeats(sql)):
            return sql
        self._parts.append(self._part(sql, len(self._parts), fixed, size, apart))
        return f"\0{len(self._parts) - 1}\0"

    def _repeats(self, sql: str) -> bool:
        """Whether a part gets a name in front of this text: it must be computed there and not further out, where the text
        may be a branch that is not taken."""
        marks = Counter(int(found) for found in _MARK.findall(sql))
        return any(times > 1 and self._parts[mark].size >= _BOUND_FROM for mark, times in marks.items())

    def keep_inside(self, sql: str, parameters: Iterable[str]) -> None:
        """The text is a lambda's body: none of it is evaluated outside, even where it reads no parameter."""
        for number in _MARK.findall(sql):
            part = self._parts[int(number)]
            part.free = part.free.union(parameters)

    def key(self, sql: str) -> str:
        """Equal for equal SQL, whatever its marks."""
        return _MARK.sub(lambda mark: f"\0{self._parts[int(mark[1])].same_as}\0", sql)

    def texts(self) -> Iterator[str]:
        """Of every part, with its marks."""
        return (part.text for part in self._parts)

    def begin_anew(self, mark: str, before: str, after: str) -> None:
        """The part of this mark begins with `after` in place of `before`; it counts what it counted."""
        part = self._parts[int(mark.strip("\0"))]
        part.text = after + part.text.removeprefix(before)

    def written(self, sql: str) -> str:
        """The text with every part in its place. Raises Refusal for one that would be too long."""
        top = self._part(sql, -1, True, None)
        if top.size > MAX_SQL:
            raise too_complex()
        return "".join(self._written(sql))

    def _part(self, sql: str, number: int, fixed: bool, size: int | None, apart: bool = False) -> _Part:
        marks = Counter(int(found) for found in _MARK.findall(sql))
        own = _MARK.sub("", sql)
        fixed = fixed or bool(_FIXED.search(own))
        given = {name for names in _LAMBDA.findall(own) for name in names.split(", ")}
        inner = {mark: self._parts[mark] for mark in marks}
        free = frozenset(_PARAMETER.findall(own)).union(*(part.free for part in inner.values())) - given
        leaves = frozenset([number]) if fixed else frozenset[int]().union(*(part.leaves for part in inner.values()))
        bound = () if fixed else self._bound(inner, marks, given)
        if apart and not fixed:
            bound = tuple(sorted(set(bound).union(leaves)))
        length = len(own) + sum(
            (_NAME * times + part.size) if mark in bound else times * part.size
            for mark, part in inner.items()
            for times in (marks[mark],)
        )
        same_as = self._first.setdefault(self.key(sql), number)
        return _Part(sql, marks, fixed, leaves, free, length if size is None else size, same_as, bound)

    def _bound(self, inner: Mapping[int, _Part], marks: Counter[int], given: set[str]) -> tuple[int, ...]:
        """The long parts that are used twice; then, too, whatever of the rest cannot stand behind a name."""
        chosen = {
            mark
            for mark, part in inner.items()
            if marks[mark] > 1 and part.size >= _BOUND_FROM and not part.free & given
        }
        if chosen:
            chosen = chosen.union(*(part.leaves for mark, part in inner.items() if mark not in chosen))
        return tuple(sorted(chosen))

    def _written(self, sql: str) -> Iterator[str]:
        """The pieces of the text, without recursion: a chain of a thousand operands is as many parts deep."""
        waiting = [self._pieces(sql, {})]
        while waiting:
            piece = next(waiting[-1], None)
            if piece is None:
                waiting.pop()
            elif isinstance(piece, str):
                yield piece
            else:
                waiting.append(piece)

    def _pieces(self, sql: str, names: Mapping[int, str]) -> Iterator[_Piece]:
        for place, text in enumerate(_MARK.split(sql)):
            if place % 2 == 0:
                yield text
            else:
                number = int(text)
                yield names.get(number) or self._part_pieces(self._parts[number], names)

    def _part_pieces(self, part: _Part, names: Mapping[int, str]) -> Iterator[_Piece]:
        if not part.bound:
            yield self._pieces(part.text, names)
            return
        name = f"s{part.same_as}"
        fields = {number: f"b{place}" for place, number in enumerate(part.bound) if number not in names}
        yield "list_extract(list_transform([struct_pack("
        for place, (number, field) in enumerate(fields.items()):
            yield f"{', ' if place else ''}{field} := "
            yield self._part_pieces(self._parts[number], names)
        yield f")], lambda {name}: "
        yield self._pieces(
            part.text, {**names, **{number: f"struct_extract({name}, '{field}')" for number, field in fields.items()}}
        )
        yield "), 1)"
