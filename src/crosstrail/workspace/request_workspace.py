"""The workspace of a caller whose keys came with the request: one account, the one these keys belong to, and nothing else.

Decides whose keys they are, as Volcengine's STS says, and that no configured account, no lake and no credentials of the
server are there for such a caller. It keeps no secret: what was learned is kept by a fingerprint of the keys, for minutes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import anyio
from pydantic import ValidationError

from crosstrail.account_auth import RequestKeys
from crosstrail.accounts.credentials import OF_REQUEST_KEYS, SEND_VALID_KEYS, Credentials, fingerprint
from crosstrail.accounts.directory import AccountList
from crosstrail.accounts.lru_cache import LruCache
from crosstrail.accounts.registry import Registry
from crosstrail.accounts.request_info import RequestInfo
from crosstrail.call_context import upstream
from crosstrail.clouds.volcengine.accounts import CLOUD
from crosstrail.clouds.volcengine.api import VolcengineApi
from crosstrail.clouds.volcengine.broker import VolcengineBroker
from crosstrail.clouds.volcengine.calls import PacedRequests
from crosstrail.clouds.volcengine.identity import GET_CALLER_IDENTITY, account_of_identity
from crosstrail.coverage import Days, LogFacts, Proofs
from crosstrail.engines.base import QueryEngine, QueryScope
from crosstrail.errors import AccessDenied, CredentialsError, InvalidRequest, LimitReached
from crosstrail.lookup.targets import Chosen
from crosstrail.models import Account, AccountKey
from crosstrail.settings.config import Settings
from crosstrail.tasks import SingleFlight
from crosstrail.vocabulary import words
from crosstrail.workspace.workspace import Workspace

if TYPE_CHECKING:
    from crosstrail.engines.duckdb import LakeEngine

_KNOWN_SECONDS = 300.0
_AT_ONCE = 16
"""Of the API's 64 requests at once: strangers with made-up keys must not hold up those whose keys are known."""
_TRN = re.compile(r"trn:[A-Za-z0-9_+=,.@:/-]{1,250}")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose keys they are: the account's number, and the identity in it; empty where STS gave none that can be shown."""

    account: str
    trn: str = ""


def api_of(workspace: Workspace) -> VolcengineApi:
    """The API that callers' keys are asked about."""
    broker = workspace.broker(CLOUD)
    assert isinstance(broker, VolcengineBroker)  # noqa: S101 - of this project's own cloud
    return broker.api


