"""What an export is made of and what its manifest says, for the command line and the server alike.

Decides which rows of a statement, or which events of a lookup, are exported, and what is said of their origin and their
coverage. Accounts are those of the scoped workspace; files lie where the caller of this module says, never a remote one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from crosstrail import __version__
from crosstrail.answers.coverage_text import readable
from crosstrail.call_context import current_call
from crosstrail.engines.base import Progress, QueryScope, ended
from crosstrail.engines.exporting import Export
from crosstrail.errors import InvalidRequest
from crosstrail.json_values import table
from crosstrail.models import Account, QueryRef
from crosstrail.timerange import iso
from crosstrail.workspace.scoped import ScopedWorkspace


@dataclass(frozen=True, slots=True)
class Exported:
    """Files that were made, not named yet: their summary, and what the manifest says beside it."""

    summary: Mapping[str, object] = field(default_factory=dict)
    about: Mapping[str, object] = field(default_factory=dict)
    coverage: Sequence[str] = ()


async def start_export(
    workspace: ScopedWorkspace, sql: str, selector: str, export: Export
) -> tuple[QueryRef, QueryScope]:
    """Raises SqlRejected, AccountNotFound, LakeError."""
    if not sql.strip():
        raise InvalidRequest("the statement is empty", hint="Give one SELECT whose result has a column eventid.")
    scope = await workspace.scope(selector)
    return await workspace.exporter().start(sql, scope, export), scope


async def wait_for_export(
    workspace: ScopedWorkspace,
    ref: QueryRef,
    scope: QueryScope,
    *,
    wait_seconds: float,
    progress: Progress | None = None,
) -> None:
    """Raises QueryFailed, QueryTimedOut, QueryCancelled."""
    await ended(workspace.exporter(), ref, scope, limit=1, wait_seconds=wait_seconds, progress=progress)


async def about_query(workspace: ScopedWorkspace, scope: QueryScope, sql: str, by: str = "") -> dict[str, object]:
    """What the manifest of an export by SQL says beside the files. `by`: who asks, where the call does not say."""
    coverage = await readable(workspace, scope.accounts, sql) + list((await workspace.listed()).warnings)
    return about({"sql": sql}, scope.accounts, coverage, by)


def about(
    query: Mapping[str, object], accounts: Sequence[Account], coverage: Sequence[str], by: str = "", **scope: object
) -> dict[str, object]:
    """What a manifest says beside the files. `scope`: what else it says of it than accounts."""
    named = [{"cloud": one.cloud, "id": one.id, "alias": one.alias} for one in accounts]
    return {
        "created": iso(datetime.now(UTC).replace(microsecond=0)),
        "crosstrail": __version__,
        "by": current_call().who or by,
        "query": dict(query),
        "scope": {"accounts": named, **scope},
        "coverage": list(coverage),
    }


def told(summary: Mapping[str, object]) -> str:
    """`12 original records of 3 objects: 10 verified, 2 not verified.`, or `12 rows.`"""
    number = summary.get("records")
    count = number if isinstance(number, int) else 0
    if summary.get("kind") == "rows":
        return (
            f"{count:,} row{'s' * (count != 1)} of the statement's result, which names no events (no column eventid)."
        )
    verdicts = table(summary.get("verified"))
    words = {"verified": "verified", "failed": "FAILED verification", "unverified": "not verified"}
    shares = [f"{verdicts[name]:,} {said}" for name, said in words.items() if verdicts.get(name)]
    objects = summary.get("objects")
    of = f" of {objects:,} log object{'s' * (objects != 1)}" if isinstance(objects, int) and count else ""
    return f"{count:,} original record{'s' * (count != 1)}{of}{': ' * bool(shares)}{', '.join(shares)}."
