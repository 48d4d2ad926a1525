"""Signature version 3 of Alibaba Cloud's RPC APIs, ACS3-HMAC-SHA256: which headers a request has, and what it is signed with.

Decides how a request is written, never where it goes or whether. All headers it is given are signed. Pure; the secret is opened here
alone. https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from crosstrail.accounts.credentials import Credentials

ALGORITHM = "ACS3-HMAC-SHA256"


def flattened(params: Mapping[str, Any]) -> dict[str, str]:
    """As a query has them: `LookupAttribute.1.Key` for a list of objects, true and false in small letters."""
    flat: dict[str, str] = {}
    for name, value in params.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{key}": text for key, text in flattened(value).items()}
        elif isinstance(value, list | tuple):
            flat |= flattened({f"{name}.{place}": one for place, one in enumerate(value, 1)})
        else:
            flat[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return flat


def canonical_query(query: Mapping[str, str]) -> str:
    """The query as it is signed, which is also how it is sent: sorted by name, RFC 3986 escapes."""
    return "&".join(f"{_escaped(name)}={_escaped(query[name])}" for name in sorted(query))


def request_headers(host: str, action: str, version: str, *, now: datetime, nonce: str, body: bytes) -> dict[str, str]:
    """The headers of a request that nobody has signed. `now` is aware; a nonce serves one request alone."""
    return {
        "accept": "application/json",
        "host": host,
        "x-acs-action": action,
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
        "x-acs-date": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "x-acs-signature-nonce": nonce,
        "x-acs-version": version,
    }


def signed(
    method: str, query: str, headers: Mapping[str, str], credentials: Credentials, *, path: str = "/"
) -> dict[str, str]:
    """The headers with those that say who asks, and the signature. `query`: the canonical one. Names are in lower case."""
    whole = dict(headers)
    if credentials.session_token:
        whole["x-acs-accesskey-id"] = credentials.access_key_id
        whole["x-acs-security-token"] = credentials.session_token.get_secret_value()
    names = sorted(whole)
    lines = "".join(f"{name}:{whole[name].strip()}\n" for name in names)
    listed = ";".join(names)
    canonical = "\n".join([method, path, query, lines, listed, whole["x-acs-content-sha256"]])
    to_sign = f"{ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    secret = credentials.secret_access_key.get_secret_value()
    signature = hmac.digest(secret.encode(), to_sign.encode(), "sha256").hex()
    whole["authorization"] = (
        f"{ALGORITHM} Credential={credentials.access_key_id},SignedHeaders={listed},Signature={signature}"
    )
    return whole


def _escaped(text: str) -> str:
    return quote(text, safe="-_.~")
