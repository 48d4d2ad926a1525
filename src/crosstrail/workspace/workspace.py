"""The workspace: the accounts, trails and engines that one Settings describes, put together once a process.

It decides which trail answers for an account, and which engine runs a statement; it never renders, and never decides who
may see what: both front ends (server and command line) reach it through scoped.py.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, cast

import anyio.to_thread

from crosstrail.accounts.broker import MAX_ACCOUNTS, AnyBroker
from crosstrail.accounts.directory import AccountList, Directory
from crosstrail.accounts.policy import AccessRule
from crosstrail.accounts.registry import Registry
from crosstrail.clouds.aws.broker import AwsBroker
from crosstrail.clouds.aws.calls import CloudTrailCalls
from crosstrail.clouds.base import AuditTrail, OpenOptions, cloud_of, clouds
from crosstrail.coverage import Days, LogFacts, Proofs
from crosstrail.engines.base import QueryEngine, QueryScope
from crosstrail.engines.cloudtrail_lake import CloudTrailLake
from crosstrail.engines.statement import store_ids
from crosstrail.errors import CrosstrailError, InvalidRequest, UnsupportedByCloud
from crosstrail.lake import missing_libraries, require_libraries
from crosstrail.lookup.collected import Collected
from crosstrail.lookup.targets import Chosen, OpenTrail, choose
from crosstrail.models import Account, AccountKey, QueryRef
from crosstrail.settings.config import Settings
from crosstrail.store_ids import ALL_STORES_ID
from crosstrail.workspace import lake_coverage
from crosstrail.workspace.account_sources import all_regions, directory_of
from crosstrail.workspace.on_demand import OnDemand, OnDemandCollection
from crosstrail.workspace.query_engines import ELSEWHERE, LAKE_ENGINE, embedded_engine, engine_elsewhere, usual_engine

if TYPE_CHECKING:
    from crosstrail.engines.duckdb import LakeEngine
    from crosstrail.lake.snapshot import AccountSummary
    from crosstrail.lake.table import LakeTable
    from crosstrail.lake.warehouse import LakeCatalog
    from crosstrail.workspace.query_engines import EngineElsewhere

_LAKE_TRAIL = ""
"""Stands where a cloud's name does, for accounts without credentials: the lake answers for them."""
_READ_SECONDS = 15.0
_IDENTITY_SECONDS, _IDENTITY_SHARE = 30.0, 0.8
"""The least of both: an identity without an answer is named before the lookup that waits for it is given up."""
"""For one answer of a live account: it leaves room for a second try before clients give up."""


