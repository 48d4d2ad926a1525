"""What botocore reads of an answer, within bounds of bytes and of time, whoever sends it.

Decides how much of one answer anybody needs. botocore reads to the end whatever comes, and its timeout is that of each wait
alone: who sends without end would fill the memory, who trickles would hold a thread. Imports botocore.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import botocore.session
from botocore import exceptions as vendor
from botocore.awsrequest import AWSResponse
from botocore.httpsession import ProtocolError, URLLib3ReadTimeoutError

MAX_ANSWER_BYTES = 8_000_000
"""A page of Organizations has 20 accounts, a secret 64 KB; nothing that is asked here has a hundredth of this."""
_MAX_SECONDS = 60.0
_CHUNK = 65_536


class AnswerTooLong(vendor.BotoCoreError):  # type: ignore[misc]
    """An answer with more bytes than anybody needs; asked again it would be no shorter."""

    fmt = "The answer of {endpoint_url} is too long"


class BoundedHttp:
    """An HTTP session of botocore's whose answers are read here."""

    def __init__(self, http: Any) -> None:
        self._http = http

    def send(self, request: Any) -> AWSResponse:
        """Raises what botocore's own does, and AnswerTooLong."""
        streamed, request.stream_output = request.stream_output, True
        answer = self._http.send(request)
        return (
            answer if streamed else AWSResponse(answer.url, answer.status_code, answer.headers, _read(request, answer))
        )

    def close(self) -> None:
        self._http.close()


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


class BoundedSession(botocore.session.Session):  # type: ignore[misc]
    """A session all of whose clients, and sources of credentials, read within bounds.

    botocore has no public place for that: the names with an underscore are its own, and where a release has others this
    fails instead of reading without bounds.
    """

    def create_client(self, *arguments: Any, **options: Any) -> Any:
        client = super().create_client(*arguments, **options)
        client._endpoint.http_session = BoundedHttp(client._endpoint.http_session)
        return client

    def get_credentials(self) -> Any:
        for provider in self.get_component("credential_provider").providers:
            if provider.METHOD == "iam-role":
                _bound(provider._role_fetcher)
            elif provider.METHOD == "container-role":
                _bound(provider._fetcher)
        return super().get_credentials()


def _bound(fetcher: Any) -> None:
    if not isinstance(fetcher._session, BoundedHttp):
        fetcher._session = BoundedHttp(fetcher._session)
