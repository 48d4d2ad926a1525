"""What the lake knows of each region of an account: days with events, and spans that are known to be complete or are not.

Decides what of the table, of the ledger and of recorded spans speaks for which region. It says nothing of what that means
for a day: see coverage.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from crosstrail.coverage import ARCHIVED, DENIED, UNREADABLE, Hole, LogFacts, Proofs, proofs
from crosstrail.errors import LakeError
from crosstrail.lake.covered_spans import CoveredSpan, SpanKind
from crosstrail.lake.read_objects import unread_days
from crosstrail.lake.regions import MAX_READ, bits_by_region
from crosstrail.lake.remaining_spans import remaining_spans
from crosstrail.lake.sources.base import State
from crosstrail.lake.windows import Windows
from crosstrail.models import AccountKey

if TYPE_CHECKING:
    from crosstrail.lake.table import LakeTable

_WHY: dict[State, str] = {"archived": ARCHIVED, "denied": DENIED}
EVERY_REGION = ""
"""Stands for what nobody can tell the region of."""


def log_facts(table: LakeTable, accounts: Sequence[AccountKey], most: int) -> dict[AccountKey, dict[str, LogFacts]]:
    """By account and region; accounts of which nothing is known are left out.

    `most`: data files that may be read for their regions. Days of those beyond are EVERY_REGION's; a file that was read once is
    known from then on. Raises LakeError, OSError.
    """
    by_account = table.snapshot().by_account
    spans = _known_spans(table, accounts)
    unread = unread_days(table.folder, accounts)
    found: dict[AccountKey, dict[str, LogFacts]] = {}
    for key in dict.fromkeys(accounts):
        files = by_account.get(key, ())
        held, read = bits_by_region(files, most if table.has_here(files) else 0, otherwise=EVERY_REGION)
        most -= read
        if facts := _facts(held, spans.get(key, ()), unread.get(key, {})):
            found[key] = facts
    return found


def proofs_of(table: LakeTable, accounts: Sequence[AccountKey], region: str = "") -> dict[AccountKey, Proofs]:
    """What is known of these accounts, or of that region of them, beside their events; accounts of which nothing is are left
    out. An account some of whose regions cannot be told in the time of one call has no complete day, and what was recorded and
    cannot be read proves nothing. Raises LakeError, OSError.
    """
    found = {}
    try:
        known = _known_spans(table, accounts)
    except LakeError:  # events are answered all the same; a command that is about coverage names it
        return {}
    for key in known:
        regions = log_facts(table, [key], MAX_READ).get(key, {})
        if region:
            regions = {region: regions[region]} if region in regions else {}
        found[key] = proofs([*regions.values()])
    return found


def _known_spans(table: LakeTable, accounts: Sequence[AccountKey]) -> dict[AccountKey, list[CoveredSpan]]:
    """What was recorded of them, and what was asked of their own event histories, which have management events alone."""
    found = remaining_spans(table, accounts)
    windows = Windows.of_table(table).of(accounts[0] if len(accounts) == 1 else None) if accounts else ()
    wanted = set(accounts)
    for one in windows:
        if one.key in wanted:
            span = CoveredSpan(one.cloud, one.account, one.region, SpanKind.ASKED, one.start, one.end)
            found.setdefault(one.key, []).append(span)
    return found


def _facts(
    held: Mapping[str, int], spans: Sequence[CoveredSpan], unread: Mapping[str, Mapping[State, int]]
) -> dict[str, LogFacts]:
    of_region: defaultdict[str, list[CoveredSpan]] = defaultdict(list)
    for span in spans:
        of_region[span.region].append(span)
    everywhere = of_region.pop(EVERY_REGION, [])
    regions = [*dict.fromkeys([*held, *of_region, *unread])]
    if everywhere and not regions:
        regions = [EVERY_REGION]
    found = {}
    for region in regions:
        known = [*of_region[region], *everywhere] if region in of_region or everywhere else []
        of_kind = {kind: tuple((one.start, one.end) for one in known if one.kind is kind) for kind in SpanKind}
        holes = tuple(Hole(one.start, one.end, one.reason) for one in known if one.kind is SpanKind.HOLE)
        days = unread.get(region, {})
        failed = tuple((_WHY.get(state, UNREADABLE), bits) for state, bits in days.items())
        found[region] = LogFacts(
            held.get(region, 0), failed, asked=of_kind[SpanKind.ASKED], proved=of_kind[SpanKind.PROVED], holes=holes
        )
    return found
