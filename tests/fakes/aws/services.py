"""STS (Query protocol), Organizations, Secrets Manager and the SSO portal: as much as finding accounts and having
credentials takes."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from fakes.cloud import Refusal

from .world import FakeAccount, Key, World

_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_ACCOUNTS_A_PAGE = 20


def assume_role(world: World, caller: Key, params: dict[str, str]) -> dict[str, Any]:
    arn, name = params.get("RoleArn", ""), params.get("RoleSessionName", "")
    if not _SESSION_NAME.fullmatch(name):
        raise Refusal("ValidationError", "Value at 'roleSessionName' failed to satisfy constraint: [\\w+=,.@-]*")
    account_id = arn.split(":")[4] if arn.count(":") >= 5 else ""
    account = world.accounts.get(account_id)
    role = account.roles.get(arn) if account else None
    if role is None or caller.id not in role.trusted or role.external_id != params.get("ExternalId", ""):
        message = f"User: {caller.identity} is not authorized to perform: sts:AssumeRole on resource: {arn}"
        raise Refusal("AccessDenied", message, 403)
    seconds = int(params.get("DurationSeconds", "3600"))
    if not 900 <= seconds <= 43200:
        raise Refusal("ValidationError", "Value at 'durationSeconds' must be between 900 and 43200.")
    if seconds > role.longest:
        message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        raise Refusal("ValidationError", message)
    if caller.token and seconds > 3600:
        message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        raise Refusal("ValidationError", message)
    key = _session(world, account_id, arn, name, params.get("Policy", ""), world.session_seconds or seconds)
    return {
        "Credentials": _given(key),
        "AssumedRoleUser": {"AssumedRoleId": f"AROAEXAMPLE:{name}", "Arn": key.identity},
        **world.lies.get("AssumeRole", {}),
    }


def _given(key: Key) -> dict[str, str]:
    return {
        "AccessKeyId": key.id,
        "SecretAccessKey": key.secret,
        "SessionToken": key.token,
        "Expiration": f"{key.expires:%Y-%m-%dT%H:%M:%SZ}",
    }


def _session(
    world: World, account_id: str, arn: str, name: str, policy: str, seconds: int, *, identity: str = ""
) -> Key:
    identity = (
        identity
        or f"arn:{world.account(account_id).partition}:sts::{account_id}:assumed-role/{arn.rpartition('/')[2]}/{name}"
    )
    only = None
    if policy:
        try:
            only = frozenset(action for one in orjson.loads(policy)["Statement"] for action in one["Action"])
        except (ValueError, KeyError, TypeError):
            raise Refusal("MalformedPolicyDocument", "The policy document is malformed.") from None
    key = Key(
        "ASIA" + secrets.token_hex(8).upper(),
        secrets.token_urlsafe(30),
        account_id,
        identity,
        token=secrets.token_urlsafe(120),
        expires=datetime.now(UTC) + timedelta(seconds=seconds),
        only=only,
    )
    world.keys[key.id] = key
    return key


def get_caller_identity(world: World, caller: Key, params: dict[str, str]) -> dict[str, Any]:
    told = {"UserId": caller.id, "Account": caller.account, "Arn": caller.identity}
    return told | world.lies.get("GetCallerIdentity", {})


def get_session_token(world: World, caller: Key, params: dict[str, str]) -> dict[str, Any]:
    """Temporary credentials of a long-lived key's own identity."""
    if caller.token:
        raise Refusal("AccessDenied", "Cannot call GetSessionToken with session credentials", 403)
    seconds = int(params.get("DurationSeconds", "43200"))
    if not 900 <= seconds <= 129600:
        raise Refusal("ValidationError", "Value at 'durationSeconds' must be between 900 and 129600.")
    key = _session(world, caller.account, "", "", "", world.session_seconds or seconds, identity=caller.identity)
    return {"Credentials": _given(key)}


def list_accounts(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> Any:
    if not world.management:
        raise Refusal("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
    if account.id != world.management:
        raise Refusal("AccessDeniedException", "You don't have permissions to access this resource.")
    token = params.get("NextToken", "0")
    if not token.isdigit():
        raise Refusal("InvalidInputException", "You provided an invalid NextToken.")
    start, everyone = int(token), list(world.accounts.values())
    end = start + min(params.get("MaxResults", _ACCOUNTS_A_PAGE), _ACCOUNTS_A_PAGE)
    page = [
        {
            "Id": one.id,
            "Arn": f"arn:{world.partition}:organizations::{account.id}:account/o-example/{one.id}",
            "Email": f"{one.id}@example.com",
            "Name": one.name,
            "Status": one.status,
            "State": one.status,
            "JoinedMethod": "CREATED",
            "JoinedTimestamp": 1700000000.0,
        }
        for one in everyone[start:end]
    ]
    return {"Accounts": page, **({"NextToken": str(end)} if end < len(everyone) else {})}


def get_secret_value(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> Any:
    name = params.get("SecretId", "")
    text = world.secrets.get(name)
    if text is None:
        raise Refusal("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
    arn = f"arn:aws:secretsmanager:{region}:{account.id}:secret:{name}-AbCdEf"
    return {"ARN": arn, "Name": name, "SecretString": text, "VersionStages": ["AWSCURRENT"]}


def get_role_credentials(world: World, token: str, params: dict[str, str]) -> Any:
    """The SSO portal's one question; unsigned, by the access token of whoever signed in."""
    if token not in world.sign_ins:
        raise Refusal("UnauthorizedException", "Session token not found or invalid", 401)
    account_id, role = params.get("account_id", ""), params.get("role_name", "")
    arn = f"arn:aws:iam::{account_id}:role/{role}"
    if account_id not in world.accounts or arn not in world.accounts[account_id].roles:
        raise Refusal("ForbiddenException", "No access", 403)
    key = _session(world, account_id, arn, "someone", "", world.session_seconds or 3600)
    expires = int(key.expires.timestamp() * 1000) if key.expires else 0
    given = {"accessKeyId": key.id, "secretAccessKey": key.secret, "sessionToken": key.token, "expiration": expires}
    return {"roleCredentials": given}


STS_HANDLERS = {
    "AssumeRole": assume_role,
    "GetCallerIdentity": get_caller_identity,
    "GetSessionToken": get_session_token,
}
ORGANIZATIONS_HANDLERS = {"ListAccounts": list_accounts}
SECRETS_HANDLERS = {"GetSecretValue": get_secret_value}
