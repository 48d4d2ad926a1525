"""Regular expressions as Trino reads them (Joni with Java's syntax), written anew for RE2, or refused.

Decides which patterns mean the same in both, and how those are written that RE2 reads otherwise: letters without regard
to case where one letter stands for several (ß for ss), the end of a text, and the boundaries of words beyond ASCII. It
never looks at the text that is searched: every text gets an answer, whoever wrote it. Reading takes linear time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from crosstrail.engines.dialect.expr import Refusal

MARK, INSTEAD = "\ufdd0", "\ufdd1"
"""Stands twice at each end of a word where a text goes beyond ASCII, since RE2's own \\b knows ASCII alone. Neither is a
character that texts may interchange; where one holds MARK all the same, it reads as INSTEAD."""
WORD = r"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE}\x{24B6}-\x{24E9}"
"""What makes a word for Joni's \\b, though its \\w is ASCII: found by asking it about each character."""
_MARKS = r"\x{FDD0}*"
_SPACE = r"\t\n\x0B\f\r "
_CLASSES = {"d": r"\d", "D": r"\D", "w": r"\w", "W": r"\W", "s": _SPACE}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "a": "\a", "e": "\x1b"}
_QUANTIFIER = re.compile(r"(?:[*+?]|\{(\d{1,9})(?:(,)(\d{1,9})?)?\})([?+]?)")
_GROUP = re.compile(r"\((?:(\?:)|\?<([A-Za-z][A-Za-z0-9]*)>|\?([is]{1,2}):|(\?))?")
_FLAGS = re.compile(r"\(\?([is]{1,2})\)")
_SEVERAL = {"ss": "ß", "ff": "ﬀ", "fi": "ﬁ", "fl": "ﬂ", "st": "ﬅﬆ", "ffi": "ﬃ", "ffl": "ﬄ"}
"""Letters that match without regard to case where the pattern has these; a capital ẞ does not."""
_LONGEST_CLUSTER = 10
_ODD_LETTERS = re.compile(
    r"[ßẞİŉǰʼʾΐΰև\u0300-\u0345\u1E96-\u1E9F\u1F00-\u1FFF\uFB00-\uFB17\u03B1\u03AE\u03B7\u03CE\u03C9\u03AC\u03B9"
    r"\u0391\u0397\u03A9\u0399\u0386\u0389\u038F\u0565\u0535\u0574\u0544\u0576\u0546\u057E\u054E\u2126]"
)
"""In a pattern that ignores case: letters that fold into several, and what they fold into."""
_LAST_FOLDED = 0x17F
"""Up to here both engines know the same pairs of cases; further on their Unicode versions differ."""
_MAX_REPEATS = 1000
"""RE2's own limit, for one repetition and for nested ones together."""
_MAX_WEIGHT = 20_000
_MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of the pattern: for RE2, and for a text with marks."""

    plain: str
    marked: str
    empty: bool = False
    """May match the empty text."""
    breaks: bool = False
    """May match a line break."""
    repeats: int = 1
    weight: int = 1
    letter: str = ""
    """Of a character that stands for itself: that one."""
    fold: bool = False
    end: bool = False


class Pattern:
    """A checked pattern: `plain` for RE2, the number of groups, and the groups that may take no part in a match."""

    def __init__(self, text: str) -> None:
        self.groups = 0
        self.optional: set[int] = set()
        self.boundaries = False
        self._text, self._place = text, 0
        self._fold = self._dot_all = False
        self._ends = 0
        self._unmarkable = False
        self._names: set[str] = set()
        while found := _FLAGS.match(text, self._place):
            self._set_flags(found[1])
            self._place = found.end()
        whole, self._branches = self._alternatives(0)
        if self._place < len(text):
            raise Refusal("a parenthesis is closed that was not opened")
        if whole.weight > _MAX_WEIGHT:
            raise Refusal("this regular expression is too large here", "Repeat less.")
        if self.boundaries and self._unmarkable:
            raise Refusal(r"\b cannot stand beside \W, \D or \S in a class here", r"Write [^...] instead.")
        self.empty, self.breaks, self.ends = whole.empty, whole.breaks, bool(self._ends)
        self.plain, self.marked = whole.plain, whole.marked

    def split_end(self) -> tuple[str, str] | None:
        """For a pattern with one `$`, at its end: what stands before it, plain and marked; else None."""
        if self._ends != 1 or self._branches > 1 or not self.plain.endswith(_END):
            return None
        return self.plain.removesuffix(_END), self.marked.removesuffix(_MARKS + _END)

    def _set_flags(self, flags: str) -> None:
        self._fold |= "i" in flags
        self._dot_all |= "s" in flags

    def _alternatives(self, depth: int) -> tuple[_Piece, int]:
        """One or more branches up to `)` or the end, and how many."""
        if depth > _MAX_DEPTH:
            raise Refusal("this regular expression is nested too deeply")
        first, branches = self.groups, [self._sequence(depth)]
        while self._text.startswith("|", self._place):
            self._place += 1
            branches.append(self._sequence(depth))
        if len(branches) == 1:
            return branches[0], 1
        self.optional |= set(range(first + 1, self.groups + 1))
        return _joined(branches, "|", any(one.empty for one in branches)), len(branches)

    def _sequence(self, depth: int) -> _Piece:
        items: list[_Piece] = []
        while self._place < len(self._text) and self._text[self._place] not in "|)":
            first = self.groups
            atom = self._atom(depth)
            items.append(self._quantified(atom, first))
        return _joined(_with_folds(items), "", all(one.empty for one in items))

    def _quantified(self, atom: _Piece, first: int) -> _Piece:
        found = _QUANTIFIER.match(self._text, self._place)
        if not found:
            return atom
        if found[4] == "+":
            raise Refusal("possessive repetition such as a*+ is not supported here", "Use a* or a*?.")
        if atom.end or atom.plain in (r"\A", r"\z", r"\b", "^"):
            raise Refusal("a repetition has nothing to repeat here")
        self._place = found.end()
        if _QUANTIFIER.match(self._text, self._place):
            raise Refusal("one repetition right after another is not supported here", "Put (?:...) around the first.")
        sign = found[0][0]
        low = int(found[1]) if found[1] else int(sign == "+")
        high = (int(found[3] or 0) or None if found[2] else low) if found[1] else (1 if sign == "?" else None)
        if found[2] and found[3] and (high or 0) < low:
            raise Refusal("a repetition's bounds are the wrong way round")
        most = max(low, high or 0, 1)
        if atom.repeats * most > _MAX_REPEATS:
            raise Refusal(f"repetitions in a regular expression may come to {_MAX_REPEATS} here")
        if not low:
            self.optional |= set(range(first + 1, self.groups + 1))
        if found[1] == "1" and not found[2]:
            return atom
        return replace(
            atom,
            plain=atom.plain + found[0],
            marked=f"(?:{atom.marked}){found[0]}",
            empty=atom.empty or not low,
            repeats=atom.repeats * most,
            weight=atom.weight * most,
            letter="",
        )

    def _atom(self, depth: int) -> _Piece:
        char = self._text[self._place]
        if char == "\\":
            return self._escape()
        if char == "[":
            return self._class()
        if char == "(":
            return self._group(depth)
        if _QUANTIFIER.match(self._text, self._place):
            raise Refusal("a repetition has nothing to repeat here")
        self._place += 1
        if char == ".":
            body = r"[\x{0}-\x{10FFFF}]" if self._dot_all else r"[^\n]"
            marked = r"[^\x{FDD0}]" if self._dot_all else r"[^\n\x{FDD0}]"
            return _Piece(body, _MARKS + marked, breaks=self._dot_all)
        if char == "^":
            return _Piece(r"\A", r"\A", empty=True)
        if char == "$":
            return self._end()
        return self._letter(char)

    def _end(self) -> _Piece:
        rest = self._text[self._place :].lstrip(")")
        if rest and not rest.startswith("|"):
            raise Refusal("$ is supported at the end of a pattern only")
        self._ends += 1
        return _Piece(_END, _MARKS + _END, empty=True, end=True)

    def _letter(self, char: str) -> _Piece:
        if char == "\0" or char in (MARK, INSTEAD):
            raise Refusal("this character is not supported in a regular expression here")
        if self._fold and ((ord(char) > _LAST_FOLDED and char.lower() != char.upper()) or _ODD_LETTERS.match(char)):
            raise Refusal("this pattern holds a letter whose cases cannot be told apart here", "Leave (?i) out.")
        written = f"(?i:{_literal(char)})" if self._fold and char.isalpha() else _literal(char)
        return _Piece(written, _MARKS + written, breaks=char == "\n", letter=char, fold=self._fold)

    def _escape(self) -> _Piece:
        place = self._place
        follow = self._text[place + 1 : place + 2]
        if follow == "Q":
            raise Refusal(r"\Q is not supported here", "Write a backslash before each sign.")
        if follow and follow in "dDwWsS":
            self._place += 2
            body = {"s": f"[{_SPACE}]", "S": f"[^{_SPACE}]"}.get(follow, "\\" + follow)
            marked = {"S": rf"[^{_SPACE}\x{{FDD0}}]", "W": r"[^\w\x{FDD0}]", "D": r"[^\d\x{FDD0}]"}.get(follow, body)
            return _Piece(body, _MARKS + marked, breaks=follow in "DWs")
        if follow in ("A", "z"):
            self._place += 2
            return _Piece("\\" + follow, r"\A" if follow == "A" else _MARKS + r"\z", empty=True)
        if follow == "b":
            self.boundaries = True
            self._place += 2
            while self._text.startswith(r"\b", self._place):
                self._place += 2
            return _Piece(r"\b", r"\x{FDD0}", empty=True)
        return self._letter(self._escaped())

    def _escaped(self) -> str:
        """The one character that the escape at this place stands for."""
        if found := re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4}))").match(self._text, self._place):
            self._place = found.end()
            return _character(int(found[1] or found[2], 16), is_byte=bool(found[1]))
        follow = self._text[self._place + 1 : self._place + 2]
        self._place += 2
        if follow in _CONTROLS and follow:
            return _CONTROLS[follow]
        if not follow or follow.isalnum() or not follow.isascii():
            raise Refusal(
                "this escape in a regular expression is not supported here", "Write the characters themselves."
            )
        return follow

    def _class(self) -> _Piece:
        text = self._text
        negated = text.startswith("^", self._place + 1)
        self._place += 1 + negated
        if text.startswith("]", self._place):
            raise Refusal("a character class cannot begin with ]", r"Write \].")
        body: list[str] = []
        breaks = False
        while not text.startswith("]", self._place):
            if self._place >= len(text):
                raise Refusal("a character class is not closed")
            written, holds_break = self._class_item()
            body.append(written)
            breaks |= holds_break
        self._place += 1
        inside = "".join(body)
        fold = "(?i:%s)" if self._fold else "%s"
        if self._fold and r"\w" in body:  # Joni folds what a class holds, and \w alone not
            inside += "ſ\u212a"
        if self._fold and r"\W" in body:
            raise Refusal(r"\W in a class is not supported with (?i) here")
        plain = fold % f"[{'^' if negated else ''}{inside}]"
        marked = fold % (f"[^{inside}\\x{{FDD0}}]" if negated else f"[{inside}]")
        return _Piece(plain, _MARKS + marked, breaks=breaks != negated)

    def _class_item(self) -> tuple[str, bool]:
        """A class, a character or a range, for RE2, and whether it holds a line break."""
        text = self._text
        follow = text[self._place + 1 : self._place + 2] if text[self._place] == "\\" else ""
        if follow and follow in _CLASSES:
            self._place += 2
            self._unmarkable |= follow in "DW"
            if text.startswith("-", self._place) and not text.startswith("-]", self._place):
                raise Refusal("a range in a character class goes from one character to another")
            return _CLASSES[follow], follow in "DWs"
        first = self._class_character()
        if not text.startswith("-", self._place) or text.startswith("-]", self._place):
            return _in_class(first), first == "\n"
        self._place += 1
        last = self._class_character()
        if last < first:
            raise Refusal("a range in a character class is the wrong way round")
        if self._fold and ord(last) > 0x7F:
            raise Refusal("ranges beyond ASCII are not supported with (?i) here")
        return f"{_in_class(first)}-{_in_class(last)}", first <= "\n" <= last

    def _class_character(self) -> str:
        if self._place >= len(self._text):
            raise Refusal("a character class is not closed")
        char = self._text[self._place]
        if char == "[" or self._text.startswith("&&", self._place):
            raise Refusal("nested character classes are not supported here", r"Write \[ for the sign itself.")
        if char == "\\":
            char = self._escaped()
        else:
            self._place += 1
        self._letter(char)
        return char

    def _group(self, depth: int) -> _Piece:
        found = _GROUP.match(self._text, self._place)
        if not found or found[4]:
            raise Refusal(
                "lookaround, atomic groups and flags other than (?i) and (?s) are not supported in regular expressions "
                "here",
                "(?i) and (?s) stand at the beginning of a pattern." if _FLAGS.match(self._text, self._place) else "",
            )
        outside = self._fold, self._dot_all
        self._set_flags(found[3] or "")
        if found[2] in self._names:
            raise Refusal("two groups have one name")
        self._names |= {found[2]} - {None}
        captures = not found[1] and not found[3]
        self.groups += captures
        self._place = found.end()
        body, _ = self._alternatives(depth + 1)
        if not self._text.startswith(")", self._place):
            raise Refusal("a parenthesis is not closed")
        self._place += 1
        self._fold, self._dot_all = outside
        head = "(" if captures else "(?:"
        return replace(body, plain=f"{head}{body.plain})", marked=f"{head}{body.marked})", letter="", end=False)


_END = r"(?:\n?\z)"
"""Java's $ also matches before a last line break."""


