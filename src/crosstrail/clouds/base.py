"""The one seam to a cloud: an AuditTrail answers lookups for the targets of its cloud.

A trail is stateless towards its callers: whose account it acts in comes with every call, in the Target. A trail never
picks an account, reads the environment or renders text. A capability that not every cloud has is a protocol of its own.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from crosstrail.models import EventDataStore, EventPage, EventQuery, NewTrail, Target, Trail


class AuditTrail(Protocol):
    """Contract (tests/contract/test_trails.py runs it over every implementation):

    - events come newest first, all inside `query.span` (both ends included), at most `query.limit` of them;
    - none of `query.before.seen` comes again and none newer than `query.before.time`;
    - with `more` False the listing is complete; with `more` True the page has an event at least, perhaps fewer than the limit;
    - every event's `account` is the target's account, and its `region` the target's unless that is empty;
    - `record` is filled exactly when `query.with_record`.
    """

    @property
    def attribute_keys(self) -> frozenset[str]:
        """The keys that `EventQuery.attribute_key` may have here."""
        ...

    async def lookup_events(self, target: Target, query: EventQuery) -> EventPage:
        """Raises InvalidRequest for a key this trail lacks or a value it cannot have."""
        ...

    async def describe_trails(self, target: Target, names: tuple[str, ...] = ()) -> tuple[Trail, ...]:
        """The trails of the target, all when `names` is empty. Raises UnsupportedByCloud where there are none to ask."""
        ...


@runtime_checkable
class CreatesTrails(Protocol):
    """A trail's capability: the only write there is."""

    async def create_trail(self, target: Target, trail: NewTrail) -> Trail:
        """The trail as it is afterwards. An error says whether the trail exists now, as far as that is known."""
        ...


@runtime_checkable
class HasEventDataStores(Protocol):
    """A trail's capability: the cloud keeps events in stores that its own SQL reads."""

    async def list_event_data_stores(self, target: Target, *, details: bool = False) -> tuple[EventDataStore, ...]:
        """Every store of the target. With `details`, one whose details cannot be had is listed with the reason."""
        ...
