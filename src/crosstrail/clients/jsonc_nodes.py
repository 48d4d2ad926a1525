"""JSON with comments and trailing commas, read as values that know where in the text they stand.

Decides what such a text is: JSON, with `//` and `/* */` comments and a comma after a last member, as editors write it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

_SPACE = re.compile(r"(?:[ \t\r\n\ufeff]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_PLAIN = re.compile(r"-?\d[\d.eE+-]*|true|false|null")
_MAX_DEPTH = 200


class NotJsonc(ValueError):
    """The text is none; `line` and `column` count from 1."""

    def __init__(self, reason: str, text: str, position: int) -> None:
        super().__init__(reason)
        self.line = text.count("\n", 0, position) + 1
        self.column = position - text.rfind("\n", 0, position)


@dataclass(slots=True)
class Node:
    """A value, and its first and last place in the text."""

    start: int
    end: int
    value: object
    members: list[ObjectMember] | None = None
    """Of an object, in their order."""

    def member(self, key: str) -> ObjectMember | None:
        """The last of that name, which is the one that parsers take."""
        return next((one for one in reversed(self.members or ()) if one.key == key), None)


@dataclass(slots=True)
class ObjectMember:
    """`before`: where the brace, comma or comment in front of its key ends."""

    key: str
    before: int
    start: int
    node: Node
    comma: int = field(default=-1)
    """Where the comma behind it stands; -1 without one."""

    @property
    def end(self) -> int:
        return self.comma + 1 if self.comma >= 0 else self.node.end


def read(text: str) -> Node:
    """The document. Raises NotJsonc."""
    reader = _Reader(text)
    found = reader.value(0)
    reader.skip()
    if reader.at < len(text):
        raise reader.wrong("something follows the end of the document")
    return found


def before_last_space(text: str, start: int, end: int) -> int:
    """Where the last comment between these places ends; `start` where there is none."""
    last = start
    for found in re.finditer(r"//[^\n]*|/\*.*?\*/", text[start:end], re.DOTALL):
        last = start + found.end()
    return last


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0

    def skip(self) -> int:
        """Over space and comments; where those began."""
        start, matched = self.at, _SPACE.match(self._text, self.at)
        self.at = matched.end() if matched else start
        return start

    def wrong(self, reason: str) -> NotJsonc:
        return NotJsonc(reason, self._text, self.at)

    def value(self, depth: int) -> Node:
        if depth > _MAX_DEPTH:
            raise self.wrong("it is nested too deeply")
        self.skip()
        match self._text[self.at : self.at + 1]:
            case "{":
                return self._object(depth)
            case "[":
                return self._array(depth)
            case _:
                return self._scalar()

    def _scalar(self) -> Node:
        start = self.at
        pattern = _STRING if self._text.startswith('"', start) else _PLAIN
        matched = pattern.match(self._text, start)
        if not matched:
            raise self.wrong("a value is missing" if start < len(self._text) else "it ends too early")
        try:
            value: object = json.loads(matched[0])
        except ValueError:
            raise self.wrong("this is no value of JSON") from None
        self.at = matched.end()
        return Node(start, self.at, value)

    def _array(self, depth: int) -> Node:
        start, values = self.at, list[object]()
        self.at += 1
        while not self._ends("]"):
            values.append(self.value(depth + 1).value)
            if self._comma("]") < 0:
                break
        return Node(start, self.at, values)

    def _object(self, depth: int) -> Node:
        start, members = self.at, list[ObjectMember]()
        self.at += 1
        while not self._ends("}"):
            before = before_last_space(self._text, members[-1].end if members else start + 1, self.at)
            place, key = self.at, self._scalar().value
            if not isinstance(key, str):
                self.at = place
                raise self.wrong("the name of a member is missing")
            self.skip()
            if not self._text.startswith(":", self.at):
                raise self.wrong("a colon is missing")
            self.at += 1
            members.append(ObjectMember(key, before, place, self.value(depth + 1)))
            members[-1].comma = self._comma("}")
            if members[-1].comma < 0:
                break
        return Node(start, self.at, {one.key: one.node.value for one in members}, members)

    def _ends(self, closing: str) -> bool:
        self.skip()
        if not self._text.startswith(closing, self.at):
            return False
        self.at += 1
        return True

    def _comma(self, closing: str) -> int:
        """Where the comma behind a member stands; -1 where the closing brace does, which is then read."""
        self.skip()
        if self._ends(closing):
            return -1
        if not self._text.startswith(",", self.at):
            raise self.wrong("a comma is missing" if self.at < len(self._text) else "it ends too early")
        self.at += 1
        return self.at - 1
