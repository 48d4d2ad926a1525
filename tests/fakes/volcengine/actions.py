"""What each action does, and how it refuses: LookupEvents, DescribeTrails, CreateTrail; AssumeRole and GetCallerIdentity."""

from __future__ import annotations

import hashlib
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any

import orjson

from fakes.cloud import Refusal

if TYPE_CHECKING:
    from .world import FakeAccount, Key, LoggedEvent, World

_KEYS = frozenset(
    [
        "EventID",
        "RequestID",
        "EventSource",
        "EventName",
        "ApiVersion",
        "ReadOnly",
        "IdentityType",
        "IdentityName",
        "AccessKeyID",
        "Region",
        "ResourceType",
        "ResourceID",
        "ErrorCode",
    ]
)
_KEPT_SECONDS = 90 * 86400
_MOST = 50
_BEIJING = timezone(timedelta(hours=8))


def lookup_events(world: World, account: FakeAccount, key: Key, params: dict[str, Any]) -> bytes:
    now = int(time.time())
    most = _whole(params, "MaxResults", _MOST, "InvalidParameter")
    start = _whole(params, "StartTime", now - _KEPT_SECONDS, "InvalidParameterStartTime")
    end = _whole(params, "EndTime", now, "InvalidParameterEndTime")
    if not 1 <= most <= _MOST:
        raise Refusal("InvalidParameter", "The parameter 'MaxResults' is invalid.")
    if start >= end:
        raise Refusal("InvalidTimeRange", "The end time must be later than the start time.")
    conditions = [(one.get("LookupConditionKey"), one.get("LookupConditionValue")) for one in _conditions(params)]
    if any(name not in _KEYS for name, _ in conditions):
        raise Refusal("InvalidParameter", "The parameter 'LookupConditionKey' is invalid.")
    first = _offset(params)
    oldest, newest = max(start, now - _KEPT_SECONDS), end if world.end_inclusive else end - 1
    found = [event for event in account.events if oldest <= event.time <= newest and _matches(event, conditions)]
    if world.oldest_first:
        found.reverse()
    page = found[first : first + most]
    token = _token(first + most, params) if first + most < len(found) else ""
    return b'{"NextToken":"%b","Trails":[%b]}' % (token.encode(), b",".join(event.encoded for event in page))


def describe_trails(world: World, account: FakeAccount, key: Key, params: dict[str, Any]) -> bytes:
    names = _listed(params, "TrailNames")
    return orjson.dumps({"Trails": [trail for name, trail in account.trails.items() if not names or name in names]})


def create_trail(world: World, account: FakeAccount, key: Key, params: dict[str, Any]) -> bytes:
    for required in ("TrailName", "EventRW", "TrailType"):
        if not params.get(required):
            raise Refusal("InvalidParameter", f"The parameter '{required}' is invalid.")
    sources = ["*"] if params.get("IncludeAllEventSources") == "true" else _listed(params, "EventSources")
    if not sources:
        raise Refusal("InvalidEventSources", "The specified event source '' is invalid")
    name = str(params["TrailName"])
    if name in account.trails:
        raise Refusal("TrailAlreadyExists", f"Trail '{name}' already exists.", 409)
    if not (params.get("TosBucketName") or params.get("TlsProjectName")):
        raise Refusal("InvalidTrailConfiguration", "You must specify at least one TOS bucket or TLS project.")
    told = {
        field: params[field]
        for field in [
            "EventRW",
            "TlsProjectName",
            "TlsTopicName",
            "TosBucketName",
            "TosBucketRegion",
            "TosKeyPrefix",
            "TrailName",
        ]
        if field in params
    }
    account.add_trail(name, **told, EventSources=sources, TrailType=int(params["TrailType"]))
    return orjson.dumps({**told, "EventSources": sources, "TrailType": int(params["TrailType"])})


def assume_role(world: World, account: FakeAccount, key: Key, params: dict[str, Any]) -> bytes:
    trn = str(params.get("RoleTrn", ""))
    if key.root or key.token:
        raise Refusal("AccessDenied", "The identity may not assume a role.", 403)
    if not params.get("RoleSessionName"):
        raise Refusal("MissingParameter", "The request is missing RoleSessionName parameter.")
    owner = next((one for one in world.accounts.values() if trn in one.roles), None)
    if owner is None or key.id not in owner.roles[trn].trusted:
        raise Refusal("AccessDenied", f"User is not authorized to perform: sts:AssumeRole on resource: {trn}", 403)
    seconds = min(int(params.get("DurationSeconds") or 3600), 43200)
    name = trn.rpartition("/")[2]
    identity = f"trn:sts::{owner.id}:assumed-role/{name}/{params['RoleSessionName']}"
    session = world.add_session(owner.id, identity, seconds if seconds >= 900 else 3600)
    assert session.expires
    return orjson.dumps(
        {
            "Credentials": {
                "CurrentTime": time.strftime("%Y-%m-%dT%H:%M:%S+08:00", time.gmtime(time.time() + 8 * 3600)),
                "ExpiredTime": session.expires.astimezone(_BEIJING).isoformat(timespec="seconds"),
                "AccessKeyId": session.id,
                "SecretAccessKey": session.secret,
                "SessionToken": session.token,
            },
            "AssumedRoleUser": {"Trn": identity, "AssumedRoleId": f"{owner.id}:{params['RoleSessionName']}"},
            **world.lies.get("AssumeRole", {}),
        }
    )


def get_caller_identity(world: World, account: FakeAccount, key: Key, params: dict[str, Any]) -> bytes:
    kind = "Account" if key.root else "Role" if key.token else "User"
    told = {"AccountId": int(account.id), "Trn": key.identity, "IdentityType": kind, "IdentityId": key.id}
    return orjson.dumps(told | world.lies.get("GetCallerIdentity", {}))


def _matches(event: LoggedEvent, conditions: list[tuple[Any, Any]]) -> bool:
    return all(value in event.attributes[name] for name, value in conditions)


def _conditions(params: dict[str, Any]) -> list[dict[str, Any]]:
    given = params.get("LookupConditions") or []
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise Refusal("InvalidParameter", "The parameter 'LookupConditions' is invalid.")
    return given


def _whole(params: dict[str, Any], name: str, default: int, code: str) -> int:
    value = params.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refusal(code, f"The specified {name} is invalid.")
    return value


def _listed(params: dict[str, Any], name: str) -> list[str]:
    """The values of `NAME.1`, `NAME.2` and so on."""
    values: list[str] = []
    while f"{name}.{len(values) + 1}" in params:
        values.append(str(params[f"{name}.{len(values) + 1}"]))
    return values


def _digest(params: dict[str, Any]) -> str:
    """A page token works only with the parameters it was given for."""
    asked = {name: value for name, value in params.items() if name not in ("NextToken", "MaxResults")}
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]


def _token(offset: int, params: dict[str, Any]) -> str:
    return urlsafe_b64encode(f"{offset}-{_digest(params)}".encode()).decode()


def _offset(params: dict[str, Any]) -> int:
    token = params.get("NextToken")
    if not token:
        return 0
    offset, _, bound = urlsafe_b64decode(token).decode(errors="replace").partition("-")
    if bound != _digest(params):
        raise Refusal("InvalidParameter", "The parameter 'NextToken' is invalid.")
    return int(offset)
