"""Settings of the embedded lake and of SQL on it: where it lies, what a query may take.

Decides nothing beyond defaults and bounds. It opens no lake.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr

from crosstrail.account_forms import account_forms
from crosstrail.errors import BadTimeRange, ConfigError
from crosstrail.lake.catalog import has_lake
from crosstrail.lake.keeping import FOREVER, Keeping
from crosstrail.models import Account
from crosstrail.settings_group import SettingsGroup, option
from crosstrail.text import clean
from crosstrail.timerange import iso, parse_time
from crosstrail.user_folders import cache_folder, data_folder, expanded

_AGE = r"^([1-9][0-9]{0,4}[dwMy])?$"
_AGE_OR_FOREVER = r"^([1-9][0-9]{0,4}[dwMy]|forever)$"
_LEAST_HOURS = 2
"""A query may run for an hour."""


def _bytes_of(size: str) -> int:
    return int(size[:-2]) * {"MB": 10**6, "GB": 10**9, "TB": 10**12}[size[-2:]]


class LakeSettings(SettingsGroup):
    """The embedded lake."""

    path: str = option("", "CROSSTRAIL_LAKE", "Folder of the lake. Empty: the user's data folder.", flag="--lake")
    catalog: str = option(
        "",
        "CROSSTRAIL_LAKE_CATALOG",
        "Iceberg catalog instead of the SQLite one in the folder: postgresql+psycopg://..., `glue`, a REST catalog's https "
        "address (also of S3 Tables), or a name in PyIceberg's own configuration.",
    )
    warehouse: str = option(
        "",
        "CROSSTRAIL_LAKE_WAREHOUSE",
        "Where a new table's files go: s3://bucket/prefix, or what a REST catalog calls it. Empty: the lake's folder.",
    )
    account: str = option(
        "",
        "CROSSTRAIL_LAKE_ACCOUNT",
        "Account whose credentials open the warehouse's bucket and AWS's catalogs. Empty: the machine's own identity.",
    )
    region: str = option("", "CROSSTRAIL_LAKE_REGION", "Region of that bucket and catalog. Empty: the account's own.")
    catalog_token: SecretStr = option(SecretStr(""), "CROSSTRAIL_LAKE_CATALOG_TOKEN", "Bearer token of a REST catalog.")
    signing_name: str = option(
        "",
        "CROSSTRAIL_LAKE_SIGNING_NAME",
        "Service that requests to a REST catalog are signed for (SigV4). Empty: told by the address of AWS's own.",
        pattern=r"^[a-z0-9-]{0,40}$",
    )
    cache: str = option(
        "20GB",
        "CROSSTRAIL_LAKE_CACHE",
        "Disk that data files of a warehouse in a bucket may take in the lake's folder.",
        pattern=r"^[0-9]+(MB|GB)$",
    )
    max_scan: str = option(
        "100GB",
        "CROSSTRAIL_LAKE_MAX_SCAN",
        "Bytes of data files that one statement of the embedded engine may read; it refuses more before it starts.",
        pattern=r"^[0-9]+(MB|GB|TB)$",
    )
    aliases: Mapping[str, str] = option(
        {}, "", "Event data store ids of elsewhere that SQL may name: id -> an account's id or alias, or `all`."
    )

    bucket_account: str = option(
        "",
        "CROSSTRAIL_BUCKET_ACCOUNT",
        "Account whose credentials open buckets of log files. Empty: the machine's own identity.",
    )
    bucket_region: str = option(
        "", "CROSSTRAIL_BUCKET_REGION", "Region of the buckets of log files. Empty: the one that the cloud names."
    )
    requester_pays: bool = option(
        False, "CROSSTRAIL_REQUESTER_PAYS", "Whether to pay for requests to buckets whose owner does not."
    )
    collect_on_demand: bool = option(
        False,
        "CROSSTRAIL_LAKE_COLLECT_ON_DEMAND",
        "Collect what SQL is about to read of live accounts first, from LookupEvents: a question then writes into the lake.",
    )
    on_demand_requests: int = option(
        100,
        "CROSSTRAIL_LAKE_ON_DEMAND_REQUESTS",
        "Requests of LookupEvents that one statement may cause.",
        ge=1,
        le=10_000,
    )
    on_demand_seconds: float = option(
        20.0, "CROSSTRAIL_LAKE_ON_DEMAND_SECONDS", "Seconds that collecting for one statement may take.", ge=1, le=600
    )

    retention: str = option(
        "",
        "CROSSTRAIL_LAKE_RETENTION",
        "How long events are kept, such as 400d or 2y: `crosstrail lake expire` drops older ones, `collect` brings none back. "
        "Empty: forever.",
        pattern=_AGE,
    )
    account_retention: Mapping[str, Annotated[str, Field(pattern=_AGE_OR_FOREVER)]] = option(
        {}, "", "The same for single accounts: id or alias -> an age, or `forever`."
    )
    keep_snapshots: str = option(
        "1d",
        "CROSSTRAIL_LAKE_KEEP_SNAPSHOTS",
        "How long replaced data files stay, for queries that read them and for --as-of: 2h at least.",
        pattern=r"^[1-9][0-9]{0,4}[hdw]$",
    )

    as_of: str = option(
        "",
        "CROSSTRAIL_LAKE_AS_OF",
        "Answer from the lake as it was at that time, such as 2026-11-20T09:00:00Z or 6h, and ask no live account.",
    )

    def moment(self, now: datetime) -> datetime | None:
        """Of `as_of`; None for the newest. Raises BadTimeRange."""
        if not self.as_of:
            return None
        if (moment := parse_time(self.as_of, now)) > now:
            raise BadTimeRange(f"{iso(moment)} lies in the future", hint="Give a time that has been.")
        return moment

    def keeping(self, accounts: Iterable[Account]) -> Keeping:
        """What is kept how long. Raises ConfigError for an account that is nobody's: it would fall under lake.retention."""
        ids = {name: account.id for account in accounts for name in (account.alias, account.id) if name}
        found = {}
        for name, age in self.account_retention.items():
            if name not in ids and not any(form.is_id(name) for form in account_forms().values()):
                raise ConfigError(
                    f"lake.account_retention: there is no account {clean(name, 80)}",
                    hint="Give its id, or an alias that `accounts` lists.",
                )
            found[ids.get(name, name)] = age
        count, unit = int(self.keep_snapshots[:-1]), self.keep_snapshots[-1]
        hours = count * {"h": 1, "d": 24, "w": 24 * 7}[unit]
        return Keeping(self.retention or FOREVER, found, timedelta(hours=max(hours, _LEAST_HOURS)))

    @property
    def folder(self) -> Path:
        """Raises ConfigError where it would be in the home of a user who has none."""
        return expanded(self.path) if self.path else data_folder("lake.path (CROSSTRAIL_LAKE)") / "lake"

    @property
    def cache_bytes(self) -> int:
        return _bytes_of(self.cache)

    @property
    def max_scan_bytes(self) -> int:
        return _bytes_of(self.max_scan)

    def exists(self) -> bool:
        """Whether there is a lake to open, as far as that can be told without opening it."""
        try:
            return bool(self.catalog) or has_lake(self.folder)
        except ConfigError:
            return False


