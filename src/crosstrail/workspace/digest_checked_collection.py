"""A collection that checks every log object by its archive's digests: what is read first, and what is told of it afterwards."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from crosstrail.clouds.integrity import ArchiveProofs
from crosstrail.lake.collector import CollectionReport
from crosstrail.lake.ledger import LEDGER_FILE, Ledger
from crosstrail.lake.proved_spans import record_proofs
from crosstrail.lake.read_objects import Archives, read_objects
from crosstrail.lake.sources.base import LogSource
from crosstrail.lake.sources.digest_check import DigestCheckedSource
from crosstrail.lake.warehouse import LakeCatalog
from crosstrail.settings.config import Settings
from crosstrail.timerange import parse_range
from crosstrail.workspace.archive_verification import opened_verification
from crosstrail.workspace.archives import scopes_of

_MAX_REPORTED = 1_000
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What the command line says of it."""

    keys: Path | None = None
    keep_failed: bool = False
    account: str = ""
    region: str = ""
    since: str = ""
    bucket_account: str = ""
    bucket_region: str = ""
    requester_pays: bool | None = None


def collect_with_digests(
    settings: Settings,
    place: str,
    options: VerifyOptions,
    catalog: str | LakeCatalog,
    collect: Callable[[Callable[[LogSource], LogSource]], CollectionReport],
) -> CollectionReport:
    """What `collect` reports, given what puts the check before a source; the spans that digests prove are recorded.

    Raises like opened_verification and `collect`.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    span = parse_range(options.since, "", now=now, default_age=None)
    with opened_verification(
        settings,
        place,
        account=options.account,
        region=options.region,
        span=span,
        now=now,
        keys=options.keys,
        bucket_account=options.bucket_account,
        bucket_region=options.bucket_region,
        requester_pays=options.requester_pays,
    ) as verification:
        proofs = verification.proofs()
        scopes = scopes_of(settings)
        _forget_unverified(settings, verification.cloud, proofs, scopes)
        checks: list[DigestCheckedSource] = []

        def checked(source: LogSource) -> LogSource:
            checks.append(DigestCheckedSource(source, proofs, keep_failed=options.keep_failed))
            return checks[-1]

        report = collect(checked)
        for one in checks:
            report.objects_verified += one.counts[True]
            report.objects_unverified += one.counts[None]
            report.objects_not_genuine += one.counts[False]
        _tell(report, proofs)
        _record(settings, catalog, verification.cloud, proofs, scopes)
        return report


def _tell(report: CollectionReport, proofs: ArchiveProofs) -> None:
    from crosstrail.lake.logs import Problem  # needs the lake's libraries, which a plain installation has not

    for one in proofs.findings:
        if one.asked:
            report.problem_count += 1
            if len(report.problems) < _MAX_REPORTED:
                report.problems.append(Problem(one.object, f"{one.kind}", f"{one.verdict}: {one.reason}"))


def _forget_unverified(settings: Settings, cloud: str, proofs: ArchiveProofs, scopes: Archives) -> None:
    """What was read before anybody verified it is read again, now that a digest names it: its rows are kept, and get their
    proof."""
    lake = settings.lake.folder
    if not (lake / LEDGER_FILE).exists():
        return
    with closing(Ledger(lake)) as ledger:
        rest = proofs.named()
        while some := list(islice(rest, _AT_ONCE)):
            found = read_objects(lake, [(name, (cloud, account)) for name, account in some], scopes)
            ledger.forget([name for name, verified in found if verified is None])


def _record(
    settings: Settings, catalog: str | LakeCatalog, cloud: str, proofs: ArchiveProofs, scopes: Archives
) -> None:
    from crosstrail.lake.table import LakeTable

    if not settings.lake.exists():
        return
    with closing(LakeTable.open(settings.lake.folder, catalog=catalog)) as table:
        record_proofs(table.folder, table.uuid, cloud, proofs, scopes)


__all__ = ["VerifyOptions", "collect_with_digests"]
