"""Credentials of Alibaba Cloud accounts: where they come from, and whom they are of."""

from __future__ import annotations

from pydantic import SecretStr

from crosstrail.account_auth import Auth
from crosstrail.accounts.broker import MAX_ACCOUNTS
from crosstrail.accounts.credentials import CredentialProvider, Credentials
from crosstrail.accounts.request_info import RequestInfo
from crosstrail.call_context import upstream
from crosstrail.clouds.action_broker import ActionBroker
from crosstrail.clouds.alibaba.accounts import CLOUD, AlibabaRoleAuth
from crosstrail.clouds.alibaba.api import Action, AlibabaApi
from crosstrail.clouds.alibaba.credentials import (
    GET_CALLER_IDENTITY,
    AlibabaAssumeRole,
    account_of_credentials,
    environment_identity,
)
from crosstrail.clouds.alibaba.settings import AlibabaSettings
from crosstrail.models import Account


class AlibabaBroker(ActionBroker[Action, AlibabaApi]):
    """The broker of Alibaba Cloud accounts (see accounts/broker.py), and one action in one of them."""

    cloud = CLOUD

    def __init__(
        self,
        encryption_key: SecretStr | None = None,
        *,
        api: AlibabaApi | None = None,
        settings: AlibabaSettings | None = None,
        max_accounts: int = MAX_ACCOUNTS,
    ) -> None:
        """`settings` hold the environment's identity, which assumes roles and is that of an ambient account."""
        api = api or AlibabaApi()
        environment = environment_identity(settings or AlibabaSettings(), api)
        super().__init__(api, environment, encryption_key, max_accounts=max_accounts)

    async def identity(self, account: Account, region: str) -> str:
        answer = await self.call(account, region, GET_CALLER_IDENTITY, {})
        return str(answer.get("Arn") or "").rpartition(":")[2]

    async def aclose(self) -> None:
        await self.api.aclose()

    def other(self, account: Account, auth: Auth, who: str) -> CredentialProvider[Credentials]:
        if isinstance(auth, AlibabaRoleAuth):
            return AlibabaAssumeRole(auth, self._base, self.api, who=who)
        return self.environment

    async def account_of(
        self, account: Account, provider: CredentialProvider[Credentials], credentials: Credentials
    ) -> str:
        region = await self.home_region(account)
        asked = RequestInfo(account.name, region, str(GET_CALLER_IDENTITY), provider.remediation)
        with upstream(account.cloud, asked.action, account.id, region) as request:
            return await account_of_credentials(self.api, credentials, asked, request)
