"""What `crosstrail collect` reads, and how one source of it is: files, configured archives, objects of buckets.

Decides whose credentials open what, and whose events a source may bring. What is printed is the command's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from crosstrail.cli.collect_bucket import BucketCollection, BucketOptions
    from crosstrail.lake.collector import CollectionReport
    from crosstrail.lake.sharding import Shard
    from crosstrail.lake.sources.base import LogSource
    from crosstrail.lake.warehouse import LakeCatalog
    from crosstrail.models import AccountKey
    from crosstrail.object_store import BucketUri
    from crosstrail.settings.config import Settings
    from crosstrail.workspace.digest_checked_collection import VerifyOptions


class CollectingTerms(NamedTuple):
    """How all sources of one command are read."""

    catalog: str | LakeCatalog
    shard: Shard | None
    workers: int
    max_bytes: int


class CollectedSource(NamedTuple):
    """What is read, the account of the records that name none, and whose events it may bring (None: everybody's). A bucket's
    is opened with the credentials of `opened_by`."""

    paths: tuple[Path, ...] | BucketUri
    account: str
    accounts: frozenset[AccountKey] | None
    opened_by: str = ""


def named_sources(paths: tuple[str, ...], account: str, nameless: str) -> list[CollectedSource]:
    """What the command line names: buckets one by one, files together."""
    from crosstrail.account_forms import account_forms
    from crosstrail.object_store import parsed_uri

    uris = [uri for path in paths if (uri := parsed_uri(path)) and not Path(path).exists()]
    files = tuple(Path(path) for path in paths if not parsed_uri(path) or Path(path).exists())
    for path in files:
        if not path.exists():
            raise click.BadParameter(f"there is no file or folder {path}", param_hint="PATH")
    if uris and files and account:
        raise click.UsageError(
            "--account means another thing of files than of buckets: collect them one after the other"
        )
    if not uris and not nameless:
        nameless = account
    if nameless and not any(form.is_id(nameless) for form in account_forms().values()):
        raise click.BadParameter("this is no account id of an installed cloud", param_hint="--account")
    return ([CollectedSource(files, nameless, None)] if files else []) + [
        CollectedSource(uri, nameless, None) for uri in uris
    ]


def open_buckets(stack: ExitStack, settings: Settings, options: BucketOptions) -> BucketCollection:
    from crosstrail.cli.collect_bucket import BucketCollection
    from crosstrail.object_store import require_library
    from crosstrail.workspace.buckets import opened_buckets

    require_library()
    return BucketCollection(settings, stack.enter_context(opened_buckets(settings)), options)


def one_by_one(source: CollectedSource) -> Iterator[CollectedSource]:
    """Each path is an archive of its own."""
    from crosstrail.object_store import BucketUri

    if isinstance(source.paths, BucketUri):
        yield source
    else:
        yield from (source._replace(paths=(path,)) for path in source.paths)


def collect_checked(
    settings: Settings,
    source: CollectedSource,
    buckets: BucketCollection | None,
    how: CollectingTerms,
    verify: VerifyOptions | None,
) -> CollectionReport:
    """By digests, where that is asked for."""
    from crosstrail.object_store import BucketUri

    if verify is None:
        return collect_source(settings, source, buckets, how)
    from crosstrail.workspace.digest_checked_collection import collect_with_digests

    options = replace(verify, bucket_account=verify.bucket_account or source.opened_by)
    place = str(source.paths if isinstance(source.paths, BucketUri) else source.paths[0])
    return collect_with_digests(
        settings, place, options, how.catalog, lambda checked: collect_source(settings, source, buckets, how, checked)
    )


def collect_source(
    settings: Settings,
    source: CollectedSource,
    buckets: BucketCollection | None,
    how: CollectingTerms,
    checked: Callable[[LogSource], LogSource] | None = None,
) -> CollectionReport:
    from crosstrail.cli.progress import progress_line
    from crosstrail.lake.collector import collect as collect_logs
    from crosstrail.lake.sources.base import as_it_is
    from crosstrail.lake.sources.files import FileSource
    from crosstrail.object_store import BucketUri

    checked = checked or as_it_is
    with progress_line("Collecting", "files") as bar:
        if isinstance(source.paths, BucketUri) and buckets:
            return buckets.collect(
                source.paths,
                account=source.account,
                accounts=source.accounts,
                bucket_account=source.opened_by,
                catalog=how.catalog,
                shard=how.shard,
                workers=how.workers,
                max_bytes=how.max_bytes,
                progress=bar.count,
                checked=checked,
            )
        assert not isinstance(source.paths, BucketUri)  # noqa: S101 - where there is one, buckets were opened
        return collect_logs(
            checked(FileSource(source.paths)),
            settings.lake.folder,
            catalog=how.catalog,
            account=source.account,
            accounts=source.accounts,
            workers=how.workers,
            max_bytes=how.max_bytes,
            shard=how.shard,
            keeping=settings.lake.keeping(settings.accounts),
            progress=bar.count,
        )


def collect_again(settings: Settings, names: Iterable[str]) -> tuple[CollectionReport, list[str]]:
    """Log objects by the names that the ledger has for them, and those files of them that are no longer there. What came from a
    configured archive comes from there alone, with the events of its own accounts."""
    from crosstrail.lake.collector import MAX_BYTES, CollectionReport
    from crosstrail.lake.forgetting import taken_apart
    from crosstrail.object_store import BucketUri, parsed_uri
    from crosstrail.workspace.lake_catalog import opened_catalog

    report = CollectionReport()
    objects = {taken_apart(name) for name in names}
    files = {name for name, _ in objects if not parsed_uri(name)}
    here = {name for name in files if Path(name).is_file()}
    own = tuple(sorted(Path(name) for name, scoped in objects if name in here and not scoped))
    buckets_of: dict[str, list[str]] = defaultdict(list)
    for name, scoped in objects:
        if name not in files and not scoped:
            buckets_of["/".join(name.split("/")[:3])].append(name)
    sources = [CollectedSource(own, "", None)] if own else []
    sources += [CollectedSource(uri, "", None) for some in buckets_of.values() if (uri := parsed_uri(_folder_of(some)))]
    sources += listed_archives(settings, "") if any(scoped for _, scoped in objects) else []
    with ExitStack() as stack:
        buckets: BucketCollection | None = None
        if any(isinstance(one.paths, BucketUri) for one in sources):
            from crosstrail.cli.collect_bucket import BucketOptions

            buckets = open_buckets(stack, settings, BucketOptions())
        how = CollectingTerms(stack.enter_context(opened_catalog(settings)), None, 0, MAX_BYTES)
        for source in sources:
            report.add(collect_source(settings, source, buckets, how))
    return report, sorted(files - here)


def _folder_of(uris: Sequence[str]) -> str:
    """What all of them lie below, from where the folders of accounts begin."""
    first, last = min(uris), max(uris)  # what these two have in common, all have
    same = next((place for place, sign in enumerate(first) if last[place : place + 1] != sign), len(first))
    return first[:same].rpartition("/")[0].partition("/AWSLogs")[0]


def listed_archives(settings: Settings, account: str) -> list[CollectedSource]:
    """Those that are listed; `account`: of the records that name none."""
    from crosstrail.object_store import BucketUri
    from crosstrail.workspace.archives import archives_of

    found = archives_of(settings)
    if not found:
        raise click.UsageError("name log files or folders, or list archives in crosstrail.yaml")
    return [
        CollectedSource(
            one.place if isinstance(one.place, BucketUri) else (one.place,),
            account or one.nameless,
            one.accounts,
            one.opened_by,
        )
        for one in found
    ]
