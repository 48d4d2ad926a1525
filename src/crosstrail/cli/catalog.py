"""A catalog of translations, as gettext compiles it, and which of its messages a finished line is.

The source has English alone, and what it prints comes here as finished lines: a message whose msgid has `{name}` in the place
of values is found again in a line by its own words. Of all ways to read a line the one counts that knows most of its letters;
what no message is stays as it is, and so does every value of one word: it is data. A line that would be half translated stays English. Never raises because of a catalog:
one that is absent or broken is an empty one.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from string import Formatter

from crosstrail.cli.half_translated import half_translated

_FOLDER = Path(__file__).parents[1] / "locale"
_MAGIC = 0x950412DE
_NUMBER = r"([\d.,]+)"
_PLURAL = r"(e?s|)"
_ANYTHING = r"(.*?)"
_AFTERWARDS = r"(|(?: \(|[,;:.] | and |s?[.,;]$).*?)"
"""A value that follows another one without a word between them: it begins as a clause does."""
_PLACE = re.compile(r"\{\w+(?::n)?\}")
_DIGIT = re.compile(r"\d")
_SHORT, _SURE = 4, 8
"""Letters of a message that can be told from data by them alone."""
_ENDS = ".:"
_CHINESE_ENDS = "。：."
_LONGEST = 2_000
"""Letters of a line that is looked up; what is longer is data."""
_MAX_CUTS = 8
_MAX_WAYS = 10_000
_MAX_DEPTH = 8
_MAX_READ = 20_000
"""Of one line: parts within parts, and letters of all parts together. Whoever writes into a log chooses what a line holds, so what
is beyond these is data."""
_SEPARATORS = (("; ", "；"), (": ", "："), (" (", "（"))
_BETWEEN = ((", ", "，"), (" and ", "和"))


@dataclass(frozen=True)
class Rendering:
    """A text in the language of the catalog, and how many letters of it the catalog knew."""

    known: int
    text: str


@dataclass(frozen=True)
class Template:
    """A message with values in it."""

    msgid: str
    msgstr: str
    pieces: tuple[str, ...]
    """What stands before, between and after the values, and in front of the first the longest of these."""

    @property
    def anchor(self) -> str:
        """The longest piece: a line without it is not this message."""
        return self.pieces[0]

    @cached_property
    def known(self) -> int:
        return sum(len(piece.replace(" ", "")) for piece in self.pieces[1:])

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(name for _, name, _, _ in Formatter().parse(self.msgid) if name is not None)

    @cached_property
    def translated(self) -> tuple[tuple[str, str], ...]:
        """(text, name of the value after it)"""
        return tuple((text, name or "") for text, name, _, _ in Formatter().parse(self.msgstr))

    @cached_property
    def patterns(self) -> tuple[re.Pattern[str], ...]:
        """With values as short and, where there are several, as long as they can be: one may hold the words between two."""
        parts, adjacent = [], False
        for text, name, form, _ in Formatter().parse(self.msgid):
            parts.append(re.escape(text))
            if name is not None:
                parts.append(_value_pattern(name, form or "", adjacent=adjacent and not text))
                adjacent = True
        short = "".join(parts)
        long = "".join("(.*)" if part == _ANYTHING else part for part in parts)
        return tuple(re.compile(one, re.DOTALL) for one in ((short, long) if parts.count(_ANYTHING) > 1 else (short,)))

    def may_be(self, line: str) -> bool:
        """Whether the line has its words in their order, and not so often that a pattern which fails at its end would try very many
        ways to share the line out. Asked first: this takes a time that grows with the line alone."""
        first, last = self.pieces[1], self.pieces[-1]
        if self.anchor not in line or not (line.startswith(first) and line.endswith(last)):
            return False
        place, end, ways = len(first), len(line) - len(last), 1
        for piece in self.pieces[2:-1]:
            ways *= max(line.count(piece), 1) if piece else 1
            if ways > _MAX_WAYS:
                return False
            place = line.find(piece, place, end) + len(piece)
            if place < len(piece):
                return False
        return place <= end

    def values(self, line: str) -> Iterator[tuple[str, ...]]:
        """Those in a line that is this message. What has a word or two alone (`{start} to {end}`) is so only with plain values."""
        matches = (pattern.fullmatch(line) for pattern in self.patterns)
        for found in dict.fromkeys(match.groups() for match in matches if match):
            if found[-1:] and found[-1].startswith("("):  # the line's own parentheses: it is another sentence
                continue
            if self.known >= _SURE or self.msgid[0].isupper() or self._plain(found):
                yield found

    def _plain(self, values: Sequence[str]) -> bool:
        blank = any(" " in value.strip() for value in values)
        return not blank and (self.known >= _SHORT or any(map(_DIGIT.search, values)))


def _value_pattern(name: str, form: str, *, adjacent: bool) -> str:
    if form == "n":
        return _NUMBER
    if name.rstrip("0123456789") == "s":
        return _PLURAL
    return _AFTERWARDS if adjacent else _ANYTHING


@dataclass
class MessageCatalog:
    """Messages by their msgids, without the stop or colon that they may end with."""

    messages: dict[str, str] = field(default_factory=dict)
    templates: list[Template] = field(default_factory=list)

    def line(self, text: str) -> str:
        """The line in the catalog's language, as far as it is known; blanks around it stay."""
        bare = text.strip()
        if not (self.messages or self.templates) or len(bare) > _LONGEST or not any(map(str.isalpha, bare)):
            return text
        found = _Line(self.messages, [one for one in self.templates if one.anchor in bare]).read(bare, whole=True)
        if not found.known or half_translated(found.text):
            return text
        start = len(text) - len(text.lstrip())
        return text[:start] + found.text + text[start + len(bare) :]

    def exactly(self, text: str) -> str:
        """The translation of this message, empty where there is none."""
        return self.messages.get(_bare(text), "")


