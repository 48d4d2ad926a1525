"""The broker: every request signed by its own account and by no other, clients and credentials kept no longer than right."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from crosstrail.accounts.broker import Broker
from crosstrail.accounts.secrets import SecretBox
from crosstrail.errors import (
    AccessDenied,
    CloudError,
    CloudUnavailable,
    ConfigError,
    CredentialsError,
    CredentialsExpired,
    CrosstrailError,
    InvalidRequest,
    SecretUnreadable,
    SqlRejected,
    StalePageToken,
    Throttled,
    UnsupportedByCloud,
)
from crosstrail.models import Account
from fakes.aws import FakeAws, Key, Recorded

pytestmark = pytest.mark.anyio
BASE = "999999999999"
PROD = "111111111111"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Estate:
    """Accounts of a fake AWS, each with one event that only it has, every second one reached by a role."""

    aws: FakeAws
    base: Key
    accounts: list[Account] = field(default_factory=list)

    def add(self, number: int) -> None:
        account_id = str(100_000_000_000 + number)
        self.aws.world.account(account_id).log("Own", datetime.now(UTC) - timedelta(hours=1), username=account_id)
        if number % 2:
            auth = keys_of(self.aws.world.add_key(account_id))
        else:
            role = self.aws.world.add_role(account_id, trusts=self.base, external_id=f"ext-{number}")
            auth = {"type": "role", "role_arn": role.arn, "external_id": role.external_id}
        self.accounts.append(Account.model_validate({"id": account_id, "alias": f"a{number}", "auth": auth}))

    def lookups(self) -> list[Recorded]:
        return self.aws.world.asked("LookupEvents")


@pytest.fixture
def estate(fake_aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Estate:
    """The base identity is in the environment, where a careless call would find it."""
    key = fake_aws.world.add_key(BASE, "crosstrail")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key.id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key.secret)
    return Estate(fake_aws, key)


def keys_of(key: Key) -> dict[str, str]:
    return {"type": "keys", "access_key_id": key.id, "secret_access_key": key.secret}


def prod(key: Key) -> Account:
    return Account.model_validate({"id": PROD, "alias": "prod", "auth": keys_of(key)})


async def look_up(broker: Broker, account: Account, region: str = "us-east-1", **params: Any) -> list[str]:
    """Whose events came. The request itself says whose were wanted."""
    wanted = [{"AttributeKey": "Username", "AttributeValue": account.id}]
    answer = await broker.call(account, "cloudtrail", region, "lookup_events", LookupAttributes=wanted, **params)
    return [event["Username"] for event in answer["Events"]]


def wanted(request: Recorded) -> str:
    return str(request.params["LookupAttributes"][0]["AttributeValue"])


# --- nobody's credentials for another account


async def test_every_request_is_signed_by_its_own_account(estate: Estate) -> None:
    """50 accounts, 1,000 calls at random, some cancelled, all sessions ended twice on the way."""
    for number in range(50):
        estate.add(number)
    environment = dict(os.environ)
    broker, slots = Broker(), anyio.Semaphore(50)
    chance = random.Random(7)  # noqa: S311 - the same run every time
    answers: list[tuple[str, list[str]]] = []

    async def one(account: Account, cancelled: bool) -> None:
        async with slots:
            with anyio.CancelScope() as scope:
                if cancelled:
                    scope.cancel()
                answers.append((account.id, await look_up(broker, account)))

    for _ in range(3):
        async with anyio.create_task_group() as group:
            for _ in range(333):
                group.start_soon(one, chance.choice(estate.accounts), chance.random() < 0.1)
        estate.aws.world.expire_sessions()

    assert len(answers) > 800
    assert not [answer for answer in answers if answer[1] != [answer[0]]]
    assert not [one for one in estate.lookups() if estate.aws.world.keys[one.access_key_id].account != wanted(one)]
    assert {one.access_key_id for one in estate.aws.world.asked("AssumeRole")} == {estate.base.id}
    assert {one.account for one in estate.lookups() if not one.code} == {account.id for account in estate.accounts}
    assert "ExpiredTokenException" in {one.code for one in estate.lookups()}
    assert dict(os.environ) == environment
    broker.close()


async def test_warm_calls_ask_nothing_but_what_was_asked(estate: Estate) -> None:
    for number in range(0, 40, 2):
        estate.add(number)
    broker = Broker()
    async with anyio.create_task_group() as group:
        for account in estate.accounts * 25:
            group.start_soon(look_up, broker, account)
    assert Counter(one.action for one in estate.aws.world.requests) == {"LookupEvents": 500, "AssumeRole": 20}
    broker.close()


async def test_an_account_without_credentials_borrows_none(estate: Estate) -> None:
    broker = Broker()
    with pytest.raises(CredentialsError, match="no credentials are listed for account prod"):
        await look_up(broker, Account(id=PROD, alias="prod"))
    volcengine = Account.model_validate({**prod(estate.base).model_dump(), "cloud": "volcengine"})
    with pytest.raises(UnsupportedByCloud, match="prod is not an AWS account"):
        await look_up(broker, volcengine)
    assert not estate.aws.world.requests
    broker.close()


async def test_the_same_id_listed_with_other_keys_is_asked_with_those(estate: Estate) -> None:
    """As after a change in the registry: a kept client of the old keys must not answer."""
    old, new = estate.aws.world.add_key(PROD), estate.aws.world.add_key(PROD)
    broker = Broker()
    for key in (old, new, old):
        await look_up(broker, prod(key))
    assert [one.access_key_id for one in estate.lookups()] == [old.id, new.id, old.id]
    broker.close()


async def test_encrypted_secrets_open_for_their_own_account_only(estate: Estate) -> None:
    encryption_key = Fernet.generate_key().decode()
    key = estate.aws.world.add_key(PROD)

    def listed(token: str) -> Account:
        auth = {"type": "keys", "access_key_id": key.id, "secret_access_key_encrypted": token}
        return Account.model_validate({"id": PROD, "auth": auth})

    box = SecretBox(encryption_key)
    broker = Broker(SecretStr(encryption_key))
    await look_up(broker, listed(box.encrypt(SecretStr(key.secret), PROD)))
    assert estate.lookups()[-1].account == PROD
    with pytest.raises(SecretUnreadable, match="for another account"):
        await look_up(broker, listed(box.encrypt(SecretStr(key.secret), BASE)))
    with pytest.raises(ConfigError, match="ENCRYPTION_KEY is not set"):
        await look_up(Broker(), listed(box.encrypt(SecretStr(key.secret), PROD)))
    broker.close()


# --- kept clients


async def test_clients_are_kept_for_an_account_a_region_and_a_service(estate: Estate) -> None:
    account, broker = prod(estate.aws.world.add_key(PROD)), Broker(most_clients=3)
    first = await broker.client(account, "cloudtrail", "us-east-1")
    assert await broker.client(account, "cloudtrail", "us-east-1", who="alice") is first
    others = [
        await broker.client(account, "cloudtrail", "eu-west-1"),
        await broker.client(account, "sts", "us-east-1"),
    ]
    assert await broker.client(account, "cloudtrail", "us-east-1") is first
    others.append(await broker.client(account, "cloudtrail", "eu-north-1"))
    assert len({id(client) for client in [first, *others]}) == 4
    assert await broker.client(account, "cloudtrail", "us-east-1") is first
    assert await broker.client(account, "cloudtrail", "eu-west-1") is not others[0], "used longest ago, so dropped"
    broker.close()


async def test_sts_is_asked_in_a_region_of_the_roles_partition(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    role = estate.aws.world.add_role(PROD, trusts=estate.base)
    for home, region, asked in (
        ("", "", "us-east-1"),
        ("", "eu-west-1", "eu-west-1"),
        ("us-west-2", "ap-east-1", "us-west-2"),
        ("cn-north-1", "", "us-east-1"),
    ):
        auth = {"type": "role", "role_arn": role.arn}
        broker = Broker(region=home)
        await look_up(broker, Account.model_validate({"id": PROD, "region": region, "auth": auth}))
        assert estate.aws.world.asked("AssumeRole")[-1].region == asked
        broker.close()
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    broker = Broker()
    client = await broker.client(prod(estate.base), "sts", "eu-west-1")
    assert client.meta.endpoint_url == "https://sts.eu-west-1.amazonaws.com"
    broker.close()


async def test_the_region_when_a_call_names_none(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    account = prod(estate.base)
    assert await Broker().home_region(account) == "us-east-1"
    assert await Broker(region="eu-west-1").home_region(account) == "eu-west-1"
    assert (
        await Broker(region="eu-west-1").home_region(account.model_copy(update={"region": "us-west-2"})) == "us-west-2"
    )
    ambient = Account.model_validate({"id": BASE, "auth": {"type": "ambient"}})
    monkeypatch.setenv("AWS_DEFAULT_REGION", "sa-east-1")
    assert await Broker().home_region(ambient) == "sa-east-1"
    china = {"type": "role", "role_arn": f"arn:aws-cn:iam::{PROD}:role/Audit"}
    assert await Broker().home_region(Account.model_validate({"id": PROD, "auth": china})) == "cn-north-1"


def test_the_broker_is_imported_without_botocore_and_cryptography() -> None:
    code = (
        "import sys, crosstrail.accounts.broker; print([n for n in ('botocore', 'cryptography') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- expiry


async def test_expired_sessions_are_renewed_once_for_all(estate: Estate) -> None:
    estate.add(0)
    account, broker = estate.accounts[0], Broker()
    await look_up(broker, account)
    estate.aws.world.expire_sessions()
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(look_up, broker, account)
    assert len(estate.aws.world.asked("AssumeRole")) == 2
    assert [one.code for one in estate.lookups()].count("") == 21
    broker.close()


async def test_a_cloud_that_keeps_saying_expired_is_asked_twice(estate: Estate) -> None:
    estate.add(0)
    estate.aws.world.fail("expired", times=-1, action="LookupEvents")
    broker = Broker()
    with pytest.raises(
        CredentialsExpired, match=r"account a0 in us-east-1 have expired .ExpiredTokenException, request"
    ):
        await look_up(broker, estate.accounts[0])
    assert len(estate.lookups()) == 2
    broker.close()


async def test_expired_keys_are_not_tried_again(estate: Estate) -> None:
    key = estate.aws.world.add_key(PROD)
    key.expires = datetime.now(UTC)
    broker = Broker()
    with pytest.raises(CredentialsExpired) as refusal:
        await look_up(broker, prod(key))
    assert refusal.value.hint == f"Store new keys in place of {key.id}."
    assert len(estate.lookups()) == 1
    broker.close()


# --- what goes wrong upstream


@pytest.mark.parametrize(
    ("kind", "error", "requests", "says"),
    [
        ("throttle", Throttled, 2, "throttles cloudtrail:LookupEvents .ThrottlingException, request"),
        ("500", CloudUnavailable, 2, "failed on cloudtrail:LookupEvents .InternalFailure, request"),
        ("503", CloudUnavailable, 2, "failed on cloudtrail:LookupEvents .ServiceUnavailable, request"),
        ("reset", CloudUnavailable, 2, "did not answer cloudtrail:LookupEvents .ConnectionClosedError"),
        ("hang", CloudUnavailable, 2, "did not answer cloudtrail:LookupEvents .ReadTimeoutError"),
        ("half", CloudUnavailable, 2, "did not answer cloudtrail:LookupEvents .IncompleteReadError"),
        ("garbage", CloudUnavailable, 2, "did not answer cloudtrail:LookupEvents .ResponseParserError"),
        ("skew", CredentialsError, 1, "refused the request's time .InvalidSignatureException, request"),
        ("denied", AccessDenied, 1, "denies cloudtrail:LookupEvents: no identity-based policy allows it"),
    ],
)
async def test_faults_end_in_a_clear_error_after_bounded_requests(
    estate: Estate, kind: str, error: type[CrosstrailError], requests: int, says: str
) -> None:
    account = prod(estate.aws.world.add_key(PROD))
    estate.aws.world.fail(kind, times=-1)
    broker = Broker(read_timeout=0.2, attempts=2)
    with pytest.raises(error, match=f"account prod in us-east-1 {says}") as raised:
        await look_up(broker, account)
    assert type(raised.value) is error
    assert len(estate.lookups()) == requests
    assert raised.value.hint
    if isinstance(raised.value, CloudError):
        assert (raised.value.account, raised.value.region) == ("prod", "us-east-1")
        assert raised.value.code in str(raised.value)
        assert raised.value.request_id in str(raised.value)
    broker.close()


@pytest.mark.parametrize("kind", ["throttle", "500", "reset", "hang", "half", "cut", "garbage"])
async def test_a_passing_fault_is_not_noticed(estate: Estate, kind: str) -> None:
    estate.add(1)
    estate.aws.world.fail(kind)
    broker = Broker(read_timeout=0.2, attempts=2)
    assert await look_up(broker, estate.accounts[0]) == [estate.accounts[0].id]
    assert len(estate.lookups()) == 2
    broker.close()


async def test_throttling_hands_on_how_long_to_wait(estate: Estate) -> None:
    account, broker = prod(estate.aws.world.add_key(PROD)), Broker(attempts=1)
    for text, seconds in (("7", 7.0), ("", None), ("soon", None)):
        estate.aws.world.fail("throttle", text=text)
        with pytest.raises(Throttled) as raised:
            await look_up(broker, account)
        assert raised.value.retry_after == seconds
    broker.close()


async def test_a_region_that_is_not_enabled_is_told_from_a_wrong_key(estate: Estate) -> None:
    estate.aws.world.account(PROD).disabled_regions.add("ap-east-1")
    account, broker = prod(estate.aws.world.add_key(PROD)), Broker(attempts=1)
    with pytest.raises(UnsupportedByCloud, match=r"prod in ap-east-1 .* may not be enabled"):
        await look_up(broker, account, "ap-east-1")
    stranger = prod(Key("AKIASTRANGER", "hush", PROD, ""))
    with pytest.raises(
        CredentialsError, match=r"us-east-1 does not accept the credentials .UnrecognizedClientException"
    ):
        await look_up(broker, stranger)
    broker.close()


@pytest.mark.parametrize(
    ("operation", "params", "error", "says"),
    [
        (
            "lookup_events",
            {"MaxResults": "many"},
            InvalidRequest,
            r"cloudtrail:LookupEvents cannot be asked .*ParamValidation",
        ),
        ("lookup_events", {"MaxResults": 51}, InvalidRequest, "InvalidMaxResultsException, request .*between 1 and 50"),
        ("lookup_events", {"NextToken": "bm90IG91cnM="}, StalePageToken, "InvalidNextTokenException"),
        ("get_trail", {"Name": "absent"}, InvalidRequest, "TrailNotFoundException, request .*Unknown trail: absent"),
        (
            "start_query",
            {"QueryStatement": "SELEKT secret-text"},
            SqlRejected,
            "line 1 column 1: .* mismatched input 'SELEKT'",
        ),
        ("describe_query", {"QueryId": "0" * 36}, InvalidRequest, "QueryIdNotFoundException"),
    ],
)
async def test_what_is_wrong_with_the_request_is_told(
    estate: Estate, operation: str, params: dict[str, Any], error: type[CrosstrailError], says: str
) -> None:
    account, broker = prod(estate.aws.world.add_key(PROD)), Broker(attempts=1)
    with pytest.raises(error, match=says) as raised:
        await broker.call(account, "cloudtrail", "us-east-1", operation, **params)
    assert "secret-text" not in raised.value.text
    broker.close()


async def test_a_statement_quoted_by_the_cloud_is_not_passed_on(estate: Estate) -> None:
    account, broker = prod(estate.aws.world.add_key(PROD)), Broker(attempts=1)
    text = "InvalidQueryStatementException: line 3:9: Column 'evnttime' is not in 'SELECT evnttime FROM x WHERE y'"
    estate.aws.world.fail("code", text=text)
    with pytest.raises(SqlRejected, match=r"line 3 column 9: .*Column 'evnttime' is not in '…'") as raised:
        await broker.call(account, "cloudtrail", "us-east-1", "start_query", QueryStatement="SELECT 1")
    assert (raised.value.line, raised.value.column) == (3, 9)
    broker.close()


async def test_cancelling_does_not_wait_for_the_cloud(estate: Estate) -> None:
    account, broker = prod(estate.aws.world.add_key(PROD)), Broker(read_timeout=0.2, attempts=1)
    fault = estate.aws.world.fail("hang", times=-1)
    async with anyio.create_task_group() as group:
        group.start_soon(look_up, broker, account)
        while not fault.struck:
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    estate.aws.world.faults.clear()
    assert await look_up(broker, account) == []
    broker.close()
