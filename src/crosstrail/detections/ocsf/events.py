"""One audit event as an object of OCSF 1.5.0: API Activity, Authentication or Account Change.

Decides which field of the record goes where, after OCSF's own mapping of CloudTrail
(https://github.com/ocsf/examples/tree/main/mappings/markdown/AWS/v1.5.0/CloudTrail). Records of other clouds are brought into
the shape of CloudTrail's first, by their cloud. What has no place in the schema stands under `unmapped`, unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from crosstrail.clouds.base import cloud_of
from crosstrail.clouds.record_text import parsed_record
from crosstrail.detections.ocsf.activities import ACCOUNT_CHANGE, AUTHENTICATION, classified
from crosstrail.detections.ocsf.identities import actor_of, changed, signed_in
from crosstrail.detections.ocsf.parts import (
    ADDRESS,
    CREDENTIAL,
    HOST,
    PROFILES,
    RESOURCE,
    USER_AGENT,
    USER_NAME,
    VERSION,
    Observable,
    account_object,
    audit_log,
    cloud_object,
    date_time,
    endpoint,
    milliseconds,
    observables,
    present,
    provider,
)
from crosstrail.errors import CrosstrailError
from crosstrail.json_values import Json, items, table, text
from crosstrail.models import Event

_MAPPED = frozenset((
    "awsRegion", "errorCode", "errorMessage", "eventCategory", "eventID", "eventName", "eventSource", "eventTime", "eventType",
    "eventVersion", "apiVersion", "recipientAccountId", "requestID", "requestParameters", "resources", "responseElements",
    "sharedEventID", "sourceIPAddress", "userAgent", "userIdentity", "vpcEndpointId",
))  # fmt: skip
_INFORMATIONAL = (1, "Informational")


def ocsf_event(event: Event) -> dict[str, object]:
    """`event` with its record: without one, what the event itself says is all there is."""
    shape = _shape(event)
    kind, activity = classified(event.name, read_only=event.read_only)
    failed = bool(event.errors)
    made = {
        **kind.head(activity, event.name),
        "time": milliseconds(event.time),
        "time_dt": date_time(event.time),
        "severity_id": _INFORMATIONAL[0],
        "severity": _INFORMATIONAL[1],
        "status_id": 2 if failed else 1,
        "status": "Failure" if failed else "Success",
        "status_code": event.error_code,
        "status_detail": text(shape.get("errorMessage")),
        "message": _message(event),
        "metadata": _metadata(event, shape),
        "cloud": cloud_object(event.cloud, event.account, event.region),
        "actor": actor_of(event, shape),
        "api": _api(event, shape),
        "src_endpoint": endpoint(event.source_ip, text(shape.get("vpcEndpointId")), event.source),
        "http_request": present({"user_agent": text(shape.get("userAgent"))}),
        "unmapped": _unmapped(event, shape),
    }
    if kind is AUTHENTICATION:
        made |= signed_in(event, shape)
    elif kind is ACCOUNT_CHANGE:
        made |= changed(event, shape)
    else:
        made["resources"] = _resources(event, shape)
    made["observables"] = _observables(event, shape)
    return present(made)


class _Text:
    """How a cloud reads a record that is at hand: as answers have them, with no number that JSON writers refuse."""

    def parsed(self, raw: bytes) -> object:
        return parsed_record(raw.decode("utf-8", "replace"))

    def part(self, raw: bytes, key: str) -> bytes:
        return self.compact(table(self.parsed(raw)).get(key))

    def compact(self, value: object) -> bytes:
        return orjson.dumps(value, default=str)


_TEXT = _Text()


def _shape(event: Event) -> Json:
    """The record with AWS's field names; of a cloud that is no longer installed, and of a broken one, as it is."""
    if event.record is None:
        return {}
    try:
        form = cloud_of(event.cloud).records
        return form.shaped(event.record, b"{}", _TEXT).shape if form else event.record
    except (CrosstrailError, ValueError, TypeError, RecursionError):
        return event.record


def _message(event: Event) -> str:
    who = f" by {event.principal}" if event.principal else ""
    return f"{event.name or 'An event'}{who}" + (f": {event.error}" if event.errors else "")


def _metadata(event: Event, shape: Json) -> dict[str, object]:
    product = {
        "name": audit_log(event.cloud),
        "vendor_name": provider(event.cloud),
        "version": text(shape.get("eventVersion")),
        "feature": present({"name": text(shape.get("eventCategory"))}),
    }
    return present(
        {
            "version": VERSION,
            "profiles": PROFILES,
            "product": present(product),
            "uid": event.id,
            "correlation_uid": text(shape.get("sharedEventID")),
            "event_code": text(shape.get("eventType")),
            "log_name": event.source_object,
            "log_provider": event.source,
            "original_time": text(shape.get("eventTime")),
            "tenant_uid": event.account,
        }
    )


def _api(event: Event, shape: Json) -> dict[str, object]:
    """`request.uid` must be: of an event without an id of its request, its own."""
    uid = text(shape.get("requestID")) or event.id
    response = {
        "error": event.error_code,
        "message": text(shape.get("errorMessage")),
        "data": shape.get("responseElements"),
    }
    return present(
        {
            "operation": event.name or "unknown",
            "version": text(shape.get("apiVersion")),
            "service": present({"name": event.source}),
            "request": present({"uid": uid, "data": shape.get("requestParameters")}) if uid else {},
            "response": present(response),
        }
    )


def _resources(event: Event, shape: Json) -> list[dict[str, object]]:
    """Those that the record lists; else what its parameters name."""
    listed = [_listed(event, table(one)) for one in items(shape.get("resources"))]
    if found := [one for one in listed if "uid" in one]:
        return found
    return [present({"type": one.type, "uid": one.name}) for one in event.resources if one.name]


def _listed(event: Event, one: Json) -> dict[str, object]:
    owner = account_object(event.cloud, text(one.get("accountId")))
    return present(
        {
            "uid": text(one.get("ARN")) or text(one.get("ARNPrefix")),
            "type": text(one.get("type")),
            "owner": present({"account": owner}),
        }
    )


def _unmapped(event: Event, shape: Json) -> dict[str, object]:
    """The rest of the record, and what crosstrail knows of it."""
    rest = {key: value for key, value in shape.items() if key not in _MAPPED and value not in (None, "", {}, [])}
    identity = _rest_of_identity(table(shape.get("userIdentity")))
    own: dict[str, object] = {} if event.verified is None else {"verified": event.verified}
    if event.other_versions:
        own["other_versions"] = event.other_versions
    return rest | present({"userIdentity": identity, "crosstrail": own})


_IDENTITY_MAPPED = frozenset(
    ("accessKeyId", "accountId", "arn", "credentialId", "identityProvider", "invokedBy", "principalId", "userName")
)


def _rest_of_identity(identity: Json) -> Mapping[str, object]:
    return {key: value for key, value in identity.items() if key not in _IDENTITY_MAPPED and value not in (None, "")}


def _observables(event: Event, shape: Json) -> list[dict[str, object]]:
    source = endpoint(event.source_ip)
    found = [
        Observable("actor.user.name", USER_NAME, event.username),
        Observable("actor.user.credential_uid", CREDENTIAL, event.access_key_id),
        Observable("src_endpoint.ip", ADDRESS, text(source.get("ip"))),
        Observable("src_endpoint.hostname", HOST, text(source.get("hostname"))),
        Observable("http_request.user_agent", USER_AGENT, text(shape.get("userAgent"))),
        *(Observable("resources[].uid", RESOURCE, text(one.get("uid"))) for one in _resources(event, shape)),
    ]
    return observables(found)
