"""Which actions of IAM an event of CloudTrail stands for: names that differ from the event's, and events that need no permission.

Decides by tables of this project's own, each with where it is from. An event that no table has is taken for the action of its own
name under its source's first label, which is what CloudTrail's user guide says of most services.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

PREFIXES: Mapping[str, str] = {
    "monitoring": "cloudwatch",
    "email": "ses",
    "tagging": "tag",
    "streams.dynamodb": "dynamodb",
    "entitlement.marketplace": "aws-marketplace",
    "entitlement-marketplace": "aws-marketplace",
    "metering-marketplace": "aws-marketplace",
    "discovery-marketplace": "aws-marketplace",
    "catalog-marketplace": "aws-marketplace",
    "models.lex": "lex",
    "models-v2-lex": "lex",
    "runtime.lex": "lex",
    "runtime-v2-lex": "lex",
    "cloudsearchdomain": "cloudsearch",
    "data.mediastore": "mediastore",
    "ingest.timestream": "timestream",
    "query.timestream": "timestream",
    "runtime.sagemaker": "sagemaker",
    "bedrock-runtime": "bedrock",
    "servicecatalog-appregistry": "servicecatalog",
    "pinpoint": "mobiletargeting",
    "appstream2": "appstream",
    "data.iot": "iot",
    "iotdata": "iot",
    "git-codecommit": "codecommit",
    "iotevents.data": "iotevents",
}
"""First labels of an eventSource, before .amazonaws.com -> the prefix of its actions, where they differ (Service Authorization Reference:
each service's page begins with its prefix)."""

NO_PERMISSION: Mapping[str, str] = {
    "sts:GetCallerIdentity": "needs no permission (STS API reference)",
    "sts:GetSessionToken": "needs no permission (STS API reference)",
    "sts:AssumeRoleWithSAML": "is allowed by the role's trust policy alone",
    "sts:AssumeRoleWithWebIdentity": "is allowed by the role's trust policy alone",
}
"""Calls that a policy of the caller does not decide."""
NO_CALL = ("signin", "sso", "sso-oauth", "sso-directory-signin")
"""Sources whose events are sign-ins and pages of the console, not calls that a policy allows."""

_S3 = {
    "ListBuckets": "ListAllMyBuckets",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListParts": "ListMultipartUploadParts",
    "HeadObject": "GetObject",
    "SelectObjectContent": "GetObject",
    "GetObjectAttributes": "GetObject GetObjectAttributes",
    "CopyObject": "PutObject GetObject",
    "UploadPartCopy": "PutObject GetObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "DeleteObjects": "DeleteObject",
    "GetBucketLifecycle": "GetLifecycleConfiguration",
    "PutBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetBucketReplication": "GetReplicationConfiguration",
    "PutBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketTagging": "PutBucketTagging",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeleteBucketPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "GetBucketAccelerate": "GetAccelerateConfiguration",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "GetBucketInventory": "GetInventoryConfiguration",
    "ListBucketInventoryConfigurations": "GetInventoryConfiguration",
    "PutBucketInventory": "PutInventoryConfiguration",
    "DeleteBucketInventory": "PutInventoryConfiguration",
    "GetBucketAnalytics": "GetAnalyticsConfiguration",
    "ListBucketAnalyticsConfigurations": "GetAnalyticsConfiguration",
    "PutBucketAnalytics": "PutAnalyticsConfiguration",
    "GetBucketMetrics": "GetMetricsConfiguration",
    "ListBucketMetricsConfigurations": "GetMetricsConfiguration",
    "PutBucketMetrics": "PutMetricsConfiguration",
    "GetBucketIntelligentTieringConfiguration": "GetIntelligentTieringConfiguration",
    "PutBucketIntelligentTieringConfiguration": "PutIntelligentTieringConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
}
"""Amazon S3 user guide, required permissions for S3 API operations."""
_OTHERS = {
    "lambda": {
        "Invoke": "InvokeFunction",
        "InvokeWithResponseStream": "InvokeFunction",
    },  # Lambda developer guide, actions
    "kms": {"ReEncrypt": "ReEncryptFrom ReEncryptTo"},  # KMS developer guide, permissions reference
    "bedrock": {  # Bedrock user guide, Converse: it is allowed by InvokeModel
        "Converse": "InvokeModel",
        "ConverseStream": "InvokeModelWithResponseStream",
    },
    "dynamodb": {  # DynamoDB developer guide, transactions and PartiQL
        "TransactGetItems": "GetItem",
        "TransactWriteItems": "PutItem UpdateItem DeleteItem ConditionCheckItem",
        "ExecuteStatement": "PartiQLSelect PartiQLInsert PartiQLUpdate PartiQLDelete",
        "BatchExecuteStatement": "PartiQLSelect PartiQLInsert PartiQLUpdate PartiQLDelete",
    },
    "cloudwatch": {"GetMetricWidgetImage": "GetMetricWidgetImage"},
    "s3": _S3,
}
_REST = (
    ("Get", "GET"), ("Test", "POST"), ("Create", "POST"), ("Import", "POST"), ("Generate", "POST"), ("Update", "PATCH"),
    ("Put", "PUT"), ("Delete", "DELETE"), ("Flush", "DELETE"), ("Tag", "PUT"), ("Untag", "DELETE"),
)  # fmt: skip
"""API Gateway's actions are methods of HTTP (API Gateway developer guide, IAM permissions for control)."""
_VERSION = re.compile(r"(?:_?\d{4}_\d{2}_\d{2}|\d{8}(?:v\d+)?)\Z", re.ASCII)
"""Of Lambda (GetFunction20150331v2) and CloudFront (CreateDistribution2020_05_31): the API's version behind the name."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,127}", re.ASCII)
_LABEL = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}", re.ASCII)
_HOST = re.compile(r"\.amazonaws\.com(?:\.cn)?\Z")


def prefix_of(source: str) -> str:
    """The prefix of a service's actions; empty for what is no source of AWS."""
    label = _HOST.sub("", source)
    if label == source or not _LABEL.fullmatch(label):
        return ""
    return PREFIXES.get(label, label.rpartition(".")[2] if "." in label else label)


def actions_of(source: str, name: str) -> tuple[str, ...]:
    """The actions that an event stands for; none for what is no call that a policy allows."""
    prefix = prefix_of(source)
    bare = _VERSION.sub("", name)
    if not prefix or prefix in NO_CALL or not _NAME.fullmatch(bare):
        return ()
    if prefix == "apigateway":
        return next((f"apigateway:{verb}",) for begin, verb in (*_REST, ("", "POST")) if bare.startswith(begin))
    actions = _OTHERS.get(prefix, {}).get(bare, bare).split()
    return tuple(one for action in actions if (one := f"{prefix}:{action}") not in NO_PERMISSION)