def _joined(parts: list[_Piece], by: str, empty: bool) -> _Piece:
    return _Piece(
        by.join(one.plain for one in parts),
        by.join(one.marked for one in parts),
        empty,
        any(one.breaks for one in parts),
        max((one.repeats for one in parts), default=1),
        sum(one.weight for one in parts) + 1,
    )


def _with_folds(items: list[_Piece]) -> list[_Piece]:
    """The items of a sequence, with what may match one letter for several."""
    letters = "".join((one.letter.lower() or "\0") if one.fold else "\0" for one in items)
    out: list[_Piece] = []
    place = 0
    while place < len(items):
        end = _cluster(letters, place)
        if end - place < 2:
            out.append(items[place])
            place += 1
            continue
        if end - place > _LONGEST_CLUSTER:
            raise Refusal("so many of these letters in a row are not supported with (?i) here")
        ways = [[_folded(part) for part in way] for way in _tilings(letters[place:end])]
        forms = [f"(?:{'|'.join(by.join(way) for way in ways)})" for by in ("", _MARKS)]
        out.append(_Piece(forms[0], _MARKS + forms[1], weight=sum(map(len, ways))))
        place = end
    return out


def _cluster(letters: str, start: int) -> int:
    """Where the letters end that begin at `start` and of which each two neighbours may be one letter."""
    end = start
    while letters[end : end + 2] in _SEVERAL:
        end += 1
    return end + 1 if end > start else start


def _tilings(letters: str) -> list[list[str]]:
    if not letters:
        return [[]]
    sizes = [size for size in (1, 2, 3) if size == 1 or letters[:size] in _SEVERAL]
    return [[letters[:size], *rest] for size in sizes for rest in _tilings(letters[size:])]


def _folded(part: str) -> str:
    return f"(?i:{part})" if len(part) == 1 else f"[{_SEVERAL[part]}]"


def _character(code: int, *, is_byte: bool) -> str:
    if not code or 0xD800 <= code < 0xE000 or (is_byte and code > 0x7F):
        raise Refusal("this escape in a regular expression is not supported here", "Write the character itself.")
    return chr(code)


def _literal(char: str) -> str:
    if not char.isascii() or char.isalnum() or char == "_":
        return char
    return "\\" + char if " " < char < "\x7f" else f"\\x{{{ord(char):X}}}"


def _in_class(char: str) -> str:
    return _literal(char)
