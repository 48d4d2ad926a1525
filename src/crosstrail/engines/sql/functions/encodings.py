"""Texts and numbers as bytes, bytes as texts, and the hashes that DuckDB has not."""

from __future__ import annotations

from zlib import crc32

from crosstrail.engines.sql.expr import let, require, require_sure
from crosstrail.engines.sql.function_registry import written
from crosstrail.engines.sql.function_table import Signature
from crosstrail.engines.sql.types import BIGINT, INTEGER, VARBINARY, duck

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_CRC = [crc32(bytes([byte]), 0xFFFFFFFF) ^ 0xFFFFFFFF for byte in range(256)]
"""What crc32 makes of each byte: the table that every implementation of it begins with."""
_NO_BASE64 = "a text is no base64"


def _bits(blob: str) -> str:
    """SQL for the bits of a binary value as a text of 0 and 1."""
    return f"(CASE WHEN octet_length({blob}) = 0 THEN '' ELSE CAST(CAST({blob} AS BIT) AS VARCHAR) END)"


def _from_bits(text: str) -> str:
    return f"(CASE WHEN {text} = '' THEN ''::BLOB ELSE CAST(CAST(nullif({text}, '') AS BIT) AS BLOB) END)"


@written("from_base64", "from_base64url")
def _from_base64(name: str, signature: Signature) -> str:
    """Java reads a text whose padding is left out, or whole."""
    odd, text = ("+/", "{0}") if name == "from_base64" else ("_-", "translate({0}, '-_', '+/')")
    one = f"[A-Za-z0-9{odd}]"
    pattern = f"({one}{{4}})*({one}{{2}}(==)?|{one}{{3}}=?)?".replace("{", "{{").replace("}", "}}")
    padded = f"{text} || repeat('=', (4 - length({text}) % 4) % 4)"
    # What is no base64 is kept from from_base64() itself: DuckDB computes constants before it looks at a CASE.
    bad = f"NOT regexp_full_match({{0}}, '{pattern}')"
    return require(bad, _NO_BASE64, f"from_base64(CASE WHEN {bad} THEN '' ELSE {padded} END)", VARBINARY)


@written("to_base32")
def _to_base32(name: str, signature: Signature) -> str:
    bits = _bits("{0}")
    padded = f"regexp_extract_all({bits} || repeat('0', (5 - octet_length({{0}}) * 8 % 5) % 5), '.....')"
    letter = f"substr('{_BASE32}', CAST('0b' || c AS INTEGER) + 1, 1)"
    text = f"array_to_string(list_transform({padded}, lambda c: {letter}), '')"
    return f"{text} || repeat('=', (8 - (octet_length({{0}}) * 8 + 4) // 5 % 8) % 8)"


@written("from_base32")
def _from_base32(name: str, signature: Signature) -> str:
    bare = "rtrim({0}, '=')"
    five = f"right(CAST(CAST(strpos('{_BASE32}', c) - 1 AS INTEGER)::BIT AS VARCHAR), 5)"
    bits = f"array_to_string(list_transform(regexp_extract_all({bare}, '.'), lambda c: {five}), '')"
    whole = let("b", bits, _from_bits("left(b, length(b) // 8 * 8)"))
    bad = f"NOT regexp_full_match({bare}, '[A-Z2-7]*') OR length({bare}) % 8 IN (1, 3, 6)"
    return require(bad, "a text is no base32", whole, VARBINARY)


@written("crc32")
def _crc32(name: str, signature: Signature) -> str:
    step = f"xor(a >> 8, list_extract({_CRC}::BIGINT[], (xor(a, b) & 255) + 1))"
    values = "list_transform(regexp_extract_all(hex({0}), '..'), lambda c: CAST('0x' || c AS BIGINT))"
    return f"xor(list_reduce({values}, lambda a, b: {step}, {0xFFFFFFFF}::BIGINT), {0xFFFFFFFF}::BIGINT)"


@written("hmac_md5", "hmac_sha1", "hmac_sha256")
def _hmac(name: str, signature: Signature) -> str:
    """RFC 2104, for hashes of blocks of 64 bytes."""

    def hashed(sql: str) -> str:
        return f"unhex({name.removeprefix('hmac_')}({sql}))"

    def keyed(byte: int) -> str:
        """SQL for the key, filled up to a block, each byte of it xor `byte`."""
        zeros = "repeat(unhex('00'), 64 - octet_length(struct_extract(b, 'k')))"
        pad = f"CAST(unhex('{bytes([byte] * 64).hex()}') AS BIT)"
        return f"CAST(xor(CAST(struct_extract(b, 'k') || {zeros} AS BIT), {pad}) AS BLOB)"

    inner = hashed(f"{keyed(0x36)} || struct_extract(b, 't')")
    key = f"(CASE WHEN octet_length({{1}}) > 64 THEN {hashed('{1}')} ELSE {{1}} END)"
    both = f"struct_pack(k := {key}, t := {{0}})"
    found = let("b", both, hashed(f"{keyed(0x5C)} || {inner}"))
    # Trino's own failure, which its TRY does not catch.
    return require_sure("octet_length({1}) = 0", "an empty key", found, VARBINARY)


@written("from_big_endian_32", "from_big_endian_64")
def _from_big_endian(name: str, signature: Signature) -> str:
    size, kind = (4, INTEGER) if name == "from_big_endian_32" else (8, BIGINT)
    bad = f"octet_length({{0}}) <> {size}"
    whole = f"CASE WHEN {bad} THEN repeat(unhex('00'), {size}) ELSE {{0}} END"
    return require(bad, f"a binary value has not {size} bytes", f"CAST(CAST({whole} AS BIT) AS {duck(kind)})", kind)
