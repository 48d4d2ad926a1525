"""format('%s %05d %.2f', ...): Java's Formatter, as far as its text is certain.

Decides which conversions and flags are written; what Java refuses, or writes by rules of its own (dates with %t, hashes,
floating point in hexadecimal), is refused here.
"""

from __future__ import annotations

import re

from crosstrail.engines.sql.casts import coerce
from crosstrail.engines.sql.expr import Expr, Refusal, constant_text, derived, let, unsure
from crosstrail.engines.sql.function_registry import FunctionCall, function
from crosstrail.engines.sql.scalar_casts import cast_scalar
from crosstrail.engines.sql.types import BOOLEAN, DATE, DOUBLE, UNKNOWN, VARCHAR, is_integer
from crosstrail.lake.reader import quoted

_CONVERSION = re.compile(
    r"%(?:(?P<index>[1-9][0-9]?)\$)?(?P<flags>[-0,+ (#<]*)(?P<width>[1-9][0-9]{0,2})?(?:\.(?P<precision>[0-9]{1,2}))?(?P<letter>[A-Za-z%])"
)
_MOST_DIGITS = 10
_BEYOND = "[\\x{10000}-\\x{10FFFF}]"


@function("format")
def _format(call: FunctionCall) -> Expr:
    call.need(2, max(2, len(call)))
    pattern = constant_text(coerce(call.arg(0), VARCHAR), "a format")
    parts: list[str] = []
    used: list[Expr] = []
    place = ordinary = 0
    for found in _CONVERSION.finditer(pattern):
        _plain(pattern[place : found.start()], parts)
        place = found.end()
        if found["letter"] in "%n":
            if found.group() not in ("%%", "%n"):
                raise Refusal(f"{found.group()} is not supported in a format here")
            parts.append(quoted("%") if found["letter"] == "%" else "chr(10)")
            continue
        index = int(found["index"] or 0)
        if not index:
            ordinary += 1
            index = ordinary
        if index >= len(call):
            raise Refusal(f"a format asks for {index} values and {len(call) - 1} are given")
        used.append(call.arg(index))
        parts.append(_written(found, used[-1]))
    _plain(pattern[place:], parts)
    for each in call.args()[1:]:
        used.append(each)
    return derived(f"({' || '.join(parts) or quoted('')})", VARCHAR, *used)


def _plain(text: str, parts: list[str]) -> None:
    if "%" in text:
        raise Refusal(f"{text[text.index('%') :][:10]} is not supported in a format here")
    if text:
        parts.append(quoted(text))


def _written(found: re.Match[str], value: Expr) -> str:
    letter, flags = found["letter"], set(found["flags"])
    width, precision = int(found["width"] or 0), found["precision"]
    allowed = {"s": "-", "d": "-0,+", "f": "-0,+", "b": "-", "x": "-0", "X": "-0"}.get(letter)
    odd = allowed is None or not flags <= set(allowed) or (flags & set("-0") and not width) or {"-", "0"} <= flags
    if odd or (precision is not None and letter != "f") or len(flags) < len(found["flags"]):
        raise Refusal(f"{found.group()[:20]} is not supported in a format here", "Use %s, %d, %x, %b or %.2f.")
    if value.type == UNKNOWN:
        raise Refusal("NULL needs a type in format", "Write CAST(NULL AS varchar), for instance.")
    if letter == "s":
        text = _text(value)
    elif letter == "b":
        text = f"CASE WHEN {value.sql} THEN 'true' ELSE 'false' END" if value.type == BOOLEAN else "'true'"
        return _padded(f"(CASE WHEN {value.sql} IS NULL THEN 'false' ELSE {text} END)", width, flags)
    elif letter in "dxX":
        if not is_integer(value.type):
            raise Refusal(f"%{letter} takes a whole number, not {value.type}")
        text = _integer(letter, value)
    else:
        text = _decimal(value, 6 if precision is None else int(precision))
    if letter in "df":
        text = _number(text, width, flags)
    elif "0" in flags:
        text = let("w", text, f"CASE WHEN length(w) < {width} THEN lpad(w, {width}, '0') ELSE w END")
    null = ("NULL" if letter == "X" else "null")[: int(precision) if precision is not None else 4]
    nothing = null.ljust(width) if "-" in flags else null.rjust(width)
    return f"(CASE WHEN {value.sql} IS NULL THEN {quoted(nothing)} ELSE {_padded(text, width, flags)} END)"


