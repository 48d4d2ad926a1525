"""Lookups in live Alibaba Cloud accounts: filters, spans, pages, regions, trails, and whose events they are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from crosstrail.clouds.alibaba.lookups import divided, readable
from crosstrail.errors import AccessDenied, CloudError, InvalidRequest, UnsupportedByCloud, WrongAccount
from crosstrail.json_values import table
from crosstrail.models import Account, Event, EventQuery, Filter, NewTrail, Target
from crosstrail.timerange import TimeRange
from fakes.cloud import Recorded
from listed_accounts import moment
from listing import all_events
from live_alibaba import HZ_DEV, HZ_PROD, LiveAlibaba, live_alibaba

pytestmark = pytest.mark.anyio


async def _all(live: LiveAlibaba, target: Target, **query: Any) -> list[Event]:
    return await all_events(live.trail(), target, EventQuery(**query))


def _asked(request: Recorded) -> dict[str, str]:
    """Key -> value of the attributes that a lookup asked for."""
    places = [name for name in request.params if name.endswith(".Key")]
    return {request.params[name]: request.params[name.replace(".Key", ".Value")] for name in places}


async def test_a_warm_lookup_is_one_request_and_gives_the_newest(alibaba: LiveAlibaba) -> None:
    target, now = Target(alibaba.keys_account(HZ_PROD)), moment()
    ids = [alibaba.world.accounts[HZ_PROD].log("RunInstances", now - timedelta(minutes=age)) for age in range(60)]
    trail = alibaba.trail()
    await trail.lookup_events(target, EventQuery(limit=1))  # whose keys they are is asked once
    before = len(alibaba.world.requests)
    page = await trail.lookup_events(target, EventQuery(limit=20))
    assert [event.id for event in page.events] == ids[:20]
    assert page.more
    assert page.held is not None
    [request] = alibaba.world.requests[before:]
    assert (request.action, request.version, request.region) == ("LookupEvents", "2020-07-06", "cn-hangzhou")
    assert (request.params["Direction"], request.params["MaxResults"]) == ("BACKWARD", "20")


@pytest.mark.parametrize("end_inclusive", [True, False])
async def test_every_event_once_over_crowded_seconds_and_the_seams_of_spans(
    alibaba: LiveAlibaba, end_inclusive: bool
) -> None:
    alibaba.world.end_inclusive = end_inclusive
    target = Target(alibaba.keys_account(HZ_PROD))
    account, now = alibaba.world.accounts[HZ_PROD], moment(timedelta(hours=1))
    ids = {account.log("AttachPolicy", now - timedelta(seconds=age // 3)) for age in range(90)}
    ids |= {account.log("Burst", now - timedelta(seconds=10)) for _ in range(130)}
    seam = moment() - timedelta(days=30)
    ids |= {account.log("Seam", seam + timedelta(seconds=offset)) for offset in range(-20, 20)}
    ids |= {account.log("Old", now - timedelta(days=days)) for days in (31, 59, 61, 75, 88)}
    found = await _all(alibaba, target, limit=40)
    assert len(found) == len(ids)
    assert {event.id for event in found} == ids
    assert [event.time for event in found] == sorted((event.time for event in found), reverse=True)


@pytest.mark.parametrize("end_inclusive", [True, False])
async def test_an_event_at_the_seam_of_two_spans_comes_once(alibaba: LiveAlibaba, end_inclusive: bool) -> None:
    alibaba.world.end_inclusive = end_inclusive
    target = Target(alibaba.keys_account(HZ_PROD))
    seam = moment(timedelta(days=30))
    ids = {alibaba.world.accounts[HZ_PROD].log("Seam", seam + timedelta(seconds=at)) for at in range(-20, 20)}
    page = await alibaba.trail().lookup_events(target, EventQuery(limit=500))
    assert sorted(event.id for event in page.events) == sorted(ids)
    assert not page.more


async def test_both_ends_of_a_span_belong_to_it(alibaba: LiveAlibaba) -> None:
    alibaba.world.end_inclusive = False
    target = Target(alibaba.keys_account(HZ_PROD))
    account, noon = alibaba.world.accounts[HZ_PROD], moment(timedelta(days=2))
    at = [account.log("StopInstance", noon + timedelta(seconds=offset)) for offset in (-1, 0, 1)]
    assert [event.id for event in await _all(alibaba, target, span=TimeRange(noon, noon))] == [at[1]]
    assert [event.id for event in await _all(alibaba, target, span=TimeRange(noon, None))] == [at[2], at[1]]
    assert [event.id for event in await _all(alibaba, target, span=TimeRange(None, noon))] == [at[1], at[0]]


async def test_history_is_asked_for_thirty_days_at_a_time_back_to_its_beginning(alibaba: LiveAlibaba) -> None:
    target = Target(alibaba.keys_account(HZ_PROD))
    page = await alibaba.trail().lookup_events(target, EventQuery())
    assert (page.events, page.more) == ((), False)
    assert len(alibaba.world.asked("LookupEvents")) == 3
    before = len(alibaba.world.requests)
    page = await alibaba.trail().lookup_events(target, EventQuery(TimeRange(None, moment(timedelta(days=100)))))
    assert (page.events, page.more, alibaba.world.requests[before:]) == ((), False, [])


async def test_a_span_without_what_is_sifted_for_is_looked_through_and_says_how_far(
    alibaba: LiveAlibaba, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that stops early says back to when everything was seen, also where that span held nothing at all."""
    target = Target(alibaba.keys_account(HZ_PROD))
    alibaba.world.accounts[HZ_PROD].log("RunInstances", moment(timedelta(days=80)), error_code="Forbidden.RAM")
    query = EventQuery(filters=(Filter("ErrorCode", "*"),))
    page = await alibaba.trail().lookup_events(target, query)
    assert [event.error for event in page.events] == ["Forbidden.RAM"]
    monkeypatch.setattr("crosstrail.clouds.reading.MAX_SIFTED_PAGES", 1)
    page = await alibaba.trail().lookup_events(target, query)
    assert (page.events, page.more) == ((), True)
    assert page.back_to is not None
    assert timedelta(days=29) < moment() - page.back_to < timedelta(days=31)
    assert len(await all_events(alibaba.trail(), target, query)) == 1


