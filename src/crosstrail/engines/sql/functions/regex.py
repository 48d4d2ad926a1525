"""Regular expressions: Java's, as Trino reads them, rewritten for RE2, or refused.

Decides which patterns mean the same in both. Patterns are literals, because what must be checked cannot be a value.
"""

from __future__ import annotations

import re
from math import prod

from crosstrail.engines.sql.casts import coerce
from crosstrail.engines.sql.expr import Expr, Refusal, constant_int, constant_text, derived, require_sure
from crosstrail.engines.sql.function_registry import FunctionCall, function
from crosstrail.engines.sql.types import BIGINT, BOOLEAN, VARCHAR, array_of
from crosstrail.lake.reader import quoted

_SPACE = r"\t\n\x0b\f\r "
_ESCAPES = {"s": f"[{_SPACE}]", "S": f"[^{_SPACE}]", "h": r"[\t ]", "Z": None, "A": r"\A", "z": r"\z"}
_SAME = set("dDwWbBtnrf\\.[](){}*+?^$|/-'\"#&%@!:;<>=,~`_ ")
_ODD_LETTERS = r"[ßẞſKİıŉǰΐΰև\x{1E96}-\x{1E9D}\x{1F50}-\x{1FFF}\x{FB00}-\x{FB17}]"
_ODD_LETTERS_PYTHON = re.sub(r"\\x\{([0-9A-F]{4})\}", r"\\u\1", _ODD_LETTERS)
_PROBES = ("", "a", " ", "1", "\n")
_REPEATS = re.compile(r"\{(?:\d+,)?([1-9]\d{0,8})")
_MAX_REPEATS = 1000
"""RE2's own limit, for one repetition and for nested ones together."""
_REPEAT_NOTHING = re.compile(r"[*+?}]\+")


