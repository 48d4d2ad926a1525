"""One AWS CloudTrail record, as files and LookupEvents carry it.

Decides what is a record and which resources it concerns; the rest is shape.py's. Pure: no I/O, and it never changes the
record, whose every value is hostile.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

from crosstrail.clouds.record_text import parsed_record
from crosstrail.clouds.shape import OrdinaryForm, RecordForm, RecordText, ShapedRecord, id_of

CLOUD = "aws"
_CLOUDTRAIL = "cloudtrail.amazonaws.com"

# Parameters that name one resource, for events whose `resources` is absent, which is most management events.
_NAMING_PARAMETERS = {
    "userName": "AWS::IAM::User",
    "roleName": "AWS::IAM::Role",
    "groupName": "AWS::IAM::Group",
    "policyArn": "AWS::IAM::Policy",
    "policyName": "AWS::IAM::Policy",
    "instanceProfileName": "AWS::IAM::InstanceProfile",
    "accessKeyId": "AWS::IAM::AccessKey",
    "roleArn": "AWS::IAM::Role",
    "bucketName": "AWS::S3::Bucket",
    "instanceId": "AWS::EC2::Instance",
    "groupId": "AWS::EC2::SecurityGroup",
    "snapshotId": "AWS::EC2::Snapshot",
    "volumeId": "AWS::EC2::Volume",
    "imageId": "AWS::EC2::Ami",
    "vpcId": "AWS::EC2::VPC",
    "subnetId": "AWS::EC2::Subnet",
    "keyName": "AWS::EC2::KeyPair",
    "functionName": "AWS::Lambda::Function",
    "keyId": "AWS::KMS::Key",
    "secretId": "AWS::SecretsManager::Secret",
    "dBInstanceIdentifier": "AWS::RDS::DBInstance",
    "dBSnapshotIdentifier": "AWS::RDS::DBSnapshot",
    "tableName": "AWS::DynamoDB::Table",
    "topicArn": "AWS::SNS::Topic",
    "queueUrl": "AWS::SQS::Queue",
    "stackName": "AWS::CloudFormation::Stack",
    "logGroupName": "AWS::Logs::LogGroup",
    "clusterName": "AWS::EKS::Cluster",
    "trailName": "AWS::CloudTrail::Trail",
}

_EVENT_KEYS = frozenset(("eventTime", "eventID", "eventId", "@timestamp", "timeWindow"))
_COUNTED = frozenset(("eventName", "eventSource", "sourceIPAddress", "errorCode", "userAgent"))
_AWS_HOSTS = (
    ".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".amazonaws-eusc.eu", ".c2s.ic.gov", ".sc2s.sgov.gov",
    ".cloud.adc-e.uk", ".csp.hci.ic.gov", ".aws.internal", ".amazon.com",
)  # fmt: skip
"""Of every partition: their own services' names, beside amazonaws.com, which they have for most."""
_OTHERWISE_NAMED = ("insightDetails", "timeWindow", "@timestamp", "eventId", "accountId")
_VERSION = re.compile(r"1\.\d{1,2}", re.ASCII)
_PATH_ACCOUNT = re.compile(r"(?:^|/)AWSLogs/(?:o-[a-z0-9]{1,32}/)?(\d{12})/CloudTrail(?:-[A-Za-z]+)?/", re.ASCII)
_NAME_ACCOUNT = re.compile(r"(?:^|[/!])(\d{12})_CloudTrail(?:-[A-Za-z]+)?_[a-z]{2}[a-z0-9-]+_", re.ASCII)
RESOURCE_TYPES = tuple(dict.fromkeys(_NAMING_PARAMETERS.values()))


def is_record(item: Mapping[str, object]) -> bool:
    """Whether this JSON object is a CloudTrail record or an item of LookupEvents.

    It asks for what only AWS writes: other clouds' events have `eventTime`, `eventName` and `eventID` too, and the messages
    of S3, SQS and DynamoDB `awsRegion`, with an `eventSource` that begins with aws:.
    """
    if "CloudTrailEvent" in item:
        return True
    source = item.get("eventSource")
    if isinstance(source, str) and _is_source(source) and "eventTime" in item:
        return True  # which nearly all records are: the rest is not asked of them
    region, version = item.get("awsRegion"), item.get("eventVersion")
    if item.keys().isdisjoint(_EVENT_KEYS) and (version is None or "eventName" not in item):
        return False  # a catalogue of actions
    if isinstance(source, str):
        if source.startswith("aws:"):
            return False
        if source.endswith(_AWS_HOSTS):
            return True
    if isinstance(region, str) and region:
        return True
    return isinstance(version, str | float | Decimal) and _VERSION.fullmatch(str(version)) is not None


@lru_cache(maxsize=1_000)
def _is_source(text: str) -> bool:
    return text.endswith(_AWS_HOSTS) and not text.startswith("aws:")


