"""What a file or a JSON object is that holds no audit event of a cloud the lake knows: its standard name, for the report.

Decides names alone. It never decides that something is no event: whoever asks has looked already. Everything it is given is
hostile, and nothing of it goes into a name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

OTHER_JSON = "other JSON"

_ROW = "LookupEvents item without its record"
_EVENTBRIDGE, _SQS, _SNS, _KINESIS = "EventBridge event", "SQS message", "SNS message", "Kinesis record"
ENVELOPES = frozenset((OTHER_JSON, _ROW, _EVENTBRIDGE, _SQS, _SNS, _KINESIS))
"""Kinds of objects that may hold an event; what is inside says more of them, where it is known."""


class _Form(NamedTuple):
    """An object is of this kind when it has every one of `keys` (in lower case: exports differ in that), and each value of
    `starts` begins as said."""

    kind: str
    keys: tuple[str, ...]
    starts: Mapping[str, str] = {}


_ALIBABA, _TENCENT, _HUAWEI = (
    "Alibaba Cloud ActionTrail event",
    "Tencent Cloud CloudAudit event",
    "Huawei Cloud CTS trace",
)
_GOOGLE, _AZURE, _ENTRA = "Google Cloud audit log entry", "Azure activity log event", "Microsoft Entra log event"
_M365, _KUBERNETES, _GITHUB = "Microsoft 365 audit record", "Kubernetes audit event", "GitHub audit log event"
_OKTA, _GUARDDUTY, _WINDOWS = "Okta System Log event", "GuardDuty finding", "Windows event"
_CONFIG = "AWS Config history"

_FORMS = (
    _Form("S3 event notification", ("eventsource",), {"eventsource": "aws:s3"}),
    _Form("S3 event notification", ("event", "bucket"), {"event": "s3:TestEvent"}),
    _Form("DynamoDB stream record", ("eventsource",), {"eventsource": "aws:dynamodb"}),
    _Form(_KINESIS, ("eventsource",), {"eventsource": "aws:kinesis"}),
    _Form(_SQS, ("eventsource",), {"eventsource": "aws:sqs"}),
    _Form(_SNS, ("eventsource",), {"eventsource": "aws:sns"}),
    _Form("CloudTrail delivery notification", ("s3bucket", "s3objectkey")),
    _Form("CloudTrail digest", ("digeststarttime", "logfiles")),
    _Form("CloudWatch Logs control message", ("messagetype",), {"messagetype": "CONTROL_MESSAGE"}),
    _Form("AWS Config snapshot", ("configsnapshotid",)),
    _Form(_CONFIG, ("configurationitems",)),
    _Form("AWS Config notification", ("configurationitem",)),
    _Form("AWS WAF log", ("webaclid",)),
    _Form("AWS Network Firewall log", ("firewall_name",)),
    _Form("Route 53 Resolver query log", ("query_name", "query_type")),
    _Form("VPC flow log", ("srcaddr", "dstaddr")),
    _Form("Security Hub finding", ("schemaversion", "productarn")),
    _Form(_GUARDDUTY, ("schemaversion", "accountid", "type")),
    _Form("OCSF event", ("class_uid", "metadata")),
    _Form(_ALIBABA, ("acsregion",)),
    _Form(_ALIBABA, ("eventrw", "eventname")),
    _Form(_TENCENT, ("cloudauditevent",)),
    _Form(_TENCENT, ("eventregion", "actiontype")),
    _Form(_TENCENT, ("eventregion", "apierrorcode")),
    _Form(_ROW, ("eventid", "eventname", "eventtime")),
    _Form(_HUAWEI, ("trace_id", "trace_name")),
    _Form(_HUAWEI, ("trace_name", "service_type")),
    _Form("Huawei Cloud CTS digest", ("digest_bucket", "digest_object")),
    _Form("Volcengine trail", ("trailname",)),
    _Form(_GOOGLE, ("protopayload",)),
    _Form(_GOOGLE, ("logname", "insertid")),
    _Form(_KUBERNETES, ("apiversion",), {"apiversion": "audit.k8s.io/"}),
    _Form(_KUBERNETES, ("kind", "verb")),
    _Form(_KUBERNETES, ("auditid", "verb")),
    _Form(_KUBERNETES, ("objectref", "verb")),
    _Form(_M365, ("workload", "operation")),
    _Form(_M365, ("officeworkload",)),
    _Form(_M365, ("recordtype", "operation")),
    _Form(_ENTRA, ("userprincipalname", "appdisplayname")),
    _Form(_ENTRA, ("activitydisplayname", "initiatedby")),
    _Form(_ENTRA, ("operationname", "initiatedby")),
    _Form(_ENTRA, ("category", "operationname", "tenantid"), {"category": "SignInLogs"}),
    _Form(_ENTRA, ("category", "operationname", "tenantid"), {"category": "AuditLogs"}),
    _Form(_AZURE, ("eventtimestamp", "operationname")),
    _Form(_AZURE, ("event_timestamp", "operation_name")),
    _Form(_AZURE, ("operationname", "resourceid")),
    _Form(_AZURE, ("operationnamevalue",)),
    _Form("Azure resource log", ("category", "operationname", "properties")),
    _Form(_OKTA, ("published", "eventtype", "actor")),
    _Form("Oracle Cloud audit event", ("cloudeventsversion", "eventtypeversion")),
    _Form(_GITHUB, ("action", "actor", "created_at")),
    _Form(_GITHUB, ("action", "actor", "@timestamp")),
    _Form(_GITHUB, ("action", "actor", "org")),
    _Form(_WINDOWS, ("eventid", "channel")),
    _Form(_WINDOWS, ("eventid", "sourcename")),
    _Form(_EVENTBRIDGE, ("detail-type", "detail")),
    _Form("event of another service", ("eventtime", "eventname")),
)

_FORMS_BY_KEY: dict[str, list[tuple[int, _Form]]] = {}
"""The forms, and their places in the order of looking, by the first of their keys."""
for _place, _form in enumerate(_FORMS):
    _FORMS_BY_KEY.setdefault(_form.keys[0], []).append((_place, _form))

_FOLDERS = {
    "cloudtrail-digest": "CloudTrail digest",
    "waflogs": "AWS WAF log",
    "vpcflowlogs": "VPC flow log",
    "transitgatewayflowlogs": "transit gateway flow log",
    "guardduty": _GUARDDUTY,
    "securityhub": "Security Hub finding",
    "s3": "S3 server access log",
    "elasticloadbalancing": "load balancer access log",
    "vpcdnsquerylogs": "Route 53 Resolver query log",
    "network-firewall": "AWS Network Firewall log",
    "redshift": "Redshift audit log",
    "cloudfront": "CloudFront access log",
    "vpclattice": "VPC Lattice access log",
    "verifiedaccess": "Verified Access log",
    "globalaccelerator": "Global Accelerator flow log",
}
_SERVICE = re.compile(
    r"AWSLogs/(?:o-[a-z0-9]{1,32}/)?\d{6,20}/([A-Za-z0-9-]{1,40})/(?:[^!]*/(ConfigHistory|ConfigSnapshot)/)?"
)
_PLACES = (
    (re.compile(r"(?:^|/)\._|/\.DS_Store$|(?:^|[!/])__MACOSX/"), "macOS metadata file"),
    (re.compile(r"CloudTrail-Digest[/_]"), "CloudTrail digest"),
    (re.compile(r"/cloudaudit\.googleapis\.com/"), _GOOGLE),
    (re.compile(r"/insights-activity-logs/"), _AZURE),
    (re.compile(r"/CloudTraces/"), _HUAWEI),
)
_HEADS = (
    (re.compile(rb"\x00\x05\x16\x07|\x00\x00\x00\x01Bud1"), "macOS metadata file"),
    (re.compile(rb"[0-9a-f]{5,64} \S{1,255} \[\d\d/[A-Z][a-z]{2}/\d{4}"), "S3 server access log"),
    (re.compile(rb"(?:https?|h2|grpcs?|wss?|tls) (?:\d\.\d )?\d{4}-\d\d-\d\dT\S+ "), "load balancer access log"),
    (re.compile(rb"\d{4}-\d\d-\d\dT[\d:.]+Z \S+ [\d.]+:\d+ "), "load balancer access log"),
    (re.compile(rb"version account-id |2 (?:\d{12}|unknown) eni-"), "VPC flow log"),
    (re.compile(rb"#Version: 1\.0\r?\n#Fields: date time x-edge-location"), "CloudFront access log"),
    (re.compile(rb"PAR1"), "Parquet file"),
    (re.compile(rb"%PDF-|\x89PNG|GIF8|\xff\xd8\xff"), "document or picture"),
    (re.compile(rb"\s*<(?:!|\?xml|[A-Za-z])"), "XML or HTML"),
)


def kind_of_object(item: Mapping[str, object]) -> str:
    """The standard name of what this JSON object is; OTHER_JSON when nothing tells."""
    source = item.get("eventSource")
    if isinstance(source, str) and source.endswith(".aliyuncs.com"):
        return _ALIBABA
    fields = {key.lower(): value for key, value in item.items()}
    if _FORMS_BY_KEY.keys().isdisjoint(fields):
        return OTHER_JSON
    for _, (kind, keys, starts) in sorted(
        (form for key in fields for form in _FORMS_BY_KEY.get(key, ())), key=lambda form: form[0]
    ):
        if all(key in fields for key in keys) and all(
            isinstance(value := fields[key], str) and value.startswith(start) for key, start in starts.items()
        ):
            return kind
    return OTHER_JSON


def kind_of_file(name: str, head: bytes = b"") -> str:
    """What a file is, by its path (`entry` of an archive included) and its first bytes; empty when neither tells."""
    name = name.replace("\\", "/")[-2000:]
    for place, kind in _PLACES:
        if place.search(name):
            return kind
    for beginning, kind in _HEADS:
        if beginning.match(head):
            return kind
    if found := _SERVICE.search(name):
        if found[1] == "Config":
            return "AWS Config snapshot" if found[2] == "ConfigSnapshot" else _CONFIG
        return _FOLDERS.get(found[1].lower(), "")
    return ""
