"""Amazon Athena as settings describe it, asked with the credentials of the account that pays for it.

Decides whose those are: athena.account's, else the machine's own identity. They are the broker's, renewed while queries run,
and never the environment's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from crosstrail.clouds.aws.athena_calls import AthenaCalls
from crosstrail.clouds.aws.broker import AwsBroker
from crosstrail.engines.athena_query import AthenaAccess, AthenaPlace, AthenaQuery
from crosstrail.engines.remote_runs import RemoteEnded
from crosstrail.errors import QueryFailed
from crosstrail.object_store import Bucket, BucketUri
from crosstrail.settings.config import Settings
from crosstrail.workspace.bucket_access import BucketsOf, WorkspaceAccounts, buckets_of, cloud_of_scheme

_SCHEME = "s3"


class _Access:
    """An AthenaAccess for as long as `buckets` are open."""

    def __init__(self, buckets: BucketsOf[WorkspaceAccounts]) -> None:
        """Raises InvalidRequest, AccountNotFound."""
        settings = buckets.workspace.settings
        cloud = cloud_of_scheme(_SCHEME)
        broker = buckets.workspace.broker(cloud.name)
        assert isinstance(broker, AwsBroker)  # noqa: S101 - of the cloud with these buckets
        account = buckets.account(settings.athena.account, cloud)
        self._buckets = buckets
        self._calls = AthenaCalls(broker, account, settings.athena.region, deadline=settings.lookup.deadline)

    def ask(self, operation: str, params: Mapping[str, object]) -> Mapping[str, object]:
        return self._buckets.portal.call(self._calls.ask, operation, dict(params))

    def bucket(self, uri: BucketUri) -> Bucket:
        return self._buckets.open(uri)


def place_of(settings: Settings) -> AthenaPlace:
    athena = settings.athena
    return AthenaPlace(athena.workgroup, athena.output, athena.catalog, athena.database, athena.reuse_minutes)


@contextmanager
def athena_access(settings: Settings, opened: Callable[[Settings], WorkspaceAccounts]) -> Iterator[AthenaAccess]:
    """Inside, Athena can be asked, from threads; `opened` makes a workspace for the accounts and their credentials."""
    # Asked for the accounts alone, and of Athena's own for the bucket of its results.
    of_accounts = {
        "catalog": "",
        "warehouse": "",
        "bucket_account": settings.athena.account,
        "bucket_region": "",
        "requester_pays": False,
    }
    lake = settings.lake.model_copy(update=of_accounts)
    with buckets_of(settings.model_copy(update={"lake": lake}), opened) as buckets:
        yield _Access(buckets)


def run_statements(
    settings: Settings,
    opened: Callable[[Settings], WorkspaceAccounts],
    statements: Iterable[str],
    done: Callable[[str], None],
) -> None:
    """One after another, as `lake ddl athena --apply` does; `done` is told each that has ended well. Raises QueryFailed,
    CrosstrailError."""
    place = replace(place_of(settings), database="", reuse_minutes=0)
    with athena_access(settings, opened) as access:
        for statement in statements:
            first = statement.partition("(")[0].partition(" AS\n")[0].strip()
            try:
                AthenaQuery(access, place, statement).run(lambda _: None)
            except RemoteEnded as ended:
                raise QueryFailed(f"{first}: {ended.error}", hint="What came before it was done.") from None
            done(first)
