"""One request in, one answer out: who asks, what is asked, whether a fault strikes, what the service says."""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from fakes.http import Answer

from . import actions
from .signing import Signed, verify
from .world import WIRE, Recorded, Refusal

if TYPE_CHECKING:
    from .world import World

_ACTIONS = {
    ("cloud_trail", "LookupEvents", "2021-09-01", "POST"): actions.lookup_events,
    ("cloud_trail", "DescribeTrails", "2018-01-01", "GET"): actions.describe_trails,
    ("cloud_trail", "CreateTrail", "2018-01-01", "GET"): actions.create_trail,
    ("cloud_trail", "CreateTrail", "2021-09-01", "GET"): actions.create_trail,
    ("sts", "AssumeRole", "2018-01-01", "GET"): actions.assume_role,
    ("sts", "GetCallerIdentity", "2018-01-01", "GET"): actions.get_caller_identity,
}


def respond(world: World, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
    """Header names in lower case. Every request is recorded, whatever comes of it."""
    if path.startswith("/_fake/"):
        return _control(world, path, body)
    query = dict(parse_qsl(urlsplit(path).query, keep_blank_values=True))
    action, version = query.pop("Action", ""), query.pop("Version", "")
    params: dict[str, Any] = dict(query)
    signed: Signed | None = None
    code, wire = "", ""
    metadata = {"RequestId": secrets.token_hex(16).upper(), "Action": action, "Version": version}
    try:
        signed = verify(world, method, path, headers, body)
        metadata |= {"Service": signed.service, "Region": signed.region}
        if method == "POST":
            params |= _json_body(headers, body)
        fault = next((f for f in world.faults if f.strikes(signed.key.account, action)), None)
        if fault:
            code = fault.kind
            if fault.kind == "result":
                return Answer(200, orjson.dumps({"ResponseMetadata": metadata, "Result": orjson.loads(fault.text)}))
            if fault.kind not in WIRE:
                raise fault.refusal()
            if fault.kind != "half":
                return Answer(200, b"<html>not what you asked for", "text/html", wire=fault.kind, delay=world.delay)
            wire = "half"
        result = _answered(world, signed, method, action, version, params)
        answer = Answer(
            200, b'{"ResponseMetadata":' + orjson.dumps(metadata) + b',"Result":' + result + b"}", wire=wire
        )
        return replace(answer, delay=world.delay)
    except Refusal as refusal:
        code = refusal.code
        error = {"CodeN": 0, "Code": refusal.code, "Message": refusal.message}
        told = orjson.dumps({"ResponseMetadata": {**metadata, "Error": error}})
        return Answer(refusal.status, told, headers=refusal.headers, delay=world.delay)
    finally:
        world.requests.append(
            Recorded(
                action,
                version,
                method,
                signed.service if signed else "",
                signed.key.account if signed else "",
                signed.key.id if signed else _claimed_key(headers),
                signed.region if signed else "",
                params,
                headers.get("user-agent", ""),
                code,
            )
        )


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


def _claimed_key(headers: dict[str, str]) -> str:
    return headers.get("authorization", "").partition("Credential=")[2].partition("/")[0]


def _control(world: World, path: str, body: bytes) -> Answer:
    """For whoever drives the fake from another process, unsigned: /_fake/requests, /_fake/clear, /_fake/set."""
    match path:
        case "/_fake/requests":
            return Answer(200, orjson.dumps([[one.action, one.account, one.code] for one in world.requests]))
        case "/_fake/clear":
            world.requests.clear()
        case "/_fake/set":
            world.delay = float(orjson.loads(body)["delay"])
        case _:
            return Answer(404, b"{}")
    return Answer(200, b"{}")
