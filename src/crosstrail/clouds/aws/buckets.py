"""Buckets of S3: whose credentials, which endpoint, which region.

The region is asked with a HEAD request that nobody signs: S3 answers it with x-amz-bucket-region whoever asks, also when
access is denied (API reference of HeadBucket). Endpoints are botocore's: AWS_ENDPOINT_URL_S3, profiles, FIPS and dual stack
mean here what they mean there. An endpoint that is not AWS's is asked by path, as MinIO and its kind expect.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import aiohttp

from crosstrail.accounts.credentials import Credentials
from crosstrail.clouds.aws.broker import AwsBroker
from crosstrail.clouds.aws.regions import COMMERCIAL, dns_suffix, home_region
from crosstrail.clouds.aws.wire import Endpoint
from crosstrail.clouds.buckets import BucketPlace, ListedPage, MessageQueue, RequestPrices
from crosstrail.errors import CloudUnavailable, InvalidRequest
from crosstrail.models import Account

PRICES = RequestPrices(0.005, 0.0004, "USD", "S3 Standard in us-east-1, aws.amazon.com/s3/pricing, 2026-11")
"""Of LIST and GET. Storage elsewhere and other classes cost more, S3-compatible servers what their owner says."""
_SECONDS = 15.0
_NOT_FOUND = 404


class AwsBuckets:
    """A BucketAccess."""

    def __init__(self, broker: AwsBroker) -> None:
        self._broker = broker

    async def credentials(self, account: Account | None) -> Credentials:
        return await (self._broker.credentials(account) if account else self._broker.own_credentials())

    async def page(self, bucket: str, account: Account | None, region: str, prefix: str, after: str) -> ListedPage:
        params: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, "StartAfter": after}
        if account:
            answer = await self._broker.call(account, "s3", region, "list_objects_v2", **params)
        else:
            answer = await self._broker.own_call("s3", region, "list_objects_v2", **params)
        found = tuple((one["Key"], one["Size"], one["ETag"], one["LastModified"]) for one in answer.get("Contents", ()))
        return ListedPage(found, found[-1][0] if found and answer.get("IsTruncated") else "")

    def queue(self, url: str, account: Account | None) -> MessageQueue:
        from crosstrail.clouds.aws.queue import SqsQueue

        return SqsQueue(self._broker, url, account)

    async def place(self, bucket: str, account: Account | None, region: str) -> BucketPlace:
        asked = region or await self._first_region(account)
        endpoint = await self._broker.endpoint(account.auth if account else None, "s3", asked)
        own = _host(endpoint).endswith(dns_suffix(asked))
        if not region and own:
            region = await _region_of(endpoint, bucket)
            if region and region != asked:
                endpoint = await self._broker.endpoint(account.auth if account else None, "s3", region)
        address = endpoint.url.rstrip("/")
        virtual_hosted = own and "." not in bucket  # a wildcard certificate covers no further dots
        if virtual_hosted:
            scheme, _, rest = address.partition("://")
            address = f"{scheme}://{bucket}.{rest}"
        return BucketPlace(address, region or asked, virtual_hosted, endpoint.trust, PRICES)

    async def _first_region(self, account: Account | None) -> str:
        found = await (self._broker.home_region(account) if account else self._broker.own_region())
        return found or home_region(COMMERCIAL)


def _host(endpoint: Endpoint) -> str:
    return urlsplit(endpoint.url).hostname or ""


async def _region_of(endpoint: Endpoint, bucket: str) -> str:
    """Empty where S3 does not say."""
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.head(
                f"{endpoint.url.rstrip('/')}/{bucket}", ssl=endpoint.tls, proxy=endpoint.proxy, allow_redirects=False
            ) as answer,
        ):
            if answer.status == _NOT_FOUND:
                raise InvalidRequest(f"there is no bucket {bucket}", hint="Check its name, and the partition.")
            return answer.headers.get("x-amz-bucket-region", "")
    except (aiohttp.ClientError, TimeoutError) as error:
        raise CloudUnavailable(
            f"S3 did not say where bucket {bucket} is ({type(error).__name__})",
            hint="Check the network and any proxy, or name the bucket's region.",
            code=type(error).__name__,
        ) from None
