"""Lookups in live Volcengine accounts: filters, spans, pages, regions, and whose events they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import anyio
import pytest

from crosstrail.clouds.volcengine.regions import KNOWN_REGIONS
from crosstrail.errors import InvalidRequest, UnsupportedByCloud, WrongAccount
from crosstrail.json_values import table
from crosstrail.models import Account, Event, EventPage, EventQuery, Filter, NewTrail, Target, Trail
from crosstrail.settings.config import Settings
from crosstrail.timerange import TimeRange
from lake_workspace import client_of, text_of
from listed_accounts import moment
from listing import all_events
from live_volcengine import CN_DEV, CN_PROD, LiveVolcengine


def _page(live: LiveVolcengine, target: Target, query: EventQuery) -> EventPage:
    return anyio.run(live.trail().lookup_events, target, query)


def _all(live: LiveVolcengine, target: Target, query: EventQuery) -> list[Event]:
    return anyio.run(all_events, live.trail(), target, query)


def test_a_warm_lookup_is_one_request_and_gives_the_newest(live: LiveVolcengine) -> None:
    target = Target(live.keys_account(CN_PROD))
    now = moment()
    ids = [live.world.accounts[CN_PROD].log("GetUser", now - timedelta(minutes=age)) for age in range(60)]
    _page(live, target, EventQuery(limit=1))  # whose keys they are is asked once
    before = len(live.world.requests)
    page = _page(live, target, EventQuery(limit=20))
    assert [event.id for event in page.events] == ids[:20]
    assert page.more
    assert page.held is not None
    assert [request.action for request in live.world.requests[before:]] == ["LookupEvents"]
    assert live.world.requests[-1].method == "POST"


@pytest.mark.parametrize("end_inclusive", [True, False])
@pytest.mark.parametrize("oldest_first", [False, True])
def test_every_event_once_even_of_a_crowded_second(
    live: LiveVolcengine, end_inclusive: bool, oldest_first: bool
) -> None:
    """Whatever the API does at the end of a span, and in whichever order it lists: neither is documented."""
    live.world.end_inclusive, live.world.oldest_first = end_inclusive, oldest_first
    target = Target(live.keys_account(CN_PROD))
    account, now = live.world.accounts[CN_PROD], moment(timedelta(hours=1))
    ids = {account.log("AttachPolicy", now - timedelta(seconds=age // 3)) for age in range(90)}
    ids |= {account.log("Burst", now - timedelta(seconds=10)) for _ in range(130)}
    found = _all(live, target, EventQuery(limit=40))
    assert len(found) == 220
    assert {event.id for event in found} == ids
    assert [event.time for event in found] == sorted((event.time for event in found), reverse=True)


def test_both_ends_of_a_span_belong_to_it(live: LiveVolcengine) -> None:
    live.world.end_inclusive = False
    target = Target(live.keys_account(CN_PROD))
    account, noon = live.world.accounts[CN_PROD], moment(timedelta(days=2))
    at = [account.log("GetUser", noon + timedelta(seconds=offset)) for offset in (-1, 0, 1)]
    assert [event.id for event in _all(live, target, EventQuery(TimeRange(noon, noon)))] == [at[1]]
    assert [event.id for event in _all(live, target, EventQuery(TimeRange(noon, None)))] == [at[2], at[1]]
    assert [event.id for event in _all(live, target, EventQuery(TimeRange(None, noon)))] == [at[1], at[0]]


def test_a_span_older_than_the_history_asks_nobody(live: LiveVolcengine) -> None:
    target = Target(live.keys_account(CN_PROD))
    page = _page(live, target, EventQuery(TimeRange(None, moment(timedelta(days=100)))))
    assert (page.events, page.more, live.world.requests) == ((), False, [])
    assert page.held is not None


@pytest.mark.parametrize(
    ("key", "value", "sent"),
    [
        ("EventName", "DeleteUser", ("EventName", "DeleteUser")),
        ("Username", "bob", ("IdentityName", "bob")),
        ("IdentityName", "bob", ("IdentityName", "bob")),
        ("ResourceName", "i-1", ("ResourceID", "i-1")),
        ("ResourceType", "instance", ("ResourceType", "instance")),
        ("AccessKeyId", "AKLTBOB", ("AccessKeyID", "AKLTBOB")),
        ("AccessKeyID", "AKLTBOB", ("AccessKeyID", "AKLTBOB")),
        ("EventSource", "ecs", ("EventSource", "ecs")),
        ("ReadOnly", "False", ("ReadOnly", "false")),
        ("ErrorCode", "AccessDenied", ("ErrorCode", "AccessDenied")),
        ("Region", "cn-shanghai", ("Region", "cn-shanghai")),
    ],
)
def test_an_attribute_in_either_clouds_spelling(
    live: LiveVolcengine, key: str, value: str, sent: tuple[str, str]
) -> None:
    trail, target = live.trail(), Target(live.keys_account(CN_PROD))
    account = live.world.accounts[CN_PROD]
    account.log("GetUser", moment(), read_only=True)
    wanted = account.log(
        "DeleteUser",
        moment(),
        user="bob",
        access_key_id="AKLTBOB",
        source="ecs",
        region="cn-shanghai",
        error_code="AccessDenied",
        resources=(("instance", "i-1"),),
    )
    assert key.lower() in {name.lower() for name in trail.attribute_keys}
    found = _all(live, target, EventQuery(filters=(Filter(key, value),)))
    assert [event.id for event in found] == [wanted]
    [condition] = live.world.requests[-1].params["LookupConditions"]
    assert (condition["LookupConditionKey"], condition["LookupConditionValue"]) == sent


def test_an_unknown_key_names_those_there_are(live: LiveVolcengine) -> None:
    target = Target(live.keys_account(CN_PROD))
    with pytest.raises(InvalidRequest) as refused:
        _page(live, target, EventQuery(filters=(Filter("Nonsense", "x"),)))
    assert len(live.trail().attribute_keys) == len({key.lower() for key in live.trail().attribute_keys})
    for key in ("RequestID", "ApiVersion", "IdentityType", "ErrorCode", "Username"):
        assert key in refused.value.hint
    with pytest.raises(InvalidRequest):
        _page(live, target, EventQuery(filters=(Filter("ReadOnly", "perhaps"),)))
    assert live.world.requests == []


def test_a_region_is_that_region_and_none_is_all(live: LiveVolcengine) -> None:
    account = live.keys_account(CN_PROD, region="cn-shanghai")
    for number in range(30):
        region = ("cn-beijing", "cn-shanghai")[number % 2]
        live.world.accounts[CN_PROD].log("GetUser", moment(timedelta(seconds=number)), region=region)
    assert {event.region for event in _all(live, Target(account), EventQuery())} == {"cn-beijing", "cn-shanghai"}
    assert live.world.requests[-1].region == "cn-shanghai"  # whose API was asked
    beijing = _all(live, Target(account, "cn-beijing"), EventQuery(limit=4))
    assert {event.region for event in beijing} == {"cn-beijing"}
    assert len(beijing) == 15
    both = EventQuery(filters=(Filter("EventName", "GetUser"),), limit=4)
    assert len(_all(live, Target(account, "cn-beijing"), both)) == 15


@pytest.mark.anyio
@pytest.mark.parametrize("listed", [{"regions": ["cn-brandnew-7"]}, {"region": "cn-brandnew-7"}])
async def test_a_region_that_only_the_account_knows_is_asked_like_any_other(
    live: LiveVolcengine, listed: dict[str, Any]
) -> None:
    assert "cn-brandnew-7" not in KNOWN_REGIONS
    live.keys_account(CN_PROD, "listing", **listed)
    live.keys_account(CN_DEV, "other")
    event = live.world.accounts[CN_PROD].log("GetUser", moment(timedelta(minutes=1)), region="cn-brandnew-7")
    given = {"accounts": live.listed, "volcengine": {"endpoint": live.url}, "lake": {"path": "none"}}
    async with client_of(Settings.model_validate(given)) as client:
        asked = {"region": "cn-brandnew-7", "start_time": "1h"}
        found = await client.call_tool("lookup_events", {"target_account_id": "*", **asked})
        assert event in text_of(found)
        assert "NOT asked, because their cloud has no such region: other." in text_of(found)
        refused = await client.call_tool("lookup_events", {"target_account_id": "other", **asked})
        assert "no account asked has a region 'cn-brandnew-7'" in text_of(refused)
    assert {one.region for one in live.world.asked("LookupEvents")} == {"cn-brandnew-7"}


def test_an_event_says_what_its_record_says(live: LiveVolcengine) -> None:
    target = Target(live.role_account(CN_PROD, "cn-prod"))
    event_id = live.world.accounts[CN_PROD].log("StopLogging", moment(), resources=(("trail", "main"),))
    [event] = _page(live, target, EventQuery()).events
    assert (event.cloud, event.account, event.id, event.name) == ("volcengine", CN_PROD, event_id, "StopLogging")
    assert (event.username, event.principal, event.source, event.source_ip) == (
        "alice",
        "user/alice",
        "iam",
        "203.0.113.7",
    )
    assert (event.access_key_id, event.read_only, event.error_code) == ("AKLTEXAMPLE", False, "")
    assert ("trail", "main") in {(resource.type, resource.name) for resource in event.resources}
    assert event.record is None
    [whole] = _page(live, target, EventQuery(with_record=True)).events
    assert whole.record is not None
    assert table(whole.record["UserIdentity"])["AccountID"] == CN_PROD


def test_an_item_whose_detail_is_broken_is_still_an_event(live: LiveVolcengine) -> None:
    target = Target(live.keys_account(CN_PROD))
    account = live.world.accounts[CN_PROD]
    account.log("GetUser", moment())
    logged = account.events[0]
    broken = logged.encoded.replace(b'"EventDetail":"{', b'"EventDetail":"<')
    assert broken != logged.encoded
    account.events[0] = replace(logged, encoded=broken)
    [event] = _page(live, target, EventQuery()).events
    assert (event.id, event.name, event.username) == (logged.id, "GetUser", "alice")


def test_events_of_another_account_are_refused(live: LiveVolcengine) -> None:
    """Beside what STS says of the keys: a page of another account's events alone cannot be right."""
    account = live.keys_account(CN_PROD, "cn-prod")
    live.world.accounts[CN_PROD].log("DeleteUser", moment(), detail={"UserIdentity": {"AccountID": CN_DEV}})
    with pytest.raises(WrongAccount, match="cn-prod: another account answered") as refused:
        _page(live, Target(account), EventQuery())
    assert "DeleteUser" not in refused.value.text
    assert CN_DEV not in refused.value.text


