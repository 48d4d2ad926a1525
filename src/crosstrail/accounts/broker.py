"""The one door to the credentials of a cloud's accounts: kept, renewed, and used for no account but their own.

Whatever is asked of an account is asked with exactly that account's credentials. They travel as arguments: nothing is ever
put into the environment, where a later call for another account could pick it up. What is not a role of the account is
used only once its cloud has said that it is the account's own (caller_identity.py). A cloud's package says where its
credentials come from and whom they are of; it knows nothing of keeping them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import SecretStr

from crosstrail.account_auth import Auth, KeysAuth, RequestKeys
from crosstrail.account_forms import account_form
from crosstrail.accounts.caller_identity import VerifiedCredentials
from crosstrail.accounts.credentials import (
    SEND_VALID_KEYS,
    Cached,
    CredentialProvider,
    Credentials,
    CredentialsT,
    StaticKeys,
    renewed_once,
)
from crosstrail.accounts.lru_cache import LruCache
from crosstrail.call_context import current_call
from crosstrail.errors import CredentialsError, UnsupportedByCloud
from crosstrail.models import Account, AccountKey
from crosstrail.vocabulary import words

if TYPE_CHECKING:
    from crosstrail.accounts.secrets import SecretBox

MAX_ACCOUNTS = 512
"""Accounts whose credentials are kept at least."""

T = TypeVar("T")


class Broker(ABC, Generic[CredentialsT]):
    """Open one a process and cloud, share it between all calls of one event loop, `aclose` it at the end."""

    cloud: str
    """The name of the cloud, as accounts give it."""

    def __init__(self, encryption_key: SecretStr | None = None, *, max_accounts: int = MAX_ACCOUNTS) -> None:
        """`encryption_key`: the keys of the SecretBox, needed for encrypted secrets alone."""
        self._encryption_key = encryption_key
        self._providers: LruCache[tuple[AccountKey, str], tuple[Auth, Cached[CredentialsT]]] = LruCache(
            max(max_accounts, MAX_ACCOUNTS)
        )

    async def credentials(self, account: Account, who: str = "") -> CredentialsT:
        """The account's own credentials, fresh for minutes at least; `who` asks (else the present caller)
        is written into its trail.

        Raises CredentialsError (SecretUnreadable, AssumeRoleDenied, CredentialsExpired), ConfigError, CloudError.
        """
        return await self.provider(account, who).credentials()

    async def asked(self, provider: Cached[CredentialsT], ask: Callable[[CredentialsT], Awaitable[T]]) -> T:
        """What `ask` gives with that provider's credentials; those that the cloud calls expired are renewed once."""
        return await renewed_once(provider, ask)

    def invalidate(self, account: Account, stale: CredentialsT | None = None) -> None:
        """Forget the account's credentials; with `stale`, only where it is still those."""
        for _, cached in self._providers.values(lambda owner: owner[0] == account.key):
            cached.invalidate(stale)

    def provider(self, account: Account, who: str = "") -> Cached[CredentialsT]:
        """The account's kept provider. Raises UnsupportedByCloud for another cloud's account, CredentialsError."""
        if account.cloud != self.cloud:
            raise UnsupportedByCloud(f"account {account.name} is not an account of {account_form(self.cloud).title}")
        who = who or current_call().who
        if account.auth is None:
            raise CredentialsError(
                f"no credentials are listed for account {account.name}",
                hint=f"Give it an `auth` in crosstrail.yaml, or ask the lake with {words().sql}.",
            )
        if isinstance(
            account.auth, RequestKeys
        ):  # its cloud named this account when it was asked about these very keys
            return Cached(self._made(account, account.auth, who))
        key = self.owner(account, who)
        held = self._providers.get(key)
        if held is None or held[0] != account.auth:
            held = (account.auth, Cached(self._verified(account, self._made(account, account.auth, who))))
            self._providers.put(key, held)
        return held[1]

    @staticmethod
    def owner(account: Account, who: str = "") -> tuple[AccountKey, str]:
        """Whose credentials and clients are one: only a session of the caller's own bears the name of who asked."""
        own = account.auth is not None and account.auth.has_caller_sessions
        return (account.key, (who or current_call().who) if own else "")

    @abstractmethod
    async def home_region(self, account: Account) -> str:
        """The region asked when neither a call nor the account names one; empty in a cloud without regions."""

    async def identity(self, account: Account, region: str) -> str:
        """Who the account's credentials are, for reading: `user/audit`. Raises what asking raises.

        Without an identity to ask, empty.
        """
        return ""

    async def temporary(self, account: Account, who: str) -> CredentialsT:
        """Credentials that end by themselves, for a process that is not ours. Raises CredentialsError where there are none."""
        raise CredentialsError(f"account {account.name} has no temporary credentials to give to a wrapped server")

    @abstractmethod
    async def aclose(self) -> None:
        """Close all connections."""

    @abstractmethod
    def keys(
        self, auth: KeysAuth, secret: Callable[[], SecretStr], remediation: str
    ) -> CredentialProvider[CredentialsT]:
        """A provider of listed keys, whose secret `secret` opens."""

    @abstractmethod
    def other(self, account: Account, auth: Auth, who: str) -> CredentialProvider[CredentialsT]:
        """A provider for any other form of `auth` that the cloud's accounts have."""

    async def owner_of(self, account: Account) -> str:
        """The id of the account that these credentials are of, whatever id they are listed with. Raises what asking raises."""
        if account.auth is None:
            raise CredentialsError(f"no credentials are listed for account {account.name}")
        provider = self._made(account, account.auth, current_call().who)
        return await self.account_of(account, provider, await provider.credentials())

    @abstractmethod
    async def account_of(
        self, account: Account, provider: CredentialProvider[CredentialsT], credentials: CredentialsT
    ) -> str:
        """The id of the account that credentials are of, as the cloud says. Raises CredentialsError, CloudError."""

    def _made(self, account: Account, auth: Auth, who: str) -> CredentialProvider[CredentialsT]:
        if isinstance(auth, KeysAuth):
            remediation = SEND_VALID_KEYS if isinstance(auth, RequestKeys) else ""
            return self.keys(auth, partial(self._opened, account.id, auth), remediation)
        return self.other(account, auth, who)

    def _verified(
        self, account: Account, provider: CredentialProvider[CredentialsT]
    ) -> CredentialProvider[CredentialsT]:
        """A role is the account's own by its name; of anything else, the cloud is asked."""
        if account.auth and account.auth.account_id:
            return provider
        return VerifiedCredentials(provider, account, partial(self.account_of, account, provider))

    def _opened(self, account_id: str, auth: KeysAuth) -> SecretStr:
        if auth.secret_access_key is not None:
            return auth.secret_access_key
        token = auth.secret_access_key_encrypted
        return self._box.decrypt(token.get_secret_value() if token else "", account_id)

    @cached_property
    def _box(self) -> SecretBox:
        from crosstrail.accounts.secrets import SecretBox

        return SecretBox(self._encryption_key.get_secret_value() if self._encryption_key else "")


class KeyPairBroker(Broker[Credentials]):
    """The broker of a cloud whose credentials are an access key, its secret and, of a session, a token."""

    def keys(
        self, auth: KeysAuth, secret: Callable[[], SecretStr], remediation: str
    ) -> CredentialProvider[Credentials]:
        return StaticKeys(auth.access_key_id, secret, auth.session_token, remediation=remediation)


AnyBroker = Broker[Any]
