"""The broker of a cloud whose credentials are key pairs and whose API takes named actions: what such clouds share.

Decides that an action goes out with the account's own credentials, in its region, and is written down as asked. A cloud says
where credentials come from and whom they are of.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from pydantic import SecretStr

from crosstrail.account_forms import account_form
from crosstrail.accounts.broker import MAX_ACCOUNTS, KeyPairBroker
from crosstrail.accounts.credentials import Cached, CredentialProvider, Credentials
from crosstrail.accounts.request_info import RequestInfo
from crosstrail.call_context import Upstream, upstream
from crosstrail.errors import CredentialsError
from crosstrail.models import Account

ActionT = TypeVar("ActionT")
AskedT = TypeVar("AskedT", contravariant=True)


class ActionApi(Protocol[AskedT]):
    """A cloud's API: an action, its parameters and explicit credentials in, its answer out; it repeats nothing."""

    region: str
    """Asked where neither a call nor an account names one."""

    async def call(
        self,
        action: AskedT,
        params: Mapping[str, object],
        credentials: Credentials,
        asked: RequestInfo,
        request: Upstream | None = None,
    ) -> dict[str, Any]: ...


ApiT = TypeVar("ApiT", bound=ActionApi[Any])


class ActionBroker(KeyPairBroker, Generic[ActionT, ApiT]):
    """`environment`: the machine's own identity, which assumes roles and is that of an ambient account."""

    def __init__(
        self,
        api: ApiT,
        environment: CredentialProvider[Credentials],
        encryption_key: SecretStr | None = None,
        *,
        max_accounts: int = MAX_ACCOUNTS,
    ) -> None:
        super().__init__(encryption_key, max_accounts=max_accounts)
        self.api = api
        self.environment = environment
        self._base = Cached(environment)

    async def call(
        self, account: Account, region: str, action: ActionT, params: Mapping[str, object], *, who: str = ""
    ) -> dict[str, Any]:
        """One action; its answer. It repeats nothing, but renews credentials that are called expired once.

        Raises like `credentials`, and CloudError or InvalidRequest with account, region, code and request id.
        """
        provider = self.provider(account, who)
        region = region or await self.home_region(account)
        return await self.asked(provider, partial(self._ask, account, region, action, params, provider))

    async def home_region(self, account: Account) -> str:
        return account.region or self.api.region

    async def temporary(self, account: Account, who: str) -> Credentials:
        """Raises CredentialsError, too, where there is a long-lived key alone: nothing turns it into a session."""
        held = await self.credentials(account, who)
        if held.session_token is None:
            raise CredentialsError(
                f"account {account.name} has a long-lived key alone, which no wrapped server is given",
                hint=f"Give the account a role: auth: {{type: role, {account_form(self.cloud).role_column}: ...}}.",
            )
        return held

    async def _ask(
        self,
        account: Account,
        region: str,
        action: ActionT,
        params: Mapping[str, object],
        provider: CredentialProvider[Credentials],
        credentials: Credentials,
    ) -> dict[str, Any]:
        asked = RequestInfo(account.name, region, str(action), provider.remediation)
        with upstream(account.cloud, asked.action, account.id, region) as request:
            return await self.api.call(action, params, credentials, asked, request)
