"""What every AuditTrail promises (clouds/base.py), checked over every implementation.

A trail joins with a Backend: a name and a function that puts records into a fresh one. What a backend cannot do by its
nature is a field of its Backend.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from audit_logs import ACCOUNT, record, write
from crosstrail.clouds.alibaba import record as alibaba_record
from crosstrail.clouds.base import AuditTrail, HasEventDataStores, cloud_of
from crosstrail.clouds.volcengine import record as volcengine_record
from crosstrail.errors import CredentialsError, InvalidRequest, UnsupportedByCloud
from crosstrail.lake.collector import collect
from crosstrail.lake.lake_trail import LakeTrail
from crosstrail.lake.table import LakeTable
from crosstrail.models import Account, AttributeKey, Event, EventPage, EventQuery, Filter, Target
from crosstrail.timerange import TimeRange
from listing import all_events
from live_alibaba import LiveAlibaba, live_alibaba
from live_aws import LiveAws, live_aws
from live_meridian import TEAM_DEV, TEAM_PROD, live_meridian
from live_volcengine import LiveVolcengine, live_volcengine

OTHER = "111111111111"
START = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=30)


@dataclass(frozen=True)
class Served:
    """A trail, and the accounts by whose targets it is asked: those that have the events of ACCOUNT and of OTHER."""

    trail: AuditTrail
    accounts: dict[str, Account]
    portal: BlockingPortal
    """To the event loop in which the trail lives."""

    def target(self, account: str = ACCOUNT, region: str = "") -> Target:
        return Target(self.accounts[account], region)


Serve = Callable[[Path, list[dict[str, Any]], pytest.MonkeyPatch, BlockingPortal], AbstractAsyncContextManager[Served]]


@dataclass(frozen=True)
class Backend:
    """`serve` gives a trail that holds exactly these CloudTrail records while it is open."""

    name: str
    serve: Serve
    describes_trails: bool = True
    regions: tuple[str, ...] = ("us-east-1", "eu-west-1")
    """Of the records. More than one: a target without a region is asked about all of them."""
    cloud: str = "aws"
    recorded: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict
    """An event's record as the record it was made of, or what a cloud keeps of it."""
    qualified_sessions: bool = False
    """The user of a role's session is `role:session`: the session's name alone is nobody's."""
    asks_by_span: bool = False
    """At the end of one span nobody knows whether an older one holds an event."""
    lacks: frozenset[str] = frozenset()
    """Attributes that its events have not: a lookup by one is refused."""
    roles_have_accounts: bool = True
    """A role's ARN names one role; where roles have no such names, it names none of theirs."""
    fixture: str = ""
    """What has to be there before it is served."""

    def is_alice(self, made: Mapping[str, Any]) -> bool:
        return not (self.qualified_sessions and made["userIdentity"]["type"] == "AssumedRole")


@asynccontextmanager
async def _lake(
    folder: Path, records: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, portal: BlockingPortal
) -> AsyncIterator[Served]:
    write(folder / "logs/one.json", {"Records": records})
    collect([folder / "logs"], folder / "lake")
    with closing(LakeTable.open(folder / "lake")) as table:
        yield Served(LakeTrail(table), {one: Account(id=one) for one in (ACCOUNT, OTHER)}, portal)


def _logged(live: LiveAws | LiveVolcengine | LiveAlibaba, records: list[dict[str, Any]]) -> dict[str, Account]:
    for one in records:
        live.log_record(one)
    return {ACCOUNT: live.keys_account(ACCOUNT), OTHER: live.role_account(OTHER)}


@asynccontextmanager
async def _aws(
    folder: Path, records: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, portal: BlockingPortal
) -> AsyncIterator[Served]:
    async with live_aws(monkeypatch) as live:
        yield Served(live.trail(lookups_per_second=1000), _logged(live, records), portal)


@asynccontextmanager
async def _volcengine(
    folder: Path, records: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, portal: BlockingPortal
) -> AsyncIterator[Served]:
    with live_volcengine() as live:
        yield Served(live.trail(), _logged(live, records), portal)


@asynccontextmanager
async def _alibaba(
    folder: Path, records: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, portal: BlockingPortal
) -> AsyncIterator[Served]:
    async with live_alibaba() as live:
        live.world.region = "us-east-1"
        yield Served(live.trail(), _logged(live, records), portal)


