"""Requests to Volcengine through its own SDK: its UniversalApi builds and signs them, one pool of connections carries all.

Decides what is taken from the SDK and what is not: its retries block a thread for minutes, its default credential chain
would sign with whatever identity the machine has, and its debug log holds bodies; none of them is used. Imports the SDK,
so nothing imports this module before a Volcengine account is asked. Blocking.
"""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

import orjson
from urllib3 import BaseHTTPResponse, HTTPHeaderDict, HTTPResponse, PoolManager
from urllib3.exceptions import HTTPError, ProtocolError
from volcenginesdkcore import ApiClient, Configuration, UniversalApi, UniversalInfo
from volcenginesdkcore.interceptor import InterceptorContext, ResponseInterceptor
from volcenginesdkcore.rest import ApiException, RESTClientObject

from crosstrail import __version__
from crosstrail.accounts.credentials import Credentials
from crosstrail.accounts.request_info import RequestInfo
from crosstrail.clouds.volcengine.errors import garbled, refused, unreachable
from crosstrail.errors import CredentialsError
from crosstrail.trust import refusal_hint, trusted

if TYPE_CHECKING:
    from crosstrail.clouds.volcengine.actions import Action

_MAX_BYTES = 64_000_000
"""Of one answer: 50 events are far less."""
logging.getLogger("volcenginesdkcore").setLevel(logging.WARNING)  # its DEBUG lines are bodies, those of STS too


class VolcengineSdk:
    """Called from many threads. A client costs microseconds, so each request gets one with its own credentials."""

    def __init__(self, endpoint: str, *, connect_timeout: float, read_timeout: float, connections: int) -> None:
        """Timeouts in seconds of one request."""
        base = Configuration()
        for logger in base.logger.values():  # it takes over urllib3's log, which is not its own
            logger.removeHandler(base.logger_stream_handler)
            logger.propagate = True
        base.host = endpoint
        base.scheme = endpoint.partition(":")[0]
        base.credential_provider = None
        base.auto_retry = False
        base.connect_timeout = connect_timeout
        base.read_timeout = read_timeout
        base.connection_pool_maxsize = connections
        self._base = base
        self._connections = RESTClientObject(base)
        if _is_asked_directly(endpoint):
            pool = self._connections.pool_manager.connection_pool_kw
            direct = {name: value for name, value in pool.items() if not name.startswith("_proxy")}
            self._connections.pool_manager = PoolManager(num_pools=base.num_pools, **direct)
        manager = self._connections.pool_manager
        if base.scheme == "https":
            _trust(manager)
        manager.request = partial(_bounded, manager.request, read_timeout)

    def call(
        self, action: Action, params: Mapping[str, Any], credentials: Credentials, region: str, asked: RequestInfo
    ) -> tuple[dict[str, Any], str]:
        """The Result and the request's id. Raises CredentialsError, CloudError or InvalidRequest."""
        info = UniversalInfo(
            method=action.method,
            service=action.service,
            version=action.version,
            action=action.name,
            content_type="application/json" if action.method == "POST" else None,
        )
        given = dict(params) if action.method == "POST" else flattened(params)
        try:
            response = self._client(credentials, region).do_call(info, given)
        except ApiException as error:
            if error.body is None:  # not an answer: the connection could not be trusted
                raise unreachable("SSLError", asked, refusal_hint(error)) from None
            raise refused(error.status, error.body, error.headers or {}, asked) from None
        except HTTPError as error:
            raise unreachable(type(error).__name__, asked, refusal_hint(error)) from None
        except UnicodeDecodeError:
            raise garbled(200, asked) from None
        except ValueError:  # http.client repeats the value that no header can hold
            raise CredentialsError(
                f"the credentials of {asked.place} hold characters that no key has", hint=asked.remediation
            ) from None
        return _result(response.status, response.data, response.getheaders(), asked)

    def close(self) -> None:
        self._connections.pool_manager.clear()

    def _client(self, credentials: Credentials, region: str) -> UniversalApi:
        configuration = copy.copy(self._base)
        configuration.ak = credentials.access_key_id
        configuration.sk = credentials.secret_access_key.get_secret_value()
        token = credentials.session_token
        configuration.session_token = token.get_secret_value() if token else ""
        configuration.region = region
        client = ApiClient(configuration)
        client.user_agent = f"crosstrail/{__version__}"
        client.rest_client = self._connections
        client.interceptor_chain.response_interceptors = [_Untouched()]
        return UniversalApi(client)


def _bounded(request: Callable[..., BaseHTTPResponse], seconds: float, *asked: Any, **how: Any) -> HTTPResponse:
    """An answer read whole, unpacked, within a bound of bytes and of time: a trickle counts as none. Raises HTTPError."""
    answer = request(*asked, **how | {"preload_content": False})
    body, until = bytearray(), time.monotonic() + 2 * seconds
    try:
        for part in answer.stream(65_536, decode_content=True):
            body += part
            if len(body) > _MAX_BYTES:
                raise ProtocolError("the answer is too long")
            if time.monotonic() > until:
                raise ProtocolError("the answer takes too long")
    except BaseException:
        answer.close()
        raise
    headers = HTTPHeaderDict(
        {name: value for name, value in answer.headers.items() if name.lower() != "content-encoding"}
    )
    return HTTPResponse(BytesIO(bytes(body)), headers, answer.status, reason=answer.reason)


class _Untouched(ResponseInterceptor):  # type: ignore[misc]  # the SDK is untyped
    """Hands on the answer itself: the SDK's own reader drops the request id, and the code of an error inside a 200."""

    def name(self) -> str:
        return "crosstrail-untouched"

    def intercept(self, context: InterceptorContext) -> InterceptorContext:
        context.response.result = context.response.http_response
        return context


def _trust(manager: PoolManager) -> None:
    """The store of all connections in place of the SDK's own file, for a proxy over TLS too. Raises ConfigError."""
    context = trusted().context()
    manager.connection_pool_kw.update(ssl_context=context, ca_certs=None)
    if manager.proxy_config:
        manager.proxy_config = manager.proxy_config._replace(ssl_context=context)


def _is_asked_directly(endpoint: str) -> bool:
    """The SDK takes HTTP_PROXY and HTTPS_PROXY for every address, and knows no NO_PROXY."""
    host = urlsplit(endpoint).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.") or bool(proxy_bypass(host))


def flattened(params: Mapping[str, Any]) -> dict[str, Any]:
    """As a query has them: `EventSources.1`, `EventSources.2` for a list; true and false in small letters."""
    flat: dict[str, Any] = {}
    for name, value in params.items():
        if isinstance(value, list | tuple):
            flat.update({f"{name}.{place}": one for place, one in enumerate(value, 1)})
        else:
            flat[name] = str(value).lower() if isinstance(value, bool) else value
    return flat


def _result(status: int, body: str, headers: Mapping[str, str], asked: RequestInfo) -> tuple[dict[str, Any], str]:
    try:
        answer = orjson.loads(body)
        metadata = answer["ResponseMetadata"]
        failed = bool(metadata.get("Error"))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise garbled(status, asked) from None
    if failed:
        raise refused(status, body, headers, asked)
    result = answer.get("Result")
    if not isinstance(result, dict | None):
        raise garbled(status, asked)
    return result or {}, str(metadata.get("RequestId") or "")
