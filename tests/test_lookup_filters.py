"""Filters on live accounts: what the cloud is asked, what is read here, how far back an answer looked, and what people type."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crosstrail.clouds.reading import MAX_SIFTED_PAGES
from crosstrail.errors import InvalidRequest
from crosstrail.filters import KEYS, accepted, parse
from crosstrail.models import Account, EventQuery, Filter, Target
from crosstrail.settings.lake_settings import LakeSettings
from lake_workspace import OLD, client_of, collect, facts_of, record, rows_of, text_of, write_logs
from listed_accounts import moment
from listing import all_events
from live_aws import DEV, PROD, LiveAws

pytestmark = pytest.mark.anyio
HOUR = timedelta(hours=1)
IP = "192.0.2.77"


def log_many(aws: LiveAws, count: int, every: int, account: str = PROD) -> list[str]:
    """`count` events a second apart, newest first; the ids of every so manieth, which came from IP."""
    log = aws.world.accounts[account]
    wanted = []
    for number in range(count):
        hit = number % every == every - 1
        event = log.log(
            "GetObject", moment(timedelta(seconds=60 + number)), record={"sourceIPAddress": IP} if hit else None
        )
        wanted += [event] if hit else []
    return wanted


def asked_attributes(aws: LiveAws) -> list[Any]:
    return [
        [(one["AttributeKey"], one["AttributeValue"]) for one in request.params.get("LookupAttributes", ())]
        for request in aws.world.asked("LookupEvents")
    ]


@pytest.mark.parametrize(
    ("filters", "sent"),
    [
        ({"SourceIPAddress": IP}, []),
        ({"ReadOnly": "no", "EventName": "createuser", "ErrorCode": "*"}, [("EventName", "CreateUser")]),
        ({"EventName": "CreateUser", "Username": "alice"}, [("Username", "alice")]),
        ({"EventSource": "S3"}, [("EventSource", "s3.amazonaws.com")]),
        ({"AccessKeyId": " akia0123456789abcdef "}, [("AccessKeyId", "AKIA0123456789ABCDEF")]),
        ({"EventName": "console login"}, [("EventName", "ConsoleLogin")]),
        ({"ResourceType": "aws::s3::bucket"}, [("ResourceType", "AWS::S3::Bucket")]),
        ({"ReadOnly": "YES"}, [("ReadOnly", "true")]),
        ({"Username": f"arn:aws:iam::{PROD}:user/people/alice"}, [("Username", "alice")]),
        ({"Principal": "assumed-role/Audit/carol"}, [("Username", "carol")]),
        ({"Username": f"arn:aws:iam::{PROD}:role/Audit"}, []),
        ({"Principal": "root"}, []),
    ],
)
async def test_the_most_selective_attribute_goes_to_the_cloud(
    aws: LiveAws, prod: Account, filters: dict[str, str], sent: list[tuple[str, str]]
) -> None:
    query = EventQuery(filters=tuple(Filter(key, value) for key, value in filters.items()))
    await aws.trail().lookup_events(Target(prod), query)
    assert asked_attributes(aws) == [sent]


@pytest.mark.parametrize(
    ("network", "wanted"),
    [
        ("10.0.0.0/8", {"10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"}),
        ("10.1.2.3/8", {"10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"}),
        ("11.0.0.0/32", {"11.0.0.0"}),
        ("2001:DB8::/32", {"2001:db8:0:0:0:0:0:1", "2001:DB8::2"}),
        ("172.16.0.0/12", set()),
    ],
)
async def test_a_network_finds_its_addresses_in_the_cloud_and_in_the_lake(
    aws: LiveAws, prod: Account, tmp_path: Path, network: str, wanted: set[str]
) -> None:
    addresses = ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3", "11.0.0.0", "2001:db8:0:0:0:0:0:1", "2001:DB8::2"]
    logged = [*addresses, "ec2.amazonaws.com", "10.0.0.0.example.com", "AWS Internal", "9.255.255.255"]
    records = []
    for number, address in enumerate(logged):
        when = moment(timedelta(minutes=number + 1))
        aws.world.accounts[PROD].log("GetObject", when, record={"sourceIPAddress": address})
        records.append(record(OLD, number, when, sourceIPAddress=address))
    write_logs(tmp_path / "logs", records)
    collect(tmp_path / "logs", tmp_path / "lake")
    aws.listed.append({"id": OLD, "alias": "old", "archive": "logs"})
    given = aws.settings().model_copy(update={"lake": LakeSettings(path=str(tmp_path / "lake"))})
    async with client_of(given) as client:
        for account in ("prod", "old"):
            asked = {"target_account_id": account, "filters": f"SourceIPAddress={network}", "max_results": 50}
            result = await client.call_tool("lookup_events", {**asked, "detail": "full", "start_time": "2d"})
            assert not result.is_error, text_of(result)
            found = set(re.findall('"sourceIPAddress":"([^"]+)"', text_of(result)))
            assert facts_of(result)["count"] == len(wanted), account
            assert found == wanted, account


@pytest.mark.parametrize(
    ("written", "asked", "hint"),
    [
        ("consolelogin", "ConsoleLogin", ""),
        ("run-instances", "RunInstances", ""),
        ("getobject", "GetObject", ""),
        (
            "describevpcendpoints",
            "describevpcendpoints",
            "AWS writes it DescribeVpcEndpoints: filter by EventName=Desc",
        ),
        ("CREATEDBINSTANCE", "CREATEDBINSTANCE", "CreateDbInstance"),
        ("updatefunctioncode20150331v2", "updatefunctioncode20150331v2", "AWS writes it UpdateFunctionCode20150331v2:"),
        ("DescribeVpcs", "DescribeVpcs", ""),
        ("nothingofthekind", "nothingofthekind", "with a capital letter for each word"),
    ],
)
async def test_the_spelling_that_aws_has_is_told_where_nothing_was_found(
    aws: LiveAws, prod: Account, written: str, asked: str, hint: str
) -> None:
    async with client_of(aws.settings()) as client:
        text = text_of(await client.call_tool("lookup_events", {"filters": f"EventName={written}"}))
    assert asked_attributes(aws) == [[("EventName", asked)]]
    assert "Nothing matched" in text
    assert hint in text
    assert hint or "AWS writes" not in text


async def test_a_span_that_lies_wholly_in_the_future_is_told(aws: LiveAws, prod: Account) -> None:
    async with client_of(aws.settings()) as client:
        asked = {
            "start_time": f"{moment(timedelta(days=-2)):%Y-%m-%d}",
            "end_time": f"{moment(timedelta(days=-3)):%Y-%m-%d}",
        }
        future = text_of(await client.call_tool("lookup_events", asked))
        begun = text_of(await client.call_tool("lookup_events", {**asked, "start_time": "1h"}))
    assert "All of the span asked lies in the future: now is 20" in future
    assert "in the future" not in begun


async def test_a_lookup_that_reads_everything_stops_and_says_how_far_it_came(aws: LiveAws, prod: Account) -> None:
    events = 50 * MAX_SIFTED_PAGES + 120
    wanted = log_many(aws, events, events)
    trail, query = aws.trail(lookups_per_second=1000), EventQuery(filters=(Filter("SourceIPAddress", IP),))
    page = await trail.lookup_events(Target(prod), query)
    assert (page.events, page.more, page.examined) == ((), True, 50 * MAX_SIFTED_PAGES)
    assert page.back_to
    assert abs(page.back_to - moment(timedelta(seconds=60 + page.examined - 1))) < timedelta(seconds=30)
    assert len(aws.world.asked("LookupEvents")) == MAX_SIFTED_PAGES
    assert [event.id for event in await all_events(trail, Target(prod), query)] == wanted


async def test_a_second_fuller_than_a_calls_share_is_read_to_its_end(aws: LiveAws, prod: Account) -> None:
    log, crowded = aws.world.accounts[PROD], moment(HOUR)
    log.log("Newest", moment(timedelta(minutes=5)))
    ids = [
        log.log("GetObject", crowded, record={"sourceIPAddress": IP}) if number % 300 == 0 else log.log("X", crowded)
        for number in range(50 * MAX_SIFTED_PAGES + 500)
    ]
    ids.append(log.log("Oldest", moment(2 * HOUR), record={"sourceIPAddress": IP}))
    query = EventQuery(filters=(Filter("SourceIPAddress", IP),), limit=2)
    found = await all_events(aws.trail(lookups_per_second=10_000), Target(prod), query)
    assert sorted(event.id for event in found) == sorted([*ids[:-1:300], ids[-1]])


async def test_requests_of_another_caller_go_out_between_those_of_one_that_reads_everything(
    aws: LiveAws, prod: Account
) -> None:
    log_many(aws, 50 * MAX_SIFTED_PAGES + 1, 10**6)
    trail = aws.trail(lookups_per_second=20)
    async with anyio.create_task_group() as group:
        reading = EventQuery(filters=(Filter("SourceIPAddress", IP),))
        group.start_soon(trail.lookup_events, Target(prod), reading)
        while len(aws.world.asked("LookupEvents")) < 3:
            await anyio.lowlevel.checkpoint()
        await trail.lookup_events(Target(prod), EventQuery(filters=(Filter("Username", "nobody"),)))
        assert len(aws.world.asked("LookupEvents")) < MAX_SIFTED_PAGES


async def test_an_answer_says_how_far_back_it_looked_and_is_gone_on_with(aws: LiveAws) -> None:
    """No event so far is not no event."""
    aws.keys_account(PROD, "prod")
    aws.keys_account(DEV, "dev")
    wanted = log_many(aws, 50 * MAX_SIFTED_PAGES + 60, 50 * MAX_SIFTED_PAGES + 20)
    for number in (1_015, 1_500):
        when = moment(timedelta(seconds=60 + number))
        wanted.append(aws.world.accounts[DEV].log("GetObject", when, record={"sourceIPAddress": IP}))
    arguments: dict[str, Any] = {"target_account_id": "*", "filters": f"ip={IP}", "max_results": 50}
    found: list[str] = []
    texts: list[str] = []
    async with client_of(aws.settings()) as client:
        while arguments:
            result = await client.call_tool("lookup_events", arguments)
            assert not result.is_error, text_of(result)
            texts.append(text_of(result))
            facts = facts_of(result)
            assert facts["more"] is bool(facts["next_token"])
            rows = rows_of(result) if facts["count"] else []
            found += [cell for row in rows for cell in row.split(",") if cell in wanted]
            arguments = {"next_token": facts["next_token"]} if facts["more"] else {}
    assert found == [wanted[1], wanted[0], wanted[2]]
    first, last = texts
    assert "no event so far." in first
    assert "Covered so far: back to " in first
    assert " events were read one by one" in first
    assert "Nothing matched" not in first
    assert "3 further events, newest first, no older ones" in last


async def test_a_failed_sign_in_is_seen_and_found(aws: LiveAws) -> None:
    """https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-aws-console-sign-in-events.html"""
    aws.keys_account(PROD, "prod")
    log = aws.world.accounts[PROD]
    failed = {"errorMessage": "Failed authentication", "responseElements": {"ConsoleLogin": "Failure"}}
    wanted = log.log("ConsoleLogin", moment(HOUR), source="signin.amazonaws.com", record=failed)
    passed = log.log("ConsoleLogin", moment(HOUR), record={"responseElements": {"ConsoleLogin": "Success"}})
    async with client_of(aws.settings()) as client:
        arguments = {"attribute_key": "EventName", "attribute_value": "ConsoleLogin"}
        rows = rows_of(await client.call_tool("lookup_events", arguments))
        assert [wanted in row for row in rows if "Failure: Failed authentication" in row] == [True]
        for error in ("Failure", "failed authentication", "*"):
            text = text_of(
                await client.call_tool("lookup_events", {"filters": f"EventName=ConsoleLogin,ErrorCode={error}"})
            )
            assert wanted in text
            assert passed not in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"attribute_key": "Username", "attribute_value": "Audit"}, "for what a role did, filter by Role=Audit."),
        ({"attribute_key": "ResourceName", "attribute_value": "arn:aws:s3:::logs"}, "try ResourceName=logs or the whole ARN"),
        ({"attribute_key": "ResourceName", "attribute_value": "iam:role/Audit"}, "try ResourceName=Audit or the whole ARN"),
        ({"attribute_key": "EventName", "attribute_value": "whatever"}, "capital letter for each word"),
        ({"filters": "ResourceType=bucket"}, "like AWS::S3::Bucket"),
        ({"filters": "Principal=alice"}, "such as user/alice"),
        ({"filters": "ErrorCode=Denied"}, "Any failure at all: ErrorCode=*."),
    ],
)  # fmt: skip
async def test_what_cannot_match_is_answered_with_what_would(
    aws: LiveAws, arguments: dict[str, str], said: str
) -> None:
    aws.keys_account(PROD, "prod")
    async with client_of(aws.settings()) as client:
        text = text_of(await client.call_tool("lookup_events", arguments))
    assert "compared whole, letter case included" in text
    assert said in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"filters": "ReadOnly=perhaps"}, "Send true (or yes), or false (or no)."),
        ({"filters": "no filters"}, "Write Key=value, separated by commas"),
        ({"filters": "Colour=red"}, "there is no attribute 'Colour'"),
        ({"filters": "SourceIPAddress=10.0.0.0/80"}, "such as 192.0.2.1 or 192.0.2.0/24"),
        ({"filters": "x=" + "y" * 9_000}, "longer than 8000 characters"),
        ({"filters": ",".join(f"EventName=A{number}" for number in range(9))}, "more than 8 filters"),
        ({"attribute_key": "EventName", "attribute_value": "A", "filters": "EventName=B"}, "no event has both"),
    ],
)
async def test_what_no_event_can_meet_is_refused_unasked(aws: LiveAws, arguments: dict[str, str], said: str) -> None:
    aws.keys_account(PROD, "prod")
    async with client_of(aws.settings()) as client:
        result = await client.call_tool("lookup_events", arguments)
    assert result.is_error
    assert said in text_of(result)
    assert not aws.world.asked("LookupEvents")


def test_filters_are_read_in_every_form_people_write_them() -> None:
    assert parse("") == parse(" , ".strip(" ,")) == ()
    assert parse("ErrorCode=AccessDenied, source_ip = 192.0.2.1,") == (
        Filter("ErrorCode", "AccessDenied"),
        Filter("source_ip", "192.0.2.1"),
    )
    assert parse("UserAgent='a, b', Username=\"x=y\"") == (Filter("UserAgent", "a, b"), Filter("Username", "x=y"))


@settings(max_examples=60)
@given(st.text(max_size=60), st.sampled_from(KEYS))
def test_what_was_accepted_once_is_accepted_as_it_is(value: str, key: str) -> None:
    once: tuple[Filter, ...] = ()
    with suppress(InvalidRequest):
        once = accepted([Filter(key, value)], KEYS)
    assert accepted(once, KEYS) == once
