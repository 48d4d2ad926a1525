"""Whence the tokens of Meridian accounts come, whose they are, and one request with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from crosstrail.account_auth import Auth, KeysAuth
from crosstrail.accounts.broker import MAX_ACCOUNTS, Broker
from crosstrail.accounts.credentials import BearerToken, CredentialProvider
from crosstrail.accounts.request_info import RequestInfo
from crosstrail.call_context import upstream
from crosstrail.errors import CredentialsError
from crosstrail.models import Account
from crosstrail_meridian.accounts import CLOUD
from crosstrail_meridian.api import MeridianApi

_TOKEN, _WHO = "/v1/token", "/v1/whoami"


class ClientTokens:
    """Tokens of one client: its secret is exchanged for each at the token endpoint."""

    def __init__(self, api: MeridianApi, client: str, secret: Callable[[], SecretStr], remediation: str) -> None:
        self._api, self._client, self._secret = api, client, secret
        self.remediation = remediation or f"Store a new secret of the client {client}."

    async def credentials(self) -> BearerToken:
        asked = RequestInfo(f"of client {self._client}", "", "token:Create", self.remediation)
        sent = {"client_id": self._client, "client_secret": self._secret().get_secret_value()}
        answer = await self._api.call(asked, _TOKEN, sent, None)
        token, seconds = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(token, str) or not isinstance(seconds, int):
            raise CredentialsError(f"the token endpoint gave client {self._client} no token", hint=self.remediation)
        return BearerToken(SecretStr(token), datetime.now(UTC) + timedelta(seconds=seconds))


class MeridianBroker(Broker[BearerToken]):
    """The broker of Meridian accounts (see crosstrail/accounts/broker.py)."""

    cloud = CLOUD

    def __init__(
        self, api: MeridianApi, encryption_key: SecretStr | None = None, *, max_accounts: int = MAX_ACCOUNTS
    ) -> None:
        super().__init__(encryption_key, max_accounts=max_accounts)
        self._api = api

    async def call(self, account: Account, action: str, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        """One request; a token that is called expired or revoked is renewed once. Raises CrosstrailError."""
        provider = self.provider(account)

        async def ask(token: BearerToken) -> dict[str, Any]:
            with upstream(account.cloud, action, account.id, "") as request:
                return await self._api.call(
                    RequestInfo(account.name, "", action, provider.remediation), path, params, token, request
                )

        return await self.asked(provider, ask)

    async def home_region(self, account: Account) -> str:
        return ""

    async def identity(self, account: Account, region: str) -> str:
        return f"client/{(await self.call(account, 'account:WhoAmI', _WHO, {})).get('client', '')}"

    async def temporary(self, account: Account, who: str) -> BearerToken:
        return await self.credentials(account, who)

    async def aclose(self) -> None:
        await self._api.aclose()

    def keys(
        self, auth: KeysAuth, secret: Callable[[], SecretStr], remediation: str
    ) -> CredentialProvider[BearerToken]:
        if auth.session_token is not None:
            raise CredentialsError("a client of Meridian has no session token", hint="List its id and secret alone.")
        return ClientTokens(self._api, auth.access_key_id, secret, remediation)

    def other(self, account: Account, auth: Auth, who: str) -> CredentialProvider[BearerToken]:
        raise CredentialsError(f"account {account.name} is not listed with a client's id and secret")

    async def account_of(
        self, account: Account, provider: CredentialProvider[BearerToken], credentials: BearerToken
    ) -> str:
        with upstream(account.cloud, "account:WhoAmI", account.id, "") as request:
            asked = RequestInfo(account.name, "", "account:WhoAmI", provider.remediation)
            return str((await self._api.call(asked, _WHO, {}, credentials, request)).get("account") or "")
