"""Settings of the embedded lake and of SQL on it: where it lies, what a query may take.

Decides nothing beyond defaults and bounds. It opens no lake.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from crosstrail.errors import ConfigError
from crosstrail.lake.catalog import has_lake
from crosstrail.settings_group import SettingsGroup, option
from crosstrail.user_folders import cache_folder, data_folder, expanded


class LakeSettings(SettingsGroup):
    """The embedded lake."""

    path: str = option("", "CROSSTRAIL_LAKE", "Folder of the lake. Empty: the user's data folder.")
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

    @property
    def folder(self) -> Path:
        """Raises ConfigError where it would be in the home of a user who has none."""
        return expanded(self.path) if self.path else data_folder("lake.path (CROSSTRAIL_LAKE)") / "lake"

    @property
    def cache_bytes(self) -> int:
        return int(self.cache[:-2]) * (10**9 if self.cache.endswith("GB") else 10**6)

    def exists(self) -> bool:
        """Whether there is a lake to open, as far as that can be told without opening it."""
        try:
            return bool(self.catalog) or has_lake(self.folder)
        except ConfigError:
            return False


class QuerySettings(SettingsGroup):
    """SQL on the embedded lake."""

    time_limit: float = option(60.0, "CROSSTRAIL_QUERY_TIME_LIMIT", "Seconds a query may run.", gt=0, le=3600)
    memory_limit: str = option(
        "2GB", "CROSSTRAIL_QUERY_MEMORY_LIMIT", "Memory a query may use, such as 2GB.", pattern=r"^[0-9]+(MB|GB)$"
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

    def results_of(self, lake: Path) -> Path:
        """Where the results of queries on that lake are kept. Raises ConfigError as `folder` does."""
        if self.results_folder:
            return expanded(self.results_folder)
        if not lake.is_dir() or os.access(lake, os.W_OK):
            return lake / "results"
        name = hashlib.sha256(str(lake.resolve()).encode()).hexdigest()[:16]
        return cache_folder("query.results_folder (CROSSTRAIL_QUERY_RESULTS_FOLDER)") / "results" / name