def _number(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


class QuerySettings(SettingsGroup):
    """SQL on the lake."""

    engine: Literal["", "lake", "trino", "athena"] = option(
        "",
        "CROSSTRAIL_QUERY_ENGINE",
        "Engine of statements that name none. Empty: `lake`; where the lake's files are in a bucket, or there is no lake, `trino` or "
        "`athena` if one is configured.",
    )
    time_limit: float = option(60.0, "CROSSTRAIL_QUERY_TIME_LIMIT", "Seconds a query may run.", gt=0, le=3600)
    memory_limit: str = option(
        "2GB", "CROSSTRAIL_QUERY_MEMORY_LIMIT", "Memory a query may use, such as 2GB.", pattern=r"^[0-9]+(MB|GB)$"
    )
    trino_version: Annotated[Literal[476, 483], BeforeValidator(_number)] = option(
        476,
        "CROSSTRAIL_QUERY_TRINO_VERSION",
        "The version of Trino whose values SQL on the lake has where versions differ: 476 or 483.",
    )
    keep_results: float = option(3600.0, "CROSSTRAIL_QUERY_KEEP_RESULTS", "Seconds that results are kept.", ge=60)
    results_per_caller: str = option(
        "1GB",
        "CROSSTRAIL_QUERY_RESULTS_PER_CALLER",
        "Disk that one caller's results may take; their oldest ended ones go first.",
        pattern=r"^[0-9]+(MB|GB)$",
    )
    results_total: str = option(
        "4GB", "CROSSTRAIL_QUERY_RESULTS_TOTAL", "Disk that all results may take.", pattern=r"^[0-9]+(MB|GB)$"
    )
    results_folder: str = option(
        "",
        "CROSSTRAIL_QUERY_RESULTS_FOLDER",
        "Folder of results. Empty: in the lake's; where that cannot be written, in the user's cache folder.",
    )
    saved: str = option(
        "",
        "CROSSTRAIL_QUERY_SAVED",
        "Folder of saved queries, one NAME.sql each. Empty: `queries` beside the configuration file.",
    )

    def results_of(self, lake: Path) -> Path:
        """Where the results of queries on that lake are kept. Raises ConfigError as `folder` does."""
        if self.results_folder:
            return expanded(self.results_folder)
        if not lake.is_dir() or os.access(lake, os.W_OK):
            return lake / "results"
        name = hashlib.sha256(str(lake.resolve()).encode()).hexdigest()[:16]
        return cache_folder("query.results_folder (CROSSTRAIL_QUERY_RESULTS_FOLDER)") / "results" / name
