"""Bits of whole numbers, and their digits to a base."""

from __future__ import annotations

from crosstrail.engines.sql.expr import let, require, require_sure
from crosstrail.engines.sql.function_registry import written
from crosstrail.engines.sql.function_table import Signature
from crosstrail.engines.sql.types import BIGINT, VARCHAR

_SIZES = {"tinyint": 8, "smallint": 16, "integer": 32, "bigint": 64}
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_BASE = "least(greatest({1}, 2), 36)"
"""The base within its bounds: DuckDB computes constants before it looks at the CASE that refuses others."""
_WRONG_BASE = "a base is between 2 and 36"


def _known(sql: str) -> str:
    """SQL that is NULL where an argument is, which least() and greatest() leave out."""
    return f"CASE WHEN {{0}} IS NOT NULL AND {{1}} IS NOT NULL THEN {sql} END"


def _within(size: int, sql: str) -> str:
    """SQL for the lowest `size` bits of a HUGEINT as a number with a sign."""
    top = 2 ** (size - 1)
    bits = f"({sql} & {2**size - 1}::HUGEINT)"
    return let("t", bits, f"CASE WHEN t >= {top}::HUGEINT THEN t - {2 * top}::HUGEINT ELSE t END")


@written("bitwise_left_shift", "bitwise_right_shift")
def _shift(name: str, signature: Signature) -> str:
    """A shift counts modulo 64, as in Java, once it is known to be less than the number's size."""
    kind = signature.parameters[0]
    size = _SIZES[kind]
    if name == "bitwise_left_shift":
        moved = "{0}::HUGEINT * (1::HUGEINT << ({1} & 63))"
    else:
        moved = f"(({{0}}::HUGEINT & {2**size - 1}::HUGEINT) >> ({{1}} & 63))"
    return f"CAST(CASE WHEN {{1}} >= {size} THEN {{0}} & 0 ELSE {_within(size, moved)} END AS {kind.upper()})"


@written("bitwise_right_shift_arithmetic")
def _shift_arithmetic(name: str, signature: Signature) -> str:
    kind = signature.parameters[0]
    by = f"(CASE WHEN {{1}} >= {_SIZES[kind]} THEN 63 ELSE {{1}} & 63 END)"
    return f"CAST({{0}}::BIGINT >> {by} AS {kind.upper()})"


@written("bit_count")
def _bit_count(name: str, signature: Signature) -> str:
    size = "least(greatest({1}, 2), 64)"
    top = f"(1::HUGEINT << ({size} - 1))"
    counted = f"CAST(bit_count({{0}}::HUGEINT & ({top} * 2 - 1)) AS BIGINT)"
    unfit = f"{{0}}::HUGEINT >= {top} OR {{0}}::HUGEINT < -{top}"
    fitting = require(unfit, "a number has more bits than are to be counted", counted, BIGINT)
    return _known(require("{1} NOT BETWEEN 2 AND 64", "bit_count takes 2 to 64 bits", fitting, BIGINT))


@written("from_base")
def _from_base(name: str, signature: Signature) -> str:
    digits = "ltrim(lower(ltrim({0}, '+-')), '0')"
    values = f"list_transform(regexp_extract_all({digits}, '.'), lambda c: CAST(strpos('{_DIGITS}', c) - 1 AS HUGEINT))"
    # What no longer fits stays there, whatever follows.
    number = f"list_reduce({values}, lambda a, b: least(a * {_BASE} + b, {2**65}::HUGEINT), 0::HUGEINT)"
    signed = f"(CASE WHEN starts_with({{0}}, '-') THEN -({number}) ELSE {number} END)"
    unfit = f"n NOT BETWEEN -{2**63}::HUGEINT AND {2**63 - 1}::HUGEINT"
    fitting = let("n", signed, require(unfit, "a number does not fit bigint", "CAST(n AS BIGINT)", BIGINT))
    known = f"length(rtrim(lower(regexp_replace({{0}}, '^[+-]', '')), left('{_DIGITS}', {_BASE}))) > 0"
    bad = f"{known} OR {{0}} IN ('', '+', '-')"
    good = require(bad, "a text is no number in this base", fitting, BIGINT)
    # Java takes digits and letters of other scripts, too.
    sure = require_sure("regexp_matches({0}, '[^\\x00-\\x7F]')", "digits beyond ASCII", good, BIGINT)
    return _known(require("{1} NOT BETWEEN 2 AND 36", _WRONG_BASE, sure, BIGINT))


@written("to_base")
def _to_base(name: str, signature: Signature) -> str:
    # Of the smallest number there is no positive twin, so the last digit of negative ones is written by itself.
    base = f"CAST({_BASE} AS INTEGER)"
    front = f"(CASE WHEN {{0}} // {base} <> 0 THEN to_base(-(least({{0}}, 0) // {base}), {base}) ELSE '' END)"
    negative = f"('-' || {front} || substr(upper('{_DIGITS}'), CAST(1 - {{0}} % {base} AS INTEGER), 1))"
    text = f"lower(CASE WHEN {{0}} < 0 THEN {negative} ELSE to_base(greatest({{0}}, 0), {base}) END)"
    # Trino fails where it takes more than 64 characters.
    longest = require(f"{{1}} = 2 AND {{0}} < -{2**63 - 1}", "a number has more than 64 characters", text, VARCHAR)
    return _known(require("{1} NOT BETWEEN 2 AND 36", _WRONG_BASE, longest, VARCHAR))
