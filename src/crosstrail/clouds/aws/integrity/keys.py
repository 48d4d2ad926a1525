"""The public keys of digests: from a file as `aws cloudtrail list-public-keys` prints it, or asked of CloudTrail.

A key is one region's. One that the file names without a region is taken for every region, because AWS's own output names
none. It decides whether a signature is the key's; never what that means for the archive.
"""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from crosstrail.clouds.integrity import KeyFile, OnlineKeys
from crosstrail.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_MAX_FILE = 64 * 1024 * 1024
_MAX_QUESTIONS = 200
"""Beyond the first one of a region: each unknown fingerprint asks once, and anybody can write fingerprints."""


class Signed(Enum):
    """What a signature is, beside a text and a key."""

    YES = "of this text"
    ANOTHER_TEXT = "by this key, of another text"
    NO = "not by this key"


@dataclass(frozen=True, slots=True)
class PublicKey:
    value: RSAPublicKey
    start: datetime | None
    end: datetime | None

    def signed(self, text: bytes, signature: str) -> Signed:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            given = binascii.unhexlify(signature)
        except (ValueError, binascii.Error):
            return Signed.NO
        try:
            self.value.verify(given, text, PKCS1v15(), SHA256())
        except InvalidSignature:
            pass
        else:
            return Signed.YES
        try:
            self.value.recover_data_from_signature(given, PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError):
            return Signed.NO
        return Signed.ANOTHER_TEXT


class KeyRing:
    """The keys of all regions. Called from many threads."""

    def __init__(self, known: KeyFile, online: OnlineKeys | None) -> None:
        self._known = known
        self._online = online
        self._parsed: dict[tuple[str, str], PublicKey] = {}
        self._asked: dict[str, list[tuple[datetime, datetime]]] = {}
        self._questions = 0
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    @property
    def online(self) -> bool:
        return self._online is not None

    def find(self, region: str, fingerprint: str, start: datetime, end: datetime) -> PublicKey | None:
        """The key of that region with that fingerprint which is valid at some time of the span. Raises what asking raises."""
        with self._lock:
            lock = self._locks.setdefault(region, threading.Lock())
        with lock:
            found = self._get(region, fingerprint)
            if found is None and self._ask(region, start, end):
                found = self._get(region, fingerprint)
        if found and ((found.start and found.start > end) or (found.end and found.end < start)):
            return None
        return found

    def ask(self, region: str, start: datetime, end: datetime) -> None:
        """All keys of a span at once, before they are looked for."""
        with self._lock:
            lock = self._locks.setdefault(region, threading.Lock())
        with lock:
            self._ask(region, start, end)

    def _ask(self, region: str, start: datetime, end: datetime) -> bool:
        if self._online is None or any(first <= start and end <= last for first, last in self._asked.get(region, ())):
            return False
        with self._lock:
            self._questions += bool(self._asked.get(region))
            if self._questions > _MAX_QUESTIONS:
                return False
        for entry in self._online(region, start, end):
            fingerprint = entry.get("Fingerprint")
            if isinstance(fingerprint, str):
                self._known.keys[region, fingerprint] = entry
        self._asked.setdefault(region, []).append((start, end))
        return True

    def _get(self, region: str, fingerprint: str) -> PublicKey | None:
        if parsed := self._parsed.get((region, fingerprint)):
            return parsed
        entry = self._known.keys.get((region, fingerprint)) or self._known.keys.get(("", fingerprint))
        key = _parsed_key(entry) if entry else None
        if key:
            self._parsed[region, fingerprint] = key
        return key


def _parsed_key(entry: Mapping[str, object]) -> PublicKey | None:
    """DER of PKCS #1, which cryptography reads as it is."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    value = entry.get("Value")
    try:
        raw = base64.b64decode(value, validate=True) if isinstance(value, str) else value
        key = load_der_public_key(raw if isinstance(raw, bytes) else b"")
    except (ValueError, UnsupportedAlgorithm, binascii.Error):
        return None
    if not isinstance(key, RSAPublicKey):
        return None
    return PublicKey(key, _moment(entry.get("ValidityStartTime")), _moment(entry.get("ValidityEndTime")))


def _moment(value: object) -> datetime | None:
    """Seconds, as version 1 of AWS's command line prints them, or ISO 8601, as version 2 does."""
    try:
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str):
            return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def read_keys(path: Path) -> KeyFile:
    """A file as `aws cloudtrail list-public-keys` prints it, or as `keys_text` writes it. Raises ConfigError."""
    hint = "Write it with --save-keys, or with `aws cloudtrail list-public-keys --start-time ...`."
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_FILE + 1)
        said = orjson.loads(text if len(text) <= _MAX_FILE else b"")
    except OSError as error:
        raise ConfigError(f"the file of public keys cannot be read: {error.strerror}", hint=hint).about(
            str(path)
        ) from error
    except orjson.JSONDecodeError as error:
        raise ConfigError("the file of public keys is no JSON", hint=hint).about(str(path)) from error
    listed = said.get("PublicKeyList") if isinstance(said, dict) else None
    if not isinstance(listed, list):
        raise ConfigError("the file has no PublicKeyList", hint=hint).about(str(path))
    found = KeyFile()
    for entry in listed:
        if not isinstance(entry, dict) or not isinstance(entry.get("Fingerprint"), str) or _parsed_key(entry) is None:
            raise ConfigError("an entry of PublicKeyList is no RSA key", hint=hint).about(str(path))
        region = entry.get("Region")
        found.keys[region if isinstance(region, str) else "", entry["Fingerprint"]] = entry
    signatures = said.get("DigestSignatures")
    if isinstance(signatures, dict):
        found.signatures = {key: one for key, one in signatures.items() if isinstance(one, str)}
    return found


def keys_text(keys: KeyFile) -> bytes:
    """JSON: what `list-public-keys` prints, each key with its Region, and DigestSignatures: address -> signature in hex."""
    listed = [_entry(region, keys.keys[region, print_]) for region, print_ in sorted(keys.keys)]
    said = {"PublicKeyList": listed, "DigestSignatures": dict(sorted(keys.signatures.items()))}
    return orjson.dumps(said, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _entry(region: str, entry: Mapping[str, object]) -> dict[str, object]:
    value = entry.get("Value")
    plain = {**entry, "Value": base64.b64encode(value).decode() if isinstance(value, bytes) else value}
    return plain | ({"Region": region} if region else {})


def key_span(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """When the key of a digest of this span may be valid: it is signed up to two hours after its end."""
    return start, end + timedelta(hours=2)


__all__ = ["KeyRing", "PublicKey", "Signed", "key_span", "keys_text", "read_keys"]
