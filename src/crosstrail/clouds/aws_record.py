"""One AWS CloudTrail record, as files and LookupEvents carry it: what it is and whom it belongs to.

Decides the time, account, id, user name, principal, access key and resources of a record. Pure: no I/O, and it never
changes the record, whose every value is hostile.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

CLOUD = "aws"
_ACCOUNT = re.compile(r"[0-9]{6,20}", re.ASCII)

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


def is_record(item: Mapping[str, Any]) -> bool:
    """Whether this JSON object looks like a CloudTrail record or an item of LookupEvents."""
    if "eventTime" in item or "eventID" in item or "CloudTrailEvent" in item:
        return True
    return "eventName" in item and ("@timestamp" in item or "eventVersion" in item)


def unwrap(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record itself: of a LookupEvents item the one inside. Raises ValueError when that is not a JSON object."""
    if "CloudTrailEvent" not in item:
        return item
    text = item["CloudTrailEvent"]
    record = orjson.loads(text) if isinstance(text, str) else text
    if not isinstance(record, dict):
        raise ValueError("CloudTrailEvent is not a JSON object")
    return record


def time_of(value: Any) -> datetime:
    """ISO 8601 text (UTC without an offset) or unix seconds. Raises ValueError."""
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value, UTC)
        except (OverflowError, OSError) as error:
            raise ValueError("a time out of range") from error
    raise ValueError("no time")


def account_of(record: Mapping[str, Any], fallback: str = "") -> str:
    """The account whose trail this is, else the caller's, else `fallback`; empty when none of them is an account id."""
    identity = record.get("userIdentity")
    callers = identity.get("accountId") if isinstance(identity, dict) else None
    for candidate in (record.get("recipientAccountId"), callers, fallback):
        text = f"{candidate:012d}" if type(candidate) is int and candidate > 0 else candidate
        if isinstance(text, str) and _is_account(text):
            return text
    return ""


@lru_cache(maxsize=10_000)
def _is_account(text: str) -> bool:
    return _ACCOUNT.fullmatch(text) is not None


def id_of(record: Mapping[str, Any], item: Mapping[str, Any]) -> str:
    """The event's id; of a record without one, an id made from its content, the same for the same content."""
    for candidate in (record.get("eventID"), item.get("EventId")):
        if isinstance(candidate, str) and candidate:
            return candidate
    return content_id(record)


def content_id(record: Mapping[str, Any]) -> str:
    """An id for a record that has none."""
    return "content-" + hashlib.sha256(orjson.dumps(record, option=orjson.OPT_SORT_KEYS)).hexdigest()[:40]


def username_of(identity: Mapping[str, Any]) -> str:
    """What LookupEvents calls Username: the user's name, the session's name of an assumed role, or root."""
    if isinstance(name := identity.get("userName"), str) and name:
        return name
    kind, arn = identity.get("type"), identity.get("arn")
    if kind == "Root":
        return "root"
    if kind in ("AssumedRole", "FederatedUser") and isinstance(arn, str):
        return arn.rpartition("/")[2]
    principal = identity.get("principalId")
    if kind == "AssumedRole" and isinstance(principal, str):
        return principal.rpartition(":")[2]
    return ""


def principal_of(identity: Mapping[str, Any]) -> str:
    """The caller for a reader: user/alice, assumed-role/Audit/alice, root, or a service's host name."""
    if isinstance(arn := identity.get("arn"), str) and arn.count(":") >= 5:
        return arn.split(":", 5)[5]
    if isinstance(name := identity.get("userName"), str) and name:
        return f"user/{name}"
    for key in ("invokedBy", "principalId", "type"):
        if isinstance(value := identity.get(key), str) and value:
            return value
    return ""


def resources_of(record: Mapping[str, Any], item: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(type, name or ARN) of the resources concerned, without repeats.

    From a LookupEvents item, else the record's own `resources`, and the parameters that name a resource; with an ARN,
    the name at its end is one more, so that either finds the event.
    """
    found: dict[tuple[str, str], None] = {}
    listed = item.get("Resources") if item is not record else None
    for one in listed if isinstance(listed, list) else ():
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
        for key, name in parameters.items():
            if key in _NAMING_PARAMETERS and isinstance(name, str) and name:
                found[_NAMING_PARAMETERS[key], name] = None
        if record.get("eventSource") == "cloudtrail.amazonaws.com" and isinstance(name := parameters.get("name"), str):
            found["AWS::CloudTrail::Trail", name] = None
    return list(found)
