"""Credentials of Volcengine accounts, and what is asked of Volcengine with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import SecretStr

from crosstrail.accounts.broker import MAX_ACCOUNTS, Broker
from crosstrail.accounts.credentials import Cached, CredentialProvider, Credentials, StaticKeys
from crosstrail.accounts.request_info import RequestInfo
from crosstrail.auth import Auth, KeysAuth
from crosstrail.call_context import upstream
from crosstrail.clouds.volcengine.accounts import VolcengineRoleAuth
from crosstrail.clouds.volcengine.actions import Action
from crosstrail.clouds.volcengine.api import VolcengineApi
from crosstrail.clouds.volcengine.credentials import AssumeRole, EnvironmentKeys
from crosstrail.clouds.volcengine.identity import GET_CALLER_IDENTITY, account_of_identity
from crosstrail.errors import CredentialsError
from crosstrail.models import Account


class VolcengineBroker(Broker[Credentials]):
    """The broker of Volcengine accounts (see accounts/broker.py), and one action in one of them."""

    cloud = "volcengine"

    def __init__(
        self,
        encryption_key: SecretStr | None = None,
        *,
        api: VolcengineApi | None = None,
        environment: EnvironmentKeys | None = None,
        max_accounts: int = MAX_ACCOUNTS,
    ) -> None:
        """`environment`: the keys that assume roles, and those of an ambient account."""
        super().__init__(encryption_key, max_accounts=max_accounts)
        self.api = api or VolcengineApi()
        self.environment = environment or EnvironmentKeys()
        self._base = Cached(self.environment)

    async def call(
        self, account: Account, region: str, action: Action, params: Mapping[str, Any], *, who: str = ""
    ) -> dict[str, Any]:
        """One action; its Result. It repeats nothing, but renews credentials that are called expired once.

        Raises like `credentials`, and CloudError or InvalidRequest with account, region, code and request id.
        """
        provider = self.provider(account, who)
        region = region or await self.home_region(account)

        async def ask(credentials: Credentials) -> dict[str, Any]:
            return await self._ask(account, region, action, params, provider, credentials)

        return await self.asked(provider, ask)

    async def home_region(self, account: Account) -> str:
        return account.region or self.api.region

    async def identity(self, account: Account, region: str) -> str:
        answer = await self.call(account, region, GET_CALLER_IDENTITY, {})
        return str(answer.get("Trn") or "").rpartition(":")[2]

    async def temporary(self, account: Account, who: str) -> Credentials:
        held = await self.credentials(account, who)
        if held.session_token is None:
            raise CredentialsError(
                f"account {account.name} has a long-lived key alone, which no wrapped server is given",
                hint="Give the account a role: auth: {type: role, role_trn: ...}.",
            )
        return held

    async def aclose(self) -> None:
        self.api.close()

    def keys(
        self, auth: KeysAuth, secret: Callable[[], SecretStr], remediation: str
    ) -> CredentialProvider[Credentials]:
        return StaticKeys(auth.access_key_id, secret, auth.session_token, remediation=remediation)

    def other(self, account: Account, auth: Auth, who: str) -> CredentialProvider[Credentials]:
        if isinstance(auth, VolcengineRoleAuth):
            return AssumeRole(auth, self._base, self.api, who=who)
        return self.environment

    async def account_of(
        self, account: Account, provider: CredentialProvider[Credentials], credentials: Credentials
    ) -> str:
        region = await self.home_region(account)
        answer = await self._ask(account, region, GET_CALLER_IDENTITY, {}, provider, credentials)
        return account_of_identity(answer)

    async def _ask(
        self,
        account: Account,
        region: str,
        action: Action,
        params: Mapping[str, Any],
        provider: CredentialProvider[Credentials],
        credentials: Credentials,
    ) -> dict[str, Any]:
        asked = RequestInfo(account.name, region, str(action), provider.remediation)
        with upstream(str(action), account.id, region) as request:
            return await self.api.call(action, params, credentials, asked, request)
