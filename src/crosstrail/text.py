"""Hostile text made safe to show: for terminals, for readers that obey text, for spreadsheets, and as JSON.

Decides which characters may pass: none that controls a terminal (C0, C1, escape sequences), turns the direction of writing,
or prints nothing. The one place that decides it; it never decides how long a text may be where nobody gives a cap. Text
is cleaned where it is shown, never where it is stored.
"""

from __future__ import annotations

import re

import orjson

_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_INVISIBLE_RANGES = ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))
"""Variation selectors and other characters that print nothing, though Unicode calls them letters or marks."""
ELLIPSIS = "…"
_NUMBER = re.compile(r"[+-]?\d{1,400}(\.\d{1,400})?([eE][+-]?\d{1,4})?", re.ASCII)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def is_visible(sign: str) -> bool:
    """Whether the character prints, in one place, and does nothing else. Of white space only the blank does."""
    code = ord(sign)
    return (
        sign.isprintable()
        and sign not in _INVISIBLE
        and not any(first <= code <= last for first, last in _INVISIBLE_RANGES)
    )


class _Table(dict[int, int | str | None]):
    """For str.translate, filled as characters come, up to a bound."""

    _MOST = 20_000

    def __missing__(self, code: int) -> int | str | None:
        value = code if is_visible(chr(code)) else self.instead(code)
        if len(self) < self._MOST:
            self[code] = value
        return value

    def instead(self, code: int) -> int | str | None:
        """A blank for white space, nothing for the rest."""
        return " " if chr(code).isspace() else None


class _Escapes(_Table):
    """The same characters as JSON writes them. The line breaks between JSON's own lines stay."""

    def instead(self, code: int) -> int | str | None:
        if code == 0x0A:
            return code
        units = chr(code).encode("utf-16-be", "surrogatepass")
        return "".join(f"\\u{units[place]:02x}{units[place + 1]:02x}" for place in range(0, len(units), 2))


_VISIBLE = _Table()
_ESCAPED = _Escapes()


def visible(text: str) -> str:
    """One line: escape sequences and invisible characters gone, every white space a blank."""
    if text.isascii() and text.isprintable():
        return text
    return _ESCAPE_SEQUENCE.sub("", text).translate(_VISIBLE)


def clean(text: str, cap: int = 0) -> str:
    """One line of visible characters, at most `cap` UTF-8 bytes when that is not 0; the middle gives way to `…`."""
    whole = len(text)
    if cap:
        text = text[: 2 * cap + 64]  # what comes later could matter only if nearly all of this is invisible
    sliced = len(text) < whole
    text = visible(text).strip()
    return shorten(text, cap, forced=sliced) if cap else text


def shorten(text: str, cap: int, *, forced: bool = False) -> str:
    """At most `cap` bytes (4 at least): both ends of the text around `…`. `forced` marks a text that was cut before."""
    raw = text.encode()
    if len(raw) <= cap and not forced:
        return text
    room = max(cap - len(ELLIPSIS.encode()), 1)
    head = raw[: room - room // 3].decode(errors="ignore")
    tail = raw[max(len(raw) - room // 3, len(head.encode())) :].decode(errors="ignore") if room // 3 else ""
    return f"{head}{ELLIPSIS}{tail}"


def json_text(value: object, option: int = 0) -> str:
    """The value as JSON, equal to what any JSON writer gives, in which nothing but visible characters stands.

    `option`: orjson's. Raises orjson.JSONEncodeError.
    """
    return escaped(orjson.dumps(value, option=option).decode())


def escaped(json: str) -> str:
    """The same JSON with every character that is not visible written as \\uXXXX."""
    return json if json.isascii() and json.isprintable() else json.translate(_ESCAPED)


def csv_cell(text: str) -> str:
    """A text that a spreadsheet shows and never runs.

    What is not visible is written as \\uXXXX, but for line breaks and tabs. An apostrophe is put before what a spreadsheet
    could take for a formula; numbers stay numbers. Who needs the exact value takes JSON.
    """
    if not (text.isascii() and text.isprintable()):
        text = "".join(sign if sign in "\n\t" else sign.translate(_ESCAPED) for sign in text)
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text
