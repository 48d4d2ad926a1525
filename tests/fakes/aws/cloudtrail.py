"""CloudTrail, AWS JSON 1.1: LookupEvents, trails, event data stores and their queries, as the API reference has them."""

from __future__ import annotations

import base64
import hashlib
import time
from bisect import bisect_left
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from fakes.cloud import Refusal

from . import lake

if TYPE_CHECKING:
    from .world import FakeAccount, LoggedEvent, World

Handler = Callable[["World", "FakeAccount", str, dict[str, Any]], Any]

_DAYS_KEPT = 90
_ATTRIBUTES = frozenset(
    ("EventId", "EventName", "ReadOnly", "Username", "ResourceType", "ResourceName", "EventSource", "AccessKeyId")
)
_LONGEST_VALUE = 2000


def lookup_events(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> bytes:
    _throttle(world, account, region)
    key, value = _attribute(params)
    size = params.get("MaxResults", 50)
    if not isinstance(size, int) or not 1 <= size <= 50:
        raise Refusal("InvalidMaxResultsException", "MaxResults must be between 1 and 50.")
    category = params.get("EventCategory", "management").capitalize()
    if category not in ("Management", "Insight"):
        raise Refusal("InvalidEventCategoryException", "The event category is not valid.")
    now = time.time()
    start = max(float(params.get("StartTime", 0)), now - _DAYS_KEPT * 86400)
    end = float(params.get("EndTime", now))
    if float(params.get("StartTime", 0)) > end:
        raise Refusal("InvalidTimeRangeException", "The start time must be before the end time.")
    logged = account.events.get(region, [])
    first = _after(params["NextToken"], _binding(account, region, params), logged) if "NextToken" in params else 0
    found: list[LoggedEvent] = []
    more = False
    for event in logged[max(first, bisect_left(logged, -end, key=lambda event: -event.time)) :]:
        if event.time < start:
            break
        if event.category != category or (key and value not in event.attributes[key]):
            continue
        if len(found) == size:
            more = True
            break
        found.append(event)
    token = b',"NextToken":"%s"' % _token(_binding(account, region, params), found[-1].id) if more else b""
    return b'{"Events":[' + b",".join(event.encoded for event in found) + b"]" + token + b"}"


def _throttle(world: World, account: FakeAccount, region: str) -> None:
    """At `lookup_rate` a second, counted over the last second, per account and region."""
    if not world.lookup_rate:
        return
    now = time.monotonic()
    recent = account.lookups.setdefault(region, [])
    recent[:] = [at for at in recent if now - at < 1]
    if len(recent) >= world.lookup_rate:
        raise Refusal("ThrottlingException", "Rate exceeded")
    recent.append(now)


def _attribute(params: dict[str, Any]) -> tuple[str, str]:
    attributes = params.get("LookupAttributes") or []
    if not attributes:
        return "", ""
    key, value = str(attributes[0].get("AttributeKey")), str(attributes[0].get("AttributeValue"))
    if len(attributes) > 1 or key not in _ATTRIBUTES or not 1 <= len(value) <= _LONGEST_VALUE:
        raise Refusal("InvalidLookupAttributesException", "One attribute with a value of 1 to 2000 characters.")
    return key, value.lower() if key == "ReadOnly" else value


def _binding(account: FakeAccount, region: str, params: dict[str, Any]) -> str:
    """A page token works only with the parameters it was given for."""
    rest = {name: value for name, value in params.items() if name not in ("NextToken", "MaxResults")}
    text = orjson.dumps([account.id, region, rest], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:16]


def _token(binding: str, last: str) -> bytes:
    return base64.urlsafe_b64encode(f"{binding}/{last}".encode())


def _after(token: str, binding: str, logged: list[LoggedEvent]) -> int:
    try:
        bound, _, last = base64.urlsafe_b64decode(token).decode().partition("/")
    except ValueError:
        bound, last = "", ""
    place = next((number for number, event in enumerate(logged, 1) if event.id == last), 0)
    if bound != binding or not place:
        raise Refusal("InvalidNextTokenException", "A token that is not valid, or is used with other parameters.")
    return place


def describe_trails(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> Any:
    """Trails of the region, and with shadows those of elsewhere that reach it."""
    names = set(params.get("trailNameList") or ())
    shadows = params.get("includeShadowTrails", True)
    trails = [
        trail
        for trail in account.trails.values()
        if trail["HomeRegion"] == region or (shadows and trail["IsMultiRegionTrail"])
    ]
    return {"trailList": [trail for trail in trails if not names or {trail["Name"], trail["TrailARN"]} & names]}


def _trail(account: FakeAccount, region: str, name: str) -> dict[str, Any]:
    for trail in account.trails.values():
        if name == trail["TrailARN"] or (name == trail["Name"] and trail["HomeRegion"] == region):
            return trail
    raise Refusal("TrailNotFoundException", f"Unknown trail: {name} for the user: {account.id}")


def get_trail(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> Any:
    return {"Trail": _trail(account, region, params["Name"])}


def get_trail_status(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> Any:
    return account.trail_status[_trail(account, region, params["Name"])["TrailARN"]]


def list_trails(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> Any:
    return {
        "Trails": [{key: one[key] for key in ("TrailARN", "Name", "HomeRegion")} for one in account.trails.values()]
    }


def create_trail(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> Any:
    name = params["Name"]
    if not 3 <= len(name) <= 128:
        raise Refusal("InvalidTrailNameException", "Trail name must be 3 to 128 characters.")
    if any(one["Name"] == name and one["HomeRegion"] == region for one in account.trails.values()):
        raise Refusal("TrailAlreadyExistsException", f"Trail {name} already exists for customer: {account.id}")
    if params["S3BucketName"] in account.refused_buckets:
        raise Refusal("InsufficientS3BucketPolicyException", "Incorrect S3 bucket policy is detected for the bucket.")
    arn = account.add_trail(
        name,
        region=region,
        logging=False,
        S3BucketName=params["S3BucketName"],
        S3KeyPrefix=params.get("S3KeyPrefix", ""),
        IncludeGlobalServiceEvents=params.get("IncludeGlobalServiceEvents", True),
        IsMultiRegionTrail=params.get("IsMultiRegionTrail", False),
        IsOrganizationTrail=params.get("IsOrganizationTrail", False),
        LogFileValidationEnabled=params.get("EnableLogFileValidation", False),
    )
    return account.trails[arn]


def start_logging(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> Any:
    account.trail_status[_trail(account, region, params["Name"])["TrailARN"]]["IsLogging"] = True
    return {}


def stop_logging(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> Any:
    account.trail_status[_trail(account, region, params["Name"])["TrailARN"]]["IsLogging"] = False
    return {}


def list_public_keys(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> Any:
    return {"PublicKeyList": account.public_keys.get(region, [])}


HANDLERS: dict[str, Handler] = {
    "LookupEvents": lookup_events,
    "DescribeTrails": describe_trails,
    "GetTrail": get_trail,
    "GetTrailStatus": get_trail_status,
    "ListTrails": list_trails,
    "CreateTrail": create_trail,
    "StartLogging": start_logging,
    "StopLogging": stop_logging,
    "ListPublicKeys": list_public_keys,
    **lake.HANDLERS,
}
