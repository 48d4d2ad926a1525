"""Objects in buckets that speak S3: listed, read, written. The one home of the library that does it (obstore).

Decides how a bucket is asked: with explicit credentials that are asked for again while it runs, never from the environment;
within bounds of time, repeats and size; and what each of its errors means here. It never picks an account or a bucket, and
knows no log format. One `Bucket` may be used by any number of threads. obstore is loaded when a bucket is opened.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from crosstrail import __version__
from crosstrail.accounts.credentials import Credentials
from crosstrail.clouds.buckets import BucketPlace, ListedPage
from crosstrail.errors import ConfigError, CrosstrailError, ObjectTooLarge
from crosstrail.object_store_errors import OddKey, translated

if TYPE_CHECKING:
    from obstore import GetResult, ObjectMeta
    from obstore.store import S3Credential, S3Store

PAGE = 1_000
"""Keys that one LIST request gives at most."""
MAX_BYTES = 1024**3
"""Of one object, unless the caller says otherwise."""
_STREAM_BYTES = 1024**2
_KNOWN_FOR = timedelta(minutes=10)
"""How long credentials without an end are used before they are asked for again; obstore asks five minutes earlier."""
_URI = re.compile(r"(?P<scheme>[a-z0-9]{2,8})://(?P<bucket>[a-z0-9][a-z0-9._-]{1,62})(?:/(?P<prefix>.*))?", re.DOTALL)
_ENVIRONMENT = {"skip_signature": False, "s3_express": False, "unsigned_payload": False}
"""What obstore would else take from variables of the environment."""


@dataclass(frozen=True, slots=True)
class BucketUri:
    """`s3://bucket/prefix`, taken apart; the prefix is without slashes at its ends."""

    scheme: str
    bucket: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.prefix}" if self.prefix else f"{self.scheme}://{self.bucket}"


class ObjectInfo(NamedTuple):
    """One object as a listing shows it. A tuple, since listings make millions."""

    key: str
    size: int
    etag: str
    modified: datetime


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object that was read. `metadata` is the user's own (x-amz-meta-NAME by NAME), in lower case."""

    info: ObjectInfo
    data: bytes
    metadata: Mapping[str, str]


@dataclass(slots=True)
class Requests:
    """What was asked of a bucket so far, for its price. Counted by threads without a lock: a statistic, never a decision."""

    lists: int = 0
    gets: int = 0
    puts: int = 0
    bytes: int = 0

    def add(self, other: Requests) -> None:
        self.lists += other.lists
        self.gets += other.gets
        self.puts += other.puts
        self.bytes += other.bytes


@dataclass(frozen=True, slots=True)
class Transport:
    """How long a bucket is waited for. Seconds are of one attempt; `timeout` of a whole request with its body."""

    connect_seconds: float = 5.0
    read_seconds: float = 30.0
    timeout_seconds: float = 300.0
    attempts: int = 6


def parsed_uri(text: str) -> BucketUri | None:
    """The address of a bucket, of any scheme but file; None for what is none, such as a path."""
    found = _URI.fullmatch(text)
    if not found or found["scheme"] == "file":
        return None
    return BucketUri(found["scheme"], found["bucket"], (found["prefix"] or "").strip("/"))


def require_library() -> None:
    """Raises ConfigError where the extra that brings obstore is not installed. Imports nothing heavy."""
    if find_spec("obstore") is None:
        from crosstrail.origin import install_hint

        raise ConfigError("reading buckets needs obstore", hint=install_hint("s3"))


