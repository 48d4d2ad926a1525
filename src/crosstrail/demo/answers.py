"""What an agent reads out of an answer's text: rows of the fenced table, whole events.

Knows the form of the answers and nothing of what should be in them.
"""

from __future__ import annotations

import csv
import json
import re

_FENCE = re.compile(r"^--- log data (\w+): .*?$\n(.*?)\n^--- end \1 ---$", re.DOTALL | re.MULTILINE)
_SAME_IN_ALL = "every row: "


def fenced(text: str) -> str:
    """What the log data lines enclose; empty when there are none."""
    found = _FENCE.search(text)
    return found[2] if found else ""


def rows(text: str) -> list[dict[str, str]]:
    """The table in the fence, one dictionary a row."""
    return _table(fenced(text).splitlines())


def listed(text: str) -> list[dict[str, str]]:
    """The table of a list that needs no fence: what follows its first line."""
    return _table(text.splitlines()[1:])


def objects(text: str) -> list[dict[str, object]]:
    """The whole events in the fence."""
    return [json.loads(line) for line in fenced(text).splitlines()]


def _table(lines: list[str]) -> list[dict[str, str]]:
    """What a table says once for all of its rows is in each of them here."""
    same: dict[str, str] = {}
    if lines and lines[0].startswith(_SAME_IN_ALL):
        said = lines[0].removeprefix(_SAME_IN_ALL).split(", ")
        same = dict(one.split("=", 1) for one in said if "=" in one)
        lines = lines[1:]
    return [{**same, **row} for row in csv.DictReader(lines)]
