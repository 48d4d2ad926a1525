"""One digest judged: does it stand where it says, is its signature CloudTrail's, does the next newer digest name it so.

In the order of `aws cloudtrail validate-logs`, so that both name the same fault first: form, place, key, signature. A digest
whose content is proved is trusted, whatever else is wrong with the object.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from crosstrail.clouds.aws.integrity.digest import (
    MAX_DIGEST,
    BrokenObject,
    Digest,
    PreviousDigest,
    inflate,
    parse_digest,
)
from crosstrail.clouds.aws.integrity.keys import KeyRing, PublicKey, Signed, key_span
from crosstrail.clouds.aws.integrity.names import AWS_LOGS, DigestName
from crosstrail.clouds.integrity import ArchiveObjects, KeyFile, Verdict
from crosstrail.errors import CrosstrailError, ObjectNotFound

SHA256 = "SHA-256"
_RSA = "SHA256withRSA"
_GENERATED = "backfill-generation-timestamp"


@dataclass(frozen=True, slots=True)
class ReadDigest:
    """An object that may be a digest, as far as it can be read."""

    name: DigestName
    digest: Digest | None = None
    signature: str = ""
    """That of its metadata, in hex."""
    generated: datetime | None = None
    appended: bool = False
    verdict: Verdict | None = None
    """What is wrong already."""
    reason: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    verdict: Verdict
    reason: str = ""
    fault: str = ""
    trusted: bool = False
    """Whether its content is proved, so that what it names may be believed."""


def read_digest(objects: ArchiveObjects, name: DigestName) -> ReadDigest:
    """Never raises for what is wrong with one object."""
    try:
        body = objects.read(name.key)
        inflated = inflate(body.chunks, MAX_DIGEST, keep=True)
        if inflated.cut_short:
            return ReadDigest(
                name, verdict=Verdict.MODIFIED, reason="invalid format: the gzip data is cut short", fault="format"
            )
        digest = parse_digest(inflated.content, inflated.sha256)
    except ObjectNotFound:
        return ReadDigest(name, verdict=Verdict.DELETED, reason="not found", fault="not found")
    except CrosstrailError as error:
        return ReadDigest(name, verdict=Verdict.UNCOVERED, reason=f"cannot be read: {error.text}", fault="unreadable")
    except BrokenObject as error:
        return ReadDigest(name, verdict=Verdict.MODIFIED, reason=f"invalid format: {error}", fault="format")
    generated = None
    if name.trail.late and objects.has_metadata:
        generated = _moment(body.metadata.get(_GENERATED, ""))
        if generated is None:
            reason = f"invalid format: no {_GENERATED} in its metadata"
            return ReadDigest(name, verdict=Verdict.MODIFIED, reason=reason, fault="format")
    return ReadDigest(name, digest, body.metadata.get("signature", ""), generated, inflated.appended)


def judge(
    read: ReadDigest,
    newer: PreviousDigest | None,
    objects: ArchiveObjects,
    keys: KeyRing,
    saved: KeyFile,
    *,
    linked: bool,
) -> Judged:
    """`newer`: what the next newer digest says of this one, where one does; `linked` where that one is proved itself."""
    digest = read.digest
    if digest is None:
        return Judged(read.verdict or Verdict.MODIFIED, read.reason, read.fault)
    if not same_place(objects, digest.bucket, digest.key, read.name.key):
        reason = f"has been moved from its original location s3://{digest.bucket}/{digest.key}"
        return Judged(Verdict.MOVED, reason, "moved")
    if digest.algorithm not in ("", _RSA):
        return Judged(Verdict.UNCOVERED, f"is signed by {digest.algorithm[:60]}, which is not known", "algorithm")
    key = _key(read, digest, keys)
    if isinstance(key, Judged):
        return key
    return _judged_signature(read, digest, newer, key, objects, saved, linked=linked)


def _judged_signature(
    read: ReadDigest,
    digest: Digest,
    newer: PreviousDigest | None,
    key: PublicKey,
    objects: ArchiveObjects,
    saved: KeyFile,
    *,
    linked: bool,
) -> Judged:
    text = digest.signed_text()
    named = newer.signature if newer else ""
    own = read.signature if objects.has_metadata else named or saved.signatures.get(signature_name(digest), "")
    if not own and not objects.has_metadata:
        return Judged(
            Verdict.UNCOVERED,
            "no signature for it: it stands in the metadata of its object, or in the next digest; save it with --save-keys",
            "no signature",
        )
    signed = key.signed(text, own)
    if signed is not Signed.YES:
        if own != named and named and key.signed(text, named) is Signed.YES:
            reason = "signature verification failed: the signature in its metadata was changed; its content is proved by the next digest"
            return Judged(Verdict.MODIFIED, reason, "signature", trusted=True)
        if signed is Signed.ANOTHER_TEXT:
            return Judged(Verdict.MODIFIED, "signature verification failed: its content was changed", "signature")
        return Judged(Verdict.FORGED, "signature verification failed: not signed by CloudTrail's key", "signature")
    if newer and linked and (newer.sha256 != digest.sha256 or newer.algorithm not in ("", SHA256)):
        return Judged(Verdict.MODIFIED, "its hash is not the one that the next digest names", "hash")
    if read.appended:
        return Judged(Verdict.APPENDED, "unexpected data after end of compressed stream", "trailing", trusted=True)
    return Judged(Verdict.VALID, trusted=True)


def _key(read: ReadDigest, digest: Digest, keys: KeyRing) -> PublicKey | Judged:
    region, fingerprint = read.name.region, digest.fingerprint
    start, end = key_span(digest.start, digest.end)
    if read.name.trail.late:
        generated = read.generated or read.name.end
        start = (generated if read.generated else digest.start) - timedelta(hours=1)
        end = generated + timedelta(hours=1) if read.generated else datetime.max.replace(tzinfo=digest.end.tzinfo)
    try:
        key = keys.find(region, fingerprint, start, end)
    except CrosstrailError as error:
        return Judged(Verdict.UNCOVERED, f"its public key cannot be had: {error.text}", "no keys")
    if key is None:
        reason = f"public key not found in region {region} for fingerprint {fingerprint[:80]}"
        if keys.online:
            return Judged(Verdict.FORGED, reason, "no key")
        return Judged(Verdict.UNCOVERED, f"{reason}, by the file of keys", "no key")
    return key


def signature_name(digest: Digest) -> str:
    """What a saved signature is kept under: the address the digest itself says, wherever a copy of it lies."""
    return f"s3://{digest.bucket}/{digest.key}"


def same_place(objects: ArchiveObjects, bucket: str, key: str, found: str) -> bool:
    """Whether an object that says it is `bucket/key` may stand at `found`. A folder tells no bucket, and may begin at AWSLogs."""
    if objects.bucket is not None:
        return (bucket, key) == (objects.bucket, found)
    return _tail(key) == _tail(found) and bool(_tail(key))


def place_of(objects: ArchiveObjects, base: str, bucket: str, key: str) -> str | None:
    """Where the archive has the object that a digest below `base` calls so; None where it lies outside, and must not be read."""
    if ".." in key.split("/") or "\0" in key:
        return None
    if objects.bucket is not None:
        return key if bucket == objects.bucket and key.startswith(objects.prefix) else None
    tail = _tail(key)
    return f"{base}{tail}" if tail else None


def _tail(key: str) -> str:
    """From AWSLogs/ on."""
    place = key.find(AWS_LOGS)
    return key[place:] if place == 0 or (place > 0 and key[place - 1] == "/") else ""


def _moment(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else None
