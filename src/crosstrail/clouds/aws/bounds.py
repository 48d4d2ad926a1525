"""What botocore reads of an answer, within bounds of bytes and of time, whoever sends it.

Decides how much of one answer anybody needs. botocore reads to the end whatever comes, and its timeout is that of each wait
alone: who sends without end would fill the memory, who trickles would hold a thread. Imports botocore.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from typing import Any

from botocore import exceptions as vendor
from botocore.awsrequest import AWSResponse
from botocore.httpsession import ProtocolError, URLLib3ReadTimeoutError

from crosstrail.trust import TrustStore

MAX_ANSWER_BYTES = 8_000_000
"""A page of Organizations has 20 accounts, a secret 64 KB; nothing that is asked here has a hundredth of this."""
_MAX_SECONDS = 60.0
_CHUNK = 65_536


class AnswerTooLong(vendor.BotoCoreError):  # type: ignore[misc]
    """An answer with more bytes than anybody needs; asked again it would be no shorter."""

    fmt = "The answer of {endpoint_url} is too long"


class BoundedHttp:
    """An HTTP session of botocore's whose answers are read here, and whose certificates are those of `trust`."""

    def __init__(self, http: Any, trust: TrustStore) -> None:
        self._http = http
        self._trust: TrustStore | None = trust

    def send(self, request: Any) -> AWSResponse:
        """Raises what botocore's own does, AnswerTooLong, and ConfigError for certificates that cannot be read."""
        if self._trust and request.url.startswith("https:"):
            _trust(self._http, self._trust.context())
            self._trust = None
        streamed, request.stream_output = request.stream_output, True
        answer = self._http.send(request)
        return (
            answer if streamed else AWSResponse(answer.url, answer.status_code, answer.headers, _read(request, answer))
        )

    def close(self) -> None:
        self._http.close()


def _trust(http: Any, context: ssl.SSLContext) -> None:
    """Of its own a session reads one file, certifi's or `verify`, at each connection, and trusts a proxy over TLS by others."""

    def checked(pool: Any, url: str, verify: Any) -> None:
        pool.cert_reqs = "CERT_REQUIRED"  # urllib3 writes it into the context

    http._setup_ssl_cert = checked
    http._get_ssl_context = http._setup_proxy_ssl_context = lambda *_: context
    http._manager.connection_pool_kw["ssl_context"] = context


class _Read:
    """A body that was read, as botocore asks for one."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any) -> Iterator[bytes]:
        yield self._body


def _read(request: Any, answer: AWSResponse) -> _Read:
    body, end = bytearray(), time.monotonic() + _MAX_SECONDS
    try:
        for part in answer.raw.stream(_CHUNK):
            body += part
            if len(body) > MAX_ANSWER_BYTES:
                answer.raw.close()  # the connection too: nobody reads the rest
                raise AnswerTooLong(endpoint_url=request.url)
            if time.monotonic() > end:
                answer.raw.close()
                raise vendor.ReadTimeoutError(endpoint_url=request.url)
    except URLLib3ReadTimeoutError as error:
        raise vendor.ReadTimeoutError(endpoint_url=request.url, error=error) from None
    except ProtocolError as error:
        raise vendor.ConnectionClosedError(error=error, request=request, endpoint_url=request.url) from None
    except vendor.BotoCoreError:
        raise
    except Exception as error:  # noqa: BLE001 - as botocore's own session does with what urllib3 raises
        raise vendor.HTTPClientError(error=error) from None
    return _Read(bytes(body))