@pytest.mark.parametrize(
    ("key", "value", "sent"),
    [
        ("EventName", "DeleteUser", {"EventName": "DeleteUser"}),
        ("Username", "bob", {"User": "bob"}),
        ("ResourceName", "i-1", {"ResourceName": "i-1"}),
        ("ResourceType", "ACS::ECS::Instance", {"ResourceType": "ACS::ECS::Instance"}),
        ("AccessKeyId", "LTAIBOB", {"EventAccessKeyId": "LTAIBOB"}),
        ("EventAccessKeyId", "LTAIBOB", {"EventAccessKeyId": "LTAIBOB"}),
        ("ReadOnly", "False", {"EventRW": "Write"}),
        ("SourceIPAddress", "198.51.100.9", {"SourceIpAddress": "198.51.100.9"}),
        ("ServiceName", "Ram", {"ServiceName": "Ram"}),
        ("EventType", "ConsoleOperation", {"EventType": "ConsoleOperation"}),
        ("SensitiveAction", "true", {"SensitiveAction": "true"}),
        ("Principal", "user/bob", {"User": "bob"}),
        ("EventSource", "ram.aliyuncs.com", {}),
        ("ErrorCode", "NoPermission", {}),
        ("IdentityType", "ram-user", {}),
    ],
)
async def test_what_actiontrail_can_apply_is_asked_for_and_the_rest_is_applied_here(
    alibaba: LiveAlibaba, key: str, value: str, sent: dict[str, str]
) -> None:
    target = Target(alibaba.keys_account(HZ_PROD))
    account = alibaba.world.accounts[HZ_PROD]
    account.log("GetUser", moment(), read_only=True, role="audit")
    wanted = account.log(
        "DeleteUser",
        moment(),
        user="bob",
        access_key_id="LTAIBOB",
        service="Ram",
        error_code="NoPermission",
        resources=(("ACS::ECS::Instance", "i-1"),),
        sensitive=True,
        sourceIpAddress="198.51.100.9",
        eventType="ConsoleOperation",
        eventSource="ram.aliyuncs.com",
    )
    assert key in alibaba.trail().attribute_keys
    found = await _all(alibaba, target, filters=(Filter(key, value),))
    assert [event.id for event in found] == [wanted]
    assert _asked(alibaba.world.asked("LookupEvents")[0]) == sent


