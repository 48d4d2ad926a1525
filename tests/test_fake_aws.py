"""The fake AWS is as strict as AWS: a test against it proves nothing if a wrong signature passes."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from fakes.aws import FakeAws, Key

PROD, DEV = "111111111111", "222222222222"
_ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1})


def client(key: Key, service: str = "cloudtrail", region: str = "us-east-1", token: str | None = None) -> Any:
    session_token = key.token if token is None else token
    return botocore.session.Session().create_client(
        service, region, aws_access_key_id=key.id, aws_secret_access_key=key.secret,
        aws_session_token=session_token or None, config=_ONCE,
    )  # fmt: skip


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as refusal:
        call()
    return str(refusal.value.response["Error"]["Code"])


def send(
    aws: FakeAws, key: Key, *, service: str = "cloudtrail", sent: bytes = b"{}", **headers: str
) -> tuple[int, str]:
    """A request signed over `{}` by botocore, and perhaps changed afterwards: status and error type."""
    target = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"
    changed = {name.replace("_", "-").title(): value for name, value in headers.items()}
    request = AWSRequest("POST", aws.url + "/", headers={"X-Amz-Target": target}, data=b"{}")
    SigV4Auth(Credentials(key.id, key.secret), service, "us-east-1").add_auth(request)
    whole = urllib.request.Request(aws.url + "/", sent, {**dict(request.headers.items()), **changed})  # noqa: S310
    try:
        with urllib.request.urlopen(whole) as answer:  # noqa: S310
            return answer.status, ""
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())["__type"]


def test_only_the_right_signature_passes(fake_aws: FakeAws) -> None:
    key = fake_aws.world.add_key(PROD)
    wrong = Key(key.id, key.secret + "x", PROD, "")
    assert send(fake_aws, key) == (200, "")
    assert send(fake_aws, wrong) == (400, "InvalidSignatureException")
    assert send(fake_aws, key, sent=b"{ }") == (400, "InvalidSignatureException")
    assert send(fake_aws, key, service="sts") == (400, "InvalidSignatureException")
    assert send(fake_aws, key, x_amz_target="CloudTrail_20131101.ListTrails")[1] == "InvalidSignatureException"
    assert send(fake_aws, key, Authorization="")[1] == "MissingAuthenticationTokenException"
    assert send(fake_aws, Key("AKIASTRANGER", key.secret, PROD, "")) == (400, "UnrecognizedClientException")
    assert [one.account for one in fake_aws.world.requests] == [PROD, *[""] * 6]


@pytest.mark.parametrize(
    ("minutes", "code"), [(-6, "InvalidSignatureException"), (6, "InvalidSignatureException"), (4, "")]
)
def test_the_clock_may_be_five_minutes_wrong(fake_aws: FakeAws, minutes: int, code: str) -> None:
    key = fake_aws.world.add_key(PROD)
    fake_aws.world.clock_offset = timedelta(minutes=minutes)
    assert send(fake_aws, key)[1] == code


def test_a_session_needs_its_token_and_ends(fake_aws: FakeAws) -> None:
    base = fake_aws.world.add_key(DEV)
    role = fake_aws.world.add_role(PROD, trusts=base)
    client(base, "sts").assume_role(RoleArn=role.arn, RoleSessionName="someone")
    session = next(key for key in fake_aws.world.keys.values() if key.token)
    assert client(session, "sts").get_caller_identity()["Account"] == PROD
    assert client(session).lookup_events()["Events"] == []
    for token in ("", "stolen"):
        assert refused(client(session, token=token).lookup_events) == "UnrecognizedClientException"
    fake_aws.world.expire_sessions(PROD)
    assert refused(client(session).lookup_events) == "ExpiredTokenException"
    assert refused(client(session, "sts").get_caller_identity) == "ExpiredToken"


def test_a_role_is_assumed_by_whom_it_trusts_with_its_external_id(fake_aws: FakeAws) -> None:
    base, other = fake_aws.world.add_key(DEV), fake_aws.world.add_key(DEV)
    role = fake_aws.world.add_role(PROD, trusts=base, external_id="right")
    asked = {"RoleArn": role.arn, "RoleSessionName": "someone"}
    client(base, "sts").assume_role(**asked, ExternalId="right")
    for key, more in ((base, {}), (base, {"ExternalId": "wrong"}), (other, {"ExternalId": "right"})):
        assert refused(partial(client(key, "sts").assume_role, **asked, **more)) == "AccessDenied"


def test_lookups_are_newest_first_within_their_times_and_page_by_fifty(fake_aws: FakeAws) -> None:
    key, account = fake_aws.world.add_key(PROD), fake_aws.world.account(PROD)
    newest = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    for number in (*range(60, 120), *range(60)):
        account.log(f"Event{number}", newest - timedelta(seconds=number), username="odd" if number % 2 else "even")
    account.log("Ancient", newest - timedelta(days=91))
    asked = client(key)
    pages = list(asked.get_paginator("lookup_events").paginate())
    assert [len(page["Events"]) for page in pages] == [50, 50, 20]
    assert [event["EventName"] for page in pages for event in page["Events"]] == [f"Event{n}" for n in range(120)]
    span = {"StartTime": newest - timedelta(seconds=20), "EndTime": newest - timedelta(seconds=10)}
    odd = asked.lookup_events(LookupAttributes=[{"AttributeKey": "Username", "AttributeValue": "odd"}], **span)
    assert [event["EventName"] for event in odd["Events"]] == [f"Event{number}" for number in range(11, 21, 2)]
    assert len(asked.lookup_events(**span)["Events"]) == 11
    token = pages[0]["NextToken"]
    assert refused(lambda: asked.lookup_events(NextToken=token, **span)) == "InvalidNextTokenException"
    assert client(key, region="eu-west-1").lookup_events()["Events"] == []


def test_the_pace_of_lookups_is_that_of_an_account_and_region(fake_aws: FakeAws) -> None:
    fake_aws.world.lookup_rate = 2
    asked = client(fake_aws.world.add_key(PROD))
    asked.lookup_events()
    asked.lookup_events()
    fake_aws.world.accounts[PROD].lookups["us-east-1"] = [time.monotonic() + 60] * 2
    assert refused(asked.lookup_events) == "ThrottlingException"
    client(fake_aws.world.keys[next(iter(fake_aws.world.keys))], region="eu-west-1").lookup_events()
    fake_aws.world.accounts[PROD].lookups["us-east-1"] = [time.monotonic() - 1.5] * 2
    asked.lookup_events()
    client(fake_aws.world.add_key(DEV)).lookup_events()


def test_lists_page_and_suspended_accounts_are_told(fake_aws: FakeAws) -> None:
    key = fake_aws.world.add_key(PROD)
    fake_aws.world.management = PROD
    for number in range(45):
        fake_aws.world.account(str(300_000_000_000 + number))
    fake_aws.world.account("300000000000").status = "SUSPENDED"
    pages = list(client(key, "organizations").get_paginator("list_accounts").paginate())
    assert [len(page["Accounts"]) for page in pages] == [20, 20, 6]
    assert [one["Id"] for page in pages for one in page["Accounts"] if one["Status"] != "ACTIVE"] == ["300000000000"]
    for number in range(13):
        fake_aws.world.account(PROD).add_store(f"store-{number}")
    stores = client(key).list_event_data_stores()
    assert len(stores["EventDataStores"]) == 10
    assert len(client(key).list_event_data_stores(NextToken=stores["NextToken"])["EventDataStores"]) == 3


def test_a_lake_query_moves_on_until_it_is_read_or_cancelled(fake_aws: FakeAws) -> None:
    key, account = fake_aws.world.add_key(PROD), fake_aws.world.account(PROD)
    asked = client(key)
    statement = f"SELECT count(*) AS n FROM {account.add_store('all').rpartition('/')[2]}"
    query = asked.start_query(QueryStatement=statement)["QueryId"]
    states = [asked.get_query_results(QueryId=query)["QueryStatus"] for _ in range(3)]
    assert states == ["QUEUED", "RUNNING", "FINISHED"]
    assert asked.get_query_results(QueryId=query)["QueryResultRows"] == [[{"n": "1"}]]
    assert refused(lambda: asked.cancel_query(QueryId=query)) == "InactiveQueryException"
    running = asked.start_query(QueryStatement=statement)["QueryId"]
    asked.cancel_query(QueryId=running)
    assert asked.describe_query(QueryId=running)["QueryStatus"] == "CANCELLED"
    assert refused(lambda: asked.start_query(QueryStatement="DROP TABLE x")) == "InvalidQueryStatementException"
    assert refused(lambda: client(key, region="eu-west-1").describe_query(QueryId=query)) == "QueryIdNotFoundException"
