"""One request in, one answer out: who asks, what is asked, whether a fault strikes, what the service says."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import orjson

from fakes.cloud import Recorded, Refusal, claimed_key
from fakes.http import Answer

from . import athena, cloudtrail, others, services
from .faults import denied, refusal
from .sigv4 import Signed, claimed_service, verify

if TYPE_CHECKING:
    from .world import World

_TARGETS: dict[str, tuple[str, dict[str, Any]]] = {
    "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101": ("cloudtrail", cloudtrail.HANDLERS),
    "CloudTrail_20131101": ("cloudtrail", cloudtrail.HANDLERS),
    "AWSOrganizationsV20161128": ("organizations", services.ORGANIZATIONS_HANDLERS),
    "secretsmanager": ("secretsmanager", services.SECRETS_HANDLERS),
    "AWSInsightsIndexService": ("ce", others.COST_HANDLERS),
    "GraniteServiceVersion20100801": ("monitoring", others.CLOUDWATCH_HANDLERS),
    "Logs_20140328": ("logs", others.LOGS_HANDLERS),
    "AmazonAthena": ("athena", athena.HANDLERS),
    "AmazonSQS": ("sqs", others.SQS_HANDLERS),
    "AWSStepFunctions": ("states", others.STATES_HANDLERS),
}
_FORMS: dict[str, dict[str, Any]] = {
    "sts": services.STS_HANDLERS,
    "iam": others.IAM_HANDLERS,
    "sns": others.SNS_HANDLERS,
}
"""Services that are asked by a form and answer in XML."""
_JSON, _XML = "application/x-amz-json-1.1", "text/xml"
_numbers = count(1)


def answer(world: World, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
    """Header names in lower case. Every request is recorded, whatever comes of it."""
    if method == "HEAD":  # whoever wants to know the time
        return Answer(404, b"", headers={"Date": format_datetime(datetime.now(UTC) + world.clock_offset, usegmt=True)})
    request_id = f"00000000-0000-4000-8000-{next(_numbers):012x}"
    if path.startswith("/federation/credentials?"):
        return _portal(world, path, headers, request_id)
    service, action, params, handlers = _request(method, path, headers, body)
    signed: Signed | None = None
    code = ""

    def answered() -> Answer:
        assert signed
        _authorize(world, signed, service, action)
        return _answered(world, signed, service, action, params, handlers, request_id)

    try:
        signed = verify(world, service, method, path, headers, body)
        fault = world.fault(signed.key.account, signed.region, action)
        if not fault:
            return answered()
        code = fault.kind
        if (spoilt := fault.spoils(answered)) is not None:
            return spoilt
        raise refusal(fault, service, action, signed.key.identity)
    except Refusal as refused:
        code = refused.code
        return _refused(refused, service, request_id)
    finally:
        account, key = (signed.key.account, signed.key.id) if signed else ("", claimed_key(headers))
        agent, region = headers.get("user-agent", ""), signed.region if signed else ""
        world.requests.append(Recorded(service, action, account, key, region, params, agent, code, time.monotonic()))


def _portal(world: World, path: str, headers: dict[str, str], request_id: str) -> Answer:
    params = dict(parse_qsl(path.partition("?")[2]))
    answer_headers = {"x-amzn-RequestId": request_id}
    code = ""
    try:
        result = services.get_role_credentials(world, headers.get("x-amz-sso_bearer_token", ""), params)
        answered = Answer(200, orjson.dumps(result), headers=answer_headers)
        fault = world.fault("", "", "GetRoleCredentials")
        return (fault.spoils(lambda: answered) if fault else None) or answered
    except Refusal as refusal:
        code = refusal.code
        body = orjson.dumps({"message": refusal.message})
        return Answer(refusal.status, body, headers={**answer_headers, "x-amzn-ErrorType": code})
    finally:
        agent = headers.get("user-agent", "")
        world.requests.append(Recorded("sso", "GetRoleCredentials", "", "", "", params, agent, code, time.monotonic()))


def _request(
    method: str, path: str, headers: dict[str, str], body: bytes
) -> tuple[str, str, dict[str, Any], dict[str, Any]]:
    """Service, action, parameters and the service's handlers."""
    target = headers.get("x-amz-target", "")
    if target:
        prefix, _, action = target.rpartition(".")
        service, handlers = _TARGETS.get(prefix, (prefix, {}))
        params = orjson.loads(body or b"{}")
        return service, action, params, handlers
    service = claimed_service(headers)
    if service in others.REST_HANDLERS:
        handlers = others.REST_HANDLERS[service]
        asked = f"{method} {path.partition('?')[0]}"
        return service, next((name for name in handlers if re.fullmatch(name, asked)), ""), {"path": path}, handlers
    params = dict(parse_qsl(body.decode(), keep_blank_values=True))
    service = service if service in _FORMS else "sts"
    return service, params.pop("Action", ""), params, _FORMS[service]


def _authorize(world: World, signed: Signed, service: str, action: str) -> None:
    name = f"{service}:{action}"
    if name in world.accounts[signed.key.account].denied:
        raise denied(signed.key.identity, name)
    if signed.key.only is not None and name not in signed.key.only and service != "sts":
        raise denied(signed.key.identity, name, f"no session policy allows the {name} action")


def _answered(
    world: World,
    signed: Signed,
    service: str,
    action: str,
    params: dict[str, Any],
    handlers: dict[str, Any],
    request_id: str,
) -> Answer:
    handler = handlers.get(action)
    if handler is None:
        raise Refusal("InvalidAction" if service in _FORMS else "UnknownOperationException", f"No action {action}")
    result = handler(world, signed.key, params) if service == "sts" else _result(world, signed, handler, params)
    if service in _FORMS:
        return Answer(200, _xml_result(action, result, request_id), _XML, {"x-amzn-RequestId": request_id})
    encoded = result if isinstance(result, bytes) else orjson.dumps(result)
    return Answer(200, encoded, _JSON, {"x-amzn-RequestId": request_id})


def _result(world: World, signed: Signed, handler: Any, params: dict[str, Any]) -> Any:
    try:
        return handler(world, world.accounts[signed.key.account], signed.region, params)
    except KeyError as missing:
        raise Refusal("InvalidParameterException", f"Missing required parameter {missing}") from None


def _refused(refusal: Refusal, service: str, request_id: str) -> Answer:
    headers = {"x-amzn-RequestId": request_id, **refusal.headers}
    if service in _FORMS:
        text = (
            '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
            f"<Code>{refusal.code}</Code><Message>{escape(refusal.message)}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return Answer(refusal.status, text.encode(), _XML, headers)
    code = "AccessDeniedException" if refusal.code == "AccessDenied" else refusal.code
    status = 400 if refusal.status < 500 else refusal.status
    return Answer(status, orjson.dumps({"__type": code, "message": refusal.message}), _JSON, headers)


def _xml_result(action: str, result: dict[str, Any], request_id: str) -> bytes:
    return (
        f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>{_xml(result)}'
        f"</{action}Result><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
    ).encode()


def _xml(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(f"<{name}>{_xml(inner)}</{name}>" for name, inner in value.items())
    if isinstance(value, list):
        return "".join(f"<member>{_xml(one)}</member>" for one in value)
    return escape(str(value))
