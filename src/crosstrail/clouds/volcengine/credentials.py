"""Where credentials of a Volcengine account come from, besides keys that are listed: the environment, or a role.

A role is always assumed with the environment's keys, never with another account's. Reads no environment variable itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from crosstrail.accounts.caller_identity import check_assumed
from crosstrail.accounts.credentials import Cached, Credentials, renewed_once, session_name
from crosstrail.accounts.request_info import RequestInfo
from crosstrail.clouds.volcengine.accounts import VolcengineRoleAuth
from crosstrail.clouds.volcengine.actions import Action
from crosstrail.clouds.volcengine.api import VolcengineApi
from crosstrail.clouds.volcengine.identity import assumed_by
from crosstrail.errors import AccessDenied, AssumeRoleDenied, CredentialsError, InvalidRequest

ASSUME_ROLE = Action("AssumeRole", "2018-01-01", "sts", "GET")
_VARIABLES = "VOLCENGINE_ACCESS_KEY and VOLCENGINE_SECRET_KEY"


class EnvironmentKeys:
    """The keys of VOLCENGINE_ACCESS_KEY, VOLCENGINE_SECRET_KEY and VOLCENGINE_ACCESS_SESSION_TOKEN, as settings have them."""

    remediation = f"Set {_VARIABLES} to keys that are valid, and VOLCENGINE_ACCESS_SESSION_TOKEN for temporary ones."

    def __init__(
        self, access_key: str = "", secret_key: SecretStr | None = None, session_token: SecretStr | None = None
    ) -> None:
        self._access_key = access_key
        self._secret_key = secret_key or SecretStr("")
        self._session_token = session_token if session_token and session_token.get_secret_value() else None

    async def credentials(self) -> Credentials:
        """Raises CredentialsError that names the variables which are not set."""
        return self.held()

    def held(self) -> Credentials:
        """The same without waiting."""
        values = {
            "VOLCENGINE_ACCESS_KEY": self._access_key,
            "VOLCENGINE_SECRET_KEY": self._secret_key.get_secret_value(),
        }
        if missing := [name for name, value in values.items() if not value]:
            verb = "is" if len(missing) == 1 else "are"
            raise CredentialsError(
                f"{' and '.join(missing)} {verb} not set",
                hint=f"Set {_VARIABLES}, and VOLCENGINE_ACCESS_SESSION_TOKEN for temporary keys.",
            )
        return Credentials(self._access_key, self._secret_key, self._session_token)


class AssumeRole:
    """An account's role, assumed by the environment's keys in the name of whoever asks."""

    def __init__(
        self, auth: VolcengineRoleAuth, base: Cached[Credentials], api: VolcengineApi, *, who: str = ""
    ) -> None:
        self._auth = auth
        self._base = base
        self._api = api
        self._who = who

    @property
    def remediation(self) -> str:
        return self._base.remediation

    async def credentials(self) -> Credentials:
        """Raises AssumeRoleDenied, CredentialsExpired (the base identity's), CredentialsError, CloudError."""
        return await renewed_once(self._base, self._assumed_by)

    async def _assumed_by(self, base: Credentials) -> Credentials:
        role = self._auth.role_trn
        asked = RequestInfo(self._auth.account_id, "", str(ASSUME_ROLE), self.remediation)
        params = {
            "RoleTrn": role,
            "RoleSessionName": session_name(self._who),
            "DurationSeconds": self._auth.duration,
        }
        try:
            answer = await self._api.call(ASSUME_ROLE, params, base, asked)
        except AccessDenied as error:
            hint = (
                "The role's trust policy must name the user of VOLCENGINE_ACCESS_KEY, that user needs sts:AssumeRole "
                "(STSAssumeRoleAccess), and the keys must not be the account's own."
            )
            raise AssumeRoleDenied(f"may not assume {role}: {error}", hint=hint) from None
        except InvalidRequest as error:
            raise CredentialsError(f"cannot assume {role}: {error}", hint="Check role_trn and duration.") from None
        check_assumed(("trn", assumed_by(answer)), ("trn", self._auth.account_id), role)
        return _credentials(answer, role)


def _credentials(answer: Mapping[str, Any], role: str) -> Credentials:
    try:
        given = answer["Credentials"]
        expires = datetime.fromisoformat(given["ExpiredTime"])
        return Credentials(
            given["AccessKeyId"],
            SecretStr(given["SecretAccessKey"]),
            SecretStr(given["SessionToken"]),
            (expires if expires.tzinfo else expires.replace(tzinfo=UTC)).astimezone(UTC),
        )
    except (KeyError, TypeError, ValueError):
        raise CredentialsError(f"STS gave no usable credentials of {role}", hint="Try again later.") from None