@dataclass(slots=True)
class Bucket:
    """One bucket, opened with one account's credentials. Keys and prefixes are whole, from the bucket's root.

    `keys` gives the credentials whenever they are needed; it is called in a thread of obstore's and may raise CrosstrailError,
    which the request then raises. All methods block, and raise AccessDenied, CredentialsError, InvalidRequest (no such bucket,
    another region), Throttled, CloudUnavailable.
    """

    uri: BucketUri
    place: BucketPlace
    keys: Callable[[], Credentials]
    requester_pays: bool = False
    page: Callable[[str, str], ListedPage] | None = None
    """(prefix, after) -> a page of a listing that takes any key: obstore refuses one with a key like `a//b` or `a/../b` whole."""
    odd_keys: set[str] = field(default_factory=set)
    """Keys that were listed and cannot be asked for; the first thousand."""
    transport: Transport = field(default_factory=Transport)
    requests: Requests = field(default_factory=Requests)
    _store: S3Store | None = None
    _refused: CrosstrailError | None = None

    def pages(self, prefix: str = "", *, start_after: str = "") -> Iterator[Sequence[ObjectInfo]]:
        """Objects below the folder `prefix`, in the order of their keys, a page at a time; those after a key alone."""
        import obstore

        pages = obstore.list(self._opened(), prefix.strip("/") or None, offset=start_after or None, chunk_size=PAGE)
        self.requests.lists += 1  # an empty answer was asked for, too
        first, last = True, start_after
        while True:
            try:
                with self._mapped(prefix):
                    page = next(pages, None)
            except OddKey:
                if self.page is None:
                    raise
                yield from self._pages_of_any_key(self.page, prefix, last)
                return
            if page is None:
                return
            last = str(page[-1]["path"]) if page else last
            self.requests.lists += not first
            first = False
            yield [_info(one) for one in page]

    def _pages_of_any_key(
        self, page: Callable[[str, str], ListedPage], prefix: str, after: str
    ) -> Iterator[Sequence[ObjectInfo]]:
        """Without the odd ones, which are noted."""
        inside = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        while True:
            found = page(inside, after)
            self.requests.lists += 1
            odd = {key for key, *_ in found.objects if _is_odd(key)}
            self.odd_keys.update(list(odd)[: max(_MAX_ODD - len(self.odd_keys), 0)])
            yield [ObjectInfo(*one) for one in found.objects if one[0] not in odd and not one[0].endswith("/")]
            if not found.after:
                return
            after = found.after

    def folders(self, prefix: str = "") -> tuple[list[str], list[ObjectInfo]]:
        """What stands directly below a folder: the names of the folders there, and the objects. One listing by delimiter."""
        import obstore

        prefix = prefix.strip("/")
        try:
            with self._mapped(prefix):
                found = obstore.list_with_delimiter(self._opened(), prefix or None)
        except OddKey:
            if self.page is None:
                raise
            return self._folders_of_any_key(self.page, prefix)
        names = [one[len(prefix) :].strip("/") for one in found["common_prefixes"]]
        self.requests.lists += 1 + (len(names) + len(found["objects"])) // PAGE
        return names, [_info(one) for one in found["objects"]]

    def _folders_of_any_key(
        self, page: Callable[[str, str], ListedPage], prefix: str
    ) -> tuple[list[str], list[ObjectInfo]]:
        """One request a folder: after a folder comes what is after everything in it."""
        inside = f"{prefix}/" if prefix else ""
        names: list[str] = []
        objects: list[ObjectInfo] = []
        after = ""
        while True:
            found = page(inside, after)
            self.requests.lists += 1
            after = found.after
            for one in found.objects:
                name, below, _ = one[0][len(inside) :].partition("/")
                if _is_odd(f"{inside}{name}"):
                    self.odd_keys.update([one[0]][: max(_MAX_ODD - len(self.odd_keys), 0)])
                elif not below:
                    objects.append(ObjectInfo(*one))
                elif name not in names:
                    names.append(name)
                    after = f"{inside}{name}/\U0010ffff"
                    break
            if not after:
                return names, objects

    def get(self, key: str, *, max_bytes: int = MAX_BYTES, etag: str = "") -> StoredObject:
        """An object whole. With `etag` only while it is still that one.

        Raises ObjectNotFound, ObjectArchived, ObjectChanged, ObjectTooLarge, besides what all methods raise.
        """
        import obstore

        with self._mapped(key):
            self.requests.gets += 1
            got = obstore.get(self._opened(), key, options={"if_match": etag} if etag else None)
            info = _info(got.meta)
            self._bound(info, max_bytes)
            data = bytes(got.bytes())
        self.requests.bytes += len(data)
        metadata = {name.lower(): value for name, value in got.attributes.items() if name not in _HEADERS}
        return StoredObject(info, data, metadata)

    def read(self, key: str, *, max_bytes: int = MAX_BYTES, etag: str = "") -> tuple[ObjectInfo, Iterable[bytes]]:
        """What an object is, and its bytes in pieces of about a megabyte, to be taken once. Raises like `get`, while pieces are
        taken too."""
        import obstore

        with self._mapped(key):
            self.requests.gets += 1
            got = obstore.get(self._opened(), key, options={"if_match": etag} if etag else None)
            info = _info(got.meta)
            self._bound(info, max_bytes)
            self.requests.bytes += info.size
            if info.size <= _STREAM_BYTES:
                return info, (bytes(got.bytes()),)
        return info, self._pieces(key, got)

    def fetch(self, key: str, path: Path, *, max_bytes: int = MAX_BYTES, etag: str = "") -> tuple[ObjectInfo, str]:
        """An object into a file that is there, a piece at a time, and the SHA-256 of its bytes. Raises like `get`, and OSError of
        the file."""
        info, pieces = self.read(key, max_bytes=max_bytes, etag=etag)
        digest = sha256()
        with path.open("wb") as file:
            for piece in pieces:
                file.write(piece)
                digest.update(piece)
        return info, digest.hexdigest()

    def _pieces(self, key: str, got: GetResult) -> Iterator[bytes]:
        stream = iter(got.stream(min_chunk_size=_STREAM_BYTES))
        while True:
            with self._mapped(key):
                piece = next(stream, None)
            if piece is None:
                return
            yield bytes(piece)

    def put(self, key: str, data: bytes, *, metadata: Mapping[str, str] | None = None, create: bool = False) -> str:
        """Writes an object; its ETag. With `create` only where there is none: raises ObjectChanged where there is."""
        import obstore

        with self._mapped(key):
            self.requests.puts += 1
            result = obstore.put(
                self._opened(), key, data, attributes=dict(metadata or {}), mode="create" if create else "overwrite"
            )
        return result["e_tag"] or ""

    def delete(self, keys: Sequence[str]) -> None:
        """What is not there is deleted too."""
        import obstore

        with self._mapped(keys[0] if keys else ""):
            obstore.delete(self._opened(), list(keys))

    def name(self, key: str) -> str:
        """`s3://bucket/key`."""
        return f"{self.uri.scheme}://{self.uri.bucket}/{key}"

    def _opened(self) -> S3Store:
        if self._store is None:
            self._store = self._open()
        return self._store

    def _open(self) -> S3Store:
        require_library()
        from obstore.store import S3Store

        how = self.transport
        options: dict[str, object] = {
            "allow_http": self.place.endpoint.startswith("http:"),
            "connect_timeout": timedelta(seconds=how.connect_seconds),
            "read_timeout": timedelta(seconds=how.read_seconds),
            "timeout": timedelta(seconds=how.timeout_seconds),
            "user_agent": f"crosstrail/{__version__}",
        }
        if certificates := self.place.trust.pem():
            options["root_certificate"] = certificates
        return S3Store(
            self.uri.bucket,
            endpoint=self.place.endpoint,
            aws_endpoint_url_s3=self.place.endpoint,
            region=self.place.region,
            virtual_hosted_style_request=self.place.virtual_hosted,
            request_payer=self.requester_pays,
            client_options=options,  # type: ignore[arg-type]
            retry_config={
                "max_retries": how.attempts - 1,
                "retry_timeout": timedelta(seconds=how.timeout_seconds),
            },
            credential_provider=self._credential,
            **_ENVIRONMENT,  # type: ignore[arg-type]
        )

    def _credential(self) -> S3Credential:
        try:
            given = self.keys()
        except CrosstrailError as error:
            self._refused = error
            raise
        self._refused = None
        key, secret, token = given.parts()
        return {
            "access_key_id": key,
            "secret_access_key": secret,
            "token": token or None,
            # obstore takes no other object for UTC than Python's own.
            "expires_at": given.expires.astimezone(UTC) if given.expires else datetime.now(UTC) + _KNOWN_FOR,
        }

    def _bound(self, info: ObjectInfo, max_bytes: int) -> None:
        if info.size > max_bytes:
            raise ObjectTooLarge(f"an object of bucket {self.uri.bucket} is larger than {max_bytes:,} bytes")

    @contextmanager
    def _mapped(self, key: str) -> Iterator[None]:
        """Ours in place of obstore's errors; its own text, which may quote an answer, is not chained."""
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, FileNotFoundError, ValueError) as error:
            refused, self._refused = self._refused, None
            raise refused or translated(error, self.uri.bucket, self.place.region).about(self.name(key)) from None


_MAX_ODD = 1_000


def _is_odd(key: str) -> bool:
    """Whether obstore refuses it: it takes keys for paths, whose parts are neither empty nor dots."""
    return any(part in ("", ".", "..") for part in key.removesuffix("/").split("/"))


_HEADERS = frozenset(
    ("Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Cache-Control", "Storage-Class")
)
"""Attributes that are no metadata of the user's."""


def _info(meta: ObjectMeta) -> ObjectInfo:
    return ObjectInfo(meta["path"], meta["size"], meta["e_tag"] or "", meta["last_modified"])