class Workspace:
    """Open one, share it between all calls, `aclose` it at the end."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        Registry(settings.accounts)  # names given twice are refused at once, not at the first call
        self._engine: LakeEngine | None = None
        self._elsewhere: dict[str, EngineElsewhere] = {}
        self._lake: LakeTable | None = None
        self._trails: dict[str, AuditTrail] = {}
        self._opening = threading.RLock()
        self._catalog: LakeCatalog | None = None
        self._held = ExitStack()
        self._brokers: dict[str, AnyBroker] = {}

    @cached_property
    def as_of(self) -> datetime | None:
        """When everything is answered as the lake was then, and no live account is asked. Raises BadTimeRange."""
        return self.settings.lake.moment(datetime.now(UTC))

    async def listed(self) -> AccountList:
        """The accounts of all sources, with warnings; as of another time without credentials: the lake answers for all.

        Where none is configured: those whose events the lake holds, and those of the machine's own identities.
        """
        found = await self._listed()
        return found.without_credentials() if self.as_of else found

    async def _listed(self) -> AccountList:
        if self._directory:
            return await self._directory.listed()
        held = [Account(id=summary.account, cloud=summary.cloud) for summary in await self.held()]
        own: dict[AccountKey, Account] = {}
        failures: list[tuple[str, CrosstrailError]] = []
        for name, directory in self._ambient.items():
            try:
                own |= {account.key: account for account in (await directory.listed()).registry.accounts}
            except CrosstrailError as error:
                failures.append((name, error))
        if failures and not held and not own:
            raise failures[0][1]
        warnings = tuple(f"the account of {name} is left out: {error.text}" for name, error in failures)
        return AccountList(Registry([*own.values(), *(one for one in held if one.key not in own)]), warnings)

    async def access_rules(self) -> tuple[AccessRule, ...]:
        """Every access rule there is: those of the settings, and those of sources. Raises what a source raises."""
        return self.settings.access + ((await self._directory.listed()).rules if self._directory else ())

    @cached_property
    def _directory(self) -> Directory | None:
        return directory_of(self.settings)

    @cached_property
    def _ambient(self) -> Mapping[str, Directory]:
        """By what the identity is called; each fails by itself."""
        found = [
            cloud.ambient(group, self.broker(cloud.name))
            for cloud in clouds()
            if cloud.ambient and (group := self.settings.of_cloud(cloud.name)).ambient
        ]
        return {source.name: Directory([], [source]) for source in found}

    async def held(self) -> tuple[AccountSummary, ...]:
        """What the lake holds of each account; nothing when there is no lake yet."""

        if self._lake is None and not self.settings.lake.exists():
            return ()  # without the way to a thread and back, which is a tenth of such a call

        def read() -> tuple[AccountSummary, ...]:
            return self.lake.accounts() if self.settings.lake.exists() else ()

        return await anyio.to_thread.run_sync(read)

    async def lake_snapshot(self) -> tuple[str, int | None]:
        """The ids of the lake's table and of its newest snapshot; nothing where there is no lake yet."""

        def read() -> tuple[str, int | None]:
            return (self.lake.uuid, self.lake.snapshot().id) if self.settings.lake.exists() else ("", None)

        return await anyio.to_thread.run_sync(read)

    async def regions_held(self, accounts: Sequence[Account]) -> list[tuple[Account, Mapping[str, Days]]]:
        """For each account, which days hold events of each region.

        Silent about an account of which more files would have to be read for it than one call may spend.
        """

        def read() -> list[tuple[Account, Mapping[str, Days]]]:
            from crosstrail.lake.regions import MAX_READ, days_by_region, unknown

            found: list[tuple[Account, Mapping[str, Days]]] = []
            left = MAX_READ
            for account in accounts:
                files = self.lake.files([account.key])
                left -= unknown(files)
                if left < 0 or not self.lake.has_here(files):
                    break
                found.append((account, days_by_region(files)))
            return found

        return await anyio.to_thread.run_sync(read) if accounts and self.settings.lake.exists() else []

    async def log_facts(self, accounts: Sequence[Account], most: int) -> dict[AccountKey, dict[str, LogFacts]]:
        """What the lake knows of each region of these accounts; see lake_coverage.py. Raises LakeError."""
        return await lake_coverage.log_facts(self.settings.lake, lambda: self.lake, accounts, most)

    async def proofs_of(self, accounts: Sequence[Account]) -> dict[AccountKey, Proofs]:
        """What it knows of them beside their events. Raises LakeError."""
        return await lake_coverage.proofs_of(self.settings.lake, lambda: self.lake, accounts)

    def usual_regions(self, account: Account) -> tuple[str, ...]:
        """Those that the account lists, or that every account of its cloud has."""
        return lake_coverage.usual_regions(account)

    async def targets_of(self, accounts: Sequence[Account], region: str, *, start: int = 0) -> Chosen:
        """The (account, region) pairs that a region selector names of these accounts, a block of them from `start` on.

        Raises InvalidRequest.
        """
        most = self.settings.lookup.max_targets
        return await choose(
            accounts,
            region,
            self.home_region,
            self._is_regionless,
            self._opener(),
            most=most,
            start=start,
            known=self._known_regions,
            elsewhere=all_regions,
            collected=self._collected if self.settings.lake.exists() else None,
        )

    @cached_property
    def _collected(self) -> Collected:
        return Collected(lambda: self.lake, self.settings.lake.keeping(self.settings.accounts))

    async def _known_regions(self, account: Account, region: str) -> frozenset[str] | None:
        """Of the account's cloud; where that has no such region, those that the lake holds of an archive as well."""
        try:
            cloud = cloud_of(account.cloud)
        except UnsupportedByCloud:
            return None
        if cloud.known_regions is None:
            return None
        home = await self.home_region(account) if account.auth else ""
        own = home or getattr(self.settings.of_cloud(account.cloud), "region", "")
        names = cloud.known_regions(home) | ({own} - {""})
        if region in names or account.auth or not self.settings.lake.exists():
            return names
        held = await anyio.to_thread.run_sync(self._regions_held, account)
        return None if held is None else names | held

    def _regions_held(self, account: Account) -> frozenset[str] | None:
        """None where that takes too long or a file cannot be read: the lookup itself says what it found there."""
        from crosstrail.lake.regions import MAX_READ, days_by_region, unknown

        files = self.lake.files([account.key])
        if unknown(files) > MAX_READ or not self.lake.has_here(files):
            return None
        with suppress(OSError):
            return frozenset(days_by_region(files))
        return None

    def _is_regionless(self, account: Account) -> bool:
        """Of a cloud that is not installed too: then its one target says so."""
        try:
            return not account.auth or cloud_of(account.cloud).regionless
        except UnsupportedByCloud:
            return True

    async def home_region(self, account: Account) -> str:
        """The region asked when a call names none."""
        if account.region or account.regions:
            return account.region or account.regions[0]
        try:
            return await self.broker(account.cloud).home_region(account)
        except UnsupportedByCloud:
            return ""  # its target says so

    def answers_sql(self) -> bool:
        """Whether anything here could answer SQL: the embedded lake, or event data stores of live accounts.

        Accounts of a database, an organization, profiles or the machine's own identity come later: they might have stores.
        """
        settings = self.settings
        database = settings.database
        if not missing_libraries() or settings.ambient or settings.profiles or settings.organization.role_name:
            return True
        if database.secret_name or database.url.get_secret_value():
            return True
        return bool(self.with_stores(settings.accounts))

    def with_stores(self, accounts: Sequence[Account]) -> list[Account]:
        """Those of the accounts that are live and whose own cloud keeps events in stores."""
        having = {cloud.name for cloud in clouds() if cloud.event_data_stores}
        return [account for account in accounts if account.auth and account.cloud in having]

    @property
    def lake(self) -> LakeTable:
        """Opened by the first thread that asks. Raises LakeError."""
        with self._opening:
            if self._lake is None:
                require_libraries()
                from crosstrail.lake.table import LakeTable

                self._lake = LakeTable.open(self.settings.lake.folder, catalog=self.lake_catalog, as_of=self.as_of)
            return self._lake

    @property
    def lake_catalog(self) -> LakeCatalog:
        """Opened, in a thread, by the first who asks. Raises InvalidRequest, AccountNotFound, ConfigError."""
        from crosstrail.workspace.catalog_access import catalog_of

        with self._opening:
            if self._catalog is None:
                self._catalog = self._held.enter_context(catalog_of(self.settings, Workspace))
            return self._catalog

    def broker(self, cloud: str) -> AnyBroker:
        """What has the credentials of that cloud's accounts. Raises UnsupportedByCloud.

        Asked on the event loop, so it waits for nobody: of two that open at once one is dropped, before it asked anything.
        """
        if cloud not in self._brokers:
            options = OpenOptions(
                self.settings.encryption_key,
                max_accounts=max(MAX_ACCOUNTS, 2 * self.settings.lookup.max_targets),
                read_timeout=_READ_SECONDS,
                identity_timeout=min(_IDENTITY_SECONDS, _IDENTITY_SHARE * self.settings.lookup.deadline),
            )
            self._brokers.setdefault(cloud, cloud_of(cloud).open(self.settings.of_cloud(cloud), options))
        return self._brokers[cloud]

    def _opener(self) -> OpenTrail:
        """For one call: a trail that cannot be opened is tried once, not once for each of a thousand accounts."""
        failed: dict[str, CrosstrailError] = {}

        async def opened(account: Account) -> AuditTrail | CrosstrailError:
            name = account.cloud if account.auth else _LAKE_TRAIL
            if found := self._trails.get(name) or failed.get(name):
                return found
            try:
                return await anyio.to_thread.run_sync(self._open_trail, name)
            except CrosstrailError as error:
                return failed.setdefault(name, error)

        return opened

    def _open_trail(self, name: str) -> AuditTrail:
        """The trail of a cloud, or of the lake; in a thread, since the first time loads libraries. Raises UnsupportedByCloud,
        LakeError."""
        if name == _LAKE_TRAIL:
            from crosstrail.lake.lake_trail import LakeTrail

            return self._trails.setdefault(name, LakeTrail(self.lake))
        trail = cloud_of(name).open_trail(self.broker(name), self.settings.lookup.deadline)
        return self._trails.setdefault(name, trail)

    def engine(self, name: str = "") -> QueryEngine:
        """An engine by its name; without one, the lake. Raises InvalidRequest."""
        if name == CloudTrailLake.name and not self.as_of:
            return self._cloudtrail_lake
        if name in ELSEWHERE and not self.as_of:
            if name not in self._elsewhere:
                self._elsewhere[name] = engine_elsewhere(name, self.settings, Workspace)
            return self._elsewhere[name]
        if name not in ("", LAKE_ENGINE):
            others = (CloudTrailLake.name, *ELSEWHERE)
            if name in others:
                raise InvalidRequest(
                    f"the engine {name} knows nothing of how the lake was",
                    hint=f"Take engine {LAKE_ENGINE}, or ask without --as-of (lake.as_of).",
                )
            known = ", ".join((LAKE_ENGINE, *others))
            raise InvalidRequest(f"there is no engine {name[:40]!r}", hint=f"Engines: {known}.")
        return self.lake_engine()

    def lake_engine(self) -> LakeEngine:
        """The embedded one, which alone can make files of original records."""
        self._engine = self._engine or embedded_engine(self.settings, lambda: self.lake_catalog, self.as_of)
        return self._engine

    async def collect_on_demand(self, sql: str, scope: QueryScope) -> OnDemandCollection | None:
        """What the statement is about to read of live accounts: see on_demand.py."""
        return await self._on_demand.collect(sql, scope)

    @cached_property
    def _on_demand(self) -> OnDemand:
        return OnDemand(
            self.settings.lake,
            lambda: cast("LakeEngine", self.engine()),
            self.targets_of,
            lambda: self.lake_catalog,
            self.settings.lake.keeping(self.settings.accounts),
        )

    def query_ended(self, query_id: str) -> bool:
        """Whether a query of the lake has ended, on whichever process; False for what cannot be told at once."""
        ref = QueryRef.parse(query_id)
        with suppress(CrosstrailError):
            if ref and ref.engine in (LAKE_ENGINE, *ELSEWHERE):
                return cast("LakeEngine | EngineElsewhere", self.engine(ref.engine)).has_ended(ref.native_id)
        return False

    async def engine_for(self, sql: str, scope: QueryScope, name: str = "") -> QueryEngine:
        """The engine by its name, or that of the statement: a store that CloudTrail Lake has, else the usual one.

        A store id that nothing here knows is looked for in the live accounts of the scope.
        """
        if name:
            return self.engine(name)
        if self.as_of:
            return self.engine()
        own = {ALL_STORES_ID, *scope.store_aliases, *(account.store_id for account in scope.accounts)}
        if set(store_ids(sql)) - {store.lower() for store in own} and await self._cloudtrail_lake.owner_of(sql, scope):
            return self._cloudtrail_lake
        return self.engine(usual_engine(self.settings))

    @cached_property
    def _cloudtrail_lake(self) -> CloudTrailLake:
        broker = self.broker(CloudTrailLake.cloud)
        assert isinstance(broker, AwsBroker)  # noqa: S101 - of this project's own cloud
        return CloudTrailLake(CloudTrailCalls(broker, deadline=self.settings.lookup.deadline))

    async def aclose(self) -> None:
        """Stop the queries that still run and let go of the lake. A call after this opens anew."""
        engine, self._engine = self._engine, None
        elsewhere, self._elsewhere = self._elsewhere, {}
        for each in (*filter(None, [engine]), *elsewhere.values()):
            await each.aclose()
        self._trails.pop(_LAKE_TRAIL, None)
        lake, self._lake = self._lake, None
        if lake:
            await anyio.to_thread.run_sync(lake.close)
        if self._catalog:
            self._catalog = None
            await anyio.to_thread.run_sync(self._held.close)
        for broker in tuple(self._brokers.values()):
            await broker.aclose()
