"""The one door to an account's credentials, and to what is asked with them.

Whatever is asked of an account is signed with exactly that account's credentials; a kept client is used again only while
those are still the ones behind it. Credentials travel as arguments: nothing is ever put into the
environment, where a later call for another account could pick it up. What is not a role of the account is used only once
STS has said that it is the account's own (caller_identity.py). botocore is imported on the first AWS call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from pydantic import SecretStr

from crosstrail.accounts.asked import Asked, told
from crosstrail.accounts.aws_regions import HOME_REGION, partition_of
from crosstrail.accounts.caller_identity import (
    AWS_ACTION,
    GET_CALLER_IDENTITY,
    VerifiedCredentials,
    aws_account,
    unknown_key,
    volcengine_account,
)
from crosstrail.accounts.credentials import (
    SENT_ALONG,
    Cached,
    CredentialProvider,
    Credentials,
    StaticKeys,
    renewed_once,
)
from crosstrail.accounts.lru import LeastRecentlyUsed
from crosstrail.accounts.volcengine_api import Action, VolcengineApi
from crosstrail.accounts.volcengine_credentials import EnvironmentKeys, VolcengineAssumeRole
from crosstrail.caller import caller, upstream
from crosstrail.errors import ConfigError, CredentialsError, UnsupportedByCloud
from crosstrail.models import (
    Account,
    AccountKey,
    AmbientAuth,
    Auth,
    KeysAuth,
    ProfileAuth,
    RoleAuth,
    SentKeys,
    VolcengineRoleAuth,
)

if TYPE_CHECKING:
    from crosstrail.accounts.aws_clients import AwsClients
    from crosstrail.accounts.secrets import SecretBox

MOST_CLIENTS = 512
VOLCENGINE = "volcengine"
_THREADS = 128
"""Most requests of vendors' blocking libraries on the way at once."""

T = TypeVar("T")