class _Line:
    """One line and its parts: each is read once, by the messages that can be in this line at all."""

    def __init__(self, messages: Mapping[str, str], templates: Sequence[Template]) -> None:
        self._messages = messages
        self._templates = templates
        self._before: dict[str, Rendering] = {}
        self._depth = 0
        self._left = _MAX_READ

    def read(self, text: str, *, whole: bool = False) -> Rendering:
        """`whole` lines may be one word; a value that is one word is data."""
        if text in self._before:
            return self._before[text]
        self._before[text] = best = Rendering(0, text)
        if not whole and " " not in text.strip():
            return best
        self._left -= len(text)
        if self._depth >= _MAX_DEPTH or self._left < 0:
            return best
        self._depth += 1
        best = self._before[text] = self._best(text)
        self._depth -= 1
        return best

    def _best(self, text: str) -> Rendering:
        bare, end = _bare(text), text[len(_bare(text)) :]
        if bare in self._messages:
            return Rendering(len(bare.replace(" ", "")), _ended(self._messages[bare], end))
        ways = (
            self._by_sentences(text),
            self._by_templates(bare, end),
            self._by_signs(text),
            self._by_lists(text),
        )
        readings = (reading for found in ways for reading in found)
        return max((Rendering(0, text), *readings), key=lambda reading: reading.known)

    def _by_templates(self, text: str, end: str) -> Iterator[Rendering]:
        for template in self._templates:
            if not template.may_be(text):
                continue
            for found in template.values(text):
                yield self._filled(template, found, end)

    def _filled(self, template: Template, found: Sequence[str], end: str) -> Rendering:
        values = dict.fromkeys(template.names, "")
        known = template.known
        for name, value in zip(template.names, found, strict=True):
            inner = self._value(value)
            values[name] = inner.text
            known += max(inner.known - 1, 0)  # of two ways to know the same letters the one with fewer parts
        filled = "".join(words + values.get(name, "") for words, name in template.translated)
        return Rendering(known, _ended(filled, end))

    def _value(self, value: str) -> Rendering:
        bare = value.strip()
        inner = self.read(bare)
        return Rendering(inner.known, value.replace(bare, inner.text)) if inner.known else Rendering(0, value)

    def _by_sentences(self, text: str) -> Iterator[Rendering]:
        for cut in [*re.finditer(r"[.?!] (?=\S)", text)][:_MAX_CUTS]:
            stop = text[cut.start()]
            first, rest = self.read(text[: cut.start() + (stop != ".")]), self.read(text[cut.end() :])
            between = "" if first.known and stop != "." else "。" if first.known else cut[0] if stop == "." else " "
            yield Rendering(first.known + rest.known, first.text + between + rest.text)

    def _by_signs(self, text: str) -> Iterator[Rendering]:
        for sign, chinese in _SEPARATORS:
            for place in {text.find(sign), text.rfind(sign)} - {-1}:
                first, rest = self.read(text[:place]), self._rest(text[place + len(sign) :], sign)
                between = chinese if first.known or (sign == " (" and rest.known) else sign
                yield Rendering(first.known + rest.known, first.text + between + rest.text)

    def _by_lists(self, text: str) -> Iterator[Rendering]:
        for sign, chinese in _BETWEEN:
            if sign in text:
                parts = [self.read(part) for part in text.split(sign)]
                known = sum(part.known for part in parts)
                yield Rendering(known, (chinese if known else sign).join(part.text for part in parts))

    def _rest(self, text: str, sign: str) -> Rendering:
        """What stands after a sign; in parentheses without the closing one."""
        closing = text.find(")")
        if sign != " (" or closing < 0:
            return self.read(text)
        inner, after = self.read(text[:closing]), self.read(text[closing + 1 :])
        return Rendering(inner.known + after.known, f"{inner.text}）{after.text}")


