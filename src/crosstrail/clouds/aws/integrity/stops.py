"""Who stopped logging before a gap: looked for in the log files that were delivered around its start.

It explains a gap and never excuses one: whoever can write the archive can write such an event, so the answer names the file.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from crosstrail.clouds.aws.integrity.names import DigestName, log_time
from crosstrail.clouds.integrity import ArchiveObjects
from crosstrail.errors import CrosstrailError

_BEFORE, _AFTER = timedelta(minutes=75), timedelta(minutes=75)
_MAX_FILES = 200
_MAX_BYTES = 64 * 1024 * 1024
_STOPS = (b"StopLogging", b"DeleteTrail", b"UpdateTrail")


@dataclass(frozen=True, slots=True)
class Stop:
    event: str
    who: str
    when: str
    address: str

    @property
    def text(self) -> str:
        return f"{self.event} by {self.who or 'somebody'} at {self.when} ({self.address})"


def stop_before(objects: ArchiveObjects, name: DigestName, start: datetime, end: datetime) -> Stop | None:
    """The last event that stopped this trail's digests around `start`, before `end`: in the files of its home region."""
    top = (
        name.top.replace("/CloudTrail-Digest/", "/CloudTrail/").removesuffix(f"{name.region}/") + f"{name.trail.home}/"
    )
    found: Stop | None = None
    try:
        keys = list(_keys(objects, top, start - _BEFORE, min(start + _AFTER, end)))
    except CrosstrailError:
        return None
    for key in keys:
        for record in _records(objects, key):
            stop = _stop(record, name, objects.address(key))
            if (
                stop
                and start - _BEFORE <= _when(stop.when, start) <= start + _AFTER
                and (not found or found.when < stop.when)
            ):
                found = stop
    return found


def _keys(objects: ArchiveObjects, top: str, first: datetime, last: datetime) -> Iterator[str]:
    count = 0
    day = first.date()
    while day <= last.date():
        for one in objects.objects(f"{top}{day:%Y/%m/%d}/"):
            time = log_time(one.key)
            if time and first <= time <= last:
                count += 1
                if count > _MAX_FILES:
                    return
                yield one.key
        day += timedelta(days=1)


def _records(objects: ArchiveObjects, key: str) -> Iterator[dict[str, Any]]:
    """The records of a file that mentions a stop at all; nothing of one that cannot be read."""
    try:
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
        content = bytearray()
        for chunk in objects.read(key).chunks:
            content += unpacker.decompress(chunk, _MAX_BYTES + 1 - len(content))
            if len(content) > _MAX_BYTES:
                return
        if not any(one in content for one in _STOPS):
            return
        said = orjson.loads(content)
    except (CrosstrailError, zlib.error, orjson.JSONDecodeError):
        return
    records = said.get("Records") if isinstance(said, dict) else None
    for record in records if isinstance(records, list) else ():
        if isinstance(record, dict):
            yield record


def _stop(record: dict[str, Any], name: DigestName, address: str) -> Stop | None:
    event, asked = record.get("eventName"), record.get("requestParameters")
    if (
        record.get("eventSource") != "cloudtrail.amazonaws.com"
        or not isinstance(asked, dict)
        or record.get("errorCode")
    ):
        return None
    trail = asked.get("name") or asked.get("trailNameOrARN")
    if not isinstance(trail, str) or trail.rpartition("/")[2] != name.trail.name:
        return None
    switched_off = event == "UpdateTrail" and asked.get("enableLogFileValidation") is False
    if event not in ("StopLogging", "DeleteTrail") and not switched_off:
        return None
    identity = record.get("userIdentity")
    who = identity.get("arn") or identity.get("principalId") if isinstance(identity, dict) else ""
    return Stop(str(event), who[:300] if isinstance(who, str) else "", str(record.get("eventTime"))[:40], address)


def _when(text: str, otherwise: datetime) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return otherwise - 2 * _BEFORE
    return time if time.tzinfo else time.replace(tzinfo=otherwise.tzinfo)
