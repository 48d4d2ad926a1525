"""Alibaba Cloud's RPC APIs on the event loop: an action, its parameters and explicit credentials in, its answer out.

Decides where requests go and how much of an answer is read. It never finds credentials by itself, repeats nothing, follows no
redirect and keeps connections only: each request is signed with the credentials it comes with.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import anyio.to_thread
import orjson
from yarl import URL

from crosstrail import __version__
from crosstrail.accounts.credentials import Credentials
from crosstrail.accounts.request_info import RequestInfo
from crosstrail.call_context import Upstream
from crosstrail.clouds.alibaba.errors import garbled, refused, unreachable
from crosstrail.clouds.alibaba.regions import HOME_REGION, WITHOUT_STS
from crosstrail.clouds.alibaba.signing import canonical_query, flattened, request_headers, signed
from crosstrail.clouds.bounded_body import bounded_body
from crosstrail.errors import ConfigError, CredentialsError, InvalidRequest
from crosstrail.models import is_region
from crosstrail.trust import refusal_hint, trusted

ENDPOINT = "https://{product}.{region}.aliyuncs.com"
_GLOBAL_STS = "https://sts.aliyuncs.com"
_FIRST_ERROR_STATUS = 300
_MAX_CONNECTIONS = 128
_MAX_BYTES = 64_000_000
"""Of one answer: 50 events are far less."""


@dataclass(frozen=True, slots=True)
class Action:
    """One action of a product, as its permissions write it: `actiontrail:LookupEvents`."""

    product: str
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.product}:{self.name}"


class AlibabaApi:
    """Open one a process, share it between all callers of one event loop, `aclose` it at the end."""

    def __init__(
        self,
        endpoint: str = "",
        region: str = HOME_REGION,
        *,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
    ) -> None:
        """`endpoint`: http or https, may hold {product} and {region}; empty is the public one of each region. `region`: asked
        where a call names none. Timeouts are seconds.
        Raises ConfigError for an endpoint that is no address."""
        self.region = region
        self._endpoint = checked_endpoint(endpoint)
        self._timeout = aiohttp.ClientTimeout(
            total=connect_timeout + 2 * read_timeout, sock_connect=connect_timeout, sock_read=read_timeout
        )
        self._http: aiohttp.ClientSession | None = None

    @property
    def address(self) -> str:
        """Of STS in the region that is asked where a call names none."""
        return self._address("sts", self.region)

    async def call(
        self,
        action: Action,
        params: Mapping[str, Any],
        credentials: Credentials | None,
        asked: RequestInfo,
        request: Upstream | None = None,
    ) -> dict[str, Any]:
        """The answer, from the region of `asked` or the default one; `request` learns its id. Without credentials the request
        is not signed: STS takes a token of an identity provider so. Cancelling gives the request up.

        Raises CredentialsError, CloudError or InvalidRequest with the account, region, code and request id.
        """
        address = self._address(action.product, asked.region or self.region)
        query = canonical_query(flattened(params))
        headers = self._headers(action, address, query, credentials, asked)
        url = URL(f"{address}/?{query}" if query else f"{address}/", encoded=True)
        http = await self._opened()
        try:
            async with http.post(url, headers=headers, proxy=_proxy_for(address), allow_redirects=False) as answer:
                body = await bounded_body(answer, _MAX_BYTES)
        except aiohttp.ClientError as error:
            raise unreachable(type(error).__name__, asked, refusal_hint(error)) from None
        except TimeoutError:
            raise unreachable("TimeoutError", asked) from None
        if answer.status >= _FIRST_ERROR_STATUS:
            raise refused(answer.status, body, answer.headers, asked)
        said = _object(body, answer.status, asked)
        if request:
            request.request_id = str(said.get("RequestId") or "")
        return said

    async def aclose(self) -> None:
        """Close every connection; requests under way fail."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()
            await asyncio.sleep(0)  # a closed connection leaves the loop at its next turn

    def _address(self, product: str, region: str) -> str:
        """`scheme://host[:port]`. Raises InvalidRequest: a region becomes part of a host's name."""
        if not is_region(region):
            raise InvalidRequest("this is no name of a region", hint=f"Send one such as {HOME_REGION}.")
        if product == "sts" and self._endpoint == ENDPOINT and region in WITHOUT_STS:
            return _GLOBAL_STS
        return self._endpoint.replace("{product}", product).replace("{region}", region)

    def _headers(
        self, action: Action, address: str, query: str, credentials: Credentials | None, asked: RequestInfo
    ) -> dict[str, str]:
        headers = request_headers(
            urlsplit(address).netloc,
            action.name,
            action.version,
            now=datetime.now(UTC),
            nonce=uuid.uuid4().hex,
            body=b"",
        )
        headers["user-agent"] = f"crosstrail/{__version__}"
        if credentials is not None:
            _check_characters(credentials, asked)
            headers = signed("POST", query, headers, credentials)
        return {**headers, "accept-encoding": "identity"}

    async def _opened(self) -> aiohttp.ClientSession:
        if self._http is None:
            tls = await anyio.to_thread.run_sync(trusted().context)  # reads the certificates
            self._http = self._http or aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_MAX_CONNECTIONS, ssl=tls),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                skip_auto_headers=("Content-Type",),
            )
        return self._http


def checked_endpoint(endpoint: str) -> str:
    """The address as `scheme://host[:port]`, with its placeholders. Raises ConfigError."""
    text = endpoint.strip()
    if not text:
        return ENDPOINT
    split = urlsplit(text if "://" in text else f"https://{text}")
    host = split.netloc.replace("{product}", "x").replace("{region}", "x")
    try:
        port = urlsplit(f"//{host}").port
        usable = split.scheme in ("http", "https") and bool(urlsplit(f"//{host}").hostname) and port != 0
    except ValueError:  # a port that is no number
        usable = False
    if not usable or split.path not in ("", "/") or split.query or split.fragment or set(host) & set("@{} "):
        raise ConfigError(
            "the endpoint of Alibaba Cloud is not an address",
            hint=f"Write a scheme and a host, such as {ENDPOINT} or https://{{product}}-vpc.{{region}}.aliyuncs.com.",
        )
    return f"{split.scheme}://{split.netloc}"


def _object(body: bytes, status: int, asked: RequestInfo) -> dict[str, Any]:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise garbled(status, asked) from None
    if not isinstance(said, dict) or not isinstance(said.get("RequestId"), str):
        raise garbled(status, asked)
    return said


def _proxy_for(address: str) -> str | None:
    """The environment's proxy, but for loopback and what NO_PROXY names. aiohttp's own `trust_env` would also take a password
    of ~/.netrc in place of the signature."""
    split = urlsplit(address)
    host = split.hostname or ""
    if host in ("localhost", "::1") or host.startswith("127.") or proxy_bypass(split.netloc):
        return None
    return getproxies().get(split.scheme)


def _check_characters(credentials: Credentials, asked: RequestInfo) -> None:
    """A header cannot hold everything, and what refuses it repeats the value."""
    token = credentials.session_token.get_secret_value() if credentials.session_token else ""
    if any(not ("!" <= one <= "~") for one in credentials.access_key_id + token):
        raise CredentialsError(
            f"the credentials of {asked.place} hold characters that no key has", hint=asked.remediation
        )
