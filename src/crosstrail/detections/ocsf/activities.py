"""Which class of OCSF an action is, and which activity of it: by the action's name, alike in every cloud.

Authentication (3002) is what begins or ends a session, Account Change (3001) what OCSF has an activity for of users and roles;
everything else is API Activity (6003). A name says what was asked: whether it was done is the event's status.
"""

from __future__ import annotations

import re

from crosstrail.detections.ocsf.parts import OTHER, EventClass

_IDENTITY = (3, "Identity & Access Management")
API_ACTIVITY = EventClass(
    6003,
    "API Activity",
    (6, "Application Activity"),
    {0: "Unknown", 1: "Create", 2: "Read", 3: "Update", 4: "Delete", OTHER: "Other"},
)
AUTHENTICATION = EventClass(
    3002,
    "Authentication",
    _IDENTITY,
    {
        0: "Unknown",
        1: "Logon",
        2: "Logoff",
        3: "Authentication Ticket",
        4: "Service Ticket Request",
        5: "Service Ticket Renew",
        6: "Preauth",
        OTHER: "Other",
    },
)
ACCOUNT_CHANGE = EventClass(
    3001,
    "Account Change",
    _IDENTITY,
    {
        0: "Unknown",
        1: "Create",
        2: "Enable",
        3: "Password Change",
        4: "Password Reset",
        5: "Disable",
        6: "Delete",
        7: "Attach Policy",
        8: "Detach Policy",
        9: "Lock",
        10: "MFA Factor Enable",
        11: "MFA Factor Disable",
        12: "Unlock",
        OTHER: "Other",
    },
)

_LOGON, _LOGOFF, _PREAUTH = 1, 2, 6
_CREATE, _READ, _UPDATE, _DELETE = 1, 2, 3, 4


def _each(words: str, activity: int) -> dict[str, int]:
    return dict.fromkeys(words.split(), activity)


_SIGNING_IN = {
    **_each(
        "ConsoleLogin ConsoleSignin UserAuthentication Authenticate Federate AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity "
        "AssumeRoleWithOIDC AssumeRoot GetSessionToken GetFederationToken GetSigninToken SwitchRole",
        _LOGON,
    ),
    **_each("Logout ConsoleLogout ConsoleSignout ExitRole", _LOGOFF),
    **_each("CheckMfa", _PREAUTH),
    **_each("CredentialChallenge CredentialVerification RenewRole", OTHER),
}
_OF_ACCOUNTS = {
    **_each("CreateUser CreateRole CreateServiceLinkedRole", 1),
    **_each("CreateLoginProfile EnableUser", 2),
    **_each("ChangePassword PasswordUpdated", 3),
    **_each("UpdateLoginProfile PasswordRecoveryRequested PasswordRecoveryCompleted AdminResetUserPassword", 4),
    **_each("DeleteLoginProfile DisableUser", 5),
    **_each("DeleteUser DeleteRole DeleteServiceLinkedRole", 6),
    **_each(
        "AttachUserPolicy AttachRolePolicy PutUserPolicy PutRolePolicy PutUserPermissionsBoundary PutRolePermissionsBoundary "
        "AttachPolicyToUser AttachPolicyToRole",
        7,
    ),
    **_each(
        "DetachUserPolicy DetachRolePolicy DeleteUserPolicy DeleteRolePolicy DeleteUserPermissionsBoundary "
        "DeleteRolePermissionsBoundary DetachPolicyFromUser DetachPolicyFromRole",
        8,
    ),
    **_each("EnableMFADevice BindMFADevice", 10),
    **_each("DeactivateMFADevice UnbindMFADevice", 11),
    **_each("UpdateUser UpdateRole UpdateAssumeRolePolicy", OTHER),
}
_VERBS = {
    **_each(
        "Allocate Build Clone Copy Create Generate Import Invite Issue Launch Publish Purchase Register Request Run Subscribe Upload",
        _CREATE,
    ),
    **_each(
        "Check Describe Detect Download Estimate Evaluate Export Filter Get Head List Lookup Poll Preview Query Read Receive "
        "Resolve Scan Search Select Simulate Test Validate Verify View",
        _READ,
    ),
    **_each(
        "Accept Activate Add Apply Assign Associate Attach Authorize Cancel Change Close Complete Configure Connect Deactivate "
        "Decline Disable Disassociate Detach Enable Extend Freeze Merge Modify Move Open Pause Post Promote Put Reboot Record Refresh "
        "Reject Rename Replace Reset Resize Restart Restore Resume Retry Revoke Rotate Set Share Start Stop Submit Suspend Swap "
        "Sync Tag Transfer Unassign Unlink Unsubscribe Untag Update Upgrade Write",
        _UPDATE,
    ),
    **_each("Abort Delete Deregister Destroy Leave Purge Release Remove Terminate Withdraw", _DELETE),
}
_FIRST_WORD = re.compile(r"[A-Z]?[a-z]+")


def classified(name: str, *, read_only: bool | None) -> tuple[EventClass, int]:
    """The class and the activity of an action of that name."""
    if (activity := _SIGNING_IN.get(name)) is not None:
        return AUTHENTICATION, activity
    if (activity := _OF_ACCOUNTS.get(name)) is not None:
        return ACCOUNT_CHANGE, activity
    if not name:
        return API_ACTIVITY, 0
    if read_only:
        return API_ACTIVITY, _READ
    word = _FIRST_WORD.match(name)
    found = _VERBS.get(word[0][:1].upper() + word[0][1:], OTHER) if word else OTHER
    return API_ACTIVITY, OTHER if found == _READ and read_only is False else found
