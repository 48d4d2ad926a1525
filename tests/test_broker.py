"""The broker: every request signed by its own account and by no other, clients and credentials kept no longer than right."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime

import anyio
import anyio.lowlevel
import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from broker_workspace import BrokerWorkspace, look_up, prod, wanted
from crosstrail.accounts.credentials import Credentials
from crosstrail.accounts.secrets import SecretBox
from crosstrail.clouds.aws.broker import AwsBroker
from crosstrail.clouds.aws.clients import AwsClients
from crosstrail.errors import (
    ConfigError,
    CredentialsError,
    CredentialsExpired,
    SecretUnreadable,
    UnsupportedByCloud,
)
from crosstrail.models import Account
from fakes.aws import FakeAws, Key
from live_aws import BASE, PROD

pytestmark = pytest.mark.anyio


@pytest.fixture
def workspace(fake_aws: FakeAws, base: Key) -> BrokerWorkspace:
    return BrokerWorkspace(fake_aws.world, base)


# --- nobody's credentials for another account


async def test_every_request_is_signed_by_its_own_account(workspace: BrokerWorkspace) -> None:
    """50 accounts, 1,000 calls at random, some cancelled, all sessions ended twice on the way."""
    for number in range(50):
        workspace.add(number)
    environment = dict(os.environ)
    broker, slots = AwsBroker(), anyio.Semaphore(50)
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
                group.start_soon(one, chance.choice(workspace.accounts), chance.random() < 0.1)
        workspace.world.expire_sessions()

    assert len(answers) > 800
    assert not [answer for answer in answers if answer[1] != [answer[0]]]
    assert not [one for one in workspace.lookups() if workspace.world.keys[one.access_key_id].account != wanted(one)]
    assert {one.access_key_id for one in workspace.world.asked("AssumeRole")} == {workspace.base.id}
    assert {one.account for one in workspace.lookups() if not one.code} == {
        account.id for account in workspace.accounts
    }
    assert "ExpiredTokenException" in {one.code for one in workspace.lookups()}
    assert dict(os.environ) == environment
    await broker.aclose()


async def test_warm_calls_ask_nothing_but_what_was_asked(workspace: BrokerWorkspace) -> None:
    for number in range(0, 40, 2):
        workspace.add(number)
    broker = AwsBroker()
    async with anyio.create_task_group() as group:
        for account in workspace.accounts * 25:
            group.start_soon(look_up, broker, account)
    assert Counter(one.action for one in workspace.world.requests) == {"LookupEvents": 500, "AssumeRole": 20}
    await broker.aclose()


async def test_an_account_without_credentials_borrows_none(workspace: BrokerWorkspace) -> None:
    broker = AwsBroker()
    with pytest.raises(CredentialsError, match="no credentials are listed for account prod"):
        await look_up(broker, Account(id=PROD, alias="prod"))
    volcengine = Account.model_validate({**prod(workspace.base).model_dump(), "cloud": "volcengine"})
    with pytest.raises(UnsupportedByCloud, match="prod is not an account of AWS"):
        await look_up(broker, volcengine)
    assert not workspace.world.requests
    await broker.aclose()


async def test_the_same_id_listed_with_other_keys_is_asked_with_those(workspace: BrokerWorkspace) -> None:
    """As after a change in the registry: a kept client of the old keys must not answer."""
    old, new = workspace.world.add_key(PROD), workspace.world.add_key(PROD)
    broker = AwsBroker()
    for key in (old, new, old):
        await look_up(broker, prod(key))
    assert [one.access_key_id for one in workspace.lookups()] == [old.id, new.id, old.id]
    await broker.aclose()


async def test_encrypted_secrets_open_for_their_own_account_only(workspace: BrokerWorkspace) -> None:
    encryption_key = Fernet.generate_key().decode()
    key = workspace.world.add_key(PROD)

    def listed(token: str) -> Account:
        auth = {"type": "keys", "access_key_id": key.id, "secret_access_key_encrypted": token}
        return Account.model_validate({"id": PROD, "auth": auth})

    box = SecretBox(encryption_key)
    broker = AwsBroker(SecretStr(encryption_key))
    await look_up(broker, listed(box.encrypt(SecretStr(key.secret), PROD)))
    assert workspace.lookups()[-1].account == PROD
    with pytest.raises(SecretUnreadable, match="for another account"):
        await look_up(broker, listed(box.encrypt(SecretStr(key.secret), BASE)))
    with pytest.raises(ConfigError, match="ENCRYPTION_KEY is not set"):
        await look_up(AwsBroker(), listed(box.encrypt(SecretStr(key.secret), PROD)))
    await broker.aclose()


# --- kept clients


def _clients(most: int = 3) -> AwsClients:
    return AwsClients(most=most, connect_timeout=1, read_timeout=1, attempts=1, connections=1)


def test_clients_are_kept_for_an_account_a_region_and_a_service() -> None:
    clients, mine = _clients(), Credentials("AKIAMINE", SecretStr("secret"))
    first = clients.get("prod", "cloudtrail", "us-east-1", mine)
    assert clients.get("prod", "cloudtrail", "us-east-1", mine) is first
    others = [
        clients.get("prod", "cloudtrail", "eu-west-1", mine),
        clients.get("prod", "sts", "us-east-1", mine),
    ]
    assert clients.get("prod", "cloudtrail", "us-east-1", mine) is first
    others.append(clients.get("prod", "cloudtrail", "eu-north-1", mine))
    assert len({id(client) for client in [first, *others]}) == 4
    assert clients.get("prod", "cloudtrail", "us-east-1", mine) is first
    assert clients.get("prod", "cloudtrail", "eu-west-1", mine) is not others[0], "used longest ago, so dropped"
    renewed = Credentials("AKIAMINE", SecretStr("another"))
    assert clients.get("prod", "cloudtrail", "us-east-1", renewed) is not first
    clients.close()


async def test_sts_is_asked_in_a_region_of_the_roles_partition(
    workspace: BrokerWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = workspace.world.add_role(PROD, trusts=workspace.base)
    for home, region, asked in (
        ("", "", "us-east-1"),
        ("", "eu-west-1", "eu-west-1"),
        ("us-west-2", "ap-east-1", "us-west-2"),
        ("cn-north-1", "", "us-east-1"),
    ):
        auth = {"type": "role", "role_arn": role.arn}
        broker = AwsBroker(region=home)
        await look_up(broker, Account.model_validate({"id": PROD, "region": region, "auth": auth}))
        assert workspace.world.asked("AssumeRole")[-1].region == asked
        await broker.aclose()
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert _clients().endpoint("sts", "eu-west-1").url == "https://sts.eu-west-1.amazonaws.com/"


async def test_the_region_when_a_call_names_none(workspace: BrokerWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    account = prod(workspace.base)
    assert await AwsBroker().home_region(account) == "us-east-1"
    assert await AwsBroker(region="eu-west-1").home_region(account) == "eu-west-1"
    assert (
        await AwsBroker(region="eu-west-1").home_region(account.model_copy(update={"region": "us-west-2"}))
        == "us-west-2"
    )
    ambient = Account.model_validate({"id": BASE, "auth": {"type": "ambient"}})
    monkeypatch.setenv("AWS_DEFAULT_REGION", "sa-east-1")
    assert await AwsBroker().home_region(ambient) == "sa-east-1"
    china = {"type": "role", "role_arn": f"arn:aws-cn:iam::{PROD}:role/Audit"}
    assert await AwsBroker().home_region(Account.model_validate({"id": PROD, "auth": china})) == "cn-north-1"


def test_the_broker_is_imported_without_botocore_and_cryptography() -> None:
    code = (
        "import sys, crosstrail.accounts.broker; print([n for n in ('botocore', 'cryptography') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- expiry


async def test_expired_sessions_are_renewed_once_for_all(workspace: BrokerWorkspace) -> None:
    workspace.add(0)
    account, broker = workspace.accounts[0], AwsBroker()
    await look_up(broker, account)
    workspace.world.expire_sessions()
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(look_up, broker, account)
    assert len(workspace.world.asked("AssumeRole")) == 2
    assert [one.code for one in workspace.lookups()].count("") == 21
    await broker.aclose()


async def test_a_cloud_that_keeps_saying_expired_is_asked_twice(workspace: BrokerWorkspace) -> None:
    workspace.add(0)
    workspace.world.fail("expired", times=-1, action="LookupEvents")
    broker = AwsBroker()
    with pytest.raises(
        CredentialsExpired, match=r"account a0 in us-east-1 have expired .ExpiredTokenException, request"
    ):
        await look_up(broker, workspace.accounts[0])
    assert len(workspace.lookups()) == 2
    await broker.aclose()


async def test_expired_keys_are_not_tried_again(workspace: BrokerWorkspace) -> None:
    key = workspace.world.add_key(PROD)
    key.expires = datetime.now(UTC)
    broker = AwsBroker()
    with pytest.raises(CredentialsExpired) as refusal:
        await look_up(broker, prod(key))
    assert refusal.value.hint == f"Store new keys in place of {key.id}."
    assert len(workspace.world.asked("GetCallerIdentity")) == 1
    assert not workspace.lookups()
    await broker.aclose()
