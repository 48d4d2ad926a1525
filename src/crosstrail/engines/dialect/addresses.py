"""ipaddress: addresses of both families as one 128-bit number, IPv4 at ::ffff:0:0/96 as in Trino.

Decides what text is an address and how an address reads; address ranges are checked on the numbers.
"""

from __future__ import annotations

import ipaddress

from crosstrail.engines.dialect.expr import Expr, Refusal, constant_text, derived, require
from crosstrail.engines.dialect.types import BOOLEAN, IPADDRESS

_V4 = 0xFFFF << 32


def address_literal(text: str) -> Expr:
    """IPADDRESS '...'."""
    try:
        return Expr(f"{number(text)}::UHUGEINT", IPADDRESS)
    except ValueError:
        raise Refusal("this text is no IP address") from None


def number(text: str) -> int:
    """Raises ValueError."""
    address = ipaddress.ip_address(text)
    return int(address) + (_V4 if address.version == 4 else 0)


def address_text(sql: str) -> str:
    """SQL for the text of an address; only IPv4 is written, others fail."""
    raise Refusal("an IP address cannot be cast to text here", "Use the text it was made from.")


def contains_address(network: Expr, address: Expr) -> Expr:
    """contains('10.0.0.0/8', address)."""
    text = constant_text(network, "the network")
    try:
        found = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise Refusal("this text is no network", "Write '10.0.0.0/8'.") from None
    low, high = number(str(found[0])), number(str(found[-1]))
    return derived(f"({address.sql} BETWEEN {low}::UHUGEINT AND {high}::UHUGEINT)", BOOLEAN, address)


def address_from_text(sql: str) -> str:
    """SQL for CAST(text AS ipaddress); IPv4 is read, IPv6 fails."""
    octet = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
    parts = f"string_split({sql}, '.')"
    sum_ = " + ".join(f"CAST(list_extract({parts}, {i + 1}) AS UHUGEINT) * {256 ** (3 - i)}" for i in range(4))
    bad = f"NOT regexp_full_match({sql}, '{octet}(\\.{octet}){{3}}')"
    return require(bad, "a text is no IPv4 address; IPv6 is not read here", f"({sum_} + {_V4}::UHUGEINT)", IPADDRESS)
