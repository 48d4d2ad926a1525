"""Credentials of Volcengine accounts: where they come from, and whom they are of."""

from __future__ import annotations

from pydantic import SecretStr

from crosstrail.account_auth import Auth
from crosstrail.accounts.broker import MAX_ACCOUNTS
from crosstrail.accounts.credentials import CredentialProvider, Credentials
from crosstrail.clouds.action_broker import ActionBroker
from crosstrail.clouds.volcengine.accounts import CLOUD, VolcengineRoleAuth
from crosstrail.clouds.volcengine.actions import Action
from crosstrail.clouds.volcengine.api import VolcengineApi
from crosstrail.clouds.volcengine.credentials import AssumeRole, EnvironmentKeys
from crosstrail.clouds.volcengine.identity import GET_CALLER_IDENTITY, account_of_identity
from crosstrail.models import Account


class VolcengineBroker(ActionBroker[Action, VolcengineApi]):
    """The broker of Volcengine accounts (see accounts/broker.py), and one action in one of them."""

    cloud = CLOUD
    environment: EnvironmentKeys

    def __init__(
        self,
        encryption_key: SecretStr | None = None,
        *,
        api: VolcengineApi | None = None,
        environment: EnvironmentKeys | None = None,
        max_accounts: int = MAX_ACCOUNTS,
    ) -> None:
        """`environment`: the keys that assume roles, and those of an ambient account."""
        super().__init__(
            api or VolcengineApi(), environment or EnvironmentKeys(), encryption_key, max_accounts=max_accounts
        )

    async def identity(self, account: Account, region: str) -> str:
        answer = await self.call(account, region, GET_CALLER_IDENTITY, {})
        return str(answer.get("Trn") or "").rpartition(":")[2]

    async def aclose(self) -> None:
        self.api.close()

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