@pytest.mark.parametrize(
    ("filters", "sent"),
    [
        ({"Username": "bob", "EventName": "DeleteUser"}, ["User"]),
        ({"EventName": "DeleteUser", "ReadOnly": "false"}, ["EventName"]),
        ({"ResourceName": "i-1", "EventName": "DeleteUser", "Username": "bob"}, ["ResourceName", "User"]),
        ({"ResourceName": "i-1", "ResourceType": "ACS::ECS::Instance"}, ["ResourceName", "ResourceType"]),
        ({"ServiceName": "Ram", "ReadOnly": "false"}, ["ServiceName", "EventRW"]),
        ({"ServiceName": "Ram", "EventName": "DeleteUser", "EventType": "ApiCall"}, ["EventName", "ServiceName"]),
        ({"EventType": "ApiCall", "EventName": "DeleteUser"}, ["EventName", "EventType"]),
        ({"SensitiveAction": "true", "EventName": "DeleteUser"}, ["SensitiveAction"]),
        ({"SourceIPAddress": "2001:db8::a", "EventName": "DeleteUser"}, ["EventName"]),
        ({"Username": "audit:bob", "EventName": "DeleteUser"}, ["EventName"]),
        ({"Role": "audit", "ErrorCode": "*"}, []),
    ],
)
def test_only_documented_pairs_are_asked_for_together(filters: dict[str, str], sent: list[str]) -> None:
    asked = readable([Filter(key, value) for key, value in filters.items()])
    chosen, left = divided(asked)
    assert [one["Key"] for one in chosen] == sent
    assert len(chosen) + len(left) == len(filters)


async def test_a_session_is_found_by_its_whole_name_its_role_and_its_principal(alibaba: LiveAlibaba) -> None:
    target = Target(alibaba.keys_account(HZ_PROD))
    account = alibaba.world.accounts[HZ_PROD]
    account.log("GetUser", moment(), user="bob")
    wanted = account.log("GetUser", moment(), user="bob", role="Audit", access_key_id="STS.abc")
    for key, value in [
        ("Username", "Audit:bob"),
        ("Role", "audit"),
        ("Role", f"acs:ram::{HZ_PROD}:role/Audit"),
        ("Principal", "assumed-role/Audit/bob"),
        ("Principal", f"acs:ram::{HZ_PROD}:assumed-role/Audit/bob"),
        ("IdentityType", "AssumedRole"),
        ("AccessKeyId", "STS.abc"),
    ]:
        assert [event.id for event in await _all(alibaba, target, filters=(Filter(key, value),))] == [wanted], key


async def test_values_are_compared_letter_by_letter_whatever_they_hold(alibaba: LiveAlibaba) -> None:
    target = Target(alibaba.keys_account(HZ_PROD))
    name = "张三 a+b/c=d~e*f&g"
    wanted = alibaba.world.accounts[HZ_PROD].log("GetUser", moment(), user=name)
    assert [one.id for one in await _all(alibaba, target, filters=(Filter("Username", name),))] == [wanted]
    assert await _all(alibaba, target, filters=(Filter("EventName", "getuser"),)) == []


