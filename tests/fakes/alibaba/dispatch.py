"""One request in, one answer out: who asks, what is asked, whether a fault strikes, what the service says."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import orjson

from fakes.cloud import Recorded, Refusal, claimed_key
from fakes.http import Answer

from . import actions, sts
from .faults import no_permission, refusal
from .signing import verify

if TYPE_CHECKING:
    from .world import Key, World

_SERVICES = {"2020-07-06": "actiontrail", "2015-04-01": "sts"}
_ACTIONS = {
    ("actiontrail", "LookupEvents"): actions.lookup_events,
    ("actiontrail", "DescribeTrails"): actions.describe_trails,
    ("actiontrail", "GetTrailStatus"): actions.get_trail_status,
    ("actiontrail", "CreateTrail"): actions.create_trail,
    ("actiontrail", "StartLogging"): actions.start_logging,
    ("sts", "AssumeRole"): sts.assume_role,
    ("sts", "GetCallerIdentity"): sts.get_caller_identity,
}
_UNSIGNED = "AssumeRoleWithOIDC"


def answer(world: World, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
    """Header names in lower case. Every request is recorded, whatever comes of it."""
    params = {unquote(name): unquote(value) for name, _, value in (one.partition("=") for one in _parts(path))}
    action, version = headers.get("x-acs-action", ""), headers.get("x-acs-version", "")
    service, region = _SERVICES.get(version, ""), _region(world, headers.get("host", ""))
    request_id = str(uuid.uuid4()).upper()
    key: Key | None = None
    code = ""

    def answered() -> Answer:
        said = _answered(world, key, service, action, region, params)
        between = b"" if said == b"{}" else b","
        return Answer(200, b'{"RequestId":"%b"%b%b' % (request_id.encode(), between, said[1:]))

    try:
        if (service, action) != ("sts", _UNSIGNED):
            key = verify(world, method, path, headers, body)
        fault = world.fault(key.account if key else "", region, action)
        if not fault:
            return answered()
        code = fault.kind
        if (spoilt := fault.spoils(answered)) is not None:
            return spoilt
        if fault.kind == "result":
            return Answer(200, fault.text.encode())
        if fault.kind == "xml":
            refused = refusal(fault)
            text = f"<Error><Code>{refused.code}</Code><Message>{refused.message}</Message></Error>"
            return Answer(fault.status, text.encode(), "text/xml")
        raise refusal(fault)
    except Refusal as refused:
        code = refused.code
        host = headers.get("host", "")
        said = {"RequestId": request_id, "HostId": host, "Code": refused.code, "Message": refused.message}
        return Answer(refused.status, orjson.dumps(said), headers=refused.headers)
    finally:
        account, key_id = (key.account, key.id) if key else ("", claimed_key(headers).partition(",")[0])
        agent, at = headers.get("user-agent", ""), time.monotonic()
        world.requests.append(
            Recorded(service, action, account, key_id, region, dict(params), agent, code, at, method, version)
        )


def _parts(path: str) -> list[str]:
    return [part for part in urlsplit(path).query.split("&") if part]


def _region(world: World, host: str) -> str:
    """`actiontrail.cn-beijing.aliyuncs.com` -> cn-beijing."""
    product, _, rest = host.partition(".")
    return rest.partition(".")[0] if product in _SERVICES.values() else world.region


def _answered(world: World, key: Key | None, service: str, action: str, region: str, params: dict[str, str]) -> bytes:
    if key is None:
        return sts.assume_role_with_oidc(world, params)
    handler = _ACTIONS.get((service, action))
    if handler is None:
        raise Refusal("InvalidAction.NotFound", f"Specified api is not found: {action}.", 404)
    account = world.accounts[key.account]
    whole = f"{service}:{action}"
    if action in account.denied or (key.allowed is not None and whole not in key.allowed):
        raise no_permission(whole)
    return handler(world, account, key, region, params)