def _text(value: Expr) -> str:
    """As Java's toString() has it."""
    kind = value.type
    if kind == VARCHAR:
        return value.sql
    short = kind.name == "decimal" and kind.scale <= 6  # beyond, Java may write an exponent
    if kind in (BOOLEAN, DATE) or is_integer(kind) or short:
        return cast_scalar(value, VARCHAR).sql
    raise Refusal(f"%s does not take {kind} in a format here", "CAST it to varchar first.")


def _integer(letter: str, value: Expr) -> str:
    if letter == "d":
        return f"CAST({value.sql} AS VARCHAR)"
    hexadecimal = f"to_hex(CAST({value.sql} AS BIGINT))"
    return f"lower({hexadecimal})" if letter == "x" else hexadecimal


def _decimal(value: Expr, digits: int) -> str:
    """With so many digits, rounded half up from the shortest decimal that is this number."""
    if digits > _MOST_DIGITS:
        raise Refusal(f"a format takes at most {_MOST_DIGITS} digits after the point here")
    if value.type.name == "decimal":
        sign, size = f"{value.sql} < 0", f"abs({value.sql})"
        if value.type.precision - value.type.scale + digits > 38:
            raise Refusal("a decimal of so many digits is not supported in a format here")
    elif value.type == DOUBLE:
        sign, size = f"signbit({value.sql})", f"CAST(CAST(abs({value.sql}) AS VARCHAR) AS DECIMAL(38, 20))"
    else:
        raise Refusal(f"%f takes a double or a decimal, not {value.type}")
    rounded = f"CAST({size} AS DECIMAL(38, {digits}))"
    shown = f"(CASE WHEN {sign} THEN '-' ELSE '' END) || CAST({rounded} AS VARCHAR)"
    if value.type != DOUBLE:
        return shown
    zero = quoted("0" + ("." + "0" * digits if digits else ""))
    none = f"WHEN abs({value.sql}) < 0.001 THEN (CASE WHEN {sign} THEN '-' ELSE '' END) || {zero}" if digits < 3 else ""
    hard = f"abs({value.sql}) >= 1e15 OR ({value.sql} <> 0 AND abs({value.sql}) < 0.001)"
    odd = unsure("a number of so many digits in a format", VARCHAR)
    special = f"WHEN isnan({value.sql}) OR isinf({value.sql}) THEN {odd}"
    return f"(CASE {special} {none} WHEN {hard} THEN {odd} ELSE {shown} END)"


def _number(text: str, width: int, flags: set[str]) -> str:
    """A number's text with separators, a sign and zeros."""
    whole = "regexp_extract(n, '[0-9]+')"
    body = whole
    if "," in flags:  # three digits at a time, from the end
        body = f"ltrim(reverse(regexp_replace(reverse({whole}), '([0-9]{{3}})', '\\1,', 'g')), ',')"
    body = f"{body} || regexp_extract(n, '[.][0-9]*')"
    sign = f"(CASE WHEN n[1] = '-' THEN '-' ELSE {quoted('+' if '+' in flags else '')} END)"
    if "0" in flags:
        body = let(
            "b",
            body,
            f"CASE WHEN length(b) + length({sign}) < {width} THEN lpad(b, CAST({width} - length({sign}) AS INTEGER), '0') ELSE b END",
        )
    return let("n", text, f"{sign} || {body}")


def _padded(text: str, width: int, flags: set[str]) -> str:
    if not width or "0" in flags:
        return text
    missing = f"repeat(' ', {width} - length(regexp_replace(p, '{_BEYOND}', '..', 'g')))"  # Java counts them twice
    return let("p", text, f"p || {missing}" if "-" in flags else f"{missing} || p")
