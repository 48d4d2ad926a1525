"""What each action of ActionTrail does, and how it refuses."""

from __future__ import annotations

import hashlib
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from fakes.cloud import Refusal

if TYPE_CHECKING:
    from .world import FakeAccount, Key, LoggedEvent, World

_KEYS = frozenset(
    (
        "ServiceName",
        "EventName",
        "User",
        "EventId",
        "ResourceType",
        "ResourceName",
        "EventRW",
        "EventAccessKeyId",
        "SensitiveAction",
        "SourceIpAddress",
        "EventType",
        "RoleName",
    )
)
_TOGETHER = {
    "ServiceName": {"EventName", "User", "RoleName", "ResourceName", "EventRW", "SensitiveAction", "EventType"},
    "ResourceName": {"ResourceType", "EventName", "User", "RoleName", "ServiceName"},
    "EventType": {"EventName"},
}
"""Two attributes that the documentation lets stand together; others are refused here, so that nobody relies on them."""
_KEPT_SECONDS = 90 * 86400
_MAX_SPAN_SECONDS = 30 * 86400
_DEFAULT_SECONDS = 7 * 86400
_MAX = 50


def lookup_events(world: World, account: FakeAccount, key: Key, region: str, params: dict[str, str]) -> bytes:
    now = int(time.time())
    start, end = _span(params, now)
    size = params.get("MaxResults", "20")
    if not re.fullmatch(r"[1-9]\d?", size) or int(size) > _MAX:
        raise Refusal("InvalidQueryParameter", "The specified MaxResults is invalid.")
    direction = params.get("Direction", "BACKWARD")
    if direction not in ("BACKWARD", "FORWARD"):
        raise Refusal("InvalidQueryParameter", "The specified Direction is invalid.")
    wanted = _attributes(params)
    first = _offset(params)
    oldest, newest = max(start, now - _KEPT_SECONDS), end if world.end_inclusive else end - 1
    found = [
        event
        for event in account.events
        if event.region in ("", region) and oldest <= event.time <= newest and _matches(event, wanted)
    ]
    if direction == "FORWARD":
        found.reverse()
    page = found[first : first + int(size)]
    token = _token(first + int(size), params) if first + int(size) < len(found) else ""
    more = b',"NextToken":"%b"' % token.encode() if token else b""
    return b'{"StartTime":"%b","EndTime":"%b"%b,"Events":[%b]}' % (
        _stamp(start),
        _stamp(end),
        more,
        b",".join(event.encoded for event in page),
    )


def describe_trails(world: World, account: FakeAccount, key: Key, region: str, params: dict[str, str]) -> bytes:
    names = [name for name in params.get("NameList", "").split(",") if name]
    shown = [
        trail
        for name, trail in account.trails.items()
        if (not names or name in names)
        and (params.get("IncludeOrganizationTrail") == "true" or not trail["IsOrganizationTrail"])
        and (params.get("IncludeShadowTrails") == "true" or trail["HomeRegion"] == region)
    ]
    return orjson.dumps({"TrailList": shown})


def get_trail_status(world: World, account: FakeAccount, key: Key, region: str, params: dict[str, str]) -> bytes:
    trail = _trail(account, region, params)
    return orjson.dumps(
        {
            "IsLogging": trail["Status"] == "Enable",
            "LatestDeliveryTime": "2026-11-20T10:00:00Z",
            "LatestDeliveryError": trail.get("_error", ""),
            "OssBucketStatus": True,
        }
    )


def create_trail(world: World, account: FakeAccount, key: Key, region: str, params: dict[str, str]) -> bytes:
    name = params.get("Name", "")
    if not re.fullmatch(r"[a-z][a-z0-9_-]{5,35}", name):
        raise Refusal("InvalidTrailNameException", "The specified trail name is invalid.")
    if not any(params.get(place) for place in ("OssBucketName", "SlsProjectArn", "MaxComputeProjectArn")):
        raise Refusal("InvalidQueryParameter", "A destination must be specified.")
    if name in account.trails:
        raise Refusal("TrailAlreadyExistsException", f"The trail {name} already exists.", 409)
    kept = {one: params[one] for one in ("OssBucketName", "OssKeyPrefix", "TrailRegion", "EventRW") if one in params}
    organization = params.get("IsOrganizationTrail") == "true"
    account.add_trail(name, HomeRegion=region, Status="Fresh", IsOrganizationTrail=organization, **kept)
    return orjson.dumps({"Name": name, "HomeRegion": region, **kept})


def start_logging(world: World, account: FakeAccount, key: Key, region: str, params: dict[str, str]) -> bytes:
    _trail(account, region, params)["Status"] = "Enable"
    return b"{}"


def _trail(account: FakeAccount, region: str, params: dict[str, str]) -> dict[str, Any]:
    trail = account.trails.get(params.get("Name", ""))
    if trail is None or trail["HomeRegion"] != region:
        raise Refusal("TrailNotFoundException", "The specified trail does not exist.", 404)
    return trail


def _span(params: dict[str, str], now: int) -> tuple[int, int]:
    given = [params.get(name, "") for name in ("StartTime", "EndTime")]
    if not any(given):
        return now - _DEFAULT_SECONDS, now
    try:
        start, end = (datetime.strptime(one, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp() for one in given)
    except ValueError:
        raise Refusal("InvalidQueryParameter", "StartTime and EndTime must both be times of UTC.") from None
    if start >= end:
        raise Refusal("InvalidTimeRangeException", "The end time must be later than the start time.")
    if end - start > _MAX_SPAN_SECONDS:
        raise Refusal("InvalidTimeRangeException", "The maximum time range is 30 days.")
    return int(start), int(end)


def _attributes(params: dict[str, str]) -> dict[str, str]:
    """At most two count; of the same key twice, the second."""
    given: list[tuple[str, str]] = []
    while (place := f"LookupAttribute.{len(given) + 1}") + ".Key" in params:
        given.append((params[place + ".Key"], params.get(place + ".Value", "")))
    if any(name not in _KEYS for name, _ in given):
        raise Refusal("InvalidQueryParameter", "The specified LookupAttribute is invalid.")
    wanted = dict(given[:2])
    if len(wanted) == 2:
        one, other = wanted
        if other not in _TOGETHER.get(one, ()) and one not in _TOGETHER.get(other, ()):
            raise Refusal("InvalidQueryParameter", "These attributes cannot be combined.")
    return wanted


def _matches(event: LoggedEvent, wanted: dict[str, str]) -> bool:
    return all(value in event.attributes[name] for name, value in wanted.items())


def _stamp(second: int) -> bytes:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%SZ}".encode()


def _digest(params: dict[str, str]) -> str:
    """A page token works only with the parameters it was given for."""
    asked = {name: value for name, value in params.items() if name != "NextToken"}
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]


def _token(offset: int, params: dict[str, str]) -> str:
    return urlsafe_b64encode(f"{offset}-{_digest(params)}".encode()).decode()


def _offset(params: dict[str, str]) -> int:
    token = params.get("NextToken")
    if not token:
        return 0
    offset, _, bound = urlsafe_b64decode(token).decode(errors="replace").partition("-")
    if bound != _digest(params):
        raise Refusal("InvalidQueryParameter", "The specified NextToken is invalid.")
    return int(offset)
