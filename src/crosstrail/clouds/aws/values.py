"""How AWS spells the values that events are looked up by, where people spell them otherwise. Pure.

Decides which spelling of a value no event of AWS can have and which one is meant, as `s3` for s3.amazonaws.com. What could be
a value is left as it is: CloudTrail compares letter by letter, and so a guess could hide events.
"""

from __future__ import annotations

import re

from crosstrail.clouds.aws.record import RESOURCE_TYPES
from crosstrail.models import AttributeKey, Filter

_SUFFIX = ".amazonaws.com"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ACCESS_KEY = re.compile(r"A[KS]IA[A-Z0-9]{12,}", re.IGNORECASE | re.ASCII)
_EVENT_NAMES = (  # noqa: SIM905 - one a word, to be read
    "AddUserToGroup AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity AttachGroupPolicy AttachRolePolicy "
    "AttachUserPolicy AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress ChangePassword CheckMfa ConsoleLogin "
    "CreateAccessKey CreateBucket CreateDBSnapshot CreateGroup CreateInstanceProfile CreateKey CreateKeyPair CreateLoginProfile "
    "CreatePolicy CreatePolicyVersion CreateRole CreateSecurityGroup CreateSnapshot CreateStack CreateTrail CreateUser "
    "CreateVirtualMFADevice DeactivateMFADevice Decrypt DeleteAccessKey DeleteBucket DeleteBucketPolicy DeleteDBInstance "
    "DeleteDetector DeleteFlowLogs DeleteGroupPolicy DeleteLogGroup DeleteLoginProfile DeleteObject DeletePolicy DeleteRole "
    "DeleteRolePolicy DeleteSecret DeleteSecurityGroup DeleteSnapshot DeleteTrail DeleteUser DeleteUserPolicy "
    "DeleteVirtualMFADevice DescribeInstances DescribeTrails DetachRolePolicy DetachUserPolicy DisableKey EnableMFADevice "
    "GenerateDataKey GetAccountAuthorizationDetails GetBucketAcl GetCallerIdentity GetFederationToken GetObject "
    "GetParameter GetParameters GetPasswordData GetSecretValue GetSessionToken GetSigninToken GetUser LeaveOrganization "
    "ListAccessKeys ListBuckets ListObjects ListRoles ListSecrets ListUsers ModifyDBSnapshotAttribute "
    "ModifyImageAttribute ModifyInstanceAttribute ModifySnapshotAttribute PassRole PutBucketAcl PutBucketPolicy "
    "PutBucketPublicAccessBlock PutEventSelectors PutGroupPolicy PutKeyPolicy PutObject PutRolePolicy PutUserPolicy "
    "RebootInstances RunInstances ScheduleKeyDeletion SendCommand SendSSHPublicKey SetDefaultPolicyVersion StartInstances "
    "StartLogging StartSession StopInstances StopLogging SwitchRole TerminateInstances UpdateAccessKey "
    "UpdateAssumeRolePolicy UpdateLoginProfile UpdateTrail UserAuthentication"
).split()
"""Actions that are looked up often. AWS writes every action's name with a capital letter for each word."""
_SPELLING = {name.lower(): name for name in (*_EVENT_NAMES, *RESOURCE_TYPES)}


def as_logged(one: Filter) -> Filter:
    """The filter with its value as AWS would write it."""
    key, value = one.key, one.value
    if key == AttributeKey.EVENT_SOURCE:
        source = value.lower()
        value = source if "." in source else f"{source}{_SUFFIX}"
    elif key in (AttributeKey.EVENT_NAME, AttributeKey.RESOURCE_TYPE):
        value = _SPELLING.get(re.sub(r"[\s_-]", "", value).lower(), value)
    elif key == AttributeKey.EVENT_ID and _UUID.fullmatch(value):
        value = value.lower()
    elif key == AttributeKey.ACCESS_KEY_ID and _ACCESS_KEY.fullmatch(value):
        value = value.upper()
    return Filter(key, value)
