"""One request in, one answer out: who asks, what is asked, whether a fault strikes, what the service says."""

from __future__ import annotations

import re
import time
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson

from fakes.cloud import Recorded, Refusal, claimed_key
from fakes.http import Answer

from . import actions
from .faults import refusal
from .signing import Signed, verify

if TYPE_CHECKING:
    from .world import World

_numbers = count(1)
_ACTIONS = {
    ("cloud_trail", "LookupEvents", "2021-09-01", "POST"): actions.lookup_events,
    ("cloud_trail", "DescribeTrails", "2018-01-01", "GET"): actions.describe_trails,
    ("cloud_trail", "CreateTrail", "2018-01-01", "GET"): actions.create_trail,
    ("cloud_trail", "CreateTrail", "2021-09-01", "GET"): actions.create_trail,
    ("sts", "AssumeRole", "2018-01-01", "GET"): actions.assume_role,
    ("sts", "GetCallerIdentity", "2018-01-01", "GET"): actions.get_caller_identity,
}


def answer(world: World, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
    """Header names in lower case. Every request is recorded, whatever comes of it."""
    params: dict[str, Any] = dict(_asked(path))
    action, version = params.pop("Action", ""), params.pop("Version", "")
    metadata = {"RequestId": f"{next(_numbers):032X}", "Action": action, "Version": version}
    signed: Signed | None = None
    code = ""

    def answered() -> Answer:
        assert signed
        return _result(metadata, _answered(world, signed, method, action, version, params))

    try:
        signed = verify(world, method, path, headers, body)
        metadata |= {"Service": signed.service, "Region": signed.region}
        if method == "POST":
            params |= _json_body(headers, body)
        fault = world.fault(signed.key.account, signed.region, action)
        if not fault:
            return answered()
        code = fault.kind
        if (spoilt := fault.spoils(answered)) is not None:
            return spoilt
        if fault.kind == "result":
            return _result(metadata, fault.text.encode())
        raise refusal(fault)
    except Refusal as refused:
        code = refused.code
        error = {"CodeN": 0, "Code": refused.code, "Message": refused.message}
        told = orjson.dumps({"ResponseMetadata": {**metadata, "Error": error}})
        return Answer(refused.status, told, headers=refused.headers)
    finally:
        service, region = (signed.service, signed.region) if signed else ("", "")
        account, key = (signed.key.account, signed.key.id) if signed else ("", claimed_key(headers))
        agent, at = headers.get("user-agent", ""), time.monotonic()
        world.requests.append(Recorded(service, action, account, key, region, params, agent, code, at, method, version))


@lru_cache(256)
def _asked(path: str) -> tuple[tuple[str, str], ...]:
    return tuple(parse_qsl(path.partition("?")[2], keep_blank_values=True))


def _result(metadata: dict[str, str], result: bytes) -> Answer:
    return Answer(200, b'{"ResponseMetadata":%b,"Result":%b}' % (orjson.dumps(metadata), result))


def _answered(world: World, signed: Signed, method: str, action: str, version: str, params: dict[str, Any]) -> bytes:
    handler = _ACTIONS.get((signed.service, action, version, method))
    if handler is None:
        raise Refusal("InvalidActionOrVersion", f"Could not find operation {action} for version {version}.", 404)
    account = world.accounts[signed.key.account]
    if action in account.denied:
        raise Refusal("AccessDenied", "You have no permission for this action.", 403)
    return handler(world, account, signed.key, params)


def _json_body(headers: dict[str, str], body: bytes) -> dict[str, Any]:
    if not re.match(r"application/json\b", headers.get("content-type", "")):
        raise Refusal("BadRequest", "Bad Request")
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refusal("BadRequest", "Bad Request") from None
    if not isinstance(given, dict):
        raise Refusal("BadRequest", "Bad Request")
    return given