def catalog_of(language: str, folder: Path = _FOLDER) -> MessageCatalog:
    """That of a language; empty for English, and where the file is not there or not as it must be."""
    if not language:
        return MessageCatalog()
    try:
        pairs = read_compiled((folder / language / "LC_MESSAGES" / "crosstrail.mo").read_bytes())
        return catalog_from(pairs)
    except (OSError, ValueError, struct.error):
        return MessageCatalog()


def catalog_from(pairs: dict[str, str]) -> MessageCatalog:
    """msgid -> msgstr; those without a msgstr are left out. Raises ValueError of a message whose braces do not match."""
    catalog = MessageCatalog()
    for msgid, msgstr in pairs.items():
        if not msgid or not msgstr:
            continue
        bare = _bare(msgid)
        pieces = _pieces(bare)
        if len(pieces) > 1:
            catalog.templates.append(Template(bare, msgstr, (max(pieces, key=len), *pieces)))
        else:
            catalog.messages[pieces[0]] = _unescaped(msgstr)
    return catalog


def read_compiled(data: bytes) -> dict[str, str]:
    """msgid -> msgstr of a .mo file. Raises ValueError, struct.error of what is none."""
    order = next((one for one in "<>" if struct.unpack(f"{one}I", data[:4])[0] == _MAGIC), "")
    if not order:
        raise ValueError("this is no compiled catalog")
    count, originals, translations = struct.unpack(f"{order}3I", data[8:20])

    def text(table: int, number: int) -> str:
        length, offset = struct.unpack_from(f"{order}2I", data, table + 8 * number)
        return data[offset : offset + length].decode()

    return {text(originals, number): text(translations, number) for number in range(count)}


def _bare(text: str) -> str:
    return text.rstrip(_ENDS)


def _ended(text: str, end: str) -> str:
    """A translation with the stop or the colon that the line has."""
    return text.rstrip(_CHINESE_ENDS) + {".": "。", ":": "："}.get(end, end)


def _pieces(msgid: str) -> list[str]:
    """What stands around the values; of one piece where there is none."""
    if "{{" not in msgid and "}}" not in msgid:
        return _PLACE.split(msgid)
    pieces = [""]
    for text, name, _, _ in Formatter().parse(msgid):
        pieces[-1] += text
        if name is not None:
            pieces.append("")
    return pieces


def _unescaped(text: str) -> str:
    return text.replace("{{", "{").replace("}}", "}") if "{" in text or "}" in text else text


__all__ = ["MessageCatalog", "catalog_from", "catalog_of", "read_compiled"]
