"""Regular expressions: Java's, as Trino reads them, rewritten for RE2, or refused.

Decides which patterns mean the same in both. It never sees the texts that are searched.
"""

from __future__ import annotations

import re
from math import prod
from string import punctuation

from crosstrail.engines.sql.expr import Refusal
from crosstrail.lake.reader import quoted

_SPACE = r"\t\n\x0b\f\r "
_ESCAPES = {"s": f"[{_SPACE}]", "S": f"[^{_SPACE}]", "h": r"[\t ]", "Z": None, "A": r"\A", "z": r"\z"}
_SAME = set("dDwWbBtnrf\\.[](){}*+?^$|/-'\"#&%@!:;<>=,~`_ ")
ODD_LETTERS = r"[ßẞſ\x{212A}İıŉǰΐΰև\x{1E96}-\x{1E9D}\x{1F50}-\x{1FFF}\x{FB00}-\x{FB17}]"
_ODD_LETTERS_PYTHON = re.sub(r"\\x\{([0-9A-F]{4})\}", r"\\u\1", ODD_LETTERS)
_PROBES = ("", "a", " ", "1", "\n")
_FLAGS = re.compile(r"(?:\(\?[is]{1,2}\))+")
_PYTHON = (re.NOFLAG, re.IGNORECASE)
_LOOKS = {"?=": "lookahead", "?!": "lookahead", "?<=": "lookbehind", "?<!": "lookbehind", "?>": "an atomic group"}
_ELSEWHERE = "Engines `trino` and `athena` have it."
_REPEATS = re.compile(r"\{(?:\d+,)?([1-9]\d{0,8})")
_MAX_REPEATS = 1000
"""RE2's own limit, for one repetition and for nested ones together."""
_REPEAT_NOTHING = re.compile(r"[*+?}]\+")
_QUOTED = re.compile(r"\\Q(.*?)(?:\\E|$)|\\.", re.DOTALL)


def _unquoted(text: str) -> str:
    """The pattern with what stands between \\Q and \\E written with a backslash before each sign."""

    def signs(part: re.Match[str]) -> str:
        if part[1] is None:
            return part[0]
        return "".join(f"\\{sign}" if sign in punctuation else sign for sign in part[1])

    if r"\Q" in text and "[" in _QUOTED.sub("", text):
        raise Refusal(r"\Q beside a character class is not supported here", r"Write \. and the like.")
    return _QUOTED.sub(signs, text)


class NotInRe2(Refusal):
    """What Trino's regular expressions have, and DuckDB's have not."""


