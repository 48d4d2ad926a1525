"""What the tool `summarize_activity` says: a summary in the size of an answer, and the calls that go on from it."""

from __future__ import annotations

from crosstrail.answers.render import ANSWER_BYTES, Answer, clean
from crosstrail.answers.summarize import Summarized, SummaryCall, summarize
from crosstrail.answers.summary_text import tables, text
from crosstrail.detections.chains import Branch, tree
from crosstrail.detections.subjects import SubjectKind
from crosstrail.lookup.fanout import Progress
from crosstrail.timerange import iso
from crosstrail.vocabulary import words
from crosstrail.workspace.scoped import ScopedWorkspace

_FILTERS = {
    SubjectKind.ACCESS_KEY: "AccessKeyId",
    SubjectKind.ADDRESS: "SourceIPAddress",
    SubjectKind.NETWORK: "SourceIPAddress",
    SubjectKind.PRINCIPAL: "Principal",
    SubjectKind.ROLE: "Role",
    SubjectKind.USER: "Username",
    SubjectKind.SESSION: "Username",
    SubjectKind.SERVICE: "SourceIPAddress",
    SubjectKind.RESOURCE: "ResourceName",
    SubjectKind.EVENT: "EventId",
}


async def answer(workspace: ScopedWorkspace, call: SummaryCall, *, progress: Progress | None = None) -> Answer:
    """Raises what summarize does."""
    found = await summarize(workspace, call, progress=progress)
    summary = found.summary
    facts: dict[str, object] = {"events": summary.events, "failed": summary.failed, "denied": summary.denied}
    if summary.first and summary.last:
        facts |= {"first": iso(summary.first), "last": iso(summary.last)}
    return Answer(text(found, _next(found), ANSWER_BYTES), facts, tables=tables(summary))


def _next(found: Summarized) -> list[str]:
    """Exact calls: the events, those that failed, and the session that the subject gave out which did most."""
    if not found.summary.events:
        return [f"Whether that was logged at all: {words().coverage}."]
    one = found.acting[0]
    written = clean(one.lookup.value, 300).replace('"', "")
    where = {
        "target_account_id": found.call.account or ",".join(row.value[1] for row in found.summary.accounts.rows[:8]),
        "start_time": found.call.start or (iso(found.summary.first) if found.summary.first else ""),
        "end_time": found.call.end,
    }
    given = "".join(f', {name}="{clean(value, 200)}"' for name, value in where.items() if value)
    calls = [f'Its events: {words().lookup}(filters="{_FILTERS[one.kind]}={written}"{given}, detail="full")']
    if found.summary.failed:
        calls.append(f'What failed: {words().lookup}(filters="{_FILTERS[one.kind]}={written}, ErrorCode=*"{given})')
    below = [one for root in tree(found.summary.chain) for one in _below(root) if not one.of_subject and one.keys]
    if below:
        most = max(below, key=lambda branch: branch.events)
        calls.append(f'What it gave credentials to: {words().summary}(subject="{clean(most.keys[0], 128)}")')
    return calls


def _below(branch: Branch, *, inside: bool = False) -> list[Branch]:
    """The branches below the subject's own."""
    found = [branch] if inside else []
    for one in branch.branches:
        found += _below(one, inside=inside or branch.of_subject)
    return found
