"""Which resources of IAM an event's call was about: ARNs that it names, or that its parameters tell.

Decides that a resource which cannot be told for sure is `*`. Names of a log go into an ARN only where they have the form of
such a name: one with a `*` or a `?` would be a pattern in a policy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

ANY = "*"
_ARN = re.compile(
    r"arn:aws[a-z-]*:(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):(?P<account>\d{12}|aws|):(?P<rest>[^*?$\s]{1,1000})",
    re.ASCII,
)
_OBJECTS = re.compile(r"(arn:aws[a-z-]*:s3:::[^/]+/[^/]+/).*", re.DOTALL)
_SAFE = re.compile(r"[^*?$\s\x00-\x1f]{1,512}")
_QUEUE = re.compile(r"https?://[^/]+/(\d{12})/([A-Za-z0-9_-]{1,80}(?:\.fifo)?)", re.ASCII)
_KEY_ID = re.compile(r"(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_OBJECT_ACTIONS = re.compile(r"s3:\w*(?:Object|MultipartUploadParts|AbortMultipartUpload)\w*")
_OF_BUCKETS = ("s3:PutBucketObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration")
_ALONE = frozenset(
    (
        "kms:ListAliases",
        "kms:CreateKey",
        "lambda:ListEventSourceMappings",
        "lambda:CreateEventSourceMapping",
        "logs:DescribeLogGroups",
    )
)
"""Actions that no resource can be named for, though their parameters name one (Service Authorization Reference)."""

# prefix -> parameters, the first that is there counts, each with what follows `arn:PARTITION:`; several are alternatives
_TEMPLATES: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "s3": (("bucketName", ("s3:::{name}",)),),
    "dynamodb": (("tableName", ("dynamodb:{region}:{account}:table/{name}",)),),
    "lambda": (("functionName", ("lambda:{region}:{account}:function:{name}",)),),
    "secretsmanager": (("secretId", ("secretsmanager:{region}:{account}:secret:{name}-??????",)),),
    "ssm": (("name", ("ssm:{region}:{account}:parameter/{name}",)),),
    "ecr": (("repositoryName", ("ecr:{region}:{account}:repository/{name}",)),),
    "kinesis": (("streamName", ("kinesis:{region}:{account}:stream/{name}",)),),
    "firehose": (("deliveryStreamName", ("firehose:{region}:{account}:deliverystream/{name}",)),),
    "logs": (
        ("logGroupName", ("logs:{region}:{account}:log-group:{name}", "logs:{region}:{account}:log-group:{name}:*")),
    ),
    "cloudformation": (("stackName", ("cloudformation:{region}:{account}:stack/{name}/*",)),),
    "rds": (("dBInstanceIdentifier", ("rds:{region}:{account}:db:{name}",)),),
    "cloudtrail": (("name", ("cloudtrail:{region}:{account}:trail/{name}",)),),
    "sns": (("topicArn", ()),),
    "sts": (("roleArn", ()),),
    "states": (("stateMachineArn", ()), ("executionArn", ())),
    "kms": (("keyId", ("kms:{region}:{account}:key/{name}",)),),
    "sqs": (("queueUrl", ()),),
    "iam": (
        ("groupName", ("iam::{account}:group/{name}", "iam::{account}:group/*/{name}")),
        ("instanceProfileName", ("iam::{account}:instance-profile/{name}", "iam::{account}:instance-profile/*/{name}")),
        ("userName", ("iam::{account}:user/{name}", "iam::{account}:user/*/{name}")),
        ("roleName", ("iam::{account}:role/{name}", "iam::{account}:role/*/{name}")),
        ("policyArn", ()),
    ),
}
PARAMETERS = tuple(dict.fromkeys(name for templates in _TEMPLATES.values() for name, _ in templates))
"""The parameters that are read."""
_PATHS = frozenset(("iam",))
"""Services whose events do not say the path in a name: an ARN with any path stands beside the one without."""


@dataclass(frozen=True, slots=True)
class CallPlace:
    """Where a call was made: the account that owns what it names, and the partition of its caller."""

    account: str
    region: str
    partition: str


def resources_of(
    action: str, named: tuple[str, ...], parameters: Mapping[str, str], place: CallPlace
) -> tuple[str, ...]:
    """What the action was about: ARNs, or `*` alone. `named`: what the event calls its resources."""
    prefix = action.partition(":")[0]
    if action in _ALONE:
        return (ANY,)
    found = [arn for one in named if (arn := _arn(one, prefix))]
    if prefix == "s3":
        found = _of_s3(action, found, parameters, place)
    if not found:
        found = _told(prefix, parameters, place)
    return tuple(dict.fromkeys(found)) or (ANY,)


def _arn(text: str, prefix: str) -> str:
    """The ARN where it is one of that service's, of STS a role's; objects by their first folder."""
    match = _ARN.fullmatch(text)
    if not match or match["service"] != ("iam" if prefix == "sts" else prefix):
        return ""
    objects = _OBJECTS.fullmatch(text)
    return f"{objects[1]}*" if objects else text


def _of_s3(action: str, found: list[str], parameters: Mapping[str, str], place: CallPlace) -> list[str]:
    """Objects for actions on objects, else the bucket."""
    objects = bool(_OBJECT_ACTIONS.fullmatch(action)) and action not in _OF_BUCKETS
    chosen = [arn for arn in found if ("/" in arn) is objects]
    if chosen or action == "s3:ListAllMyBuckets":
        return chosen
    buckets = [arn.partition("/")[0] for arn in found] or _told("s3", parameters, place)
    return [f"{bucket}/*" for bucket in buckets] if objects else buckets


def _told(prefix: str, parameters: Mapping[str, str], place: CallPlace) -> list[str]:
    for name, templates in _TEMPLATES.get(prefix, ()):
        value = parameters.get(name, "")
        if not value or not _SAFE.fullmatch(value):
            continue
        if value.startswith("arn:"):
            return [arn] if (arn := _arn(value, prefix)) else []
        if prefix == "sqs":
            queue = _QUEUE.fullmatch(value)
            return [f"arn:{place.partition}:sqs:{place.region}:{queue[1]}:{queue[2]}"] if queue else []
        if prefix == "kms" and not _KEY_ID.fullmatch(value):
            return []  # an alias: a policy names keys
        bare = value.lstrip("/") if prefix == "ssm" else value
        given = {"name": bare, "region": place.region, "account": place.account}
        return [f"arn:{place.partition}:{template.format(**given)}" for template in templates]
    return []