async def test_a_key_that_is_none_and_a_value_that_cannot_be_are_refused(alibaba: LiveAlibaba) -> None:
    target = Target(alibaba.keys_account(HZ_PROD))
    for key, value in [
        ("Nonsense", "x"),
        ("ReadOnly", "perhaps"),
        ("SensitiveAction", "maybe"),
        ("EventCategory", "x"),
    ]:
        with pytest.raises(InvalidRequest) as refused:
            await _all(alibaba, target, filters=(Filter(key, value),))
        assert refused.value.hint
    assert alibaba.world.requests == []


async def test_each_region_is_asked_and_a_global_event_comes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every region's API shows global events; they name one region."""
    async with live_alibaba(endpoint="http://{product}.{region}.alibaba.test") as live:
        monkeypatch.setenv("HTTP_PROXY", live.url)  # it is told the whole address, as a proxy is
        account = live.keys_account(HZ_PROD, region="cn-beijing")
        log = live.world.accounts[HZ_PROD].log
        own = log("RunInstances", moment(), region="cn-beijing")
        other = log("RunInstances", moment(), region="eu-central-1")
        everywhere = log("CreateUser", moment(), region="cn-hangzhou", everywhere=True)
        found = {
            region: {event.id for event in await _all(live, Target(account, region))}
            for region in ("", "cn-beijing", "eu-central-1", "cn-hangzhou", "us-west-1")
        }
        assert found == {
            "": {own, everywhere},
            "cn-beijing": {own},
            "eu-central-1": {other},
            "cn-hangzhou": {everywhere},
            "us-west-1": set(),
        }
        assert {one.region for one in live.world.asked("LookupEvents")} == set(found) - {""}


@pytest.mark.parametrize("region", ["evil.example/", "cn-hangzhou@x", "CN", "x" * 60, "cn_hangzhou"])
async def test_a_region_that_is_no_name_reaches_no_address(alibaba: LiveAlibaba, region: str) -> None:
    with pytest.raises(InvalidRequest, match="no name of a region"):
        await _all(alibaba, Target(alibaba.keys_account(HZ_PROD), region))


async def test_an_event_says_what_its_record_says(alibaba: LiveAlibaba) -> None:
    target = Target(alibaba.role_account(HZ_PROD, "hz-prod"))
    event_id = alibaba.world.account(HZ_PROD).log("StopInstance", moment(), resources=(("ACS::ECS::Instance", "i-1"),))
    [event] = await _all(alibaba, target)
    assert (event.cloud, event.account, event.id, event.name) == ("alibaba", HZ_PROD, event_id, "StopInstance")
    assert (event.username, event.principal, event.source) == ("alice", "user/alice", "ecs.cn-hangzhou.aliyuncs.com")
    assert (event.access_key_id, event.read_only, event.error_code) == ("LTAIEXAMPLE", False, "")
    assert (event.source_ip, event.region) == ("203.0.113.7", "cn-hangzhou")
    assert [(one.type, one.name) for one in event.resources] == [("ACS::ECS::Instance", "i-1")]
    assert event.record is None
    [whole] = await _all(alibaba, target, with_record=True)
    assert whole.record is not None
    assert table(whole.record["userIdentity"])["accountId"] == HZ_PROD


async def test_events_of_another_account_are_refused(alibaba: LiveAlibaba) -> None:
    """Beside what STS says of the keys: a page of another account's events alone cannot be right."""
    account = alibaba.keys_account(HZ_PROD, "hz-prod")
    alibaba.world.accounts[HZ_PROD].log("DeleteUser", moment(), userIdentity={"accountId": HZ_DEV, "type": "ram-user"})
    with pytest.raises(WrongAccount, match="hz-prod: another account answered") as refused:
        await _all(alibaba, Target(account))
    assert "DeleteUser" not in refused.value.text
    assert HZ_DEV not in refused.value.text
    alibaba.world.accounts[HZ_PROD].log("GetUser", moment())
    assert {event.account for event in await _all(alibaba, Target(account))} == {HZ_PROD}


