"""Who acted, who signed in, and whose account was changed, as OCSF's objects user, session and actor.

Decides which part of a record each is taken from. A user has at least one of name, uid and account, as the schema asks.
"""

from __future__ import annotations

from datetime import UTC, datetime

from crosstrail.clouds.shape import time_of
from crosstrail.detections.ocsf.parts import OTHER, account_object, milliseconds, present
from crosstrail.json_values import Json, table, text
from crosstrail.models import Event

_USER, _ADMIN, _SYSTEM = (1, "User"), (2, "Admin"), (3, "System")
_USER_KINDS = {
    "iamuser": _USER,
    "user": _USER,
    "ram-user": _USER,
    "identitycenteruser": _USER,
    "root": _ADMIN,
    "account": _ADMIN,
    "root-account": _ADMIN,
    "awsservice": _SYSTEM,
    "service": _SYSTEM,
    "system": _SYSTEM,
}
"""Of an identity's type; each other is the schema's Other, with the type itself beside it."""
_PROTOCOLS = {
    "AssumeRoleWithSAML": (5, "SAML"),
    "AssumeRoleWithWebIdentity": (4, "OpenID"),
    "AssumeRoleWithOIDC": (4, "OpenID"),
}
_SPOKEN = "%b %d, %Y, %I:%M:%S %p"
_OWN_IDS = ("userId", "roleId", "UserId", "RoleId")
_YES = {"yes": True, "true": True, "no": False, "false": False}


def _kind(word: str) -> dict[str, object]:
    if not word:
        return {}
    number, caption = _USER_KINDS.get(word.lower(), (OTHER, word))
    return {"type_id": number, "type": caption}


def actor_of(event: Event, shape: Json) -> dict[str, object]:
    identity = table(shape.get("userIdentity"))
    behalf = table(identity.get("onBehalfOf"))
    federated = text(table(table(identity.get("sessionContext")).get("webIdFederationData")).get("federatedProvider"))
    idp = {
        "name": text(identity.get("identityProvider")) or federated,
        "uid": text(behalf.get("identityStoreArn")),
    }
    return present(
        {
            "user": caller(event, identity),
            "session": _session(identity),
            "idp": present(idp),
            "invoked_by": text(identity.get("invokedBy")),
        }
    )


def caller(event: Event, identity: Json) -> dict[str, object]:
    """Who made the request; of an event that names nobody, its account."""
    behalf = table(identity.get("onBehalfOf"))
    found = present(
        {
            "name": event.username or text(identity.get("invokedBy")),
            "uid": text(identity.get("arn")) or text(identity.get("principalId")),
            "uid_alt": text(behalf.get("userId")) or text(identity.get("principalId")),
            "credential_uid": event.access_key_id or text(identity.get("credentialId")),
            "account": account_object(event.cloud, text(identity.get("accountId"))),
        }
    )
    if not found.keys() & {"name", "uid", "account"}:
        found["account"] = account_object(event.cloud, event.account or "unknown")
    return found | _kind(text(identity.get("type")))


def _session(identity: Json) -> dict[str, object]:
    context = table(identity.get("sessionContext"))
    given = table(context.get("attributes"))
    issuer = table(context.get("sessionIssuer"))
    return present(
        {
            "created_time": _milliseconds(given.get("creationDate")),
            "is_mfa": _YES.get(text(given.get("mfaAuthenticated")).lower()),
            "issuer": text(issuer.get("arn")),
            "uid": text(identity.get("principalId")) if issuer else "",
        }
    )


def _milliseconds(value: object) -> int | None:
    """Credentials expire at `Nov 19, 2026, 1:00:00 PM`, in UTC; other times of records are ISO 8601."""
    try:
        return milliseconds(time_of(value))
    except ValueError:
        pass
    try:
        return milliseconds(datetime.strptime(" ".join(text(value).split()), _SPOKEN).replace(tzinfo=UTC))
    except ValueError:
        return None


def signed_in(event: Event, shape: Json) -> dict[str, object]:
    """The attributes of Authentication: of a role that is assumed, the role is the user that signs in."""
    given, answer = table(shape.get("requestParameters")), table(shape.get("responseElements"))
    assumed, keys = table(answer.get("assumedRoleUser")), table(answer.get("credentials"))
    more = table(shape.get("additionalEventData"))
    role = text(given.get("roleArn"))
    user = {"uid": role, "name": text(given.get("roleSessionName"))} | _kind("Role") if role else {}
    session = {
        "uid": text(assumed.get("arn")),
        "uid_alt": text(assumed.get("assumedRoleId")),
        "credential_uid": text(keys.get("accessKeyId")),
        "expiration_time": _milliseconds(keys.get("expiration")),
        "issuer": role,
    }
    protocol = _PROTOCOLS.get(event.name)
    return {
        "user": present(user) or caller(event, table(shape.get("userIdentity"))),
        "session": present(session),
        "service": {"name": event.source or event.cloud},
        "dst_endpoint": present({"svc_name": text(more.get("LoginTo"))}),
        "is_mfa": _with_mfa(given, more),
        "is_remote": True,
        "auth_protocol_id": protocol and protocol[0],
        "auth_protocol": protocol and protocol[1],
    }


def _with_mfa(given: Json, more: Json) -> bool | None:
    """What the sign-in says of it; of a call for keys, whether it brought a device's code."""
    return _YES.get(text(more.get("MFAUsed")).lower(), True if given.get("serialNumber") else None)


def changed(event: Event, shape: Json) -> dict[str, object]:
    """The attributes of Account Change: whose account it is, what became of it, and the policy."""
    given, answer = table(shape.get("requestParameters")), table(shape.get("responseElements"))
    kind, made = next(
        ((kind, table(answer[kind.lower()])) for kind in ("User", "Role") if kind.lower() in answer), ("", {})
    )
    user_name = _first(given, "userName", "UserName")
    role_name = _first(given, "roleName", "RoleName")
    user = {
        "name": user_name or role_name or _first(made, "userName", "roleName", "UserName", "RoleName"),
        "uid": _first(made, "arn", "Arn", *_OWN_IDS),
        "uid_alt": _first(made, *_OWN_IDS),
    }
    whose = present(user)
    word = kind or ("Role" if role_name and not user_name else "User")
    policy = {
        "name": _first(given, "policyName", "PolicyName"),
        "uid": _first(given, "policyArn", "permissionsBoundary"),
    }
    new_name = _first(given, "newUserName", "NewUserName")
    result = present(user) if made else present({"name": new_name})
    return {
        "user": whose | _kind(word) if whose else caller(event, table(shape.get("userIdentity"))),
        "user_result": result | _kind(word) if result else {},
        "policy": present(policy),
    }


def _first(values: Json, *names: str) -> str:
    return next((found for name in names if (found := text(values.get(name)))), "")
