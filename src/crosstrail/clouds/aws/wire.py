"""Requests to AWS's JSON services on the event loop: written, signed and read by botocore, sent by aiohttp.

Decides how a request travels, and nothing else: it repeats nothing, follows no redirect, keeps no cookie, and signs each
request with exactly the credentials it is given. A call of a botocore client takes a thread and five times the processor
time of one here, half of it for finding again what is the same for all accounts of a region. Imported in a thread, once
an AWS account is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningKey
from botocore.exceptions import ClientError
from botocore.httpsession import ProxyConfiguration
from botocore.model import OperationModel, ServiceModel, Shape, StructureShape
from botocore.parsers import ResponseParserError, create_parser
from botocore.serialize import create_serializer
from botocore.utils import get_environ_proxies, parse_timestamp

from crosstrail.accounts.credentials import Credentials
from crosstrail.clouds.bounded_body import bounded_body
from crosstrail.trust import TrustStore

_FIRST_ERROR_STATUS = 300
_MAX_CONNECTIONS = 512
_REQUEST_ID = "x-amzn-requestid"
_MAX_BYTES = 64_000_000
"""Of one answer: 50 events of 256 KB, or 1,000 rows of a query, are far less."""


class Endpoint:
    """What all requests to one service in one region have in common: where they go and how they are written.

    It holds no credentials. Made of a botocore client, so that regions, AWS_ENDPOINT_URL, FIPS and dual stack mean what
    they mean there.
    """

    def __init__(self, client: Any, trust: TrustStore) -> None:
        """Reads the certificates: make it in a thread. Raises ConfigError."""
        address: str = client.meta.endpoint_url
        self.url = address if urlsplit(address).path else f"{address}/"
        self.region: str = client.meta.region_name
        self.trust = trust
        self.model: ServiceModel = client.meta.service_model
        self.tls = trust.context() if address.startswith("https:") else True
        self.proxy: str | None = ProxyConfiguration(get_environ_proxies(self.url)).proxy_url_for(self.url)
        self._names: Mapping[str, str] = client.meta.method_to_api_mapping
        self._user_agent: str = client.meta.config.user_agent
        self._serializer = create_serializer(self.model.resolved_protocol)
        self._errors = create_parser(self.model.resolved_protocol)

    def operation(self, name: str) -> OperationModel:
        """`lookup_events` -> LookupEvents as botocore describes it."""
        return self.model.operation_model(self._names[name])

    def signed(
        self, operation: OperationModel, params: Mapping[str, Any], credentials: Credentials
    ) -> tuple[dict[str, str], bytes]:
        """Headers and body. Raises ParamValidationError."""
        written = self._serializer.serialize_to_request(params, operation)
        headers = {**written["headers"], "User-Agent": self._user_agent, "Accept-Encoding": "identity"}
        request = AWSRequest("POST", self.url, headers, data=written["body"])
        token = credentials.session_token
        key = SigningKey(
            credentials.access_key_id,
            credentials.secret_access_key.get_secret_value(),
            token.get_secret_value() if token else None,
        )
        _Signer(key, self.model.signing_name, self.region).add_auth(request)
        return dict(request.headers.items()), written["body"]

    def read(self, operation: OperationModel, status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        """The answer as boto gives it; `headers` are found in any case.

        Raises ClientError for one that says no, ResponseParserError for one that is none.
        """
        if status < _FIRST_ERROR_STATUS:
            return {
                **_said(body, operation.output_shape),
                "ResponseMetadata": {"RequestId": headers.get(_REQUEST_ID, "")},
            }
        whole = {"status_code": status, "headers": headers, "body": body}
        raise ClientError(self._errors.parse(whole, operation.output_shape), operation.name)


class _Signer(SigV4Auth):  # type: ignore[misc]
    """Its request's body is bytes: to be sure of that, botocore would write the whole request a second time."""

    def payload(self, request: AWSRequest) -> str:
        return sha256(request.data).hexdigest()


class AwsWire:
    """The connections that all requests share: whose a request is stands in its signature. For one event loop."""

    def __init__(self, *, connect_timeout: float, read_timeout: float) -> None:
        """Timeouts in seconds."""
        self._timeout = aiohttp.ClientTimeout(sock_connect=connect_timeout, sock_read=read_timeout)
        self._http: aiohttp.ClientSession | None = None

    async def ask(
        self, endpoint: Endpoint, operation: str, params: Mapping[str, Any], credentials: Credentials
    ) -> dict[str, Any]:
        """One request. Cancelling gives it up. Raises what `signed` and `read` do, and aiohttp.ClientError."""
        asked = endpoint.operation(operation)
        headers, body = endpoint.signed(asked, params, credentials)
        async with self._opened().post(
            endpoint.url,
            data=body,
            headers=headers,
            proxy=endpoint.proxy,
            ssl=endpoint.tls,
            allow_redirects=False,
        ) as answer:
            whole = await bounded_body(answer, _MAX_BYTES)
        return endpoint.read(asked, answer.status, answer.headers, whole)

    async def aclose(self) -> None:
        """Close every connection; requests under way fail."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()
            await asyncio.sleep(0)  # a closed connection leaves the loop at its next turn

    def _opened(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_max_connections()),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
            )
        return self._http


def _max_connections() -> int:
    """At once to all endpoints: 512, but no more than half the files that this process may have open."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return _MAX_CONNECTIONS
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MAX_CONNECTIONS if soft == resource.RLIM_INFINITY else max(1, min(_MAX_CONNECTIONS, soft // 2))


def _said(body: bytes, shape: StructureShape) -> dict[str, Any]:
    """What a successful answer says, its times aware. Of 50 events botocore's parser takes ten times as long.

    Raises ResponseParserError for what has another shape; botocore would read what is no JSON as an empty answer.
    """
    try:
        answer: dict[str, Any] = _with_times(orjson.loads(body), shape)
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise ResponseParserError(f"the answer is no {shape.name} in JSON ({type(error).__name__})") from None
    return answer


def _with_times(value: Any, shape: Shape) -> Any:
    """The value with its numbers that stand for moments replaced, in place. Raises as reading a wrong type does."""
    if shape.type_name == "timestamp":
        return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else parse_timestamp(value)
    if shape.type_name == "list":
        return [_with_times(one, shape.member) for one in value]
    for name, inner in _timed_members(shape):
        if value.get(name) is not None:
            value[name] = _with_times(value[name], inner)
    return value


@cache
def _timed_members(structure: Shape) -> tuple[tuple[str, Shape], ...]:
    """Those in which a time stands somewhere."""
    return tuple((name, member) for name, member in structure.members.items() if _is_timed(member))


def _is_timed(shape: Shape, above: frozenset[str] = frozenset()) -> bool:
    if shape.type_name == "list":
        return _is_timed(shape.member, above)
    if shape.type_name == "structure" and shape.name not in above:
        return any(_is_timed(member, above | {shape.name}) for member in shape.members.values())
    return bool(shape.type_name == "timestamp")
