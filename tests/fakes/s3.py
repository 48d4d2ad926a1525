"""An S3 of one's own: listing, GET and HEAD of objects in memory, by path or with the bucket in the host.

    with FakeS3(world) as s3:                    # whose keys sign: fakes.aws.World
        s3.buckets["trail"] = {"AWSLogs/...": b"..."}
        s3.allowed["trail"] = {"111111111111"}   # accounts; without an entry everybody whose signature is right
        s3.denied.add("AWSLogs/...")             # an object that nobody may read
        ...                                      # AWS_ENDPOINT_URL_S3=s3.url
        assert s3.asked[0].account == "111111111111"

Every request's SigV4 is recomputed. It is recorded with the account whose key signed it, whatever comes of it.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from hashlib import md5
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from fakes.aws import World
from fakes.aws.sigv4 import verify
from fakes.cloud import Refusal, claimed_key
from fakes.http import Answer, HttpFake

_MODIFIED = "2026-11-19T12:10:00.000Z"
_HTTP_DATE = "Thu, 19 Nov 2026 12:10:00 GMT"
_PAGE = 1_000


@dataclass(frozen=True)
class Asked:
    """`kind` is list, get or head."""

    kind: str
    bucket: str
    key: str
    account: str
    access_key: str
    region: str
    host: str
    headers: dict[str, str]


class _Refused(Exception):
    """(status, S3's code)."""


@dataclass
class FakeS3:
    """`delay`: seconds until an object is given."""

    world: World
    buckets: dict[str, dict[str, bytes]] = field(default_factory=dict)
    allowed: dict[str, set[str]] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    requester_pays: set[str] = field(default_factory=set)
    region: str = "us-east-1"
    asked: list[Asked] = field(default_factory=list)
    delay: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> FakeS3:
        self._http = HttpFake(self._respond)
        self._http.__enter__()
        return self

    def __exit__(self, *about: Any) -> None:
        self._http.__exit__(*about)

    @property
    def url(self) -> str:
        return self._http.url

    def accounts(self) -> set[str]:
        """Whose keys signed requests so far, but for the HEAD that nobody signs."""
        return {one.account for one in self.asked if one.kind != "head"}

    def _respond(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        place, _, query_text = path.partition("?")
        query = {name: values[0] for name, values in parse_qs(query_text, keep_blank_values=True).items()}
        host = headers.get("host", "")
        bucket, key = host.partition(".")[0], unquote(place).lstrip("/")
        if bucket not in self.buckets:
            bucket, _, key = key.partition("/")
        kind = "head" if method == "HEAD" else "get" if key else "list"
        account = region = ""
        try:
            if kind != "head" or "authorization" in headers:
                signed = verify(self.world, "s3", method, path, headers, body)
                account, region = signed.key.account, signed.region
            return self._answer(kind, bucket, key, query, account, headers)
        except _Refused as refused:
            return _error(*refused.args)
        except Refusal as refused:
            return _error(400, "ExpiredToken") if "xpired" in refused.code else _error(403, "InvalidAccessKeyId")
        finally:
            with self._lock:
                self.asked.append(Asked(kind, bucket, key, account, claimed_key(headers), region, host, headers))

    def _answer(
        self, kind: str, bucket: str, key: str, query: dict[str, str], account: str, headers: dict[str, str]
    ) -> Answer:
        objects = self.buckets.get(bucket)
        if kind == "head" and not key:
            return Answer(200 if objects is not None else 404, b"", headers={"x-amz-bucket-region": self.region})
        if objects is None:
            raise _Refused(404, "NoSuchBucket")
        if account not in self.allowed.get(bucket, {account}):
            raise _Refused(403, "AccessDenied")
        if bucket in self.requester_pays and headers.get("x-amz-request-payer") != "requester":
            raise _Refused(403, "AccessDenied")
        if kind == "list":
            return Answer(200, _listed(objects, query), "application/xml")
        if key in self.denied:
            raise _Refused(403, "AccessDenied")
        if key not in objects:
            raise _Refused(404, "NoSuchKey")
        data = objects[key]
        if headers.get("if-match", _etag(data)) != _etag(data):
            raise _Refused(412, "PreconditionFailed")
        about = {"ETag": _etag(data), "Last-Modified": _HTTP_DATE}
        return Answer(200, b"" if kind == "head" else data, "binary/octet-stream", about, delay=self.delay)


def _etag(data: bytes) -> str:
    return f'"{md5(data, usedforsecurity=False).hexdigest()}"'


def _error(status: int, code: str) -> Answer:
    return Answer(status, f"<Error><Code>{code}</Code><RequestId>R1</RequestId></Error>".encode(), "application/xml")


def _listed(objects: dict[str, bytes], query: dict[str, str]) -> bytes:
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    after = query.get("continuation-token", query.get("start-after", ""))
    keys = sorted(objects)
    at = max(bisect_left(keys, prefix), bisect_right(keys, after))
    parts: list[str] = []
    last = ""
    while at < len(keys) and len(parts) < _PAGE and (key := keys[at]).startswith(prefix):
        folder, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
        if found:
            parts.append(f"<CommonPrefixes><Prefix>{escape(prefix + folder + delimiter)}</Prefix></CommonPrefixes>")
            last = f"{prefix}{folder}{delimiter}\U0010ffff"
            at = bisect_left(keys, last)
            continue
        parts.append(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{_MODIFIED}</LastModified><ETag>{_etag(objects[key])}</ETag>"
            f"<Size>{len(objects[key])}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        )
        last, at = key, at + 1
    more = at < len(keys) and keys[at].startswith(prefix)
    token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if more else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>b</Name><Prefix>{escape(prefix)}</Prefix>'
        f"<KeyCount>{len(parts)}</KeyCount><MaxKeys>{_PAGE}</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>{token}"
        f"{''.join(parts)}</ListBucketResult>"
    ).encode()
