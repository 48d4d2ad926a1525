"""The engines that settings describe, each with its limits and the place of its results, and which of them runs a statement.

Decides nothing else: limits, secrets and names are the settings'; results of all engines lie in one store, under its quotas.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol

from crosstrail.engines.base import QueryEngine
from crosstrail.lake import require_libraries
from crosstrail.settings.athena_settings import AthenaSettings
from crosstrail.settings.config import Settings

if TYPE_CHECKING:
    from crosstrail.engines.athena import AthenaEngine
    from crosstrail.engines.duckdb import LakeEngine
    from crosstrail.engines.results import Quota, ResultStore
    from crosstrail.engines.trino import TrinoEngine
    from crosstrail.lake.warehouse import LakeCatalog
    from crosstrail.workspace.bucket_access import WorkspaceAccounts

LAKE_ENGINE = "lake"
TRINO_ENGINE, ATHENA_ENGINE = "trino", "athena"
ELSEWHERE = (TRINO_ENGINE, ATHENA_ENGINE)
"""Engines that other machines are."""


class EngineElsewhere(QueryEngine, Protocol):
    """A QueryEngine whose results are kept here."""

    def has_ended(self, native_id: str) -> bool: ...

    async def aclose(self) -> None: ...


def engine_elsewhere(name: str, settings: Settings, opened: Callable[[Settings], WorkspaceAccounts]) -> EngineElsewhere:
    """One of ELSEWHERE, which asks nothing yet. Raises ConfigError, LakeError."""
    return trino_engine(settings) if name == TRINO_ENGINE else athena_engine(settings, opened)


def elsewhere(settings: Settings) -> tuple[str, ...]:
    """The engines that are configured besides the embedded one."""
    found = {TRINO_ENGINE: bool(settings.trino.url), ATHENA_ENGINE: settings.athena != AthenaSettings()}
    return tuple(name for name in ELSEWHERE if found[name])


def usual_engine(settings: Settings) -> str:
    """Of a statement that names none: the embedded one, unless the lake's files are in a bucket or there is no lake; then one
    that is configured."""
    if settings.query.engine:
        return settings.query.engine
    if settings.lake.warehouse or not settings.lake.exists():
        return next(iter(elsewhere(settings)), LAKE_ENGINE)
    return LAKE_ENGINE


def time_limit(settings: Settings, engine: str) -> float:
    """Seconds that a query of it may run, for who waits for one."""
    limits = {TRINO_ENGINE: settings.trino.time_limit, ATHENA_ENGINE: settings.athena.time_limit}
    return limits.get(engine, settings.query.time_limit)


def embedded_engine(settings: Settings, catalog: Callable[[], LakeCatalog], as_of: datetime | None) -> LakeEngine:
    """Raises LakeError where its libraries are not installed, ConfigError."""
    require_libraries()
    from crosstrail.engines.duckdb import LakeEngine, QueryLimits

    lake, query = settings.lake, settings.query
    return LakeEngine(
        lake.folder,
        catalog=catalog,
        as_of=as_of,
        limits=QueryLimits(seconds=query.time_limit, memory=query.memory_limit, scanned_bytes=lake.max_scan_bytes),
        elsewhere=elsewhere(settings),
        result_seconds=query.keep_results,
        results=query.results_of(lake.folder),
        quota=_quota(settings),
        trino_version=query.trino_version,
    )


def trino_engine(settings: Settings) -> TrinoEngine:
    """Raises ConfigError where no cluster is configured, LakeError where its libraries are not installed."""
    access = settings.trino.access()
    require_libraries()
    from crosstrail.engines.remote_runs import RemoteLimits
    from crosstrail.engines.trino import TrinoEngine

    return TrinoEngine(access, _store(settings), limits=RemoteLimits(seconds=settings.trino.time_limit))


def athena_engine(settings: Settings, opened: Callable[[Settings], WorkspaceAccounts]) -> AthenaEngine:
    """`opened` makes a workspace, for the account that pays and its credentials. Raises LakeError where its libraries are not installed."""
    require_libraries()
    from crosstrail.engines.athena import AthenaEngine, AthenaTable
    from crosstrail.engines.remote_runs import RemoteLimits
    from crosstrail.workspace.athena_access import athena_access, place_of

    athena = settings.athena
    return AthenaEngine(
        partial(athena_access, settings, opened),
        AthenaTable(place_of(settings), athena.view, by_day=athena.source == "logs", late_days=athena.late_days),
        _store(settings),
        price_per_tb=athena.price_per_tb,
        limits=RemoteLimits(seconds=athena.time_limit),
    )


def _store(settings: Settings) -> ResultStore:
    from crosstrail.engines.results import ResultStore

    query = settings.query
    folder = query.results_of(settings.lake.folder)
    return ResultStore(folder, result_seconds=query.keep_results, quota=_quota(settings))


def _quota(settings: Settings) -> Quota:
    from crosstrail.engines.jobs import bytes_of
    from crosstrail.engines.results import Quota

    return Quota(bytes_of(settings.query.results_per_caller), bytes_of(settings.query.results_total))
