"""Objects in buckets that speak S3: listed, read, written. The one home of the library that does it (obstore).

Decides how a bucket is asked: with explicit credentials that are asked for again while it runs, never from the environment;
within bounds of time, repeats and size; and what each of its errors means here. It never picks an account or a bucket, and
knows no log format. One `Bucket` may be used by any number of threads. obstore is loaded when a bucket is opened.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from crosstrail import __version__
from crosstrail.accounts.credentials import Credentials
from crosstrail.clouds.buckets import BucketPlace
from crosstrail.errors import (
    AccessDenied,
    CloudError,
    CloudUnavailable,
    ConfigError,
    CredentialsError,
    CredentialsExpired,
    CrosstrailError,
    InvalidRequest,
    ObjectArchived,
    ObjectChanged,
    ObjectNotFound,
    ObjectTooLarge,
    Throttled,
)
from crosstrail.trust import refusal_hint

if TYPE_CHECKING:
    from obstore.store import S3Credential, S3Store

PAGE = 1_000
"""Keys that one LIST request gives at most."""
MAX_BYTES = 1024**3
"""Of one object, unless the caller says otherwise."""
_STREAM_BYTES = 1024**2
_KNOWN_FOR = timedelta(minutes=10)
"""How long credentials without an end are used before they are asked for again; obstore asks five minutes earlier."""
_URI = re.compile(r"(?P<scheme>[a-z0-9]{2,8})://(?P<bucket>[a-z0-9][a-z0-9._-]{1,62})(?:/(?P<prefix>.*))?", re.DOTALL)
_CODE = re.compile(r"<Code>([A-Za-z0-9._-]{1,64})</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_REQUEST_ID = re.compile(r"<RequestId>([A-Za-z0-9+/=._-]{1,128})</RequestId>")
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


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object as a listing shows it."""

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
    transport: Transport = field(default_factory=Transport)
    requests: Requests = field(default_factory=Requests)
    _store: S3Store | None = None
    _refused: CrosstrailError | None = None

    def pages(self, prefix: str = "", *, start_after: str = "") -> Iterator[Sequence[ObjectInfo]]:
        """Objects below the folder `prefix`, in the order of their keys, a page at a time; those after a key alone."""
        import obstore

        pages = obstore.list(self._opened(), prefix.strip("/") or None, offset=start_after or None, chunk_size=PAGE)
        self.requests.lists += 1  # an empty answer was asked for, too
        first = True
        while True:
            with self._mapped(prefix):
                page = next(pages, None)
            if page is None:
                return
            self.requests.lists += not first
            first = False
            yield [_info(one) for one in page]

    def folders(self, prefix: str = "") -> tuple[list[str], list[ObjectInfo]]:
        """What stands directly below a folder: the names of the folders there, and the objects. One listing by delimiter."""
        import obstore

        prefix = prefix.strip("/")
        with self._mapped(prefix):
            found = obstore.list_with_delimiter(self._opened(), prefix or None)
        names = [one[len(prefix) :].strip("/") for one in found["common_prefixes"]]
        self.requests.lists += 1 + (len(names) + len(found["objects"])) // PAGE
        return names, [_info(one) for one in found["objects"]]

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

    def fetch(self, key: str, path: Path, *, max_bytes: int = MAX_BYTES, etag: str = "") -> tuple[ObjectInfo, str]:
        """An object into a file that is there, a piece at a time, and the SHA-256 of its bytes. Raises like `get`, and OSError of
        the file."""
        import obstore

        with self._mapped(key):
            self.requests.gets += 1
            got = obstore.get(self._opened(), key, options={"if_match": etag} if etag else None)
            info = _info(got.meta)
            self._bound(info, max_bytes)
            pieces = [got.bytes()] if info.size <= _STREAM_BYTES else got.stream(min_chunk_size=_STREAM_BYTES)
            digest = sha256()
            with path.open("wb") as file:
                for piece in pieces:
                    file.write(piece)
                    digest.update(piece)
        self.requests.bytes += info.size
        return info, digest.hexdigest()

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
            "expires_at": given.expires or datetime.now(UTC) + _KNOWN_FOR,
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