def to_columns(record: Mapping[str, object]) -> Mapping[str, object]:
    """The record with the fields that its kind has elsewhere: what a column asks for is where it is asked for.

    Insights events name source and action inside `insightDetails`; aggregated events have eventId, accountId, a time window
    and counts by name; exports of Elasticsearch call the time `@timestamp`.
    """
    if record.keys().isdisjoint(_OTHERWISE_NAMED):
        return record
    added: dict[str, object] = {}
    details = record.get("insightDetails")
    if isinstance(details, dict):
        added = {key: details[key] for key in ("eventName", "eventSource", "errorCode") if key in details}
    if isinstance(window := record.get("timeWindow"), dict):
        counted: dict[str, object] = {"timeWindow": window}
        added |= {"eventTime": window.get("windowStart"), "additionalEventData": counted}
        if isinstance(summary := record.get("summary"), dict):
            counted["summary"] = summary
            added |= _dimensions(summary)
    for key, other in (("eventTime", "@timestamp"), ("eventID", "eventId"), ("recipientAccountId", "accountId")):
        if other in record:
            added.setdefault(key, record[other])
    return {**added, **record} if added else record


def _dimensions(summary: Mapping[str, object]) -> dict[str, str]:
    """The most frequent name of each dimension that is a column: statistics come most frequent first."""
    details = summary.get("details")
    found: dict[str, str] = {}
    for one in (summary.get("primaryDimension"), *(details if isinstance(details, list) else ())):
        counted = one.get("statistics") if isinstance(one, dict) else None
        first = counted[0] if isinstance(counted, list) and counted else None
        name = first.get("name") if isinstance(first, dict) else None
        if isinstance(one, dict) and one.get("dimension") in _COUNTED and isinstance(name, str):
            found.setdefault(str(one["dimension"]), name)
    return found


def unwrap(item: Mapping[str, object]) -> Mapping[str, object]:
    """The record itself: of a LookupEvents item the one inside. Raises ValueError when that is not a JSON object."""
    if "CloudTrailEvent" not in item:
        return item
    text = item["CloudTrailEvent"]
    record = parsed_record(text) if isinstance(text, str) else text
    if not isinstance(record, dict):
        raise ValueError("CloudTrailEvent is not a JSON object")
    return record


def resources_of(record: Mapping[str, object], item: Mapping[str, object]) -> list[tuple[str, str]]:
    """(type, name or ARN) of the resources concerned, without repeats.

    From a LookupEvents item, else the record's own `resources`, and the parameters that name a resource; with an ARN,
    the name at its end is one more, so that either finds the event.
    """
    found: dict[tuple[str, str], None] = {}
    if item is not record and isinstance(listed := item.get("Resources"), list):
        for one in listed:
            if isinstance(one, dict):
                found[str(one.get("ResourceType") or ""), str(one.get("ResourceName") or "")] = None
    own = record.get("resources")
    for one in own if isinstance(own, list) else ():
        if isinstance(one, dict) and isinstance(arn := one.get("ARN") or one.get("ARNPrefix"), str):
            kind = str(one.get("type") or "")
            found[kind, arn] = None
            if arn.startswith("arn:"):
                found[kind, arn.split(":", 5)[-1].partition("/")[2] or arn.rpartition(":")[2]] = None
    parameters = record.get("requestParameters")
    if isinstance(parameters, dict):
        found |= dict.fromkeys(_named_by(parameters))
        if record.get("eventSource") == _CLOUDTRAIL and isinstance(name := parameters.get("name"), str):
            found["AWS::CloudTrail::Trail", name] = None
    return list(found)


def _named_by(parameters: Mapping[str, object]) -> list[tuple[str, str]]:
    """The resources that parameters of these names name, whichever the action."""
    return [
        (_NAMING_PARAMETERS[key], name)
        for key, name in parameters.items()
        if key in _NAMING_PARAMETERS and isinstance(name, str) and name
    ]


def _ordinary_resources(parameters: object, source: str, listed: list[object] | None) -> list[tuple[str, str]]:
    if listed or source == _CLOUDTRAIL:
        record = {"requestParameters": parameters, "eventSource": source, "resources": listed}
        return resources_of(record, record)
    return list(dict.fromkeys(_named_by(parameters))) if isinstance(parameters, dict) else []


def _shaped(item: Mapping[str, object], raw: bytes, text: RecordText) -> ShapedRecord:
    record, written, username = item, raw, ""
    if (inside := item.get("CloudTrailEvent")) is not None:
        written = inside.strip().encode() if isinstance(inside, str) else text.part(raw, "CloudTrailEvent")
        parsed = text.parsed(written)
        if not isinstance(parsed, dict):
            raise ValueError("CloudTrailEvent is not a JSON object")
        record = {"eventTime": parsed.get("@timestamp") or item.get("EventTime")} | parsed
        username = str(item.get("Username") or "")
    return ShapedRecord(to_columns(record), written, id_of(record, item), resources_of(record, item), username)


@lru_cache(maxsize=1_000)
def _account_in(name: str) -> str:
    """Of keys such as `AWSLogs/ACCOUNT/CloudTrail/...` and names such as `ACCOUNT_CloudTrail_REGION_...`:
    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html"""
    found = _NAME_ACCOUNT.search(name) or _PATH_ACCOUNT.search(name)
    return found[1] if found else ""


RECORDS = RecordForm(is_record, _shaped, _account_in, OrdinaryForm(_is_source, _ordinary_resources))
