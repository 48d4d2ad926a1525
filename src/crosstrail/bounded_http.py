"""Answers of other people's HTTP servers, read within bounds of bytes and of time, whatever they send.

Decides that bytes are counted as they come, that nothing packed is unpacked (a few bytes could become all memory), and that no
redirect is followed: a token sent along would follow it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import anyio
import httpx2

from crosstrail.trust import trusted

PLAIN = {"Accept-Encoding": "identity"}
"""What every request here asks for."""


class TooMuch(httpx2.DecodingError):
    """An answer with more bytes than anybody needs, or a packed one."""


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, max_bytes: int, request: httpx2.Request) -> None:
        self._stream, self._left, self._request = stream, max_bytes, request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            self._left -= len(part)
            if self._left < 0:
                raise TooMuch("the answer is too long", request=self._request)
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


def client(*, seconds: float, max_bytes: int, headers: Mapping[str, str] | None = None) -> httpx2.AsyncClient:
    """A client each of whose answers ends with TooMuch after so many bytes. `seconds`: of each wait, not of all of it."""

    async def count(answer: httpx2.Response) -> None:
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            raise TooMuch("the answer is packed, though nobody asked for it", request=answer.request)
        if not isinstance(answer.stream, httpx2.AsyncByteStream):
            raise TooMuch("the answer cannot be read as it comes", request=answer.request)
        answer.stream = _Counted(answer.stream, max_bytes, answer.request)

    return httpx2.AsyncClient(
        timeout=seconds,
        follow_redirects=False,
        headers={**(headers or {}), **PLAIN},
        event_hooks={"response": [count]},
        verify=trusted().context(),
    )


async def fetched(
    url: str, *, seconds: float, max_bytes: int, headers: Mapping[str, str] | None = None
) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers and body of a GET. Raises httpx2.HTTPError (TooMuch is one), TimeoutError.

    `seconds` bounds all of it: who trickles must not keep a caller waiting.
    """
    with anyio.fail_after(seconds):
        async with client(seconds=seconds, max_bytes=max_bytes, headers=headers) as http:
            answer = await http.get(url)
            return answer.status_code, answer.headers, answer.content