_HEADERS = frozenset(
    ("Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Cache-Control", "Storage-Class")
)
"""Attributes that are no metadata of the user's."""
_EXPIRED = frozenset(("ExpiredToken", "TokenRefreshRequired", "RequestExpired"))
_BAD_KEYS = frozenset(
    ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity", "AuthFailure", "NotSignedUp")
)
_ELSEWHERE = frozenset(
    ("PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException")
)
_SLOW = frozenset(
    ("SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests", "QpsLimitExceeded")
)


def translated(error: Exception, bucket: str, region: str) -> CrosstrailError:
    """The error of ours that says what one of obstore's means: by S3's code, else by the HTTP status, else by its kind."""
    from obstore import exceptions as vendor

    said = str(error)
    code, status = _first(_CODE, said), _first(_STATUS, said)
    facts = {"code": code or status or type(error).__name__, "request_id": _first(_REQUEST_ID, said), "region": region}
    ending = f" ({facts['code']})"
    place = f"bucket {bucket}"
    if code == "NoSuchBucket":
        return InvalidRequest(f"there is no {place}{ending}", hint="Check its name, and the endpoint.")
    if code == "InvalidObjectState":
        return ObjectArchived(f"an object of {place} is archived{ending}", hint="Restore it, then ask again.", **facts)
    if code in _ELSEWHERE or status == "301":
        return InvalidRequest(
            f"{place} is not in region {region}{ending}", hint="Name the bucket's own region, or leave the region out."
        )
    if code == "RequestTimeTooSkewed":
        return CredentialsError(
            f"{place} refused the request's time{ending}", hint="Set this machine's clock right (NTP)."
        )
    if code in _EXPIRED:
        return CredentialsExpired(
            f"the credentials for {place} have expired{ending}", hint="Renew them, then ask again."
        )
    if code in _BAD_KEYS or isinstance(error, vendor.UnauthenticatedError):
        return CredentialsError(f"{place} does not accept the credentials{ending}", hint="Check whose they are.")
    if code in _SLOW or status == "429":
        return Throttled(f"{place} throttles requests{ending}", hint="Ask again later.", **facts)
    if isinstance(error, vendor.PermissionDeniedError) or status == "403":
        return AccessDenied(
            f"{place} denies access{ending}",
            hint="Allow s3:ListBucket on the bucket, s3:GetObject on its objects and kms:Decrypt on their key to the identity "
            "that is used for it.",
            **facts,
        )
    if isinstance(error, FileNotFoundError) or code == "NoSuchKey" or status == "404":
        return ObjectNotFound(f"an object of {place} is not there{ending}", **facts)
    if isinstance(error, vendor.PreconditionError | vendor.AlreadyExistsError | vendor.NotModifiedError):
        return ObjectChanged(f"an object of {place} is not the one that was listed{ending}", **facts)
    if isinstance(error, vendor.InvalidPathError | ValueError):
        return InvalidRequest(f"{place} has a key there that cannot be asked for", hint="Name a narrower prefix.")
    if not status or status.startswith("5"):
        hint = refusal_hint(_trust_fault(said), "AWS_CA_BUNDLE") or "Check the network and any proxy, then try again."
        return CloudUnavailable(f"{place} did not answer{ending}", hint=hint, **facts)
    return CloudError(f"{place} refused the request{ending}", **facts)


def _trust_fault(said: str) -> str:
    """rustls says it in other words than OpenSSL."""
    return "CERTIFICATE_VERIFY_FAILED" if re.search(r"UnknownIssuer|invalid peer certificate", said) else ""


def _first(pattern: re.Pattern[str], said: str) -> str:
    found = pattern.search(said)
    return found[1] if found else ""


def _info(meta: Mapping[str, object]) -> ObjectInfo:
    modified = meta["last_modified"]
    assert isinstance(modified, datetime)  # noqa: S101 - as obstore types it
    return ObjectInfo(str(meta["path"]), int(str(meta["size"])), str(meta["e_tag"] or ""), modified)
