"""Where credentials of an Alibaba Cloud account come from, besides keys that are listed: the environment, or a role.

A role is always assumed with the environment's identity, never with another account's. What STS says is checked against the
account that was meant before anything is asked with it. Reads no environment variable itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import orjson
from pydantic import SecretStr

from crosstrail.accounts.caller_identity import check_assumed
from crosstrail.accounts.credentials import Cached, CredentialProvider, Credentials, renewed_once, session_name
from crosstrail.accounts.request_info import RequestInfo
from crosstrail.call_context import Upstream
from crosstrail.clouds.alibaba.accounts import AlibabaRoleAuth, owner_of
from crosstrail.clouds.alibaba.api import Action, AlibabaApi
from crosstrail.clouds.alibaba.settings import AlibabaSettings
from crosstrail.errors import (
    AccessDenied,
    AssumeRoleDenied,
    CloudError,
    CredentialsError,
    InvalidRequest,
)
from crosstrail.tasks import in_daemon_thread

ASSUME_ROLE = Action("sts", "AssumeRole", "2015-04-01")
ASSUME_ROLE_WITH_OIDC = Action("sts", "AssumeRoleWithOIDC", "2015-04-01")
GET_CALLER_IDENTITY = Action("sts", "GetCallerIdentity", "2015-04-01")
READS = ("actiontrail:LookupEvents", "actiontrail:DescribeTrails", "actiontrail:GetTrailStatus")
"""All that a role must allow."""
READS_ONLY = orjson.dumps(
    {"Version": "1", "Statement": [{"Effect": "Allow", "Action": list(READS), "Resource": "*"}]}
).decode()
"""The session policy that leaves a role nothing else."""
_VARIABLES = "ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET"
_NAME_CHARACTERS = "A-Za-z0-9_.@-"
"""Of a session's name; fewer than AWS takes."""
_OIDC_SECONDS = 3600
_MAX_TOKEN, _FILE_SECONDS = 20_000, 5.0
"""Characters of an identity provider's token that STS takes."""


class EnvironmentKeys:
    """The keys of ALIBABA_CLOUD_ACCESS_KEY_ID, _ACCESS_KEY_SECRET and _SECURITY_TOKEN, as settings have them."""

    remediation = f"Set {_VARIABLES} to keys that are valid, and ALIBABA_CLOUD_SECURITY_TOKEN for temporary ones."

    def __init__(self, environment: AlibabaSettings) -> None:
        self._environment = environment

    async def credentials(self) -> Credentials:
        """Raises CredentialsError that names the variables which are not set."""
        found = self._environment
        values = {
            "ALIBABA_CLOUD_ACCESS_KEY_ID": found.access_key_id,
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": found.access_key_secret.get_secret_value(),
        }
        if missing := [name for name, value in values.items() if not value]:
            raise CredentialsError(
                f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set",
                hint=f"Set {_VARIABLES}, and ALIBABA_CLOUD_SECURITY_TOKEN for temporary keys.",
            )
        token = found.security_token if found.security_token.get_secret_value() else None
        return Credentials(found.access_key_id, found.access_key_secret, token)


class OidcRole:
    """The role of ALIBABA_CLOUD_ROLE_ARN, assumed with the token in ALIBABA_CLOUD_OIDC_TOKEN_FILE, which others renew."""

    remediation = (
        "Check that the token in ALIBABA_CLOUD_OIDC_TOKEN_FILE is renewed, and that the role trusts its provider."
    )

    def __init__(self, environment: AlibabaSettings, api: AlibabaApi) -> None:
        self._environment = environment
        self._api = api

    async def credentials(self) -> Credentials:
        """Raises AssumeRoleDenied, CredentialsExpired (the token), CredentialsError, CloudError."""
        role = self._environment.role_arn
        params = {
            "OIDCProviderArn": self._environment.oidc_provider_arn,
            "RoleArn": role,
            "OIDCToken": await self._read(),
            "RoleSessionName": session_name(""),
            "DurationSeconds": _OIDC_SECONDS,
        }
        asked = RequestInfo(owner_of(role), "", str(ASSUME_ROLE_WITH_OIDC), self.remediation)
        answer = await _assumed(self._api, ASSUME_ROLE_WITH_OIDC, params, None, asked, _TRUST_PROVIDER)
        return _credentials(answer, role)

    async def _read(self) -> str:
        try:
            with anyio.fail_after(_FILE_SECONDS):
                return await in_daemon_thread(self._token)
        except TimeoutError:
            raise CredentialsError(
                f"the file of ALIBABA_CLOUD_OIDC_TOKEN_FILE gave nothing in {_FILE_SECONDS:g} s", hint=self.remediation
            ) from None

    def _token(self) -> str:
        """Read anew each time. Raises CredentialsError."""
        try:
            with Path(self._environment.oidc_token_file).open(encoding="ascii") as file:
                token = file.read(_MAX_TOKEN + 1).strip()
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no token"
            raise CredentialsError(
                f"the file of ALIBABA_CLOUD_OIDC_TOKEN_FILE cannot be read: {reason}", hint=self.remediation
            ) from None
        if not 4 <= len(token) <= _MAX_TOKEN:
            raise CredentialsError("the file of ALIBABA_CLOUD_OIDC_TOKEN_FILE holds no token", hint=self.remediation)
        return token


