"""Where a client may have its codes sent: what no configuration allows, and what `oauth.redirect_uris` does.

Decides by the parts of an address, never by how its text begins: whatever stands before an @ would be taken for the host by
a person who reads it, and an address that a browser would resolve to another one is refused.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import SplitResult, unquote, urlsplit

_MAX_REDIRECT = 2_000
_NO_ADDRESS = re.compile(r"[\x00-\x20\x7f\\<>\"`{}|^]")
_SCHEMES_OF_OTHERS = frozenset(
    [
        "about",
        "blob",
        "chrome",
        "content",
        "data",
        "file",
        "filesystem",
        "ftp",
        "ftps",
        "gopher",
        "intent",
        "jar",
        "javascript",
        "ldap",
        "mailto",
        "resource",
        "sftp",
        "sms",
        "ssh",
        "tel",
        "urn",
        "vbscript",
        "view-source",
        "ws",
        "wss",
    ]
)
_WEB = ("http", "https")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_PORT = re.compile(r":(\*|[0-9]{1,5})?$")


def refused_redirect(address: str) -> str:
    """Why no code may be sent to this address; empty for one that a client may register.

    RFC 6749 3.1.2 (absolute, no fragment), RFC 8252 7 and 8.3: https, http on the machine itself, or an application's own
    scheme.
    """
    try:
        split = urlsplit(address)
        host = split.hostname
        _ = split.port
    except ValueError:
        return "it is no address"
    if len(address) > _MAX_REDIRECT or not address.isascii() or _NO_ADDRESS.search(address):
        return "it has characters that no address has, or too many"
    if "*" in address:
        return "it has a wildcard in it"
    if reason := _refused_parts(address, split):
        return reason
    if split.scheme in _WEB and not host:
        return "it names no host"
    if split.scheme == "http" and not _is_loopback(host or ""):
        return "http is for addresses of the machine itself"
    return ""


def refused_pattern(pattern: str) -> str:
    """Why this is no pattern of addresses that codes may go to; empty for one that is.

    `*` stands for anything in a path, for the port, for a subdomain of a web address (`https://*.example.com`), and for all
    that follows an application's own scheme (`cursor://*`): never for a scheme, nor for the end of a host's name.
    """
    try:
        split = urlsplit(pattern)
        host, port = _host_and_port(split)
    except ValueError:
        return "it is no address"
    if not pattern.isascii() or _NO_ADDRESS.search(pattern):
        return "it has characters that no address has"
    if reason := _refused_parts(pattern, split):
        return reason
    if split.scheme not in _WEB:
        return ""
    if not host or "*" in host.removeprefix("*.") or (host.startswith("*.") and "." not in host[2:]):
        return "its host is none, or any"
    if split.scheme == "http" and not _is_loopback(host):
        return "http is for addresses of the machine itself"
    return "" if port in ("", "*") or int(port) < 65_536 else "its port is none"


def is_allowed(address: str, patterns: Sequence[str]) -> bool:
    """Whether a code may go to this address where only these patterns are allowed; all of them when there are none."""
    return not refused_redirect(address) and (not patterns or any(_matches(address, one) for one in patterns))


def _refused_parts(address: str, split: SplitResult) -> str:
    """What neither an address nor a pattern may have."""
    if "#" in address:
        return "it has a fragment"
    if "@" in split.netloc:
        return "it has a user name in it"
    if not _SCHEME.fullmatch(split.scheme) or split.scheme in _SCHEMES_OF_OTHERS:
        return "its scheme is no application's own"
    if {".", ".."} & set(unquote(split.path).split("/")):
        return "its path has . or .. in it"
    return ""


def _matches(address: str, pattern: str) -> bool:
    """`address` is one that refused_redirect lets pass, `pattern` one that refused_pattern does."""
    asked, allowed = urlsplit(address), urlsplit(pattern)
    if asked.scheme != allowed.scheme:
        return False
    if allowed.scheme not in _WEB:
        return _glob(address[len(asked.scheme) :], pattern[len(allowed.scheme) :])
    host, port = _host_and_port(asked)
    allowed_host, allowed_port = _host_and_port(allowed)
    if allowed_host.startswith("*."):
        if not host.endswith(allowed_host[1:]) or len(host) < len(allowed_host):
            return False
    elif host != allowed_host:
        return False
    any_port = allowed_port == "*" or (not allowed_port and _is_loopback(allowed_host))  # RFC 8252 7.3
    default = "443" if allowed.scheme == "https" else "80"
    if not any_port and (port or default) != (allowed_port or default):
        return False
    return allowed.path in ("", "/") or _glob(asked.path, allowed.path)


def _glob(text: str, pattern: str) -> bool:
    """Nothing but `*` is special."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None


def _host_and_port(split: SplitResult) -> tuple[str, str]:
    """In lower case; the port may be `*`, and is empty where there is none. Raises ValueError."""
    found = _PORT.search(split.netloc)
    host = (split.netloc[: found.start()] if found else split.netloc).lower()
    if host.startswith("["):
        host = str(ipaddress.IPv6Address(host.removeprefix("[").removesuffix("]")))
    return host, (found.group(1) or "") if found else ""


def _is_loopback(host: str) -> bool:
    """RFC 8252 7.3, and RFC 6761 6.3, which leaves names under localhost to the machine itself."""
    name = host.lower().removesuffix(".")
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
