"""The estate: the accounts, trails and engines that one Settings describes, put together once a process.

Both front ends (server and command line) speak to this. It decides which trail and which engine answers for an account;
it never renders, and never decides who may see what.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

import anyio.to_thread

from crosstrail.accounts.directory import AccountList, Directory
from crosstrail.accounts.listing import AccountSource, Listing
from crosstrail.accounts.registry import EVERY_ACCOUNT, Registry
from crosstrail.clouds.base import AuditTrail
from crosstrail.config import Settings
from crosstrail.engines.base import QueryEngine, QueryScope
from crosstrail.errors import CrosstrailError, InvalidRequest
from crosstrail.lake import require_libraries
from crosstrail.models import Account, Target

if TYPE_CHECKING:
    from crosstrail.accounts.database import AccountDatabase
    from crosstrail.engines.duckdb import LakeEngine
    from crosstrail.lake.table import AccountSummary, LakeTable

LAKE_ENGINE = "lake"
MOST_TARGETS = 200


class Estate:
    """Open one, share it between all calls, `aclose` it at the end."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        Registry(settings.accounts)  # names given twice are refused at once, not at the first call
        self._engine: LakeEngine | None = None
        self._lake: LakeTable | None = None
        self._opening = threading.Lock()

    async def listed(self) -> AccountList:
        """The accounts of all sources, with warnings; where none is configured, those whose events the lake holds."""
        if self._directory:
            return await self._directory.listed()
        held = await self.held()
        return AccountList(Registry(Account(id=summary.account, cloud=summary.cloud) for summary in held))

    @cached_property
    def _directory(self) -> Directory | None:
        return _directory(self.settings)

    async def registry(self) -> Registry:
        return (await self.listed()).registry

    async def held(self) -> tuple[AccountSummary, ...]:
        """What the lake holds of each account; nothing when there is no lake yet."""

        def read() -> tuple[AccountSummary, ...]:
            return self.lake.accounts() if self.settings.lake.exists() else ()

        return await anyio.to_thread.run_sync(read)

    async def targets(self, selector: str, region: str) -> tuple[Target, ...]:
        """Every (account, region) the two selectors name. Raises AccountNotFound, InvalidRequest."""
        regions = tuple(part.strip() for part in region.split(",") if part.strip())
        accounts = (await self.registry()).select(selector)
        targets: list[Target] = []
        for account in accounts:
            if not regions or regions in (("all",), ("*",)):
                targets.append(Target(account))
            else:
                targets += [Target(account, name) for name in dict.fromkeys(regions)]
        if len(targets) > MOST_TARGETS:
            raise InvalidRequest(
                f"{len(targets)} targets are more than the {MOST_TARGETS} that one call may ask",
                hint="Name fewer accounts or regions, or use lake_query, which reads all accounts at once.",
            )
        return tuple(targets)

    async def scope(self, selector: str) -> QueryScope:
        """What SQL may read: the selected accounts, or every listed one when the selector is empty.

        Raises AccountNotFound, also when no account is listed at all: an answer about nothing would look like one.
        """
        accounts = (await self.registry()).select(selector.strip() or EVERY_ACCOUNT)
        return QueryScope(accounts, self.settings.lake.aliases)

    @property
    def lake(self) -> LakeTable:
        """Opened by the first thread that asks. Raises LakeError."""
        with self._opening:
            if self._lake is None:
                require_libraries()
                from crosstrail.lake.table import LakeTable

                self._lake = LakeTable.open(self.settings.lake.folder, catalog=self.settings.lake.catalog)
            return self._lake

    @cached_property
    def _lake_trail(self) -> AuditTrail:
        from crosstrail.lake.trail import LakeTrail

        return LakeTrail(self.lake)

    def trail_of(self, account: Account) -> AuditTrail:
        """The trail that answers lookups for this account."""
        return self._lake_trail

    async def open_trails(self, targets: Iterable[Target]) -> None:
        """Open what answers for these targets off the event loop: the first time loads libraries and the lake.

        One that cannot be opened is left for its own lookup to report.
        """

        def open_each() -> None:
            for account in {target.account for target in targets}:
                with suppress(CrosstrailError):
                    self.trail_of(account)

        await anyio.to_thread.run_sync(open_each)

    def engine(self) -> QueryEngine:
        """The engine that runs SQL over the lake."""
        if self._engine is None:
            require_libraries()
            from crosstrail.engines.duckdb import LakeEngine, Limits

            lake, query = self.settings.lake, self.settings.query
            limits = Limits(seconds=query.time_limit, memory=query.memory_limit)
            self._engine = LakeEngine(lake.folder, catalog=lake.catalog, limits=limits, kept_seconds=query.keep_results)
        return self._engine

    async def aclose(self) -> None:
        """Stop the queries that still run. A call after this starts an engine anew."""
        engine, self._engine = self._engine, None
        if engine:
            await engine.aclose()


def account_database(settings: Settings) -> AccountDatabase | None:
    """The database that lists accounts, where one is configured. Raises ConfigError for an address nobody can read."""
    database = settings.database
    if not (database.url.get_secret_value() or database.secret_name):
        return None
    from crosstrail.accounts.database import AccountDatabase

    if database.secret_name:
        return AccountDatabase.of_secret(database.secret_name, settings.region)
    return AccountDatabase.at(database.url.get_secret_value())


def _directory(settings: Settings) -> Directory | None:
    """Every configured source of accounts; None when there is none at all."""
    fixed = [Listing("crosstrail.yaml", settings.accounts)] if settings.accounts else []
    sources: list[AccountSource] = []
    if database := account_database(settings):
        sources.append(database)
    if settings.organization.role_name:
        from crosstrail.accounts.organizations import Organization

        chosen = settings.organization
        sources.append(Organization(chosen.role_name, chosen.external_id, settings.region))
    if settings.profiles:
        from crosstrail.accounts.profiles import Profiles

        sources.append(Profiles(settings.profiles))
    if not fixed and not sources:
        return None
    return Directory(fixed, sources, refresh=settings.refresh_accounts, keep=settings.keep_accounts)
