"""Addresses and numbers in texts of events, as DuckDB's SQL reads them: macros, because DuckDB's own address types are an
extension that nothing here may load.

What is no address by Python's `ipaddress`, and no number by JSON's grammar, is NULL. A macro's argument is bound to a name
before it is used twice: DuckDB would write it out, and plan it, each time.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"


def bound(value: str, name: str, body: str) -> str:
    """The body with the value under that name, computed once."""
    return f"list_transform([{value}], lambda {name}: {body})[1]"


def _octets() -> str:
    return " + ".join(f"CAST(split_part(quad, '.', {part}) AS BIGINT) * {256 ** (4 - part)}" for part in range(1, 5))


def _ipv6() -> str:
    """32 hexadecimal digits: the groups of both halves around `::`, with zeros between, each four digits long."""
    low = bound("sigma_ip4(regexp_extract(one, '[0-9.]+$'))", "low", "format('{:x}:{:x}', low // 65536, low % 65536)")
    text = f"CASE WHEN contains(one, '.') THEN lower(regexp_replace(one, '[0-9.]+$', '')) || {low} ELSE lower(one) END"
    halves = (
        "list_transform(string_split(text, '::'), lambda half: "
        "list_filter(string_split(half, ':'), lambda part: part <> ''))"
    )
    zeros = "list_transform(range(greatest(8 - len(halves[1]) - len(halves[2]), 1)), lambda n: '0')"
    groups = f"CASE WHEN len(halves) = 1 THEN halves[1] ELSE list_concat(halves[1], {zeros}, halves[2]) END"
    digits = (
        "CASE WHEN len(parts) = 8 AND len(list_filter(parts, lambda part: length(part) > 4)) = 0 "
        "THEN array_to_string(list_transform(parts, lambda part: lpad(part, 4, '0')), '') END"
    )
    return bound(text, "text", bound(halves, "halves", bound(groups, "parts", digits)))


ADDRESS_MACROS = (
    "CREATE TEMP MACRO sigma_number(one) AS CASE WHEN regexp_full_match(one, "
    "'-?[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]+)?') THEN TRY_CAST(one AS DOUBLE) END",
    f"CREATE TEMP MACRO sigma_ip4(quad) AS CASE WHEN regexp_full_match(quad, '{_OCTET}(?:\\.{_OCTET}){{3}}') "
    f"THEN {_octets()} END",
    "CREATE TEMP MACRO sigma_ip6(one) AS CASE WHEN regexp_full_match(one, '[0-9a-fA-F:]+(:[0-9.]+)?') "
    f"AND NOT regexp_matches(one, '^:[^:]|[^:]:$|:::|::.*::') THEN {_ipv6()} END",
)


def in_network(text: str, network: IPv4Network | IPv6Network) -> str:
    """That the text, given as SQL, is an address of the network."""
    first, last = int(network.network_address), int(network.broadcast_address)
    if network.version == 4:
        return f"sigma_ip4({text}) BETWEEN {first} AND {last}"
    return f"sigma_ip6({text}) BETWEEN '{first:032x}' AND '{last:032x}'"
