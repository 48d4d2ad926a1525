"""Events that the queries which AWS publishes look for, with the names and values these have: the real logs hold no such ones."""

from __future__ import annotations

from typing import Any

from audit_logs import ACCOUNT, record

_ALICE = "arn:aws:iam::555555555555:role/alice"


def _role(arn: str, principal: str) -> dict[str, Any]:
    issuer = {
        "type": "Role",
        "principalId": principal,
        "arn": arn,
        "accountId": ACCOUNT,
        "userName": arn.rpartition("/")[2],
    }
    return {
        "type": "AssumedRole",
        "principalId": f"{principal}:session",
        "arn": f"{arn}/session",
        "accountId": ACCOUNT,
        "sessionContext": {"sessionIssuer": issuer},
    }


def _idc(name: str, **more: Any) -> dict[str, Any]:
    """Of a user of the Identity Center."""
    identity = {"type": "AssumedRole", "principalId": "AROAEXAMPLE:alice@example.com", "accountId": ACCOUNT}
    return {"eventName": name, "userIdentity": identity, **more}


_CHANGES: tuple[dict[str, Any], ...] = (
    {
        "eventName": "PutEvaluations",
        "eventSource": "config.amazonaws.com",
        "eventTime": "2022-11-05T10:00:00Z",
        "additionalEventData": {"configRuleName": "mfa", "configRuleArn": "arn:aws:config:::config-rule/mfa"},
    },
    {
        "eventName": "AssumeRole",
        "eventSource": "sts.amazonaws.com",
        "userIdentity": _role(_ALICE, "AROASELF"),
        "resources": [{"ARN": _ALICE, "accountId": ACCOUNT, "type": "AWS::IAM::Role"}],
    },
    {
        "eventName": "CreateDBInstance",
        "eventSource": "rds.amazonaws.com",
        "requestParameters": {
            "engine": "aurora-mysql",
            "dBInstanceIdentifier": "one",
            "dBInstanceClass": "db.r6g.large",
        },
    },
    {"eventName": "AssumeRole", "eventSource": "sts.amazonaws.com", "userAgent": "support.amazonaws.com"},
    {"eventName": "scan", "eventSource": "dynamodb.amazonaws.com", "requestParameters": {"tableName": "orders"}},
    {
        "eventName": "AuthorizeSecurityGroupIngress",
        "eventSource": "ec2.amazonaws.com",
        "requestParameters": {
            "groupId": "sg-1",
            "ipPermissions": {"items": [{"ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}]},
        },
    },
    {"eventID": "3270e016-59a1-4448-8dd1-d27a4796502d", "responseElements": {"status": "done"}},
    {"eventName": "CreateSnapshots", "eventSource": "ec2.amazonaws.com", "responseElements": {"encrypted": False}},
    {
        "eventName": "Federate",
        "eventSource": "sso.amazonaws.com",
        "userIdentity": {"type": "Unknown", "userName": "alice@example.com", "accountId": ACCOUNT},
        "serviceEventDetails": {"account_id": ACCOUNT},
    },
    _idc("CreateRole", responseElements={"role": {"arn": _ALICE}}),
    _idc("CreateAccessKey", responseElements={"accessKey": {"accessKeyId": "AKIAEXAMPLE"}}),
    _idc("CreateUser"),
    _idc("PutRolePolicy", requestParameters={"policyName": "all", "roleName": "alice"}),
    _idc("ListUsers", errorCode="AccessDenied", errorMessage="not authorized"),
    {
        "eventName": "RunInstances",
        "eventSource": "ec2.amazonaws.com",
        "responseElements": {"instancesSet": {"items": [{"instanceId": "i-b188560f"}]}},
    },
    {"eventName": "ListRoles", "userIdentity": _role(_ALICE, "AROAALICE")},
    {
        "eventName": "GetSecretValue",
        "eventSource": "secretsmanager.amazonaws.com",
        "eventCategory": "NetworkActivity",
        "errorCode": "VpceAccessDenied",
        "vpcEndpointId": "vpce-1",
        "vpcEndpointAccountId": ACCOUNT,
    },
    {
        "eventName": "DeleteDBCluster",
        "eventSource": "rds.amazonaws.com",
        "requestParameters": {"dBClusterIdentifier": "one", "skipFinalSnapshot": True},
    },
    {
        "eventName": "PutBucketPublicAccessBlock",
        "eventSource": "s3.amazonaws.com",
        "requestParameters": {
            "bucketName": "demo-20230707",
            "PublicAccessBlockConfiguration": {"RestrictPublicBuckets": True, "BlockPublicPolicy": False},
        },
    },
    {
        "eventName": "PutObject",
        "eventSource": "s3.amazonaws.com",
        "requestParameters": {"bucketName": "old"},
        "additionalEventData": {"aclRequired": "Yes"},
    },
    {"eventName": "GetObject", "eventSource": "s3.amazonaws.com", "tlsDetails": {"tlsVersion": "TLSv1.1"}},
    {"eventName": "AddUserToGroup", "requestParameters": {"userName": "bob", "groupName": "super-admins"}},
)


def published_events() -> list[dict[str, Any]]:
    """Records of CloudTrail, of ACCOUNT."""
    return [record(number, **changes) for number, changes in enumerate(_CHANGES, 5000)]
