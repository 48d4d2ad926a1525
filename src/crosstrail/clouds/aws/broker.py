"""Credentials of AWS accounts, and what is asked of AWS with them.

A kept client is used again only while its credentials are still the ones behind it. botocore is imported on the first
AWS call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from anyio import CapacityLimiter
from pydantic import SecretStr

from crosstrail.account_auth import AmbientAuth, Auth
from crosstrail.accounts.broker import MAX_ACCOUNTS, KeyPairBroker
from crosstrail.accounts.credentials import Cached, CredentialProvider, Credentials
from crosstrail.accounts.request_info import RequestInfo, error_suffix
from crosstrail.call_context import upstream
from crosstrail.clouds.aws.accounts import ProfileAuth, RoleAuth
from crosstrail.clouds.aws.identity import GET_CALLER_IDENTITY, account_of_identity, unknown_key
from crosstrail.clouds.aws.profile_clients import ProfileClients
from crosstrail.clouds.aws.profile_settings import ProfileSettings, settings_of
from crosstrail.clouds.aws.regions import COMMERCIAL, home_region, partition_of, partitions
from crosstrail.errors import ConfigError
from crosstrail.models import Account, AccountKey
from crosstrail.tasks import in_daemon_thread

if TYPE_CHECKING:
    from crosstrail.clouds.aws.clients import AwsClients
    from crosstrail.clouds.aws.wire import Endpoint

_THREADS = 128
"""Most requests of botocore on the way at once."""
_SESSION_SECONDS = 3_600

T = TypeVar("T")


class AwsBroker(KeyPairBroker):
    """The broker of AWS accounts (see accounts/broker.py), and one call in one of them."""

    cloud = "aws"

    def __init__(
        self,
        encryption_key: SecretStr | None = None,
        *,
        region: str = "",
        max_clients: int = MAX_ACCOUNTS,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        identity_timeout: float = 30.0,
        attempts: int = 3,
        asked_once: frozenset[str] = frozenset(),
    ) -> None:
        """`region`: asked where neither call nor account names one. Timeouts are seconds of one attempt, `attempts`
        with the first one; that of an identity is of all it takes to find its credentials. Services `asked_once` speak JSON and have callers who repeat by themselves: they are asked
        without a botocore client."""
        super().__init__(encryption_key, max_accounts=max_clients)
        self._asked_once = asked_once
        self._region = region
        self._identity_seconds = identity_timeout
        self._transport = (connect_timeout, read_timeout, attempts)
        self._max_clients = max_clients
        self._limiter = CapacityLimiter(_THREADS)
        self._clients = ProfileClients(self._new_clients)
        self._bases: dict[str, Cached[Credentials]] = {}
        self._profiles: dict[str, ProfileSettings] = {}
        self._profiles_used = False
        self._sessions: dict[AccountKey, tuple[Credentials, Cached[Credentials]]] = {}

    async def call(
        self, account: Account, service: str, region: str, operation: str, *, who: str = "", **params: Any
    ) -> dict[str, Any]:
        """One call, such as `call(account, "cloudtrail", "eu-west-1", "lookup_events", MaxResults=50)`, answered as boto does.

        Credentials that the cloud calls expired are renewed once. Cancelling gives the request up, or leaves it to end by
        itself. Raises like `credentials`, and CloudError or InvalidRequest with account, region, code and request id.
        """
        provider = self.provider(account, who)
        region = region or await self.home_region(account)

        async def ask(credentials: Credentials) -> dict[str, Any]:
            from crosstrail.clouds.aws.errors import mapped

            action = f"{service}:{operation.title().replace('_', '')}"
            asked = RequestInfo(account.name, region, action, provider.remediation)
            clients = await self._clients_of(account.auth)  # once it is known that there is such a profile
            with upstream(account.cloud, action, account.id, region) as request, mapped(asked):
                if service in self._asked_once:
                    endpoint = clients.known(service, region)
                    if endpoint is None:
                        endpoint = await self._run(partial(clients.endpoint, service, region))
                    answer = await clients.wire.ask(endpoint, operation, params, credentials)
                else:
                    owner = self.owner(account, who)
                    again = partial(clients.ask, owner, service, region, credentials, operation, params)
                    answer = await self._run(again)
                request.request_id = str(answer.get("ResponseMetadata", {}).get("RequestId", ""))
                return answer

        return await self.asked(provider, ask)

    async def home_region(self, account: Account) -> str:
        """The account's region, else its profile's, else this broker's, else the first one of its partition. Of the ambient
        identity the broker's goes before that of a file."""
        if account.region:
            return account.region
        profile, partition = ProfileSettings(), account.auth.partition if isinstance(account.auth, RoleAuth) else ""
        if isinstance(account.auth, ProfileAuth | AmbientAuth):
            profile = await self._profile(_profile_of(account.auth))
            partition = profile.partition
        if profile.region and isinstance(account.auth, ProfileAuth):
            return profile.region
        if self._region and partition in ("", partition_of(self._region)):
            return self._region
        return profile.region or home_region(partition)

    async def identity(self, account: Account, region: str) -> str:
        answer = await self.call(account, "sts", region, "get_caller_identity")
        return str(answer["Arn"]).split(":", 5)[5]

    async def temporary(self, account: Account, who: str) -> Credentials:
        """Credentials with a session token; of a long-lived key, those of sts:GetSessionToken. No call when warm."""
        held = await self.credentials(account, who)
        if held.session_token is not None:
            return held
        kept = self._sessions.get(account.key)
        if kept is None or kept[0] != held:
            kept = self._sessions[account.key] = (held, Cached(_SessionToken(self, account)))
        return await kept[1].credentials()

    async def own_credentials(self) -> Credentials:
        """Those of the machine's own identity, whose account nobody asks: for what no account is said to own.

        Raises CredentialsError, ConfigError."""
        self._profiles_used = True
        return await self._base("").credentials()

    async def own_call(self, service: str, region: str, operation: str, **params: Any) -> dict[str, Any]:
        """One call with the machine's own identity. Raises like `call`."""
        from crosstrail.clouds.aws.errors import mapped

        region = region or await self.own_region() or home_region(COMMERCIAL)
        credentials = await self.own_credentials()
        clients = await self._clients_of(None)
        asked = RequestInfo("the machine's own identity", region, f"{service}:{operation.title().replace('_', '')}")
        with mapped(asked):
            return await self._run(partial(clients.ask, ("own",), service, region, credentials, operation, params))

    async def own_region(self) -> str:
        """The region that the machine's own configuration names; empty where it names none."""
        return self._region or (await self._profile("")).region

    async def endpoint(self, auth: Auth | None, service: str, region: str) -> Endpoint:
        """Where that service is asked, by the settings of the profile that `auth` goes by. Raises ConfigError, InvalidRequest."""
        from crosstrail.clouds.aws.errors import mapped

        clients = await self._clients_of(auth)
        with mapped(RequestInfo("", region, service)):
            if known := clients.known(service, region):
                return known
            return await self._run(partial(clients.endpoint, service, region))

    async def aclose(self) -> None:
        await self._clients.aclose()
        if self._profiles_used:
            from crosstrail.clouds.aws.credential_process import end_all

            end_all()

    def other(self, account: Account, auth: Auth, who: str) -> CredentialProvider[Credentials]:
        from crosstrail.clouds.aws.credentials import AssumeRole
        from crosstrail.clouds.aws.profile_credentials import Profile

        self._profiles_used = True
        fallback = self._region or home_region(COMMERCIAL)
        if isinstance(auth, RoleAuth):
            base = self._base(auth.base_profile)
            ask = partial(self._ask_as_base, auth.base_profile)
            return AssumeRole(auth, base, ask, self._run, region=partial(self._sts_region, account, auth), who=who)
        profile = auth.profile if isinstance(auth, ProfileAuth) else ""
        return Profile(profile, region=fallback, seconds=self._identity_seconds)

    def _base(self, profile: str) -> Cached[Credentials]:
        """The identity that roles are assumed with."""
        from crosstrail.clouds.aws.profile_credentials import Profile

        if profile not in self._bases:
            fallback = self._region or home_region(COMMERCIAL)
            self._bases[profile] = Cached(Profile(profile, region=fallback, seconds=self._identity_seconds))
        return self._bases[profile]

    async def account_of(
        self, account: Account, provider: CredentialProvider[Credentials], credentials: Credentials
    ) -> str:
        region = account.region or next(iter(account.regions), "") or await self.home_region(account)
        clients = await self._clients_of(account.auth)
        from crosstrail.clouds.aws.errors import UNKNOWN_KEY, VENDOR_ERRORS, code_of, mapped, request_id_of

        asked = RequestInfo(account.name, region, GET_CALLER_IDENTITY, provider.remediation)
        with upstream(account.cloud, GET_CALLER_IDENTITY, account.id, region) as request, mapped(asked):
            try:
                answer = await self._run(partial(clients.ask_once, "sts", region, credentials, "get_caller_identity"))
            except VENDOR_ERRORS as error:
                if code_of(error) in UNKNOWN_KEY and not (account.region or account.regions):
                    raise unknown_key(asked, error_suffix(code_of(error), request_id_of(error))) from None
                raise
            request.request_id = str(answer.get("ResponseMetadata", {}).get("RequestId", ""))
            return account_of_identity(answer, region)

    def _ask_as_base(
        self,
        base_profile: str,
        service: str,
        region: str,
        credentials: Credentials,
        operation: str,
        params: Mapping[str, Any],
    ) -> dict[str, Any]:
        """With the base identity's client, shared by all roles it assumes. Runs in a thread."""
        return self._clients.of(base_profile).ask(
            ("base", base_profile), service, region, credentials, operation, params
        )

    async def _sts_region(self, account: Account, auth: RoleAuth) -> str:
        """The base identity's region before the account's: the base may not have enabled the account's."""
        own = (await self._profile(auth.base_profile)).region if auth.base_profile else ""
        for region in (own, self._region, account.region):
            if region and (auth.partition not in partitions() or partition_of(region) == auth.partition):
                return region
        return home_region(auth.partition)

    async def _profile(self, name: str) -> ProfileSettings:
        """One that cannot be read says nothing here; it says so when its credentials are asked for."""
        found = self._profiles.get(name)
        if found is None:
            try:
                found = self._profiles[name] = await self._run(partial(settings_of, name))
            except ConfigError:
                return ProfileSettings()
        return found

    async def _clients_of(self, auth: Auth | None) -> AwsClients:
        """Raises ConfigError."""
        profile = _profile_of(auth)
        if known := self._clients.known(profile):
            return known
        return await self._run(partial(self._clients.of, profile))

    def _new_clients(self, profile: str) -> AwsClients:
        from crosstrail.clouds.aws.clients import AwsClients

        connect, read, attempts = self._transport
        return AwsClients(
            profile,
            most=self._max_clients,
            connect_timeout=connect,
            read_timeout=read,
            attempts=attempts,
            connections=_THREADS,
        )

    async def _run(self, work: Callable[[], T]) -> T:
        async with self._limiter:
            return await in_daemon_thread(work)


class _SessionToken:
    """Temporary credentials of an identity that has a long-lived key (sts:GetSessionToken)."""

    def __init__(self, broker: AwsBroker, account: Account) -> None:
        self._broker = broker
        self._account = account

    @property
    def remediation(self) -> str:
        return f"Store new keys of account {self._account.name}."

    async def credentials(self) -> Credentials:
        """Raises like AwsBroker.call."""
        answer = await self._broker.call(
            self._account, "sts", "", "get_session_token", DurationSeconds=_SESSION_SECONDS
        )
        return Credentials.given_by_sts(answer)


def _profile_of(auth: Auth | None) -> str:
    """The profile by whose settings an account is reached; empty for the ambient configuration."""
    if isinstance(auth, ProfileAuth):
        return auth.profile
    return auth.base_profile if isinstance(auth, RoleAuth) else ""
