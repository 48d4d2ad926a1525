"""A catalog of translations, as gettext compiles it, and which of its messages a finished line is.

The source has English alone, and what it prints comes here as finished lines: a message whose msgid has `{name}` in the place
of values is found again in a line by its own words. Of all ways to read a line the one counts that knows most of its letters;
what no message is stays as it is, and so does every value of one word: it is data. Never raises because of a catalog:
one that is absent or broken is an empty one.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from string import Formatter

_FOLDER = Path(__file__).parents[1] / "locale"
_MAGIC = 0x950412DE
_NUMBER = r"([\d.,]+)"
_ANYTHING = r"(.*?)"
_ENDS = ".:"
_CHINESE_ENDS = "。：."
_LONGEST = 4_000
"""Letters of a line that is looked up; what is longer is data."""
_MAX_CUTS = 8
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

    pieces: tuple[str, ...]
    """What stands before, between and after the values."""
    names: tuple[str, ...]
    numbers: tuple[bool, ...]
    """Of each value: whether it is digits alone."""
    translated: tuple[tuple[str, str], ...]
    """(text, name of the value after it)"""

    @cached_property
    def anchor(self) -> str:
        """The longest piece: a line without it is not this message."""
        return max(self.pieces, key=len)

    @cached_property
    def known(self) -> int:
        return sum(len(piece.replace(" ", "")) for piece in self.pieces)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        parts = [re.escape(self.pieces[0])]
        for number, piece in zip(self.numbers, self.pieces[1:], strict=True):
            parts += [_NUMBER if number else _ANYTHING, re.escape(piece)]
        return re.compile("".join(parts), re.DOTALL)


@dataclass
class MessageCatalog:
    """Messages by their msgids, without the stop or colon that they may end with."""

    messages: dict[str, str] = field(default_factory=dict)
    templates: list[Template] = field(default_factory=list)

    def line(self, text: str) -> str:
        """The line in the catalog's language, as far as it is known; blanks around it stay."""
        bare = text.strip()
        if not self.messages or len(bare) > _LONGEST or not any(map(str.isalpha, bare)):
            return text
        found = self._read(bare, {}, whole=True)
        if not found.known:
            return text
        start = len(text) - len(text.lstrip())
        return text[:start] + found.text + text[start + len(bare) :]

    def exactly(self, text: str) -> str:
        """The translation of this message, empty where there is none."""
        return self.messages.get(_bare(text), "")

    def _read(self, text: str, before: dict[str, Rendering], *, whole: bool = False) -> Rendering:
        """`whole` lines may be one word; a value that is one word is data."""
        if text in before:
            return before[text]
        before[text] = best = Rendering(0, text)
        if not whole and " " not in text.strip():
            return best
        bare, end = _bare(text), text[len(_bare(text)) :]
        if bare in self.messages:
            best = Rendering(len(bare), _ended(self.messages[bare], end))
        else:
            ways = (
                self._by_sentences(text, before),
                self._by_templates(bare, end, before),
                self._by_signs(text, before),
                self._by_lists(text, before),
            )
            best = max((best, *(reading for found in ways for reading in found)), key=lambda reading: reading.known)
        before[text] = best
        return best

    def _by_templates(self, text: str, end: str, before: dict[str, Rendering]) -> Iterator[Rendering]:
        for template in self.templates:
            if template.anchor not in text or not (match := template.pattern.fullmatch(text)):
                continue
            values = dict.fromkeys(template.names, "")
            known = template.known
            for name, value in zip(template.names, match.groups(), strict=True):
                inner = self._value(value, before)
                values[name] = inner.text
                known += inner.known
            filled = "".join(words + values.get(name, "") for words, name in template.translated)
            yield Rendering(known, _ended(filled, end))

    def _value(self, value: str, before: dict[str, Rendering]) -> Rendering:
        bare = value.strip()
        inner = self._read(bare, before)
        return Rendering(inner.known, value.replace(bare, inner.text)) if inner.known else Rendering(0, value)

    def _by_sentences(self, text: str, before: dict[str, Rendering]) -> Iterator[Rendering]:
        for place in [cut.end() for cut in re.finditer(r"[.?!] (?=\S)", text)][:_MAX_CUTS]:
            first, rest = self._read(text[: place - 1], before), self._read(text[place:], before)
            yield Rendering(first.known + rest.known, first.text + " " * (not first.known) + rest.text)

    def _by_signs(self, text: str, before: dict[str, Rendering]) -> Iterator[Rendering]:
        for sign, chinese in _SEPARATORS:
            for place in {text.find(sign), text.rfind(sign)} - {-1}:
                first, rest = self._read(text[:place], before), self._rest(text[place + len(sign) :], sign, before)
                between = chinese if first.known or (sign == " (" and rest.known) else sign
                yield Rendering(first.known + rest.known, first.text + between + rest.text)

    def _by_lists(self, text: str, before: dict[str, Rendering]) -> Iterator[Rendering]:
        for sign, chinese in _BETWEEN:
            if sign in text:
                parts = [self._read(part, before) for part in text.split(sign)]
                known = sum(part.known for part in parts)
                yield Rendering(known, (chinese if known else sign).join(part.text for part in parts))

    def _rest(self, text: str, sign: str, before: dict[str, Rendering]) -> Rendering:
        """What stands after a sign; in parentheses without the closing one."""
        closing = text.find(")")
        if sign != " (" or closing < 0:
            return self._read(text, before)
        inner, after = self._read(text[:closing], before), self._read(text[closing + 1 :], before)
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
        template = _template(_bare(msgid), msgstr)
        if template.names:
            catalog.templates.append(template)
        else:
            catalog.messages[template.pieces[0]] = "".join(text for text, _ in template.translated)
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


def _template(msgid: str, msgstr: str) -> Template:
    pieces, names, numbers = [""], [], []
    for text, name, form, _ in Formatter().parse(msgid):
        pieces[-1] += text
        if name is not None:
            names.append(name)
            numbers.append(form == "n")
            pieces.append("")
    translated = tuple((text, name or "") for text, name, _, _ in Formatter().parse(msgstr))
    return Template(tuple(pieces), tuple(names), tuple(numbers), translated)


__all__ = ["MessageCatalog", "catalog_from", "catalog_of", "read_compiled"]
