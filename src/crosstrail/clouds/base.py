"""What a cloud is to the rest: one `Cloud` value, and the AuditTrail that answers lookups for its targets.

A cloud is one package behind one value, named by an entry point of the group `crosstrail.clouds`; a stranger's distribution
brings its own. Generic code never names a cloud.

A trail is stateless towards its callers: whose account it acts in comes with every call, in the Target. A trail never
picks an account, reads the environment or renders text. A capability that not every cloud has is a protocol of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from pydantic import SecretStr

from crosstrail.account_forms import ENTRY_POINTS, AccountForm, installed_clouds, load_cloud
from crosstrail.accounts.broker import MAX_ACCOUNTS, AnyBroker
from crosstrail.accounts.listing import AccountSource
from crosstrail.clouds.buckets import BucketAccess, CatalogAccess
from crosstrail.clouds.found_identities import FoundIdentity
from crosstrail.clouds.integrity import Integrity
from crosstrail.clouds.log_layout import LogLayout
from crosstrail.clouds.shape import RecordForm
from crosstrail.errors import UnsupportedByCloud
from crosstrail.models import EventDataStore, EventPage, EventQuery, Filter, NewTrail, Target, Trail
from crosstrail.settings_group import SettingsGroup

T = TypeVar("T")

__all__ = [
    "ENTRY_POINTS",
    "AuditTrail",
    "Cloud",
    "CreatesTrails",
    "HasEventDataStores",
    "OpenOptions",
    "cloud_of",
    "clouds",
]


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


@dataclass(frozen=True, slots=True)
class OpenOptions:
    """What a broker is opened with, besides its cloud's own settings."""

    encryption_key: SecretStr | None = None
    max_accounts: int = MAX_ACCOUNTS
    read_timeout: float = 30.0
    """Seconds for one answer."""
    identity_timeout: float = 30.0
    """Seconds for all that it takes to find an identity's credentials: programs, files, servers of others."""


_OfBroker = Callable[[Any, Any], T]
"""(the cloud's settings, its broker) -> T"""


def _no_identity(environ: Mapping[str, str]) -> bool:
    return False


def _none_found(environ: Mapping[str, str], instance_role: bool) -> tuple[()]:
    return ()


def _home_alone(home: str) -> tuple[str, ...]:
    return (home,)


def _as_given(one: Filter) -> Filter:
    return one


def _no_defaults(home: Path) -> Mapping[str, str]:
    return {}


def _no_files(region: str) -> Mapping[str, str]:
    return {}


def _no_source(settings: Any) -> tuple[()]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """One cloud. Making one does no I/O and imports no vendor's library: what is named here does, on first use.

    The functions get the cloud's own settings: those of `settings`, or the top of the file where it has no group.
    """

    name: str
    """As accounts and settings give it."""
    accounts: AccountForm
    open: Callable[[Any, OpenOptions], AnyBroker]
    """(settings, options) -> the broker of its accounts."""
    open_trail: Callable[[Any, float], AuditTrail]
    """(its broker, seconds after which a lookup is given up) -> the trail of all its accounts."""
    audit_log: str = "audit log"
    """What it calls its service that records who did what."""
    regionless: bool = False
    """Whether one lookup without a region answers for every region of an account."""
    event_data_stores: bool = False
    """Whether it keeps events in stores that its own SQL reads: then its trail is a HasEventDataStores."""
    settings: type[SettingsGroup] | None = None
    """Its group of settings, under its name in the file."""
    has_identity: Callable[[Mapping[str, str]], bool] = _no_identity
    """Whether these environment variables give the machine an identity in this cloud."""
    found_identities: Callable[[Mapping[str, str], bool], tuple[FoundIdentity, ...]] = _none_found
    """(environment, whether to count the role of the machine it runs on) -> the identities that this machine has; asks nobody."""
    address: _OfBroker[Awaitable[str]] | None = None
    """(settings, its broker) -> an address that it answers at, for who wants to know whether it can be reached and what time it is."""
    sources: Callable[[Any], Iterable[AccountSource]] = _no_source
    """The places that list its accounts, as its settings name them."""
    ambient: _OfBroker[AccountSource] | None = None
    """(settings, its broker) -> the account of the machine's own identity."""
    read_secret: Callable[[Any, str], str] | None = None
    """(settings, name) -> the text of a secret of its secret store, read with the machine's own identity; blocking."""
    known_regions: Callable[[str], frozenset[str]] | None = None
    """(home region) -> the regions that an account with it can have; every region there is, without one. None: nobody knows
    them, and any name is asked."""
    regions_of: Callable[[str], tuple[str, ...]] = _home_alone
    """What `all` stands for, of an account with this home region that lists no regions."""
    records: RecordForm | None = None
    """How its events are read out of files, for the lake."""
    integrity: Callable[[], Integrity] | None = None
    """It signs what it delivers: how an archive of it is proved."""
    as_logged: Callable[[Filter], Filter] = _as_given
    """A filter with its value as this cloud writes it: for events of the lake, and of live accounts alike."""
    bucket_scheme: str = ""
    """How addresses of its buckets begin, such as `s3` of s3://bucket/prefix; empty where its files are read by no such."""
    buckets: _OfBroker[BucketAccess] | None = None
    """(settings, its broker) -> whose credentials open its buckets, and where they are asked."""
    catalogs: _OfBroker[CatalogAccess] | None = None
    """(settings, its broker) -> how requests to Iceberg catalogs of the cloud's own are signed."""
    log_layout: LogLayout | None = None
    """How its trails name what they deliver into a bucket; None where nobody says."""
    credential_variables: tuple[str, ...] = ()
    """How environment variables begin that say whose credentials are used: a wrapped server gets its account's alone."""
    child_defaults: Callable[[Path], Mapping[str, str]] = _no_defaults
    """(its home folder) -> variables that keep every wrapped server from finding the machine's own identity."""
    home_files: Callable[[str], Mapping[str, str]] = _no_files
    """(region of its account; empty where it has none of this cloud) -> path below a wrapped server's home folder -> text of
    a file that the cloud's SDKs read there. No secret stands in it."""
    endpoint_variables: Callable[[str, str, str], Mapping[str, str]] | None = None
    """(address, token, region) -> the variables by which its SDKs ask an endpoint for container credentials, and renew them."""
    child_variables: Callable[[Any, str], Mapping[str, str]] | None = None
    """(temporary credentials, region) -> the variables that hold them, where its SDKs can ask no endpoint."""


def clouds() -> tuple[Cloud, ...]:
    """Every installed cloud; this project's own first."""
    return tuple(cloud_of(name) for name in installed_clouds())


def cloud_of(name: str) -> Cloud:
    """The installed cloud of that name. Raises UnsupportedByCloud."""
    found = load_cloud(name)
    if not isinstance(found, Cloud):
        known = ", ".join(sorted(installed_clouds()))
        raise UnsupportedByCloud(f"there is no cloud {name[:40]!r}", hint=f"`cloud` of an account is one of: {known}.")
    return found