class KeyOwners:
    """Asks STS once for each distinct keys, whoever waits. One a process, for its event loop."""

    def __init__(
        self,
        api: VolcengineApi,
        *,
        deadline: float,
        most: int = 10_000,
        max_waiting: int = 1_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`deadline`: seconds that asking may take, waiting for its turn and repeats included. `most`: owners that are kept;
        `max_waiting`: keys whose owner is being asked for."""
        self._api = api
        self._turns = PacedRequests(deadline=deadline)
        self._clock = clock
        self._known: LruCache[str, tuple[Owner, float]] = LruCache(most)
        self._max_waiting = max_waiting
        self._asking: SingleFlight[str, Owner] = SingleFlight()
        self._at_once = anyio.Semaphore(_AT_ONCE)

    def __len__(self) -> int:
        """Of how many keys the owner is kept."""
        return len(self._known)

    def known(self, credentials: Credentials) -> Owner | None:
        """Their owner, where it was asked for in the last five minutes."""
        kept = self._known.get(fingerprint(credentials))
        return kept[0] if kept and self._clock() < kept[1] else None

    async def owner(self, credentials: Credentials) -> Owner:
        """Their owner, asked for once for all who wait. A failure is not kept, and who was known before does not wait behind
        strangers.

        Raises CredentialsError, CloudError (AccessDenied where STS may not be asked), LimitReached.
        """
        if known := self.known(credentials):
            return known
        key = fingerprint(credentials)
        if key not in self._asking and self._known.get(key) is None and len(self._asking) >= self._max_waiting:
            raise LimitReached("too many new callers at once", retry_after=2, hint="Ask again in 2 s.")
        return await self._asking.run(key, lambda: self._ask(key, credentials))

    async def _ask(self, key: str, credentials: Credentials) -> Owner:
        turn = self._at_once if self._known.get(key) is None else nullcontext()
        asked = RequestInfo(OF_REQUEST_KEYS, self._api.region, str(GET_CALLER_IDENTITY), SEND_VALID_KEYS)

        async def ask() -> dict[str, object]:
            async with turn:
                with upstream(CLOUD, asked.action, "", asked.region) as request:
                    return await self._api.call(GET_CALLER_IDENTITY, {}, credentials, asked, request)

        try:
            answer = await self._turns.take(GET_CALLER_IDENTITY, ask, asked, key)
        except AccessDenied as error:
            error.hint = f"Allow {asked.action} to these keys: without it nobody can tell whose account they are of."
            raise
        owner = _owner(answer)
        self._known.put(key, (owner, self._clock() + _KNOWN_SECONDS))
        return owner


def _owner(answer: dict[str, object]) -> Owner:
    account, trn = account_of_identity(answer), answer.get("Trn")
    return Owner(account, trn if isinstance(trn, str) and _TRN.fullmatch(trn) else "")


class RequestWorkspace:
    """What `ScopedWorkspace` asks of a workspace, for the keys of one request. Make one for each message."""

    def __init__(self, workspace: Workspace, owners: KeyOwners, credentials: Credentials | None) -> None:
        """`credentials`: None where a message came without any; then there is nothing."""
        self._workspace = workspace
        self._owners = owners
        self._credentials = credentials
        self._listed: AccountList | None = None

    @property
    def settings(self) -> Settings:
        return self._workspace.settings

    @property
    def owner(self) -> Owner | None:
        """Whose keys they are, where that is known by now."""
        return self._owners.known(self._credentials) if self._credentials else None

    async def listed(self) -> AccountList:
        """The one account. Raises what KeyOwners does."""
        if self._listed is None:
            if self._credentials is None:
                raise CredentialsError("this request carries no keys", hint=SEND_VALID_KEYS)
            auth = _auth(self._credentials)  # before anything is sent: an id with a comma would say more than an id
            owner = await self._owners.owner(self._credentials)
            auth = auth.model_copy(update={"owner": owner.account})
            self._listed = AccountList(Registry([Account(id=owner.account, cloud=CLOUD, auth=auth)]))
        return self._listed

    async def held(self) -> tuple[()]:
        """Nothing: the lake is the server's."""
        return ()

    async def lake_snapshot(self) -> tuple[str, int | None]:
        """None: the lake is the server's."""
        return "", None

    async def regions_held(self, accounts: Sequence[Account]) -> list[tuple[Account, Mapping[str, Days]]]:
        """None, as nothing is held of any."""
        return []

    async def log_facts(self, accounts: Sequence[Account], most: int) -> dict[AccountKey, dict[str, LogFacts]]:
        """None, as nothing is held of any."""
        return {}

    async def proofs_of(self, accounts: Sequence[Account]) -> dict[AccountKey, Proofs]:
        """None, as nothing is held of any."""
        return {}

    def usual_regions(self, account: Account) -> tuple[str, ...]:
        """None are told: nothing is held of any."""
        return ()

    async def targets_of(self, accounts: Sequence[Account], region: str, *, start: int = 0) -> Chosen:
        """Of the one account. Raises CredentialsError for any other, InvalidRequest."""
        for account in accounts:
            if not isinstance(account.auth, RequestKeys):
                raise CredentialsError(f"account {account.name} is not that {OF_REQUEST_KEYS}")
        return await self._workspace.targets_of(accounts, region, start=start)

    def with_stores(self, accounts: Sequence[Account]) -> list[Account]:
        """None: the SQL of stores is not there for request keys."""
        return []

    def engine(self, name: str = "") -> QueryEngine:
        """Raises InvalidRequest: there is none."""
        _no_engine()

    def lake_engine(self) -> LakeEngine:
        """Raises InvalidRequest: there is none."""
        _no_engine()

    async def engine_for(self, sql: str, scope: QueryScope, name: str = "") -> QueryEngine:
        """Raises InvalidRequest: there is none."""
        _no_engine()

    async def collect_on_demand(self, sql: str, scope: QueryScope) -> None:
        """Nothing: the lake is the server's."""


def _auth(credentials: Credentials) -> RequestKeys:
    try:
        return RequestKeys(
            owner="",  # not known yet: no account takes them so
            access_key_id=credentials.access_key_id,
            secret_access_key=credentials.secret_access_key,
            session_token=credentials.session_token,
        )
    except ValidationError:
        raise CredentialsError("AccessKeyId is not what an access key id looks like", hint=SEND_VALID_KEYS) from None


def _no_engine() -> NoReturn:
    raise InvalidRequest(
        "there is no lake and no SQL for callers who bring their own keys", hint=f"Use {words().lookup}."
    )
