"""The body of an answer over aiohttp, of which nobody needs more than so much."""

from __future__ import annotations

import aiohttp

_CHUNK = 65_536


async def bounded_body(answer: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """The body, unpacked. Raises aiohttp.ClientPayloadError for a longer one, whose connection is closed."""
    body = bytearray()
    async for part in answer.content.iter_chunked(_CHUNK):
        body += part
        if len(body) > max_bytes:
            answer.close()
            raise aiohttp.ClientPayloadError("the answer is too long")
    return bytes(body)