class Broker:
    """Open one a process, share it between all calls of one event loop, `aclose` it at the end."""

    def __init__(
        self,
        encryption_key: SecretStr | None = None,
        *,
        region: str = "",
        most_clients: int = MOST_CLIENTS,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        attempts: int = 3,
        asked_once: frozenset[str] = frozenset(),
        volcengine: VolcengineApi | None = None,
        volcengine_keys: EnvironmentKeys | None = None,
    ) -> None:
        """`encryption_key`: the keys of the SecretBox, needed for encrypted secrets alone. `region`: asked where neither
        call nor account names one. Timeouts are seconds of one attempt; `attempts` counts the first one too. Services
        `asked_once` speak JSON and have callers who repeat by themselves: they are asked without a botocore client.
        `volcengine_keys` are those of the environment, which assume the roles of Volcengine accounts."""
        self._asked_once = asked_once
        self._encryption_key = encryption_key
        self._region = region
        self._transport = (connect_timeout, read_timeout, attempts)
        self._most = most_clients
        self._limiter = CapacityLimiter(_THREADS)
        self._providers: LeastRecentlyUsed[tuple[AccountKey, str], tuple[Auth, Cached]] = LeastRecentlyUsed(
            max(most_clients, MOST_CLIENTS)
        )
        self._clients: AwsClients | None = None
        self._opening = threading.Lock()
        self._bases: dict[str, Cached] = {}
        self._volcengine = volcengine or VolcengineApi(connect_timeout=connect_timeout, read_timeout=read_timeout)
        self._volcengine_keys = volcengine_keys or EnvironmentKeys()
        self._volcengine_base = Cached(self._volcengine_keys)
        self._profile_regions: dict[str, str] = {}

    async def credentials(self, account: Account, who: str = "") -> Credentials:
        """The account's own credentials, fresh for minutes at least; `who` asks (else the present caller)
        is written into its trail.

        Raises CredentialsError (SecretUnreadable, AssumeRoleDenied, CredentialsExpired), ConfigError, CloudError.
        """
        return await self._provider(account, who).credentials()

    async def call(
        self, account: Account, service: str, region: str, operation: str, *, who: str = "", **params: Any
    ) -> dict[str, Any]:
        """One call, such as `call(account, "cloudtrail", "eu-west-1", "lookup_events", MaxResults=50)`, answered as boto does.

        Credentials that the cloud calls expired are renewed once. Cancelling gives the request up, or leaves it to end by
        itself. Raises like `credentials`, and CloudError or InvalidRequest with account, region, code and request id.
        """
        region = region or await self.home_region(account)
        if account.cloud != "aws":
            raise UnsupportedByCloud(f"account {account.name} is not an AWS account")
        clients = await self._opened_clients()
        provider = self._provider(account, who)

        async def ask(credentials: Credentials) -> dict[str, Any]:
            from crosstrail.accounts.aws_errors import mapped

            action = f"{service}:{operation.title().replace('_', '')}"
            asked = Asked(account.name, region, action, provider.renewal)
            with upstream(action, account.id, region) as request, mapped(asked):
                if service in self._asked_once:
                    endpoint = clients.known(service, region)
                    if endpoint is None:
                        endpoint = await self._run(partial(clients.endpoint, service, region))
                    answer = await clients.wire.ask(endpoint, operation, params, credentials)
                else:
                    owner = _owner(account, who)
                    again = partial(clients.ask, owner, service, region, credentials, operation, params)
                    answer = await self._run(again)
                request.request_id = str(answer.get("ResponseMetadata", {}).get("RequestId", ""))
                return answer

        return await renewed_once(provider, ask)

    async def call_volcengine(
        self, account: Account, region: str, action: Action, params: Mapping[str, Any], *, who: str = ""
    ) -> dict[str, Any]:
        """One action in a Volcengine account; its Result. Like `call` in everything else, and repeats nothing."""
        if account.cloud != VOLCENGINE:
            raise UnsupportedByCloud(f"account {account.name} is not a Volcengine account")
        provider = self._provider(account, who)
        region = region or await self.home_region(account)

        async def ask(credentials: Credentials) -> dict[str, Any]:
            asked = Asked(account.name, region, str(action), provider.renewal)
            with upstream(str(action), account.id, region) as request:
                return await self._volcengine.call(action, params, credentials, asked, request)

        return await renewed_once(provider, ask)

    def invalidate(self, account: Account, stale: Credentials | None = None) -> None:
        """Forget the account's credentials; with `stale`, only where it is still those."""
        for _, cached in self._providers.values(lambda owner: owner[0] == account.key):
            cached.invalidate(stale)

    async def home_region(self, account: Account) -> str:
        """The region asked when a call names none: the account's, else this broker's, else its profile's, else a default."""
        if account.cloud == VOLCENGINE:
            return account.region or self._volcengine.region
        if account.region:
            return account.region
        partition = account.auth.role_arn.split(":")[1] if isinstance(account.auth, RoleAuth) else ""
        if self._region and partition in ("", partition_of(self._region)):
            return self._region
        profile = account.auth.profile if isinstance(account.auth, ProfileAuth) else ""
        if isinstance(account.auth, ProfileAuth | AmbientAuth):
            if profile not in self._profile_regions:
                self._profile_regions[profile] = await self._run(partial(_region_of_profile, profile))
            return self._profile_regions[profile] or HOME_REGION["aws"]
        return HOME_REGION.get(partition, HOME_REGION["aws"])

    async def aclose(self) -> None:
        """Close all connections."""
        self._volcengine.close()
        if self._clients is not None:
            await self._clients.wire.aclose()
            self._clients.close()

    async def _opened_clients(self) -> AwsClients:
        return await self._run(self._aws_clients) if self._clients is None else self._clients

    def _provider(self, account: Account, who: str) -> Cached:
        who = who or caller().who
        if account.auth is None:
            raise CredentialsError(
                f"no credentials are listed for account {account.name}",
                hint="Give it an `auth` in crosstrail.yaml, or ask the lake with lake_query.",
            )
        if isinstance(account.auth, SentKeys):  # STS named this account when it was asked about these very keys
            return Cached(self._made(account, account.auth, who))
        key = _owner(account, who)
        held = self._providers.get(key)
        if held is None or held[0] != account.auth:
            held = (account.auth, Cached(self._verified(account, self._made(account, account.auth, who))))
            self._providers.put(key, held)
        return held[1]

    def _made(self, account: Account, auth: Auth, who: str) -> CredentialProvider:
        if isinstance(auth, KeysAuth):
            renewal = SENT_ALONG if isinstance(auth, SentKeys) else ""
            opened = partial(self._opened, account.id, auth)
            return StaticKeys(auth.access_key_id, opened, auth.session_token, renewal=renewal)
        if isinstance(auth, VolcengineRoleAuth):
            return VolcengineAssumeRole(auth, self._volcengine_base, self._volcengine, who=who)
        if account.cloud == VOLCENGINE:
            return self._volcengine_keys
        from crosstrail.accounts.aws_credentials import AssumeRole, Profile

        fallback = self._region or HOME_REGION["aws"]
        if isinstance(auth, RoleAuth):
            base = self._bases.get(auth.base_profile)
            if base is None:
                base = self._bases[auth.base_profile] = Cached(Profile(auth.base_profile, self._run, region=fallback))
            ask = partial(self._ask_as_base, auth.base_profile)
            return AssumeRole(auth, base, ask, self._run, region=self._sts_region(account, auth), who=who)
        profile = auth.profile if isinstance(auth, ProfileAuth) else ""
        return Profile(profile, self._run, region=fallback)

    def _verified(self, account: Account, provider: CredentialProvider) -> CredentialProvider:
        """A role is the account's own by its name; of anything else, STS is asked. Other clouds are asked by their trails."""
        if isinstance(account.auth, RoleAuth | VolcengineRoleAuth):
            return provider
        asking = {"aws": self._aws_identity, VOLCENGINE: self._volcengine_identity}.get(account.cloud)
        return VerifiedCredentials(provider, account, partial(asking, account, provider)) if asking else provider

    async def _aws_identity(self, account: Account, provider: CredentialProvider, credentials: Credentials) -> str:
        region = account.region or next(iter(account.regions), "") or await self.home_region(account)
        clients = await self._opened_clients()
        from crosstrail.accounts.aws_errors import UNKNOWN_KEY, VENDOR_ERRORS, code_of, mapped, request_id_of

        asked = Asked(account.name, region, AWS_ACTION, provider.renewal)
        with upstream(AWS_ACTION, account.id, region) as request, mapped(asked):
            try:
                answer = await self._run(partial(clients.ask_once, "sts", region, credentials, "get_caller_identity"))
            except VENDOR_ERRORS as error:
                if code_of(error) in UNKNOWN_KEY and not (account.region or account.regions):
                    raise unknown_key(asked, told(code_of(error), request_id_of(error))) from None
                raise
            request.request_id = str(answer.get("ResponseMetadata", {}).get("RequestId", ""))
            return aws_account(answer, region)

    async def _volcengine_identity(
        self, account: Account, provider: CredentialProvider, credentials: Credentials
    ) -> str:
        region = await self.home_region(account)
        asked = Asked(account.name, region, str(GET_CALLER_IDENTITY), provider.renewal)
        with upstream(asked.action, account.id, region) as request:
            return volcengine_account(await self._volcengine.call(GET_CALLER_IDENTITY, {}, credentials, asked, request))

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
        return self._aws_clients().ask(("base", base_profile), service, region, credentials, operation, params)

    def _sts_region(self, account: Account, auth: RoleAuth) -> str:
        """The base identity's region before the account's: the base may not have enabled the account's."""
        partition = auth.role_arn.split(":")[1]
        for region in (self._region, account.region):
            if region and (partition not in HOME_REGION or partition_of(region) == partition):
                return region
        return HOME_REGION.get(partition, HOME_REGION["aws"])

    def _opened(self, account_id: str, auth: KeysAuth) -> SecretStr:
        if auth.secret_access_key is not None:
            return auth.secret_access_key
        token = auth.secret_access_key_encrypted
        return self._box.decrypt(token.get_secret_value() if token else "", account_id)

    def _aws_clients(self) -> AwsClients:
        """The first time imports botocore, so in a thread; many threads may come first.

        Raises ConfigError where the AWS config files or the certificates to trust cannot be read, or there is no profile
        that AWS_PROFILE names.
        """
        with self._opening:
            if self._clients is None:
                from crosstrail.accounts.aws_clients import AwsClients
                from crosstrail.accounts.aws_errors import mapped

                connect, read, attempts = self._transport
                try:
                    with mapped(Asked("", "", "")):
                        self._clients = AwsClients(
                            most=self._most,
                            connect_timeout=connect,
                            read_timeout=read,
                            attempts=attempts,
                            connections=_THREADS,
                        )
                except OSError as error:
                    raise ConfigError(
                        f"the certificates to trust cannot be read: {error.strerror or type(error).__name__}",
                        hint="Check AWS_CA_BUNDLE, REQUESTS_CA_BUNDLE and ca_bundle in the AWS config file.",
                    ) from None
            return self._clients

    @cached_property
    def _box(self) -> SecretBox:
        from crosstrail.accounts.secrets import SecretBox

        return SecretBox(self._encryption_key.get_secret_value() if self._encryption_key else "")

    async def _run(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._limiter, abandon_on_cancel=True)


def _owner(account: Account, who: str) -> tuple[AccountKey, str]:
    """Whose credentials and clients are one: only a role's session bears the name of who asked."""
    return (account.key, (who or caller().who) if isinstance(account.auth, RoleAuth | VolcengineRoleAuth) else "")


def _region_of_profile(profile: str) -> str:
    import botocore.session
    from botocore.exceptions import BotoCoreError

    try:
        return str(botocore.session.Session(profile=profile or None).get_config_variable("region") or "")
    except BotoCoreError:
        return ""  # a profile that cannot be read says so when its credentials are asked for
