"""What is asked of one account in one region, step by step, for `accounts check` and `accounts test`.

Decides which steps there are and in which order: its credentials, who they are, then every kind of read once. Nothing is asked after the
steps that all others need have failed. It never writes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from crosstrail.errors import CrosstrailError, WrongAccount
from crosstrail.timerange import iso

if TYPE_CHECKING:
    from crosstrail.lookup.targets import OpenTarget
    from crosstrail.models import Event
    from crosstrail.workspace.workspace import Workspace

AnswerT = TypeVar("AnswerT")
CREDENTIALS, IDENTITY, EVENTS, TRAILS, STORES = "credentials", "identity", "events", "trails", "event data stores"
OK, FAILED, NOT_ASKED = "ok", "failed", "-"


@dataclass(frozen=True, slots=True)
class AccountStep:
    """`detail`: what came of it, or what is wrong. `hint`: what to do about that."""

    name: str
    outcome: str
    detail: str = ""
    hint: str = ""
    seconds: float = 0.0

    @property
    def problem(self) -> str:
        """What is wrong and what to do, on one line; empty where nothing is."""
        return CrosstrailError(self.detail, hint=self.hint).text if self.outcome == FAILED else ""


async def ask_steps(workspace: Workspace, target: OpenTarget) -> AsyncIterator[AccountStep]:
    """Each as it is done."""
    from crosstrail.clouds.base import HasEventDataStores
    from crosstrail.models import EventQuery

    try:
        trail = target.trail
    except CrosstrailError as error:
        yield AccountStep(EVENTS, FAILED, str(error), error.hint)
        return
    account, broker = target.account, workspace.broker(target.account.cloud)
    step = await _asked(CREDENTIALS, broker.credentials(account))
    yield step
    if step.outcome == OK:
        step = await _asked(IDENTITY, broker.identity(account, target.region), lambda name: name)
        yield step
    if step.outcome == FAILED:
        return
    yield await _asked(EVENTS, trail.lookup_events(target, EventQuery(limit=1)), lambda page: _newest(page.events))
    yield await _asked(TRAILS, trail.describe_trails(target), lambda trails: f"{len(trails):,}")
    if isinstance(trail, HasEventDataStores):
        yield await _asked(STORES, trail.list_event_data_stores(target), lambda stores: f"{len(stores):,}")


def _newest(events: Sequence[Event]) -> str:
    return f"{iso(events[0].time)} {events[0].name}" if events else ""


async def _asked(name: str, asked: Awaitable[AnswerT], shown: Callable[[AnswerT], str] = lambda _: "") -> AccountStep:
    begun = perf_counter()
    try:
        detail = shown(await asked)
    except WrongAccount as error:  # whoever reads the configuration may know whose credentials it has
        detail, hint = f"{error}: they are account {error.actual}'s", "Correct the id or the auth of the account."
        return AccountStep(name, FAILED, detail, hint, perf_counter() - begun)
    except CrosstrailError as error:
        return AccountStep(name, FAILED, str(error), error.hint, perf_counter() - begun)
    return AccountStep(name, OK, detail, seconds=perf_counter() - begun)
