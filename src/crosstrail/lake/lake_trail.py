"""LakeTrail: lookups of events answered from the lake instead of a cloud.

Decides which data files an answer needs: the newest first, more only while the page is not full. It reads only files of the target's account, off the event loop, and never
asks a cloud.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, cast

import anyio
import anyio.to_thread

from crosstrail.clouds.base import cloud_of
from crosstrail.clouds.record_text import parsed_record
from crosstrail.coverage import NOTHING_PROVED
from crosstrail.errors import QueryFailed, UnsupportedByCloud
from crosstrail.filters import KEYS, FilterKey, accepted, is_network
from crosstrail.lake.faults import data_fault, reading
from crosstrail.lake.log_facts import proofs_of
from crosstrail.lake.reader import EVENTS_VIEW, SOURCE_OBJECT, connect
from crosstrail.lake.regions import MAX_READ, holding, unknown
from crosstrail.lake.row_filters import COLUMNS, ONE_OF_ADDRESSES, addresses_in, condition, errors_in, network_of
from crosstrail.lake.snapshot import summary
from crosstrail.lake.sound_files import check_sound
from crosstrail.lake.verified_share import verified_share
from crosstrail.models import Event, EventPage, EventQuery, Filter, Resource, Target, Trail
from crosstrail.timerange import TimeRange

if TYPE_CHECKING:
    import duckdb

    from crosstrail.lake.snapshot import LakeFile
    from crosstrail.lake.table import LakeTable

_GROUPS = (8, 64)
"""How many of the newest files are asked first, and next; then all the others at once."""
_AT_ONCE = 4


class LakeTrail:
    """An AuditTrail (see clouds/base.py) over one lake, for accounts of any cloud."""

    def __init__(self, table: LakeTable) -> None:
        self._table = table
        self._limiter: anyio.CapacityLimiter | None = None

    @property
    def attribute_keys(self) -> frozenset[str]:
        return frozenset(KEYS)

    async def lookup_events(self, target: Target, query: EventQuery) -> EventPage:
        """Raises InvalidRequest for an unknown key or a value that no event can have; LakeError, QueryFailed."""
        search = _Search(target, query, *_condition(target, query), network_of(query.filters))
        self._limiter = self._limiter or anyio.CapacityLimiter(_AT_ONCE)
        try:
            return await anyio.to_thread.run_sync(
                search.page, self._table, abandon_on_cancel=True, limiter=self._limiter
            )
        finally:
            search.stop()

    async def describe_trails(self, target: Target, names: tuple[str, ...] = ()) -> tuple[Trail, ...]:
        """Always raises UnsupportedByCloud: log files do not describe the trail that wrote them."""
        raise UnsupportedByCloud(
            "the account is an archive: its log files do not describe its trails",
            hint="That needs a live account: list it with credentials (auth).",
        )


@dataclass(slots=True)
class _Search:
    """One lookup in a worker thread. `stop`, from any thread, ends it: its result is no longer wanted."""

    target: Target
    query: EventQuery
    where: str
    values: list[object]
    network: str = ""
    """In which the source address must lie; the condition does not say that."""
    _stopped: threading.Event = field(default_factory=threading.Event)
    _connection: duckdb.DuckDBPyConnection | None = None

    def stop(self) -> None:
        self._stopped.set()
        connection = self._connection
        if connection is not None:
            with suppress(Exception):  # it may be closed by now
                connection.interrupt()

    def page(self, table: LakeTable) -> EventPage:
        span, before = self.query.span, self.query.before
        if before and (span.end is None or before.time < span.end):
            span = TimeRange(span.start, before.time)
        account = [self.target.account.key]
        files = sorted(table.files(account, span), key=lambda file: file.last, reverse=True)
        found: list[Event] = []
        read: list[LakeFile] = []
        wanted = self.query.limit + 1
        for group in _grouped(files):
            if self._stopped.is_set() or (len(found) == wanted and found[-1].time > group[0].last):
                break
            table.fetch(group)
            check_sound(group)
            read += group
            found = sorted([*found, *self._events([file.path for file in group])], key=_newest_first)[:wanted]
        return self._page(table, found, read, more=len(found) == wanted)

    def _page(self, table: LakeTable, found: Sequence[Event], read: Sequence[LakeFile], *, more: bool) -> EventPage:
        """With what is held: of a region asked, its own days, as far as they can be told in the time of one call."""
        target, held = self.target, table.account(self.target.account.key)
        if held and target.region:
            files = table.files([held.key])
            if unknown(files) <= MAX_READ and table.has_here(files):
                try:
                    held = summary(held.key, holding(files, target.region))
                except OSError as error:
                    raise QueryFailed("the lake could not be read", hint="Try again.") from error
        if held is None:
            return EventPage((), held=TimeRange())
        with reading("the lake's data"):
            proofs = proofs_of(table, [held.key], target.region).get(held.key, NOTHING_PROVED)
            share = verified_share(read)
        events = tuple(found[: self.query.limit])
        return EventPage(events, more, TimeRange(held.first, held.last), held.days, proofs, verified=share)

    def _events(self, files: Sequence[str]) -> list[Event]:
        import duckdb

        columns = f"{COLUMNS}, eventjson, {SOURCE_OBJECT}, verified" if self.query.with_record else COLUMNS
        try:
            with closing(connect(files)) as connection:
                self._connection = connection
                if self._stopped.is_set():
                    return []
                where, values = self.where, self.values
                if self.network:
                    found = addresses_in(connection, self.network, where, values)
                    where, values = f"{where} AND {ONE_OF_ADDRESSES}", [*values, found]
                sql = f"SELECT {columns} FROM {EVENTS_VIEW} WHERE {where} ORDER BY eventtime DESC, eventid LIMIT ?"  # noqa: S608
                rows = connection.execute(sql, [*values, self.query.limit + 1]).fetchall()
        except duckdb.Error as error:
            raise data_fault(str(error), files) or QueryFailed(
                "the lake could not be read", hint="Narrow the time range, or try again."
            ) from error
        finally:
            self._connection = None
        return [_event(self.target, _Row(*row)) for row in rows]


def _condition(target: Target, query: EventQuery) -> tuple[str, list[object]]:
    """The WHERE clause and its values, but for a network."""
    clauses: list[tuple[str, tuple[object, ...]]] = [("cloud = ? AND account = ?", target.account.key)]
    if target.region:
        clauses.append(("awsregion = ?", (target.region,)))
    if query.span.start:
        clauses.append(("eventtime >= ?", (_naive(query.span.start),)))
    if query.span.end:
        clauses.append(("eventtime <= ?", (_naive(query.span.end),)))
    for one in accepted(query.filters, KEYS):
        if one.key == FilterKey.SOURCE_IP and is_network(one.value):
            continue
        clauses.append(condition(_as_logged(target.account.cloud, one)))
    if before := query.before:
        clauses.append(("eventtime <= ?", (_naive(before.time),)))
        seen = "list_contains(?, concat_ws('/', cloud, account, coalesce(awsregion, ''), eventid))"  # Event.identity
        if before.seen:
            clauses.append((f"NOT (eventtime = ? AND {seen})", (_naive(before.time), sorted(before.seen))))
    return " AND ".join(clause for clause, _ in clauses), [value for _, values in clauses for value in values]


def _grouped(files: Sequence[LakeFile]) -> list[Sequence[LakeFile]]:
    groups: list[Sequence[LakeFile]] = []
    start = 0
    for size in (*_GROUPS, len(files)):
        if start < len(files):
            groups.append(files[start : start + size])
        start += size
    return groups


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _newest_first(event: Event) -> tuple[float, str]:
    return -event.time.timestamp(), event.id


class _Row(NamedTuple):
    """A row of COLUMNS, and its record where that was asked for."""

    moment: datetime
    region: str
    event_id: str
    name: str | None
    source: str | None
    username: str | None
    principal: str | None
    key: str | None
    address: str | None
    read_only: bool | None
    types: list[str] | None
    names: list[str] | None
    others: int
    error_code: str | None
    outcome: str | None
    error_message: str | None
    record: str | None = None
    source_object: str | None = None
    verified: bool | None = None


def _event(target: Target, row: _Row) -> Event:
    return Event(
        cloud=target.account.cloud,
        account=target.account.id,
        region=row.region,
        id=row.event_id,
        time=row.moment.replace(tzinfo=UTC),
        name=row.name or "",
        source=row.source or "",
        username=row.username or "",
        principal=row.principal or "",
        access_key_id=row.key or "",
        source_ip=row.address or "",
        error_code=row.error_code or "",
        errors=errors_in((row.error_code, row.outcome, row.error_message)),
        read_only=row.read_only,
        resources=tuple(Resource(kind, one) for kind, one in zip(row.types or (), row.names or (), strict=True)),
        record=None if row.record is None else cast(Mapping[str, object], parsed_record(row.record)),
        text=row.record or "",
        source_object=row.source_object or "",
        verified=row.verified,
        other_versions=row.others,
    )


def _as_logged(cloud: str, one: Filter) -> Filter:
    try:
        return cloud_of(cloud).as_logged(one)
    except UnsupportedByCloud:
        return one  # events of a cloud that was installed once