def test_a_call_from_another_account_is_an_event_of_the_account_called(live: LiveVolcengine) -> None:
    account = live.keys_account(CN_PROD)
    live.world.accounts[CN_PROD].log("GetUser", moment())
    live.world.accounts[CN_PROD].log(
        "AssumeRole", moment(), detail={"UserIdentity": {"AccountID": CN_DEV, "Type": "User"}}
    )
    page = _page(live, Target(account), EventQuery())
    assert {event.name for event in page.events} == {"GetUser", "AssumeRole"}
    assert {event.account for event in page.events} == {CN_PROD}


def test_an_account_of_another_cloud_is_not_asked(live: LiveVolcengine) -> None:
    aws = Account.model_validate({**live.listed[0], "cloud": "aws"}) if live.listed else Account(id="111111111111")
    with pytest.raises(UnsupportedByCloud):
        _page(live, Target(aws), EventQuery())


def test_trails_are_described(live: LiveVolcengine) -> None:
    target = Target(live.keys_account(CN_PROD))
    account = live.world.accounts[CN_PROD]
    account.add_trail("main", TosKeyPrefix="audit", LatestDeliveryError="failed to put logs")
    account.add_trail("org", TrailType=1, LoggingStatus="Disable", TosBucketName="", TlsProjectName="logs")
    found = anyio.run(live.trail().describe_trails, target)
    assert [(one.name, one.logging, one.organization, one.destination) for one in found] == [
        ("main", True, False, f"tos://logs-{CN_PROD}/audit"),
        ("org", False, True, "tls://logs"),
    ]
    assert found[0].latest_error == "failed to put logs"
    assert found[0].latest_delivery is not None
    assert found[0].latest_delivery.isoformat() == "2024-12-17T11:00:00+00:00"
    [only] = anyio.run(live.trail().describe_trails, target, ("org",))
    assert only.name == "org"
    assert (live.world.requests[-1].method, live.world.requests[-1].params["TrailNames.1"]) == ("GET", "org")


def test_a_trail_is_created(live: LiveVolcengine) -> None:
    target = Target(live.role_account(CN_PROD))
    made = anyio.run(live.trail().create_trail, target, NewTrail("main", "bucket1", prefix="p"))
    assert (made.name, made.destination, made.region) == ("main", "tos://bucket1/p", "cn-beijing")
    assert isinstance(made, Trail)
    assert "main" in live.world.accounts[CN_PROD].trails
    with pytest.raises(InvalidRequest, match="TrailAlreadyExists, request "):
        anyio.run(live.trail().create_trail, target, NewTrail("main", "bucket1"))
