"""The one seam to a cloud: an AuditTrail answers lookups for the targets of its cloud.

A trail is stateless towards its callers: whose account it acts in comes with every call, in the Target. A trail never
picks an account, reads the environment or renders text. A capability that not every cloud has is a protocol of its own.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

from crosstrail.accounts.broker import Broker
from crosstrail.errors import UnsupportedByCloud
from crosstrail.models import EventDataStore, EventPage, EventQuery, NewTrail, Target, Trail

ENTRY_POINTS = "crosstrail.clouds"
"""A cloud is a file and an entry point of this group: its name as accounts give it -> an OpenTrail."""


class AuditTrail(Protocol):
    """Contract (tests/contract/test_trails.py runs it over every implementation):

    - events come newest first, all inside `query.span` (both ends included), at most `query.limit` of them;
    - none of `query.before.seen` comes again and none newer than `query.before.time`;
    - every event meets every filter of `query.filters`, and none that does is missing among the newer ones;
    - with `more` False the listing is complete; with `more` True the page has an event at least, perhaps fewer than the limit,
      or says by `back_to` how far it looked: further back than `query.before`, so that whoever goes on comes to the end;
    - every event's `account` is the target's account, and its `region` the target's unless that is empty;
    - `record` is filled exactly when `query.with_record`.
    """

    @property
    def one_history(self) -> bool:
        """Whether one lookup without a region answers for every region of an account."""
        ...

    @property
    def attribute_keys(self) -> frozenset[str]:
        """The keys that filters may have here, alone and together. What the cloud cannot apply is applied to each event."""
        ...

    async def lookup_events(self, target: Target, query: EventQuery) -> EventPage:
        """Raises InvalidRequest for a key this trail lacks or a value that no event can have."""
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


class OpenTrail(Protocol):
    """What the entry point of a cloud names."""

    def __call__(self, broker: Broker, *, deadline: float) -> AuditTrail:
        """A trail that takes credentials from `broker` alone and gives a lookup up after `deadline` seconds. No I/O."""
        ...


def open_trail(cloud: str, broker: Broker, *, deadline: float) -> AuditTrail:
    """The trail of a cloud that is installed. Raises UnsupportedByCloud."""
    for point in entry_points(group=ENTRY_POINTS, name=cloud):
        opener: OpenTrail = point.load()
        return opener(broker, deadline=deadline)
    known = ", ".join(sorted(entry_points(group=ENTRY_POINTS).names))
    raise UnsupportedByCloud(f"there is no cloud {cloud[:40]!r}", hint=f"`cloud` of an account is one of: {known}.")
