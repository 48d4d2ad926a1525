"""Meridian's API on the event loop: a path, its parameters and a token in, the answer out; and what its errors mean.

It finds no credentials by itself, repeats nothing, follows no redirect and reads a bounded answer.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from crosstrail import __version__
from crosstrail.accounts.credentials import BearerToken
from crosstrail.accounts.request_info import RequestInfo, error_suffix, shortened
from crosstrail.call_context import Upstream
from crosstrail.clouds.bounded_body import bounded_body
from crosstrail.errors import (
    AccessDenied,
    CloudUnavailable,
    ConfigError,
    CredentialsError,
    CredentialsExpired,
    CrosstrailError,
    InvalidRequest,
    Throttled,
)

_MAX_BYTES = 8_000_000
_KINDS: dict[str, type[CrosstrailError]] = {
    "token_expired": CredentialsExpired,
    "token_revoked": CredentialsExpired,
    "invalid_token": CredentialsError,
    "invalid_client": CredentialsError,
    "forbidden": AccessDenied,
    "slow_down": Throttled,
    "invalid_request": InvalidRequest,
}


class MeridianApi:
    """Open one a process, share it between all callers of one event loop, `aclose` it at the end."""

    def __init__(self, endpoint: str, *, read_timeout: float = 30.0) -> None:
        split = urlsplit(endpoint)
        if split.scheme not in ("http", "https") or not split.hostname:
            raise ConfigError(
                "meridian.endpoint is not an address", hint="Write one such as https://api.meridian.example."
            )
        self._endpoint = endpoint.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=2 * read_timeout, sock_connect=5.0, sock_read=read_timeout)
        self._http: aiohttp.ClientSession | None = None

    async def call(
        self,
        asked: RequestInfo,
        path: str,
        params: Mapping[str, str],
        token: BearerToken | None,
        request: Upstream | None = None,
    ) -> dict[str, Any]:
        """Without a token the parameters are posted, as the token endpoint has them. Raises CrosstrailError."""
        http = await self._opened()
        headers = {"Authorization": f"Bearer {token.token.get_secret_value()}"} if token else {}
        how: dict[str, Any] = {"params": params} if token else {"data": orjson.dumps(params)}
        try:
            async with http.request(
                "GET" if token else "POST", self._endpoint + path, headers=headers, allow_redirects=False, **how
            ) as answer:
                body, status, given = await bounded_body(answer, _MAX_BYTES), answer.status, answer.headers
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise _broken(type(error).__name__, asked) from None
        if request:
            request.request_id = given.get("X-Request-Id", "")
        said = _object(body)
        if said is None or (status != 200 and not isinstance(said.get("error"), dict)):
            raise _broken(f"HTTP {status}", asked)
        if status != 200:
            raise _refused(said["error"], status, given, asked)
        return said

    async def aclose(self) -> None:
        http, self._http = self._http, None
        if http is not None:
            await http.close()
            await asyncio.sleep(0)  # a closed connection leaves the loop at its next turn

    async def _opened(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                headers={"User-Agent": f"crosstrail/{__version__}", "Accept-Encoding": "identity"},
            )
        return self._http


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return said if isinstance(said, dict) else None


def _broken(fault: str, asked: RequestInfo) -> CloudUnavailable:
    return CloudUnavailable(
        f"{asked.place} did not answer {asked.action} ({fault})",
        hint="Check the network and meridian.endpoint, then try again.",
        code=fault,
        account=asked.account,
    )


def _refused(error: Mapping[str, Any], status: int, headers: Mapping[str, str], asked: RequestInfo) -> CrosstrailError:
    code, request_id = str(error.get("code") or f"HTTP {status}"), headers.get("X-Request-Id", "")
    kind = _KINDS.get(code, CloudUnavailable if status >= 500 else InvalidRequest)
    ending = f"{error_suffix(code, shortened(request_id))}: {shortened(str(error.get('message') or ''))}"
    facts = {"code": code, "request_id": request_id, "account": asked.account}
    if issubclass(kind, CredentialsError):
        return kind(f"the credentials of {asked.place} are not accepted{ending}", hint=asked.remediation)
    if issubclass(kind, AccessDenied):
        return kind(
            f"{asked.place} denies {asked.action}{ending}", hint=f"Allow {asked.action} to this client.", **facts
        )
    if issubclass(kind, Throttled):
        throttled = kind(f"{asked.place} throttles {asked.action}{ending}", hint="Ask again later.", **facts)
        after = headers.get("Retry-After", "")
        throttled.retry_after = float(after) if re.fullmatch(r"\d{1,4}", after, re.ASCII) else None
        return throttled
    if issubclass(kind, CloudUnavailable):
        return kind(f"{asked.place} failed on {asked.action}{ending}", hint="Try again later.", **facts)
    return kind(f"{asked.place} refused {asked.action}{ending}")
