"""Everything one subject did, in the accounts asked: how the subject was understood, and what its events say.

Decides which of the events are asked for where no lake is: a live account's history takes one attribute a lookup, so a session's
neighbours in the chain are asked for once its own events have named them. It words nothing: summary_text.py does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from crosstrail.answers.observe import EventsQuestion, Observed, observe
from crosstrail.detections.subject_news import SubjectNews, news_statements, read_news
from crosstrail.detections.subjects import SubjectKind, SubjectReading, in_networks, readings
from crosstrail.detections.summary import Summary, own_statements, read_summary, statements
from crosstrail.lake import require_libraries
from crosstrail.lookup.fanout import Progress
from crosstrail.models import AttributeKey, Filter
from crosstrail.timerange import TimeRange, parse_range
from crosstrail.workspace.scoped import ScopedWorkspace

_LIVE_KEYS = 4
"""Neighbours in a chain that live accounts are asked for, in each direction."""
_TEMPORARY = ("ASIA", "STS.", "AKTP")
_EVENT = """SELECT eventname, eventtime, coalesce(access_key_id, ''), coalesce(useridentity.arn, ''), coalesce(principal, '')
FROM events WHERE {condition} LIMIT 2"""
_ADDRESSES = "SELECT DISTINCT sourceipaddress FROM events"


@dataclass(frozen=True, slots=True)
class SummaryCall:
    """What was asked, as it was written."""

    subject: str
    account: str = ""
    start: str = ""
    end: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class Summarized:
    """`of_event`: the event that the subject was the id of, in words; the summary is of whose event it is."""

    call: SummaryCall
    span: TimeRange
    summary: Summary
    observed: Observed
    news: SubjectNews
    of_event: str = ""

    @property
    def acting(self) -> tuple[SubjectReading, ...]:
        """The readings that have events, those that act before others."""
        found = [one for one, count in self.summary.kinds if count]
        return tuple(one for one in found if one.acts) or tuple(found)


async def summarize(workspace: ScopedWorkspace, call: SummaryCall, *, progress: Progress | None = None) -> Summarized:
    """Raises InvalidRequest, AccountNotFound, BadTimeRange, LakeError, QueryTimedOut, the error of the only target."""
    require_libraries()
    span = parse_range(call.start, call.end, now=datetime.now(UTC).replace(microsecond=0), default_age=None)
    question = EventsQuestion(call.account, call.region, span)
    found = readings(call.subject)
    of_event = ""
    if found[0].kind is SubjectKind.EVENT:
        whose, of_event = await _of_event(workspace, question, found[0], progress)
        found = readings(whose) if whose else found
    elif found[0].kind is SubjectKind.NETWORK:
        found = (await _of_network(workspace, question, found[0], progress),)
    lookups = _lookups(found)
    asked = replace(question, live_lookups=lookups)
    wanted = (*statements(found), *news_statements(span.start))
    observed = await observe(workspace, asked, wanted, progress=progress)
    summary = read_summary(found, observed.tables[:-2])
    if observed.live and (more := _neighbours(summary, lookups)):
        asked = replace(question, live_lookups=(*lookups, *more))
        observed = await observe(workspace, asked, wanted, progress=progress)
        summary = read_summary(found, observed.tables[:-2])
    news = SubjectNews()
    if summary.acts and summary.events and observed.of_lake:
        news = (
            await _earlier(workspace, asked, found, observed, progress)
            if span.start
            else read_news(observed.tables[-2:])
        )
    return Summarized(call, span, summary, observed, news, of_event)


async def _earlier(
    workspace: ScopedWorkspace,
    question: EventsQuestion,
    found: Sequence[SubjectReading],
    observed: Observed,
    progress: Progress | None,
) -> SubjectNews:
    """What is new in the span, compared with all that is held from before it. Live accounts are not asked once more for that."""
    asked = replace(
        question,
        selector=",".join(account.id for account in observed.of_lake),
        span=TimeRange(None, question.span.end),
        live_lookups=(),
    )
    wanted = [*own_statements(found), *news_statements(question.span.start)]
    return read_news((await observe(workspace, asked, wanted, progress=progress)).tables)


async def _of_event(
    workspace: ScopedWorkspace, question: EventsQuestion, event: SubjectReading, progress: Progress | None
) -> tuple[str, str]:
    """(whose event it is, the event in words); two empty texts where there is none. Its time is not bound by the span."""
    asked = replace(question, span=TimeRange(), live_lookups=((event.lookup,),))
    observed = await observe(workspace, asked, [_EVENT.format(condition=event.condition)], progress=progress)
    for name, time, key, arn, principal in observed.tables[0]:
        if whose := str(key) if str(key).startswith(_TEMPORARY) else str(arn or principal or key):
            return whose, f"{name} at {time}"
    return "", ""


async def _of_network(
    workspace: ScopedWorkspace, question: EventsQuestion, network: SubjectReading, progress: Progress | None
) -> SubjectReading:
    asked = replace(question, filters=(network.lookup,))
    observed = await observe(workspace, asked, [_ADDRESSES], progress=progress)
    return in_networks(network, [str(one) for (one,) in observed.tables[0]])


def _lookups(found: Sequence[SubjectReading]) -> tuple[tuple[Filter, ...], ...]:
    """What live accounts are asked, for each reading; a role by its bare name is no attribute of theirs, and left out."""
    alone = len(found) <= 2
    return tuple(dict.fromkeys((one.lookup,) for one in found if alone or one.kind is not SubjectKind.ROLE))


def _neighbours(summary: Summary, asked: Sequence[tuple[Filter, ...]]) -> list[tuple[Filter, ...]]:
    """Lookups of the sessions that the subject's events gave out, and of the events that gave out its own."""
    chain = summary.chain
    given = [link.key for link in chain.links if link.giver_key in chain.subject]
    got = {link.key for link in chain.links}
    own = [key for key in sorted(chain.subject) if key not in got and key.startswith(_TEMPORARY)]
    wanted = [(Filter(AttributeKey.ACCESS_KEY_ID, key),) for key in given[:_LIVE_KEYS]]
    wanted += [(Filter(AttributeKey.RESOURCE_NAME, key),) for key in own[:_LIVE_KEYS]]
    return [one for one in dict.fromkeys(wanted) if one not in asked]
