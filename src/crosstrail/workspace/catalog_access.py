"""The lake's catalog as settings describe it, opened with the credentials of the account that it belongs to.

Decides whose those are: lake.account's, else the machine's own identity; they are asked for again while it is open, and never
taken from the environment by a library. A lake that needs no cloud opens none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from crosstrail.errors import ConfigError
from crosstrail.lake.catalog import GLUE
from crosstrail.lake.warehouse import LakeCatalog, OpenBucket
from crosstrail.object_store import Bucket, BucketUri, parsed_uri
from crosstrail.settings.config import Settings

if TYPE_CHECKING:
    from crosstrail.workspace.bucket_access import BucketsOf, WorkspaceAccounts

_SIGNED_HOST = re.compile(r"https://(?P<service>s3tables|glue)\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.|api\.aws)")
"""Iceberg REST catalogs of AWS: requests are signed for that service. https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-tables-integrating-open-source.html"""


@contextmanager
def catalog_of(settings: Settings, opened: Callable[[Settings], WorkspaceAccounts]) -> Iterator[LakeCatalog]:
    """Inside, the catalog can be used; `opened` makes a workspace, for accounts and their credentials, where those are needed.

    Raises InvalidRequest or AccountNotFound for a lake.account that is none, ConfigError for settings that do not go together.
    """
    lake = settings.lake
    signed = _SIGNED_HOST.match(lake.catalog)
    service = lake.signing_name or (signed["service"] if signed else "")
    in_bucket = parsed_uri(lake.warehouse) if lake.warehouse else None
    is_rest = lake.catalog.startswith(("http://", "https://"))
    if lake.warehouse and not in_bucket and not is_rest:
        raise ConfigError("lake.warehouse is no bucket", hint="Write it as s3://bucket/prefix.")
    properties: dict[str, object] = {}
    if token := lake.catalog_token.get_secret_value():
        properties["token"] = token
    if not in_bucket and not is_rest and lake.catalog != GLUE:
        yield LakeCatalog(lake.catalog, lake.warehouse, None, properties, lake.cache_bytes)
        return
    from crosstrail.workspace.bucket_access import buckets_of  # which is much to load

    # Asked for the accounts alone: who lists them by what the lake holds would open the lake, which this is for.
    of_accounts = settings.model_copy(update={"lake": lake.model_copy(update={"catalog": "", "warehouse": ""})})
    with buckets_of(of_accounts, opened) as buckets:
        region = lake.region or (signed["region"] if signed else "")
        if service or lake.catalog == GLUE:
            properties |= buckets.catalog_session(lake.account, region=region)
        if service:
            properties |= {"rest.sigv4-enabled": "true", "rest.signing-name": service}
        yield LakeCatalog(
            lake.catalog, lake.warehouse, _opener(buckets, lake.account, region), properties, lake.cache_bytes
        )


def _opener(buckets: BucketsOf[WorkspaceAccounts], account: str, region: str) -> OpenBucket:

    @cache
    def open_bucket(bucket: str) -> Bucket:
        return buckets.open(BucketUri("s3", bucket), account, region=region, requester_pays=False)

    return lambda uri: open_bucket(uri.bucket)
