"""Which keyword a reader may have meant by a word that no statement has at its place: FORM for FROM.

Decides by trying: a word beside the place where parsing ends is read as the keyword nearest to it, and that is a hint only
where parsing then comes further. So no name is taken for a misspelt keyword because it looks like one. What it tries is
bounded: a few words, two keywords for each.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from crosstrail.errors import SqlRejected

_SELECT_WORDS = """\
ALL AND ANY ARRAY AS ASC AT BETWEEN BY CASE CAST CROSS CUBE CURRENT CURRENT_DATE CURRENT_TIMESTAMP DATE DESC DISTINCT
ELSE END ESCAPE EXCEPT EXISTS EXTRACT FALSE FETCH FILTER FIRST FOLLOWING FOR FROM FULL GROUP GROUPING HAVING IN INNER
INTERSECT INTERVAL IS JOIN LAST LATERAL LEFT LIKE LIMIT NEXT NOT NULL NULLS OF OFFSET ON ONLY OR ORDER ORDINALITY
OUTER OVER PARTITION PRECEDING RANGE RIGHT ROLLUP ROW ROWS SELECT SETS THEN TIES TIME TIMESTAMP TRUE TRY_CAST
UNBOUNDED UNION UNNEST USING VALUES WHEN WHERE WINDOW WITH WITHIN ZONE"""
KEYWORDS = tuple(_SELECT_WORDS.split())
"""Those of a SELECT."""
_TOKEN = re.compile(
    r"""--[^\r\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?P<word>[A-Za-z_][0-9A-Za-z_]*)|.""", re.DOTALL | re.ASCII
)
_MOST_WORDS = 3
_LONGEST = 20
_NEAR = 0.65
"""Of a candidate that is tried: FORM is 0.75 of FROM, ADN 0.67 of AND."""
_SURE = 0.8
"""Of one that cannot be tried."""


@dataclass(frozen=True, slots=True)
class _Guess:
    offset: int
    keyword: str
    reaches: float
    """How far parsing came with it."""


def with_keyword(refused: SqlRejected, sql: str, parse: Callable[[str], object]) -> SqlRejected:
    """The refusal of a text that cannot be parsed, at the misspelt word where there is one, with the keyword; else the same.

    `parse` raises SqlRejected.
    """
    end = _offset(sql, refused)
    best: _Guess | None = None
    for start, word in _words_before(sql, end):
        for keyword in _near(word.upper()):
            reaches = _reach(f"{sql[:start]}{keyword}{sql[start + len(word) :]}", parse)
            reaches -= len(keyword) - len(word)
            if reaches > max(end, start + len(word)) and (best is None or reaches > best.reaches):
                best = _Guess(start, keyword, reaches)
    if best is None:
        return refused
    before = sql[: best.offset]
    line, column = before.count("\n") + 1, best.offset - (before.rfind("\n") + 1) + 1
    return SqlRejected(
        "the statement cannot be parsed from here on", line=line, column=column, hint=f"Did you mean {best.keyword}?"
    )


def near_keyword(name: str) -> str:
    """The keyword that a name is nearly, for one that nothing has; empty where it is not."""
    if len(name) > _LONGEST:
        return ""
    return next(iter(difflib.get_close_matches(name.upper(), KEYWORDS, 1, _SURE)), "")


def _near(word: str) -> list[str]:
    turned = [keyword for keyword in KEYWORDS if len(word) < 3 and sorted(keyword) == sorted(word)]  # YB, SI
    return turned or difflib.get_close_matches(word, KEYWORDS, 2, _NEAR)


def _words_before(sql: str, end: int) -> Iterator[tuple[int, str]]:
    """The last words that begin at `end` or before it and are no keywords, the nearest first."""
    found = []
    for token in _TOKEN.finditer(sql):
        if token.start() > end:
            break
        if (word := token["word"]) and len(word) <= _LONGEST:
            found.append((token.start(), word))
    return (one for one in reversed(found[-_MOST_WORDS:]) if one[1].upper() not in KEYWORDS)


def _reach(sql: str, parse: Callable[[str], object]) -> float:
    """The offset up to which it can be parsed; endless for all of it."""
    try:
        parse(sql)
    except SqlRejected as refused:
        return _offset(sql, refused)
    return float("inf")


def _offset(sql: str, refused: SqlRejected) -> int:
    lines = sql.split("\n")
    return sum(len(line) + 1 for line in lines[: refused.line - 1]) + refused.column - 1
