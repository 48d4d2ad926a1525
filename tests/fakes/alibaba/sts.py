"""STS: AssumeRole with its trust, external id and session policy, AssumeRoleWithOIDC, GetCallerIdentity."""

from __future__ import annotations

import re
from datetime import UTC
from typing import TYPE_CHECKING

import orjson

from fakes.cloud import Refusal

from .faults import no_permission

if TYPE_CHECKING:
    from .world import FakeAccount, Key, Role, World

_MAX_POLICY = 2048


def assume_role(world: World, account: FakeAccount, key: Key, region: str, params: dict[str, str]) -> bytes:
    if key.root:
        raise Refusal("NoPermission", "Roles may not be assumed by root accounts.", 403)
    owner, role = _role(world, params)
    if key.id not in role.trusted or (role.external_id and params.get("ExternalId") != role.external_id):
        raise no_permission(f"sts:AssumeRole on {role.arn}")
    return _session(world, owner, role, params, "AssumeRole")


def assume_role_with_oidc(world: World, params: dict[str, str]) -> bytes:
    """Nobody signs this: the token says who asks."""
    owner, role = _role(world, params)
    provider = world.tokens.get(params.get("OIDCToken", ""))
    if provider is None:
        raise Refusal("AuthenticationFail.OIDCToken.Invalid", "This JWT is not valid.")
    if provider != params.get("OIDCProviderArn") or provider not in role.providers:
        raise Refusal("AuthenticationFail.NoPermission", "The role does not trust this identity provider.", 403)
    return _session(world, owner, role, params, "AssumeRoleWithOIDC")


def get_caller_identity(world: World, account: FakeAccount, key: Key, region: str, params: dict[str, str]) -> bytes:
    kind = "Account" if key.root else "AssumedRoleUser" if key.token else "RAMUser"
    said = {"IdentityType": kind, "AccountId": key.account, "PrincipalId": "28877424437521", "Arn": key.identity}
    return orjson.dumps(said | world.lies.get("GetCallerIdentity", {}))


def _role(world: World, params: dict[str, str]) -> tuple[str, Role]:
    arn = params.get("RoleArn", "")
    owner = next((one for one in world.accounts.values() if arn in one.roles), None)
    if owner is None:
        raise Refusal("EntityNotExist.Role", "The specified Role not exists.", 404)
    return owner.id, owner.roles[arn]


def _session(world: World, owner: str, role: Role, params: dict[str, str], action: str) -> bytes:
    name, seconds = params.get("RoleSessionName", ""), params.get("DurationSeconds", "3600")
    if not re.fullmatch(r"[A-Za-z0-9.@_-]{2,64}", name):
        raise Refusal("InvalidParameter.RoleSessionName", "The parameter RoleSessionName is wrongly formed.")
    if not re.fullmatch(r"[A-Za-z0-9.@_-]{2,64}", params.get("SourceIdentity", name)):
        raise Refusal("InvalidParameter.SourceIdentity", "The parameter SourceIdentity is wrongly formed.")
    if not seconds.isdigit() or not 900 <= int(seconds) <= role.max_seconds:
        raise Refusal("InvalidParameter.DurationSeconds", "The Min/Max value of DurationSeconds is 15min/1hr.")
    identity = f"acs:ram::{owner}:assumed-role/{role.arn.rpartition('/')[2]}/{name}"
    session = world.add_session(owner, identity, int(seconds), _allowed(params.get("Policy", "")))
    assert session.expires
    said = {
        "Credentials": {
            "AccessKeyId": session.id,
            "AccessKeySecret": session.secret,
            "SecurityToken": session.token,
            "Expiration": f"{session.expires.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        },
        "AssumedRoleUser": {"Arn": f"{role.arn}/{name}", "AssumedRoleId": f"34458433936495:{name}"},
    }
    return orjson.dumps(said | world.lies.get(action, {}))


def _allowed(policy: str) -> frozenset[str] | None:
    """The actions that a session policy leaves."""
    if not policy:
        return None
    try:
        whole = orjson.loads(policy)
        statements = whole["Statement"]
        good = whole["Version"] == "1" and len(policy) <= _MAX_POLICY
        actions = [
            action
            for one in statements
            if one["Effect"] == "Allow" and one["Resource"] == "*"
            for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])
        ]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        good = False
    if not good:
        raise Refusal("InvalidParameter.PolicyGrammar", "The parameter Policy has not passed grammar check.")
    return frozenset(actions)
