"""How Trino is reached: where its coordinator is, as whom, and by which of its ways to sign in. Values alone.

Loaded with the settings, so it loads no library of Trino's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pydantic import SecretStr

_NO_SECRET = SecretStr("")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """Of OAuth 2's grant for programs (RFC 6749, 4.4): the token that Trino is shown is asked for at `token_url`."""

    token_url: str
    client_id: str
    client_secret: SecretStr = field(repr=False)
    scope: str = ""


@dataclass(frozen=True, slots=True)
class TrinoAccess:
    """`relation` names the view in SQL, quoted. At most one of `password`, `token` and `client_credentials` is there."""

    url: str
    relation: str
    catalog: str = ""
    schema: str = ""
    user: str = ""
    password: SecretStr = field(default=_NO_SECRET, repr=False)
    token: SecretStr = field(default=_NO_SECRET, repr=False)
    client_credentials: ClientCredentials | None = None
    certificate: str = ""
    key: str = ""
    ca: str = ""
    session: Mapping[str, str] = field(default_factory=dict)
    source: str = "crosstrail"
    names_callers: bool = False
    """Whether Trino is told who asks, for its own records. It decides nothing there."""

    @property
    def origin(self) -> tuple[str, str, int]:
        return origin_of(self.url)


def origin_of(url: str) -> tuple[str, str, int]:
    """(scheme, host, port) of an address. Raises ValueError for one that has none."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]


def quoted_name(*parts: str) -> str:
    """A name in SQL, each part quoted."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)
