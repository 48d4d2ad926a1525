"""A small S3 on loopback, in a process of its own: ListObjectsV2 and GET of objects in memory, fast enough not to be what is measured.

    with running(objects, latency=0.05) as url: ...

It checks no signature. `latency` is of each answer, in seconds.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import md5
from multiprocessing.connection import Connection
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

PAGE = 1_000
_MODIFIED = "2026-11-26T00:00:00.000Z"
_HTTP_DATE = "Thu, 26 Nov 2026 00:00:00 GMT"


class _Objects:
    def __init__(self, objects: Mapping[str, bytes]) -> None:
        self.objects = objects
        self.keys = sorted(objects)
        self.etags = {id(data): f'"{md5(data, usedforsecurity=False).hexdigest()}"' for data in objects.values()}
        self.listed_as = [
            f"<Contents><Key>{escape(key)}</Key><LastModified>{_MODIFIED}</LastModified><ETag>{self.etag(key)}</ETag>"
            f"<Size>{len(objects[key])}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for key in self.keys
        ]

    def etag(self, key: str) -> str:
        return self.etags[id(self.objects[key])]

    def listed(self, query: Mapping[str, list[str]]) -> bytes:
        prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
        after = query.get("continuation-token", query.get("start-after", [""]))[0]
        at = max(bisect_left(self.keys, prefix), bisect_right(self.keys, after))
        parts: list[str] = []
        count, last = 0, ""
        if not delimiter:  # a page is a piece of what is written already, so that not this is what is measured
            end = bisect_left(self.keys, f"{prefix}\U0010ffff")
            parts = self.listed_as[at : min(at + PAGE, end)]
            count, at = len(parts), at + len(parts)
            last = self.keys[at - 1] if parts else ""
        while delimiter and at < len(self.keys) and count < PAGE and (key := self.keys[at]).startswith(prefix):
            folder, found, _ = key[len(prefix) :].partition(delimiter)
            if found:
                last = f"{prefix}{folder}{delimiter}"
                parts.append(f"<CommonPrefixes><Prefix>{escape(last)}</Prefix></CommonPrefixes>")
                last += "\U0010ffff"
                at = bisect_left(self.keys, last)
            else:
                parts.append(self.listed_as[at])
                last = key
                at += 1
            count += 1
        more = at < len(self.keys) and self.keys[at].startswith(prefix)
        token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if more else ""
        return (
            f'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>b</Name><Prefix>{escape(prefix)}</Prefix>'
            f"<KeyCount>{count}</KeyCount><MaxKeys>{PAGE}</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>{token}"
            f"{''.join(parts)}</ListBucketResult>"
        ).encode()


class _Protocol(asyncio.Protocol):
    def __init__(self, objects: _Objects, latency: float) -> None:
        self._objects = objects
        self._latency = latency
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
            method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
            answer = self._answer(method, target)
            if self._latency:
                asyncio.get_running_loop().call_later(self._latency, self._transport.write, answer)
            else:
                self._transport.write(answer)

    def _answer(self, method: str, target: str) -> bytes:
        url = urlsplit(target)
        key = unquote(url.path).lstrip("/").partition("/")[2]
        extra = ""
        if not key:
            status, body = "200 OK", b"" if method == "HEAD" else self._objects.listed(parse_qs(url.query))
            extra = "x-amz-bucket-region: us-east-1\r\nContent-Type: application/xml\r\n"
        elif key in self._objects.objects:
            status, body = "200 OK", self._objects.objects[key]
            extra = f"ETag: {self._objects.etag(key)}\r\nLast-Modified: {_HTTP_DATE}\r\n"
        else:
            status, body = "404 Not Found", b"<Error><Code>NoSuchKey</Code></Error>"
        return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body


def _serve(objects: Mapping[str, bytes], latency: float, pipe: Connection) -> None:
    async def serve() -> None:
        loop = asyncio.get_running_loop()
        kept = _Objects(objects)
        server = await loop.create_server(lambda: _Protocol(kept, latency), "127.0.0.1", 0, backlog=512)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


@contextmanager
def running(objects: Mapping[str, bytes], *, latency: float = 0.0) -> Iterator[str]:
    """The address of a server with these objects in its one bucket, whatever the bucket is called."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(objects, latency, theirs), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.kill()
        process.join()