@pytest.mark.parametrize("events", ['"x"', "[1]", '[{"eventTime": "never"}]', '{"a": 1}'])
async def test_an_answer_that_cannot_be_read_is_an_error(alibaba: LiveAlibaba, events: str) -> None:
    alibaba.world.fail("result", text=f'{{"RequestId": "1", "Events": {events}}}', action="LookupEvents")
    with pytest.raises(CloudError, match="cannot be read"):
        await _all(alibaba, Target(alibaba.keys_account(HZ_PROD)))


async def test_an_account_of_another_cloud_is_not_asked(alibaba: LiveAlibaba) -> None:
    with pytest.raises(UnsupportedByCloud):
        await _all(alibaba, Target(Account(id="111111111111")))


async def test_trails_are_described_with_their_status(alibaba: LiveAlibaba) -> None:
    target = Target(alibaba.role_account(HZ_PROD, session_policy=True))
    account = alibaba.world.account(HZ_PROD)
    account.add_trail("main-trail", OssKeyPrefix="audit-logs", _error="NoSuchBucket")
    account.add_trail(
        "org-trail", IsOrganizationTrail=True, Status="Disable", OssBucketName="", SlsProjectArn="acs:log:x"
    )
    account.add_trail("far-trail", HomeRegion="eu-central-1", TrailRegion="eu-central-1")
    main, organization, far = await alibaba.trail().describe_trails(target)
    assert (main.name, main.logging, main.organization, main.multi_region) == ("main-trail", True, False, True)
    assert (main.destination, main.region) == (f"oss://logs-{HZ_PROD}/audit-logs", "cn-hangzhou")
    assert (main.latest_error, main.validates_files) == ("NoSuchBucket", False)
    assert main.latest_delivery is not None
    assert (organization.logging, organization.organization, organization.destination) == (False, True, "acs:log:x")
    assert (far.multi_region, far.logging) == (False, None)  # its status is its own region's to tell, which is not here
    assert "TrailNotFoundException" in far.latest_error
    [only] = await alibaba.trail().describe_trails(target, ("org-trail",))
    assert only.name == "org-trail"


async def test_a_trail_is_created_and_logs(alibaba: LiveAlibaba) -> None:
    target = Target(alibaba.keys_account(HZ_PROD))
    made = await alibaba.trail().create_trail(target, NewTrail("main-trail", "bucket1", prefix="audit-logs"))
    assert (made.name, made.destination, made.region) == ("main-trail", "oss://bucket1/audit-logs", "cn-hangzhou")
    assert (made.logging, made.multi_region) == (True, True)
    trails = alibaba.world.accounts[HZ_PROD].trails
    assert trails["main-trail"]["Status"] == "Enable"
    with pytest.raises(InvalidRequest, match="TrailAlreadyExistsException, request ") as refused:
        await alibaba.trail().create_trail(target, NewTrail("main-trail", "bucket1"))
    assert "the account's trails" in refused.value.hint
    await alibaba.trail().create_trail(
        target, NewTrail("idle-trail", "bucket1", multi_region=False, start_logging=False)
    )
    assert (trails["idle-trail"]["Status"], trails["idle-trail"]["TrailRegion"]) == ("Fresh", "cn-hangzhou")


async def test_a_trail_that_was_created_and_does_not_log_is_said_to(alibaba: LiveAlibaba) -> None:
    target = Target(alibaba.keys_account(HZ_PROD))
    alibaba.world.accounts[HZ_PROD].denied.add("StartLogging")
    with pytest.raises(AccessDenied) as raised:
        await alibaba.trail().create_trail(target, NewTrail("main-trail", "bucket1"))
    assert "was created and does not log yet" in raised.value.hint