class AlibabaAssumeRole:
    """An account's role, assumed by the environment's identity in the name of whoever asks."""

    def __init__(
        self, auth: AlibabaRoleAuth, base: Cached[Credentials], api: AlibabaApi, *, region: str = "", who: str = ""
    ) -> None:
        """`region`: whose STS is asked; empty is the API's own."""
        self._auth = auth
        self._base = base
        self._api = api
        self._region = region
        self._who = who

    @property
    def remediation(self) -> str:
        return self._base.remediation

    async def credentials(self) -> Credentials:
        """Raises AssumeRoleDenied, CredentialsExpired (the base identity's), CredentialsError, CloudError."""
        return await renewed_once(self._base, self._assumed_by)

    async def _assumed_by(self, base: Credentials) -> Credentials:
        auth, name = self._auth, session_name(self._who, _NAME_CHARACTERS)
        params: dict[str, Any] = {
            "RoleArn": auth.role_arn,
            "RoleSessionName": name,
            "DurationSeconds": auth.duration,
        }
        if auth.external_id:
            params["ExternalId"] = auth.external_id
        if auth.session_policy:
            params["Policy"] = READS_ONLY
        if auth.source_identity:
            params["SourceIdentity"] = name
        asked = RequestInfo(auth.account_id, self._region, str(ASSUME_ROLE), self.remediation)
        answer = await _assumed(self._api, ASSUME_ROLE, params, base, asked, _TRUST_IDENTITY)
        return _credentials(answer, auth.role_arn)


_TRUST_IDENTITY = (
    "The role's trust policy must name the environment's identity (and the external id, where it asks for one), that identity "
    "needs sts:AssumeRole (AliyunSTSAssumeRoleAccess), and it must not be the account's own key."
)
_TRUST_PROVIDER = (
    "The role's trust policy must name the identity provider, and the token's audience and subject must be its."
)


def environment_identity(environment: AlibabaSettings, api: AlibabaApi) -> CredentialProvider[Credentials]:
    """Keys go before a token, as in Alibaba Cloud's own tools; keys also where there is neither: their error says what to set."""
    if environment.has_oidc and not environment.has_keys:
        return OidcRole(environment, api)
    return EnvironmentKeys(environment)


async def account_of_credentials(
    api: AlibabaApi, credentials: Credentials, asked: RequestInfo, request: Upstream | None = None
) -> str:
    """The number of the account that credentials are of, as STS says. Raises CredentialsError, CloudError."""
    answer = await api.call(GET_CALLER_IDENTITY, {}, credentials, asked, request)
    account, named = answer.get("AccountId"), owner_of(str(answer.get("Arn") or ""))
    if not named or account != named:
        raise CloudError(
            f"{GET_CALLER_IDENTITY} did not say whose these credentials are",
            hint="Check any proxy and the endpoint that is configured, then try again.",
            account=asked.account,
            region=asked.region,
        )
    return named


async def _assumed(
    api: AlibabaApi, action: Action, params: Mapping[str, Any], base: Credentials | None, asked: RequestInfo, trust: str
) -> dict[str, Any]:
    """STS's answer, which is for the role's own account. Raises AssumeRoleDenied, WrongAccount, CredentialsError."""
    role = str(params["RoleArn"])
    try:
        answer = await api.call(action, params, base, asked)
    except AccessDenied as error:
        raise AssumeRoleDenied(f"may not assume {role}: {error}", hint=trust) from None
    except InvalidRequest as error:
        raise CredentialsError(
            f"cannot assume {role}: {error}",
            hint="Check role_arn, external_id and duration (the role's own limit too).",
        ) from None
    user = answer.get("AssumedRoleUser")
    found = owner_of(str(user.get("Arn") or "")) if isinstance(user, Mapping) else ""
    check_assumed(("acs", found), ("acs", owner_of(role)), role)
    return answer


def _credentials(answer: Mapping[str, Any], role: str) -> Credentials:
    try:
        given = answer["Credentials"]
        expires = datetime.fromisoformat(given["Expiration"])
        if expires.tzinfo is None:
            raise ValueError("a time without an offset")
        return Credentials(
            given["AccessKeyId"], SecretStr(given["AccessKeySecret"]), SecretStr(given["SecurityToken"]), expires
        )
    except (KeyError, TypeError, ValueError):
        raise CredentialsError(f"STS gave no usable credentials of {role}", hint="Try again later.") from None
