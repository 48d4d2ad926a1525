"""JSON of records, without the loss of a digit: how it is parsed, and how a part of it becomes text again.

Decides what becomes of numbers that Python's or DuckDB's types cannot hold. What it gives is as deep and as long as what it
is given: its callers bound that.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from math import isinf

from msgspec import MsgspecError
from msgspec.json import Decoder, Encoder

from crosstrail.clouds.record_text import without_halves


class NotJson(ValueError):
    """The text is no strict JSON, or holds a number of thousands of digits."""


def _number(text: str) -> float | Decimal | str:
    """A float where that is the same number as written, else a Decimal, which keeps its digits."""
    near = float(text)
    if repr(near) == text or (("e" in text or "E" in text) and len(text) < 16 and not isinf(near)):
        return near
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent of more than 18 digits
        return text


def decoder(kind: object) -> Decoder[object]:
    """A decoder of this type whose numbers are as `parsed` has them."""
    return Decoder(kind, float_hook=_number)


_decode = decoder(object).decode
_encode = Encoder(decimal_format="number").encode


def parsed(raw: bytes) -> object:
    """The value of strict JSON, with U+FFFD for halves of surrogate pairs. Raises NotJson for other text, RecursionError for
    one that is nested without end."""
    try:
        return _decode(raw)
    except (MsgspecError, UnicodeDecodeError) as error:
        mended = without_halves(raw)
        if mended != raw:
            return parsed(mended)
        raise NotJson from error


def compact(value: object) -> bytes:
    """The value as JSON text without spaces, keys in their order. Raises TypeError or RecursionError for no JSON value."""
    return _encode(value)
