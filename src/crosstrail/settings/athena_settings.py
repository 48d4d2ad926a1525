"""Settings of Amazon Athena as an engine: whose credentials, where, over which table, and what it may take.

Decides nothing beyond defaults and bounds. It opens nothing.
"""

from __future__ import annotations

from typing import Literal

from crosstrail.settings_group import SettingsGroup, option

_NAME = r"^[a-z_][a-z0-9_]{0,127}$"


class AthenaSettings(SettingsGroup):
    """Amazon Athena, over a bucket of CloudTrail's log files or over the lake's table in Glue."""

    source: Literal["logs", "lake"] = option(
        "logs",
        "CROSSTRAIL_ATHENA_SOURCE",
        "What the view is over: `logs`, CloudTrail's log files as `crosstrail lake ddl athena` makes a table of them, or "
        "`lake`, the table that crosstrail collects into (lake.catalog: glue).",
    )
    account: str = option(
        "", "CROSSTRAIL_ATHENA_ACCOUNT", "Account that asks Athena and pays. Empty: the machine's own identity."
    )
    region: str = option("", "CROSSTRAIL_ATHENA_REGION", "Region of Athena and its catalog. Empty: the account's own.")
    workgroup: str = option(
        "primary", "CROSSTRAIL_ATHENA_WORKGROUP", "Workgroup of its queries.", pattern=r"^[A-Za-z0-9._-]{1,128}$"
    )
    output: str = option(
        "",
        "CROSSTRAIL_ATHENA_OUTPUT",
        "Where Athena writes results: s3://bucket/prefix/. Empty: where the workgroup says.",
        pattern=r"^(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?)?$",
    )
    catalog: str = option(
        "AwsDataCatalog", "CROSSTRAIL_ATHENA_CATALOG", "Data catalog of the view.", pattern=r"^[A-Za-z0-9_@-]{1,256}$"
    )
    database: str = option("crosstrail", "CROSSTRAIL_ATHENA_DATABASE", "Database of the view.", pattern=_NAME)
    view: str = option(
        "cloudtrail_events", "CROSSTRAIL_ATHENA_VIEW", "View that statements read; no other is named.", pattern=_NAME
    )
    late_days: int = option(
        1,
        "CROSSTRAIL_ATHENA_LATE_DAYS",
        "Days after an event in which its log file may still come: so many more are read of `logs`.",
        ge=1,
        le=400,
    )
    reuse_minutes: int = option(
        0,
        "CROSSTRAIL_ATHENA_REUSE_MINUTES",
        "Take Athena's result of the same statement where it is no older; 0 for never.",
        ge=0,
        le=10_080,
    )
    price_per_tb: float = option(
        5.0, "CROSSTRAIL_ATHENA_PRICE_PER_TB", "US dollars a TB scanned, for estimates.", ge=0, le=1000
    )
    time_limit: float = option(
        600.0, "CROSSTRAIL_ATHENA_TIME_LIMIT", "Seconds a query on Athena may take.", gt=0, le=3600
    )
