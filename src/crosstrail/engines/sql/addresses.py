"""ipaddress: addresses of both families as sixteen bytes, IPv4 at ::ffff:0:0/96 as in Trino.

Decides what text is an address, how an address reads, and which addresses a network holds.
"""

from __future__ import annotations

import ipaddress
import re

from crosstrail.engines.sql.expr import Expr, Refusal, constant_text, derived, failure, let, unsure
from crosstrail.engines.sql.types import BOOLEAN, IPADDRESS

_V4 = "0" * 20 + "FFFF"
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_DOTTED = rf"{_OCTET}(\.{_OCTET}){{3}}"
_GROUP = "[0-9A-Fa-f]{1,4}"
_FEW = f"({_GROUP}(:{_GROUP}){{0,6}})?"


def address_literal(text: str) -> Expr:
    """IPADDRESS '...'."""
    try:
        return Expr(_constant(ipaddress.ip_address(text)), IPADDRESS)
    except ValueError:
        raise Refusal("this text is no IP address") from None


def _constant(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    return f"unhex('{_V4 if address.version == 4 else ''}{address.packed.hex()}')"


def address_from_text(sql: str) -> str:
    """SQL for CAST(text AS ipaddress), without regard to letter case; text that is no address fails."""
    # Trino also takes digits of other scripts, and forgets what follows a %.
    odd = r"regexp_matches(t, '[^\x00-\x7F]|:.*%')"
    body = (
        f"(CASE WHEN t IS NULL THEN NULL WHEN regexp_full_match(t, '{_DOTTED}') THEN unhex('{_V4}' || {_octets('t')}) "
        f"WHEN contains(t, ':') AND regexp_full_match(t, '[0-9A-Fa-f:.]+') THEN {let('g', _without_dots('t'), _sixteen('g'))} "
        f"WHEN {odd} THEN {unsure('an IP address with a zone or with digits of another script', IPADDRESS)} "
        f"ELSE {_no_address()} END)"
    )
    return let("t", sql, body)


def _no_address() -> str:
    return failure("a text is no IP address; TRY_CAST gives NULL instead", IPADDRESS)


def _octets(sql: str) -> str:
    """Eight hexadecimal digits of a dotted address."""
    parts = ", ".join(f"CAST(split_part({sql}, '.', {place}) AS INTEGER)" for place in range(1, 5))
    return f"printf('%02X%02X%02X%02X', {parts})"


def _without_dots(sql: str) -> str:
    """The text with a dotted address at its end written as two groups."""
    tail = f"regexp_extract({sql}, '[^:]*$')"
    digits = _octets(tail)
    groups = f"left({digits}, 4) || ':' || right({digits}, 4)"
    dotted = f"regexp_full_match({tail}, '{_DOTTED}')"
    return f"(CASE WHEN {dotted} THEN left({sql}, length({sql}) - length({tail})) || {groups} ELSE {sql} END)"


def _sixteen(sql: str) -> str:
    """The bytes of groups of hexadecimal digits, where :: stands for one or more groups of zeros."""
    parts = [f"split_part({sql}, '::', {side})" for side in (1, 2)]
    digits = [
        f"(CASE WHEN {part} = '' THEN '' ELSE array_to_string(list_transform(string_split({part}, ':'), "
        "lambda x: lpad(x, 4, '0')), '') END)"
        for part in parts
    ]
    given = f"length({digits[0]}) + length({digits[1]})"
    filled = f"unhex({digits[0]} || repeat('0', 32 - ({given})) || {digits[1]})"
    short = f"regexp_full_match({sql}, '{_FEW}::{_FEW}') AND {given} <= 28"
    return (
        f"(CASE WHEN regexp_full_match({sql}, '{_GROUP}(:{_GROUP}){{7}}') OR ({short}) THEN {filled} "
        f"ELSE {_no_address()} END)"
    )


def address_text(sql: str) -> str:
    """SQL for the text of an address: dotted, or the shortest form of RFC 5952."""
    dotted = " || '.' || ".join(f"CAST('0x' || substr(h, {place}, 2) AS INTEGER)" for place in (25, 27, 29, 31))
    groups = ", ".join(f"coalesce(nullif(ltrim(substr(h, {place}, 4), '0'), ''), '0')" for place in range(1, 32, 4))
    runs = " ".join(
        f"WHEN regexp_matches(s, '{_zeros(count)}') THEN regexp_replace(s, '{_zeros(count)}', '::')"
        for count in range(8, 1, -1)
    )
    long = let("s", f"lower(concat_ws(':', {groups}))", f"(CASE {runs} ELSE s END)")
    body = f"(CASE WHEN starts_with(h, '{_V4}') THEN {dotted} ELSE {long} END)"
    return let("h", f"hex({sql})", f"(CASE WHEN h IS NOT NULL THEN {body} END)")


def _zeros(count: int) -> str:
    return f"(^|:)0(:0){{{count - 1}}}(:|$)"


def shown(value: bytes) -> str:
    """The text of an address as it comes out of a result."""
    if value[:12] == bytes.fromhex(_V4):
        return str(ipaddress.IPv4Address(value[12:]))
    return str(ipaddress.IPv6Address(value))


def contains_address(network: Expr, address: Expr) -> Expr:
    """contains('10.0.0.0/8', address)."""
    text = constant_text(network, "the network")
    try:
        found = ipaddress.ip_network(text)
    except ValueError:
        found = None
    if found is None or not re.search(r"/[0-9]+$", text):
        raise Refusal("this text is no network", "Write the network's first address and its length: '10.0.0.0/8'.")
    low, high = _constant(found[0]), _constant(found[-1])
    return derived(f"({address.sql} BETWEEN {low} AND {high})", BOOLEAN, address)