class Pattern:
    """A checked pattern: `sql` for RE2, the number of groups, and the groups that may take no part in a match."""

    def __init__(self, text: str) -> None:
        self.groups = 0
        self.optional: set[int] = set()
        self.ends = False
        self.folds = text.startswith("(?i)")
        self.bounds = False
        """It holds \\b or \\B, which see letters beyond ASCII in Java, and do not in RE2."""
        if self.folds and not text.isascii() and re.search(_ODD_LETTERS_PYTHON, text):
            raise Refusal("this pattern holds a letter whose cases cannot be told apart here")
        self._text = text
        self._out: list[str] = []
        self._translate()
        try:
            self._python = re.compile(re.sub(r"\(\?<([A-Za-z])", r"(?P<\1", text))
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
            raise Refusal("possessive repetition such as a*+ is not supported here", "Use a* or a*?.")
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
                self._out.append(r"[^\n]")
            elif char == "$":
                self._end(place)
            else:
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
        found = re.match(r"\((\?:|\?i\)|\?s\)|\?<[A-Za-z][A-Za-z0-9]*>|\?<?[=!]|\?>|\?)?", rest)
        kind = (found[1] if found else "") or ""
        if kind == "?i)":
            if place:
                raise Refusal("(?i) is supported at the beginning of a pattern only")
            self._out.append("(?i)")
            return place + 4
        if kind.startswith("?") and kind != "?:" and not re.match(r"\?<[A-Za-z]", kind):
            raise Refusal(
                "lookaround, atomic groups and flags other than (?i) are not supported in regular expressions here"
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


def _pattern(call: FunctionCall, index: int = 1) -> Pattern:
    return Pattern(constant_text(coerce(call.arg(index), VARCHAR), "a regular expression"))


def _subject(call: FunctionCall, pattern: Pattern) -> Expr:
    """The text to search. Without regard to case, a text with letters that fold into others or into several fails; so does
    one with letters beyond ASCII where the pattern asks for the bounds of words."""
    text = coerce(call.arg(0), VARCHAR)
    if pattern.bounds:
        odd = f"regexp_matches(regexp_replace({text.sql}, '[\\x00-\\x7F]+', '', 'g'), '[\\p{{L}}\\p{{M}}\\p{{N}}\\p{{Pc}}]')"
        message = "a text with letters beyond ASCII, searched for the bounds of words"
        text = derived(require_sure(odd, message, text.sql, VARCHAR), VARCHAR, text)
    if not pattern.folds:
        return text
    message = "a text with a letter whose cases differ between engines, searched without regard to case"
    return derived(
        require_sure(f"regexp_matches({text.sql}, '{_ODD_LETTERS}')", message, text.sql, VARCHAR), VARCHAR, text
    )


@function("regexp_like")
def _like(call: FunctionCall) -> Expr:
    call.need(2)
    pattern = _pattern(call)
    text = _subject(call, pattern)
    return derived(f"regexp_matches({text.sql}, {pattern.sql})", BOOLEAN, text)


@function("regexp_extract", "regexp_extract_all")
def _extract(call: FunctionCall) -> Expr:
    call.need(2, 3)
    pattern = _pattern(call)
    text = _subject(call, pattern)
    group = constant_int(call.arg(2), "the group") if len(call) == 3 else 0
    if not 0 <= group <= pattern.groups:
        raise Refusal(f"this pattern has {pattern.groups} groups")
    if group in pattern.optional:
        raise Refusal("this group may take no part in a match", "Put the optional part outside the group.")
    if call.name == "regexp_extract" and group == 0 and (before := pattern.before_end()):
        sql = f"regexp_extract({text.sql}, {before}, 1)"
        return derived(f"(CASE WHEN regexp_matches({text.sql}, {before}) THEN {sql} END)", VARCHAR, text)
    _need_no_break(pattern, group)
    if call.name == "regexp_extract_all":
        pattern.need_something()
        return derived(f"regexp_extract_all({text.sql}, {pattern.sql}, {group})", array_of(VARCHAR), text)
    sql = f"regexp_extract({text.sql}, {pattern.sql}, {group})"
    return derived(f"(CASE WHEN regexp_matches({text.sql}, {pattern.sql}) THEN {sql} END)", VARCHAR, text)


def _need_no_break(pattern: Pattern, group: int = 0) -> None:
    """Refuses `$` where the match itself is wanted: RE2 would hand over a last line break with it."""
    if pattern.ends and group == 0:
        raise Refusal("$ is not supported here", "Take the wanted part with a group, or use regexp_like.")


@function("regexp_replace")
def _replace(call: FunctionCall) -> Expr:
    call.need(2, 3)
    pattern = _pattern(call)
    text = _subject(call, pattern)
    pattern.need_something()
    _need_no_break(pattern)
    written = constant_text(coerce(call.arg(2), VARCHAR), "the replacement") if len(call) == 3 else ""
    out, place = [], 0
    while place < len(written):
        char = written[place]
        if char == "$":
            found = re.match(r"\$(\d)", written[place:])
            if not found or int(found[1]) > pattern.groups:
                raise Refusal("a replacement names groups as $1 to $9")
            out.append(f"\\{found[1]}")
            place += 2
            continue
        if char == "\\":
            place += 1
            char = written[place : place + 1]
        out.append("\\\\" if char == "\\" else char)
        place += 1
    return derived(f"regexp_replace({text.sql}, {pattern.sql}, {quoted(''.join(out))}, 'g')", VARCHAR, text)


@function("regexp_split")
def _split(call: FunctionCall) -> Expr:
    call.need(2)
    pattern = _pattern(call)
    text = _subject(call, pattern)
    pattern.need_something()
    _need_no_break(pattern)
    return derived(f"regexp_split_to_array({text.sql}, {pattern.sql})", array_of(VARCHAR), text)


@function("regexp_count")
def _count(call: FunctionCall) -> Expr:
    call.need(2)
    pattern = _pattern(call)
    text = _subject(call, pattern)
    pattern.need_something()
    return derived(f"CAST(len(regexp_extract_all({text.sql}, {pattern.sql})) AS BIGINT)", BIGINT, text)
