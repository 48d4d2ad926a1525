"""The engines that settings describe, each with its limits and the place of its results.

Decides nothing: limits, secrets and names are the settings'; results of all engines lie in one store, under its quotas.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from crosstrail.lake import require_libraries
from crosstrail.settings.config import Settings

if TYPE_CHECKING:
    from crosstrail.engines.duckdb import LakeEngine
    from crosstrail.engines.results import Quota
    from crosstrail.engines.trino import TrinoEngine
    from crosstrail.lake.warehouse import LakeCatalog

LAKE_ENGINE = "lake"
TRINO_ENGINE = "trino"


def embedded_engine(settings: Settings, catalog: Callable[[], LakeCatalog], as_of: datetime | None) -> LakeEngine:
    """Raises LakeError where its libraries are not installed, ConfigError."""
    require_libraries()
    from crosstrail.engines.duckdb import LakeEngine, QueryLimits

    lake, query = settings.lake, settings.query
    return LakeEngine(
        lake.folder,
        catalog=catalog,
        as_of=as_of,
        limits=QueryLimits(seconds=query.time_limit, memory=query.memory_limit),
        result_seconds=query.keep_results,
        results=query.results_of(lake.folder),
        quota=_quota(settings),
    )


def trino_engine(settings: Settings) -> TrinoEngine:
    """Raises ConfigError where no cluster is configured, LakeError where its libraries are not installed."""
    access = settings.trino.access()
    require_libraries()
    from crosstrail.engines.remote_runs import RemoteLimits
    from crosstrail.engines.results import ResultStore
    from crosstrail.engines.trino import TrinoEngine

    query = settings.query
    folder = query.results_of(settings.lake.folder)
    store = ResultStore(folder, result_seconds=query.keep_results, quota=_quota(settings))
    return TrinoEngine(access, store, limits=RemoteLimits(seconds=settings.trino.time_limit))


def _quota(settings: Settings) -> Quota:
    from crosstrail.engines.duckdb import bytes_of
    from crosstrail.engines.results import Quota

    return Quota(bytes_of(settings.query.results_per_caller), bytes_of(settings.query.results_total))
