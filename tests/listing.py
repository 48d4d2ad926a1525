"""A trail read to the end of its listing."""

from __future__ import annotations

from dataclasses import replace

from crosstrail.clouds.base import AuditTrail
from crosstrail.models import Event, EventQuery, Position, Target


async def all_events(trail: AuditTrail, target: Target, query: EventQuery) -> list[Event]:
    """Every event, page after page, continued by Position alone."""
    found: list[Event] = []
    for _ in range(1000):
        page = await trail.lookup_events(target, query)
        assert len(page.events) <= query.limit
        found += page.events
        if not page.more:
            return found
        last = page.back_to or page.events[-1].time
        assert page.events or query.before is None or last < query.before.time
        kept = query.before.seen if query.before and query.before.time == last else frozenset()
        seen = kept | {event.identity for event in page.events if event.time == last}
        query = replace(query, before=Position(last, seen))
    raise AssertionError("a listing without an end")