@asynccontextmanager
async def _meridian(
    folder: Path, records: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, portal: BlockingPortal
) -> AsyncIterator[Served]:
    async with live_meridian() as live:
        for one in records:
            live.log_record(one, {ACCOUNT: TEAM_PROD, OTHER: TEAM_DEV}[one["recipientAccountId"]])
        accounts = {ACCOUNT: live.keys_account(TEAM_PROD), OTHER: live.keys_account(TEAM_DEV)}
        yield Served(live.trail(), accounts, portal)


def _meridian_recorded(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    from crosstrail_meridian.record import to_cloudtrail  # installed by the fixture

    return to_cloudtrail(entry)


_KEPT = ("eventID", "eventName", "eventSource", "eventTime", "awsRegion", "sourceIPAddress", "recipientAccountId")
BACKENDS = [
    Backend("lake", _lake, describes_trails=False),
    Backend("aws", _aws, regions=("us-east-1",)),
    Backend("volcengine", _volcengine, cloud="volcengine", recorded=volcengine_record.to_cloudtrail),
    Backend("alibaba", _alibaba, True, ("us-east-1",), "alibaba", alibaba_record.to_cloudtrail, True, True),
    Backend(
        "meridian",
        _meridian,
        describes_trails=False,
        regions=(),
        cloud="meridian",
        recorded=_meridian_recorded,
        lacks=frozenset({"AccessKeyId"}),
        roles_have_accounts=False,
        fixture="meridian_installed",
    ),
]


def _peculiar(number: int) -> dict[str, Any]:
    """A session of a role, an address of version 6, failures with a code, with a code of EC2's, and with none."""
    changes: dict[str, Any] = {}
    if number % 4 == 1:
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/Audit{number % 8 // 4}/alice"
        changes["userIdentity"] = {**record(number)["userIdentity"], "type": "AssumedRole", "arn": arn}
        del changes["userIdentity"]["userName"]
    if number % 7 == 3:
        changes["sourceIPAddress"] = "2001:db8::a"
    if number % 6 == 5:
        changes["userAgent"] = "Boto3/1.40 md/Botocore"
    if number % 10 == 4:
        changes |= {"errorCode": "AccessDenied", "errorMessage": "not authorized"}
    if number % 10 == 6:
        changes["errorCode"] = "Client.UnauthorizedOperation"
    if number % 10 == 8:
        name = ("CreateUser", "ListUsers", "AssumeRole")[number % 3]
        changes |= {"errorMessage": "Failed authentication", "responseElements": {name: "Failure"}}
    return changes


def _records(regions: tuple[str, ...] = ("us-east-1", "eu-west-1")) -> list[dict[str, Any]]:
    """Two accounts, two regions, several days, and many events in one second."""
    source = random.Random(3)  # noqa: S311
    made = []
    for number in range(120):
        second = number // 2 * 7200 if number % 3 else 86_400  # a third of all happens at the same moment
        made.append(
            record(
                number,
                eventTime=(START + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ"),
                awsRegion=regions[number % len(regions)] if regions else "",
                eventName=("CreateUser", "ListUsers", "AssumeRole")[number % 3],
                eventSource=("iam.amazonaws.com", "sts.amazonaws.com")[number % 2],
                readOnly=number % 3 == 1,
                resources=[{"ARN": f"arn:aws:iam::{ACCOUNT}:role/role-{number % 5}", "type": "AWS::IAM::Role"}],
                **_peculiar(number),
            )
        )
    midnight = (START + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    made += [record(1000 + number, recipientAccountId=OTHER, eventTime=midnight) for number in range(5)]
    source.shuffle(made)
    return made


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.name)
def backend(request: pytest.FixtureRequest) -> Backend:
    found: Backend = request.param
    if found.fixture:
        request.getfixturevalue(found.fixture)
    return found


class Opened:
    """Each backend's trail, made at its first test and open until the last: tests only read. `environ`: what it set."""

    def __init__(self, folder: Path, until: ExitStack) -> None:
        self._folder, self._until = folder, until
        self._made: dict[str, tuple[Served, dict[str, str]]] = {}

    def trail(self, backend: Backend) -> tuple[Served, dict[str, str]]:
        if backend.name not in self._made:
            before = dict(os.environ)
            portal = self._until.enter_context(start_blocking_portal())
            patch = self._until.enter_context(pytest.MonkeyPatch.context())
            serving = backend.serve(self._folder, _records(backend.regions), patch, portal)
            served = self._until.enter_context(portal.wrap_async_context_manager(serving))
            environ = {name: value for name, value in os.environ.items() if before.get(name) != value}
            self._made[backend.name] = (served, environ)
        return self._made[backend.name]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    with ExitStack() as until:
        yield Opened(tmp_path_factory.mktemp("trails"), until)


@pytest.fixture
def served(backend: Backend, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> Served:
    found, environ = opened.trail(backend)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return found


def _page(served: Served, query: EventQuery, target: Target | None = None) -> EventPage:
    return served.portal.call(served.trail.lookup_events, target or served.target(), query)


def _all(served: Served, query: EventQuery, target: Target | None = None) -> list[Event]:
    return served.portal.call(all_events, served.trail, target or served.target(), query)


def _mine() -> list[dict[str, Any]]:
    return [made for made in _records() if made["recipientAccountId"] == ACCOUNT]


def _ids(backend: Backend, filters: Mapping[str, str], matches: Callable[[dict[str, Any]], bool]) -> list[str]:
    if ":" in filters.get("Role", "") and not backend.roles_have_accounts:
        return []
    wanted = [made for made in _mine() if filters.get("Username") != "alice" or backend.is_alice(made)]
    return sorted(made["eventID"] for made in wanted if matches(made))


@pytest.mark.parametrize("limit", [3, 50, 500])
def test_pages_give_every_event_once_newest_first(limit: int, served: Served) -> None:
    found = _all(served, EventQuery(limit=limit))
    assert sorted(event.id for event in found) == sorted(made["eventID"] for made in _mine())
    assert [event.time for event in found] == sorted((event.time for event in found), reverse=True)


def test_a_full_last_page_is_not_followed_by_a_lost_event(backend: Backend, served: Served) -> None:
    query = EventQuery(filters=(Filter("EventName", "AssumeRole"),), limit=40)
    page = _page(served, query)
    assert (len(page.events), page.more) == (40, backend.asks_by_span)
    assert len(_all(served, query)) == 40


def test_another_accounts_events_are_never_given(served: Served) -> None:
    for one in (ACCOUNT, OTHER):
        found = _all(served, EventQuery(), served.target(one))
        assert {event.account for event in found} == {served.accounts[one].id}
    for stranger in (Account(id="999999999999"), Account(id=ACCOUNT, cloud="gcp")):
        try:
            assert _all(served, EventQuery(), Target(stranger)) == []
        except (CredentialsError, UnsupportedByCloud):
            continue  # a cloud refuses what a lake has nothing of


def test_a_region_is_that_region_and_none_is_all_or_the_accounts_own(backend: Backend, served: Served) -> None:
    for region in backend.regions[-1:]:
        found = _all(served, EventQuery(), served.target(region=region))
        assert {event.region for event in found} == {region}
        assert len(found) == 120 // len(backend.regions)
    assert {event.region for event in _all(served, EventQuery())} == set(backend.regions or [""])
    assert _all(served, EventQuery(), served.target(region="sa-east-1")) == []


def test_both_ends_of_a_span_belong_to_it(served: Served) -> None:
    moment = START + timedelta(days=1)
    assert len(_all(served, EventQuery(span=TimeRange(moment, moment)))) >= 40
    after = _all(served, EventQuery(span=TimeRange(moment + timedelta(seconds=1), None)))
    before = _all(served, EventQuery(span=TimeRange(None, moment - timedelta(seconds=1))))
    at = _all(served, EventQuery(span=TimeRange(moment, moment)))
    assert len(after) + len(before) + len(at) == 120
    assert _all(served, EventQuery(span=TimeRange(None, START - timedelta(days=1)))) == []


@pytest.mark.parametrize(
    ("key", "value", "matches"),
    [
        ("EventId", record(7)["eventID"], lambda made: made["eventID"] == record(7)["eventID"]),
        ("EventName", "AssumeRole", lambda made: made["eventName"] == "AssumeRole"),
        ("ReadOnly", "true", lambda made: made["readOnly"]),
        ("ReadOnly", "false", lambda made: not made["readOnly"]),
        ("Username", "alice", lambda made: True),
        ("Username", "ali", lambda made: False),
        ("ResourceType", "AWS::IAM::Role", lambda made: True),
        ("ResourceName", "role-3", lambda made: made["resources"][0]["ARN"].endswith("role-3")),
        ("ResourceName", f"arn:aws:iam::{ACCOUNT}:role/role-3", lambda made: made["resources"][0]["ARN"].endswith("role-3")),
        ("EventSource", "sts.amazonaws.com", lambda made: made["eventSource"] == "sts.amazonaws.com"),
        ("AccessKeyId", record(1)["userIdentity"]["accessKeyId"], lambda made: made["userIdentity"]["accessKeyId"].endswith("1")),
        ("EventName", "x' OR '1'='1", lambda made: False),
    ],
)  # fmt: skip
def test_attribute(
    key: str, value: str, matches: Callable[[dict[str, Any]], bool], backend: Backend, served: Served
) -> None:
    query = EventQuery(filters=(Filter(key, value),), limit=9)
    if key in backend.lacks:
        with pytest.raises(InvalidRequest) as refused:
            _page(served, query)
        assert refused.value.hint
        return
    found = _all(served, query)
    assert sorted(event.id for event in found) == _ids(backend, {key: value}, matches)


def _is_role(made: dict[str, Any], name: str) -> bool:
    return f":assumed-role/{name}/" in made["userIdentity"]["arn"]


ANY_ERROR = ("errorCode", "errorMessage")


@pytest.mark.parametrize(
    ("filters", "matches"),
    [
        ({"ErrorCode": "AccessDenied"}, lambda made: made.get("errorCode") == "AccessDenied"),
        ({"ErrorCode": "UnauthorizedOperation"}, lambda made: made.get("errorCode") == "Client.UnauthorizedOperation"),
        ({"ErrorCode": "failure"}, lambda made: "errorMessage" in made and "errorCode" not in made),
        ({"ErrorCode": "Failed authentication"}, lambda made: made.get("errorMessage") == "Failed authentication"),
        ({"ErrorCode": "*"}, lambda made: any(name in made for name in ANY_ERROR)),
        ({"SourceIPAddress": "2001:0DB8:0::a"}, lambda made: made["sourceIPAddress"] == "2001:db8::a"),
        ({"SourceIPAddress": " 198.51.100.7/32"}, lambda made: made["sourceIPAddress"] == "198.51.100.7"),
        ({"SourceIPAddress": "198.51.100.0/24"}, lambda made: made["sourceIPAddress"] == "198.51.100.7"),
        ({"Role": "audit1"}, lambda made: _is_role(made, "Audit1")),
        ({"Role": f"arn:aws:iam::{ACCOUNT}:role/path/Audit0"}, lambda made: _is_role(made, "Audit0")),
        ({"Role": f"arn:aws:iam::{OTHER}:role/Audit0"}, lambda made: False),
        ({"Role": "Audit"}, lambda made: False),
        ({"Principal": "assumed-role/Audit1/alice"}, lambda made: _is_role(made, "Audit1")),
        ({"Username": "user/alice"}, lambda made: made["userIdentity"]["type"] == "IAMUser"),
        ({"Username": "role/Audit1"}, lambda made: _is_role(made, "Audit1")),
        ({"UserAgent": "boto3/"}, lambda made: "Boto3" in made["userAgent"]),
        ({"RequestID": record(7)["requestID"]}, lambda made: made["requestID"] == record(7)["requestID"]),
        ({"IdentityType": "AssumedRole"}, lambda made: made["userIdentity"]["type"] == "AssumedRole"),
        ({"ReadOnly": "Yes"}, lambda made: made["readOnly"]),
        ({"ReadOnly": "no", "EventName": "CreateUser"}, lambda made: made["eventName"] == "CreateUser"),
        ({"Username": "alice", "EventName": "CreateUser", "ErrorCode": "*"},
         lambda made: made["eventName"] == "CreateUser" and any(name in made for name in ANY_ERROR)),
        ({"EventSource": "sts.amazonaws.com", "ResourceName": "role-3", "ReadOnly": "false"},
         lambda made: made["eventSource"].startswith("sts") and made["resources"][0]["ARN"].endswith("-3") and not made["readOnly"]),
        ({"SourceIPAddress": "192.0.2.99", "EventName": "CreateUser"}, lambda made: False),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)  # fmt: skip
@pytest.mark.parametrize("limit", [9, 50])
def test_events_meet_every_filter_wherever_it_is_applied(
    filters: dict[str, str], matches: Callable[[dict[str, Any]], bool], limit: int, backend: Backend, served: Served
) -> None:
    asked = tuple(Filter(key, value) for key, value in filters.items())
    found = _all(served, EventQuery(filters=asked, limit=limit))
    assert sorted(event.id for event in found) == _ids(backend, filters, matches)


def test_a_failure_without_an_error_code_is_one(served: Served) -> None:
    found = _all(served, EventQuery(filters=(Filter("ErrorCode", "Failure"),)))
    assert {event.error for event in found} == {"Failure: Failed authentication"}
    coded = _all(served, EventQuery(filters=(Filter("ErrorCode", "AccessDenied"),)))
    assert {event.error for event in coded} == {"AccessDenied"}
    passed = [event for event in _all(served, EventQuery()) if not event.error]
    assert len(passed) == sum(not any(name in made for name in ANY_ERROR) for made in _mine())


@pytest.mark.parametrize(
    "filters",
    [
        (("SourceIPAddress", "1.2.3.4/99"),),
        (("Username", " "),),
        (("EventName", "x" * 2001),),
        (("EventName", "CreateUser"), ("EventName", "ListUsers")),
        tuple(("EventName", f"Name{number}") for number in range(9)),
    ],
    ids=lambda filters: f"{filters[0][0]} {filters[0][1][:20]}",
)
def test_filters_that_no_event_can_meet_are_refused(filters: tuple[tuple[str, str], ...], served: Served) -> None:
    with pytest.raises(InvalidRequest) as refused:
        _page(served, EventQuery(filters=tuple(Filter(key, value) for key, value in filters)))
    assert refused.value.hint


def test_attribute_keys_are_those_of_lookup_events_that_the_clouds_events_have(
    backend: Backend, served: Served
) -> None:
    assert served.trail.attribute_keys & set(AttributeKey) == set(AttributeKey) - backend.lacks


@pytest.mark.parametrize(("key", "value"), [("Nonsense", "x"), ("eventname", "CreateUser"), ("ReadOnly", "perhaps")])
def test_a_key_or_value_that_cannot_be_is_refused(key: str, value: str, served: Served) -> None:
    with pytest.raises(InvalidRequest) as refused:
        _page(served, EventQuery(filters=(Filter(key, value),)))
    assert refused.value.hint


def test_an_event_says_what_its_record_says(backend: Backend, served: Served) -> None:
    query = EventQuery(filters=(Filter("EventId", record(7)["eventID"]),))
    [event] = _page(served, query).events
    assert event.record is None
    [whole] = _page(served, replace(query, with_record=True)).events
    made = next(one for one in _records(backend.regions) if one["eventID"] == event.id)
    assert whole.record is not None
    recorded = backend.recorded(json.loads(json.dumps(whole.record)))
    kept = made if backend.cloud == "aws" else {name: made[name] for name in _KEPT}
    kept |= {"recipientAccountId": served.target().account.id}
    assert {name: recorded.get(name, "") for name in kept} == kept
    assert backend.cloud != "aws" or recorded == made
    assert replace(whole, record=None, text="", source_object="") == event
    assert (event.cloud, event.name, event.source, event.region) == (
        backend.cloud,
        made["eventName"],
        made["eventSource"],
        made["awsRegion"],
    )
    assert (event.username, event.principal, event.source_ip) == ("alice", "user/alice", "198.51.100.7")
    key = "" if "AccessKeyId" in backend.lacks else made["userIdentity"]["accessKeyId"]
    assert (event.access_key_id, event.read_only) == (key, made["readOnly"])
    assert event.time.strftime("%Y-%m-%dT%H:%M:%SZ") == made["eventTime"]
    assert "AWS::IAM::Role" in {resource.type for resource in event.resources}


def test_trails_are_described_or_the_reason_why_not(backend: Backend, served: Served) -> None:
    if backend.describes_trails:
        assert isinstance(served.portal.call(served.trail.describe_trails, served.target()), tuple)
        return
    with pytest.raises(UnsupportedByCloud) as refused:
        served.portal.call(served.trail.describe_trails, served.target())
    assert refused.value.hint


def test_cancelling_a_lookup_ends_it(served: Served) -> None:
    async def cancelled_at_once() -> bool:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await served.trail.lookup_events(served.target(), EventQuery())
        return scope.cancelled_caught

    assert served.portal.call(cancelled_at_once)
    assert _page(served, EventQuery()).events


def test_stores_are_where_the_cloud_says(backend: Backend, served: Served) -> None:
    """Whether SQL can be answered is told by the cloud's value alone, before any trail is open."""
    expected = backend.name != "lake" and cloud_of(backend.cloud).event_data_stores
    assert isinstance(served.trail, HasEventDataStores) == expected