class Pattern:
    """A checked pattern: `sql` for RE2, the number of groups, and the groups that may take no part in a match."""

    def __init__(self, text: str) -> None:
        self.groups = 0
        self.optional: set[int] = set()
        self.ends = False
        flags = _FLAGS.match(text)
        self.folds = bool(flags and "i" in flags[0])
        self._dot = "(?s:.)" if flags and "s" in flags[0] else r"[^\n]"
        self.starts = False
        """It holds ^ or \\A."""
        self.bounds = False
        """It holds \\b or \\B, which see letters beyond ASCII in Java, and do not in RE2."""
        if self.folds and not text.isascii() and re.search(_ODD_LETTERS_PYTHON, text):
            raise Refusal("this pattern holds a letter whose cases cannot be told apart here")
        self._text = text = _unquoted(text[len(flags[0]) :] if flags else text)
        self._out: list[str] = ["(?i)"] if self.folds else []
        self._translate()
        try:
            self._python = re.compile(re.sub(r"\(\?<([A-Za-z])", r"(?P<\1", text), _PYTHON[self.folds])
        except (re.error, RecursionError, OverflowError):
            raise Refusal("this regular expression cannot be read") from None
        self.sql = quoted("".join(self._out))

    def need_something(self) -> None:
        """Refuses a pattern that matches the empty text: the two engines go on differently after such a match."""
        if any(self._python.match(probe) and not self._python.match(probe).group() for probe in _PROBES):  # type: ignore[union-attr]
            raise Refusal("a pattern that matches the empty text is not supported here")

    def before_end(self) -> str:
        """For a pattern with one `$`, its last character: SQL for a pattern whose first group is the match; else ''."""
        end = r"(?:\n?\z)"
        if -1 in self.optional or not self._out or self._out[-1] != end or self._out.count(end) > 1:
            return ""
        return quoted(f"({''.join(self._out[:-1])}){end}")

    def _translate(self) -> None:
        text, place = self._text, 0
        if _REPEAT_NOTHING.search(re.sub(r"\\.", "", text)):
            raise NotInRe2("possessive repetition such as a*+ is not supported here", "Use a* or a*?. " + _ELSEWHERE)
        if prod(int(most) for most in _REPEATS.findall(text)) > _MAX_REPEATS:
            raise Refusal(f"repetitions in a regular expression may come to {_MAX_REPEATS} here")
        opened: list[tuple[int, int]] = []
        alternatives: list[int] = []
        while place < len(text):
            char = text[place]
            if char == "\\":
                place = self._escape(place)
                continue
            if char == "[":
                place = self._class(place)
                continue
            if char == "(":
                place = self._open(place, opened)
                continue
            if char == ")":
                place = self._close(place, opened)
                continue
            if char == "|":
                alternatives.append(opened[-1][0] if opened else 0)
                if not opened:
                    self.optional |= set(range(1, self.groups + 1)) | {-1}
                else:
                    opened[-1] = (opened[-1][0], -1)
                self._out.append(char)
            elif char == ".":
                self._out.append(self._dot)
            elif char == "$":
                self._end(place)
            else:
                self.starts |= char == "^"
                self._out.append(char)
            place += 1
        if -1 in self.optional:
            self.optional |= set(range(1, self.groups + 1))

    def _end(self, place: int) -> None:
        if self._text[place + 1 :].strip(")") and not self._text[place + 1 :].startswith("|"):
            raise Refusal("$ is supported at the end of a pattern only")
        self.ends = True
        # Java's $ also matches before a last line break.
        self._out.append(r"(?:\n?\z)")

    def _escape(self, place: int) -> int:
        follow = self._text[place + 1 : place + 2]
        self.bounds |= follow in ("b", "B")
        self.starts |= follow == "A"
        if follow in _ESCAPES and _ESCAPES[follow] is not None:
            self._out.append(str(_ESCAPES[follow]))
        elif follow in _SAME and follow:
            self._out.append("\\" + follow if follow not in "/-'\"#&%@!:;<>=,~`_ " else re.escape(follow))
        else:
            raise Refusal(
                "this escape in a regular expression is not supported here", "Write the characters themselves."
            )
        return place + 2

    def _class(self, place: int) -> int:
        end = place + 1
        if self._text[end : end + 1] == "^":
            end += 1
        if self._text[end : end + 1] == "]":
            raise Refusal("a character class cannot begin with ]", r"Write \].")
        body = [self._text[place:end]]
        while end < len(self._text) and self._text[end] != "]":
            char = self._text[end]
            if char == "[" or self._text[end : end + 2] == "&&":
                raise Refusal("nested character classes are not supported here")
            if char == "\\":
                follow = self._text[end + 1 : end + 2]
                if follow == "s":
                    body.append(_SPACE)
                elif follow and (follow in "dDwWtnrf" or not follow.isalnum()):
                    body.append("\\" + follow)
                else:
                    raise Refusal("this escape in a character class is not supported here")
                end += 2
                continue
            body.append(char)
            end += 1
        if end >= len(self._text):
            raise Refusal("a character class is not closed")
        self._out.append("".join(body) + "]")
        return end + 1

    def _open(self, place: int, opened: list[tuple[int, int]]) -> int:
        rest = self._text[place:]
        found = re.match(r"\((\?:|\?<[A-Za-z][A-Za-z0-9]*>|\?<?[=!]|\?>|\?)?", rest)
        kind = (found[1] if found else "") or ""
        if kind in _LOOKS:
            raise NotInRe2(f"{_LOOKS[kind]} is not supported in regular expressions here", _ELSEWHERE)
        if kind == "?":
            raise Refusal(
                "flags are supported at the beginning of a regular expression only, and no others than (?i) and (?s)"
            )
        if kind == "?:":
            opened.append((self.groups, 0))
            self._out.append("(?:")
            return place + 3
        self.groups += 1
        opened.append((self.groups - 1, 0))
        self._out.append("(")
        return place + 1 + len(kind)

    def _close(self, place: int, opened: list[tuple[int, int]]) -> int:
        if not opened:
            raise Refusal("a parenthesis is closed that was not opened")
        before, alternatives = opened.pop()
        follow = self._text[place + 1 : place + 2]
        inside = set(range(before + 1, self.groups + 1))
        if follow in ("?", "*") or self._text[place + 1 : place + 3] == "{0":
            self.optional |= inside
        if alternatives:
            # The group itself takes part in either branch; what is inside a branch may not.
            own = {before + 1} if self._opens_capture(before) else set()
            self.optional |= inside - own
        self._out.append(")")
        return place + 1

    def _opens_capture(self, before: int) -> bool:
        return before < self.groups and not self._out[-1].startswith("(?:")
