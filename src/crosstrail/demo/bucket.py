"""The made-up organisation's bucket: its log files and digests, served as S3 serves them, on this machine alone.

Decides nothing about events. It answers ListObjectsV2, GetObject and HeadObject of one bucket, below 127.0.0.1, to whoever asks:
signatures of requests are not checked, because whoever can ask it can read the same files in their folder. It writes nothing.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

import orjson

from crosstrail.demo.digests import BUCKET, SIGNATURES

_MAX_KEYS = 1_000
_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'


@dataclass(frozen=True, slots=True)
class _Objects:
    """What the bucket holds: keys in order, each with its size and ETag."""

    folder: Path
    keys: Mapping[str, tuple[int, str]]
    signatures: Mapping[str, str]


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serves what lies below `folder`/AWSLogs as the bucket; the address of the endpoint. Raises OSError."""
    keys = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("AWSLogs/**/*.gz")}
    about = {key: (len(keys[key]), hashlib.md5(keys[key], usedforsecurity=False).hexdigest()) for key in sorted(keys)}
    objects = _Objects(folder, about, orjson.loads((folder / SIGNATURES).read_bytes()))
    handler = type("Handler", (_Handler,), {"objects": objects})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    objects: _Objects

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        address = urlsplit(self.path)
        bucket, _, key = unquote(address.path).lstrip("/").partition("/")
        if bucket != BUCKET:
            self._error(404, "NoSuchBucket")
        elif key:
            self._object(key, with_body=with_body)
        else:
            asked = {name: values[-1] for name, values in parse_qs(address.query, keep_blank_values=True).items()}
            self._send(200, _listing(self.objects.keys, asked).encode(), {"Content-Type": "application/xml"})

    def _object(self, key: str, *, with_body: bool) -> None:
        if key not in self.objects.keys:
            self._error(404, "NoSuchKey")
            return
        path = self.objects.folder / key
        body = path.read_bytes()
        changed = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
        headers = {
            "ETag": f'"{self.objects.keys[key][1]}"',
            "Last-Modified": format_datetime(changed, usegmt=True),
            "Content-Type": "application/json",
            "Accept-Ranges": "bytes",
        }
        if signature := self.objects.signatures.get(key):
            headers |= {"x-amz-meta-signature": signature, "x-amz-meta-signature-algorithm": "SHA256withRSA"}
        status = 200
        first, _, last = (self.headers.get("Range") or "").removeprefix("bytes=").partition("-")
        if first.isdecimal():
            end = min(int(last), len(body) - 1) if last.isdecimal() else len(body) - 1
            headers["Content-Range"] = f"bytes {int(first)}-{end}/{len(body)}"
            body, status = body[int(first) : end + 1], 206
        self._send(status, body, headers, with_body=with_body)

    def _error(self, status: int, code: str) -> None:
        body = f"{_XML}<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
        self._send(status, body, {"Content-Type": "application/xml"}, with_body=self.command != "HEAD")

    def _send(self, status: int, body: bytes, headers: Mapping[str, str], *, with_body: bool = True) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body)), "x-amz-request-id": "demo"}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the terminal is the demo's."""


def _listing(keys: Mapping[str, tuple[int, str]], asked: Mapping[str, str]) -> str:
    """ListObjectsV2: keys after a place, below a prefix, those with a delimiter after it as common prefixes."""
    prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
    after = max(asked.get("start-after", ""), asked.get("continuation-token", ""))
    most = min(int(asked.get("max-keys") or _MAX_KEYS), _MAX_KEYS)
    found: list[str] = []
    common: dict[str, None] = {}
    last, is_truncated = "", False
    for key in keys:
        if not key.startswith(prefix) or key <= after:
            continue
        inside, sign, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
        group = f"{prefix}{inside}{delimiter}" if sign else ""
        if group and (group in common or after.startswith(group)):
            last = key
            continue
        if len(found) + len(common) == most:
            is_truncated = True
            break
        last = key
        if group:
            common[group] = None
        else:
            found.append(key)
    encode = quote if asked.get("encoding-type") == "url" else escape
    parts = [f"<Name>{BUCKET}</Name><Prefix>{encode(prefix)}</Prefix><MaxKeys>{most}</MaxKeys>"]
    parts += [f"<KeyCount>{len(found) + len(common)}</KeyCount><IsTruncated>{str(is_truncated).lower()}</IsTruncated>"]
    parts += [f"<NextContinuationToken>{escape(last)}</NextContinuationToken>"] if is_truncated else []
    parts += [
        f"<Contents><Key>{encode(key)}</Key><LastModified>2026-11-20T00:00:00.000Z</LastModified>"
        f"<ETag>&quot;{keys[key][1]}&quot;</ETag><Size>{keys[key][0]}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for key in found
    ]
    parts += [f"<CommonPrefixes><Prefix>{encode(one)}</Prefix></CommonPrefixes>" for one in common]
    return (
        f'{_XML}<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{"".join(parts)}</ListBucketResult>'
    )
