"""Many targets, one page: asks every target at once, merges what comes newest first, says what was covered.

Decides which events a page holds and where the next page begins. Never picks accounts (targets come resolved), never
retries a target (its trail does), and never lets one failing target spoil the others' answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import anyio

from crosstrail.coverage import NONE_READ, Verified
from crosstrail.errors import CrosstrailError
from crosstrail.lookup.targets import OpenTarget
from crosstrail.models import Event, EventPage, EventQuery, Position

Progress = Callable[[int, int], Awaitable[None]]
"""(targets answered or failed so far, targets in all) -> None."""

_TARGETS_AT_ONCE = 512
Answered = TypeVar("Answered")


@dataclass(frozen=True, slots=True)
class Failure:
    """One target that could not be asked, and why."""

    target: OpenTarget
    error: CrosstrailError


@dataclass(frozen=True, slots=True)
class LookupPage:
    """One page over all targets. `next` continues it; None when this was all there is."""

    events: tuple[Event, ...]
    targets: tuple[OpenTarget, ...]
    pages: tuple[tuple[OpenTarget, EventPage], ...]
    failures: tuple[Failure, ...]
    next: Position | None

    @property
    def back_to(self) -> datetime | None:
        """Where there is more: how far back everything was looked at. It may be further than the last event."""
        return self.next.time if self.next else None

    @property
    def verified(self) -> Verified:
        """Of the events that lakes read for it."""
        return sum((page.verified for _, page in self.pages), start=NONE_READ)

    @property
    def examined(self) -> int:
        """Events that were read one by one for filters that their cloud does not apply."""
        return sum(page.examined for _, page in self.pages)


async def lookup_events(
    targets: tuple[OpenTarget, ...],
    query: EventQuery,
    *,
    progress: Progress | None = None,
    alone: bool = True,
) -> LookupPage:
    """Ask every target the same query; targets that fail are listed, not raised, unless there is only one.

    `alone`: there are no others, in other blocks.
    """

    def ask(target: OpenTarget) -> Awaitable[EventPage]:
        return target.lookup_events(query)

    pages, failures = await ask_each(targets, ask, progress=progress, alone=alone)
    events, position = _merge(list(pages.values()), query)
    return LookupPage(events, targets, tuple(pages.items()), failures, position)


async def ask_each(
    targets: tuple[OpenTarget, ...],
    ask: Callable[[OpenTarget], Awaitable[Answered]],
    *,
    progress: Progress | None = None,
    alone: bool = True,
) -> tuple[dict[OpenTarget, Answered], tuple[Failure, ...]]:
    """What each target answered, and which failed; both in the order of the targets.

    A single target's error is raised as it is: there is no other answer for it to spoil, nor progress between any.
    """
    if alone and len(targets) == 1:
        return {targets[0]: await ask(targets[0])}, ()
    answers: dict[OpenTarget, Answered] = {}
    errors: dict[OpenTarget, CrosstrailError] = {}
    limiter = anyio.CapacityLimiter(_TARGETS_AT_ONCE)

    async def ask_one(target: OpenTarget) -> None:
        async with limiter:
            try:
                answers[target] = await ask(target)
            except CrosstrailError as error:
                errors[target] = error
        if progress:
            await progress(len(answers) + len(errors), len(targets))

    async with anyio.create_task_group() as group:
        for target in targets:
            group.start_soon(ask_one, target)
    failures = tuple(Failure(target, errors[target]) for target in targets if target in errors)
    return {target: answers[target] for target in targets if target in answers}, failures


def _merge(pages: list[EventPage], query: EventQuery) -> tuple[tuple[Event, ...], Position | None]:
    """The newest events of all pages that are certain to be next, and where they end.

    A page with more to come may hide events from where it stopped looking, so nothing older than that may be shown yet.
    """
    unfinished = [page for page in pages if page.more]
    floor = max((page.back_to or page.events[-1].time for page in unfinished), default=None)
    merged = sorted((event for page in pages for event in page.events), key=lambda event: event.time, reverse=True)
    shown = [event for event in merged if floor is None or event.time >= floor][: query.limit]
    if not unfinished and len(shown) == len(merged):
        return tuple(shown), None
    return tuple(shown), _position(floor if floor and len(shown) < query.limit else shown[-1].time, shown, query.before)


def _position(time: datetime, shown: list[Event], before: Position | None) -> Position:
    seen = frozenset(event.identity for event in shown if event.time == time)
    if before and before.time == time:
        seen |= before.seen
    return Position(time, seen)
