"""Credentials of another account than the one they are listed for: refused before anything is asked with them."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import botocore.credentials
import pytest
import yaml
from cryptography.fernet import Fernet
from pydantic import SecretStr

from broker_workspace import look_up
from conftest import CommandLine
from credential_sources import write_config
from crosstrail.accounts.account_import import add
from crosstrail.accounts.database import AccountDatabase
from crosstrail.accounts.secrets import SecretBox
from crosstrail.clouds.aws.broker import AwsBroker
from crosstrail.clouds.volcengine.api import VolcengineApi
from crosstrail.clouds.volcengine.broker import VolcengineBroker
from crosstrail.clouds.volcengine.calls import DESCRIBE_TRAILS
from crosstrail.clouds.volcengine.credentials import EnvironmentKeys
from crosstrail.errors import AccessDenied, CloudError, CloudUnavailable, CredentialsError, WrongAccount
from crosstrail.models import Account
from crosstrail.settings.config import Settings
from crosstrail.wrap.delivery import CredentialEndpoint, TemporaryCredentials
from fakes.aws import Key
from lake_workspace import client_of, text_of
from live_aws import BASE, DEV, PROD, LiveAws
from live_volcengine import CN_DEV, CN_PROD, LiveVolcengine
from test_wrap_credentials import get

pytestmark = pytest.mark.anyio
STORE = "0233062b-51c6-4d1b-8a2e-0123456789ab"
AWS_TOOLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("lookup_events", {}),
    ("lake_query", {"sql": f"SELECT eventname FROM {STORE}", "engine": "cloudtrail_lake"}),
    ("lake_query", {"sql": f"SELECT eventname FROM {STORE}"}),
    ("describe_trails", {}),
    ("list_event_data_stores", {}),
    ("create_trail", {"name": "audit", "s3_bucket_name": "logs-bucket"}),
)
VOLCENGINE_TOOLS = tuple(one for one in AWS_TOOLS if one[0] in ("lookup_events", "describe_trails", "create_trail"))
REFUSED = "prod: its credentials are another account's, and were not used"


def misplaced(key: Any, account_id: str, **more: Any) -> dict[str, Any]:
    """An account as crosstrail.yaml has it, with a key that may be another's."""
    return {"id": account_id, "alias": "prod", "region": "us-east-1", "auth": key.auth, **more}


# --- every tool and command


@pytest.mark.parametrize(("tool", "arguments"), AWS_TOOLS)
async def test_no_tool_reaches_the_other_account(aws: LiveAws, tool: str, arguments: dict[str, Any]) -> None:
    aws.listed.append(misplaced(aws.world.add_key(DEV), PROD))
    aws.world.accounts[DEV].add_store("theirs", EventDataStoreArn=f"arn:aws:cloudtrail:us-east-1:{DEV}:x/{STORE}")
    async with client_of(aws.settings(allow_writes=True)) as client:
        result = await client.call_tool(tool, {"target_account_id": "prod", **arguments})
    assert REFUSED in text_of(result)
    assert DEV not in text_of(result)
    assert {one.action for one in aws.world.requests} == {"GetCallerIdentity"}


@pytest.mark.parametrize(("tool", "arguments"), VOLCENGINE_TOOLS)
async def test_no_tool_reaches_the_other_volcengine_account(
    live: LiveVolcengine, tool: str, arguments: dict[str, Any]
) -> None:
    entry = {**misplaced(live.world.add_key(CN_DEV), CN_PROD), "cloud": "volcengine", "region": ""}
    given = {"accounts": [entry], "volcengine": {"endpoint": live.url}, "allow_writes": True, "lake": {"path": "none"}}
    async with client_of(Settings.model_validate(given)) as client:
        result = await client.call_tool(tool, {"target_account_id": "prod", **arguments})
    assert REFUSED in text_of(result)
    assert CN_DEV not in text_of(result)
    assert {one.action for one in live.world.requests} == {"GetCallerIdentity"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("lookup", "--account", "prod"),
        ("accounts", "check", "prod"),
    ],
)
def test_no_command_reaches_the_other_account(
    aws: LiveAws, crosstrail: CommandLine, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    aws.listed.append(misplaced(aws.world.add_key(DEV), PROD))
    config = tmp_path / "crosstrail.yaml"
    config.write_text(yaml.safe_dump({"accounts": aws.listed, "lake": {"path": "no-lake"}}))
    done = crosstrail(*arguments, "--config", config)
    assert done.returncode == 1
    assert "prod: its credentials are another account's" in done.stderr
    assert f"are of account {DEV}" in done.stderr, "the operator's log says whose"
    assert {one.action for one in aws.world.requests} == {"GetCallerIdentity"}


async def test_a_wrapped_server_is_not_given_another_accounts_credentials(aws: LiveAws) -> None:
    wrong = Account.model_validate(misplaced(aws.world.add_key(DEV), PROD))
    async with CredentialEndpoint(TemporaryCredentials(lambda _: aws.broker)) as endpoint:
        grant = endpoint.grant(wrong, "")
        status, given = await get(grant.uri, Authorization=grant.token.get_secret_value())
    assert (status, given["code"]) == (500, "WrongAccount")
    assert DEV not in json.dumps(given)
    assert {one.action for one in aws.world.requests} == {"GetCallerIdentity"}


# --- every source of credentials that is not a role of the account


def _static(key: Key) -> None:
    write_config(f"[profile dev]\naws_access_key_id = {key.id}\naws_secret_access_key = {key.secret}\n")


def _process(key: Key) -> None:
    expires = datetime.now(UTC) + timedelta(hours=1)
    given = {"Version": 1, "AccessKeyId": key.id, "SecretAccessKey": key.secret, "Expiration": expires.isoformat()}
    script = Path.home() / "keys.py"
    script.write_text(f"print({json.dumps(given)!r})")
    write_config(f"[profile dev]\ncredential_process = {sys.executable} {script}\n")


def _claims_the_right_account(key: Key) -> None:
    """What the file says of the account counts for nothing: only STS knows."""
    _static(key)
    path = Path.home() / ".aws" / "config"
    path.write_text(f"{path.read_text()}aws_account_id = {PROD}\n")


@dataclass(frozen=True)
class SignedIn:
    """A person of IAM Identity Center, who may have been given the role of another account than the profile's name says."""

    aws: LiveAws
    cache: Path

    def profile(self, account_id: str, *, role: str = "Audit") -> None:
        self.aws.world.add_role(account_id, role, trusts=self.aws.base)
        self.aws.world.sign_ins.add("signed-in")
        start = "https://example.awsapps.com/start"
        self.cache.mkdir(parents=True, exist_ok=True)
        tomorrow = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
        token = self.cache / f"{hashlib.sha1(start.encode()).hexdigest()}.json"  # noqa: S324 - as botocore names it
        token.write_text(json.dumps({"accessToken": "signed-in", "expiresAt": tomorrow}))
        write_config(
            f"[profile dev]\nsso_start_url = {start}\nsso_region = us-east-1\n"
            f"sso_account_id = {account_id}\nsso_role_name = {role}\n"
        )


@pytest.fixture
def signed_in(aws: LiveAws, monkeypatch: pytest.MonkeyPatch) -> SignedIn:
    cache = Path.home() / ".aws" / "sso" / "cache"  # botocore looks up the home folder once, when it is imported
    monkeypatch.setattr(botocore.credentials.SSOProvider, "_SSO_TOKEN_CACHE_DIR", str(cache))
    return SignedIn(aws, cache)


async def test_an_sso_profile_of_another_account_is_refused(aws: LiveAws, signed_in: SignedIn) -> None:
    signed_in.profile(DEV)
    auth = {"type": "profile", "profile": "dev"}
    with pytest.raises(WrongAccount) as refused:
        await look_up(aws.broker, Account.model_validate({"id": PROD, "auth": auth}))
    assert refused.value.actual == DEV
    assert not aws.world.asked("LookupEvents")
    await look_up(aws.broker, Account.model_validate({"id": DEV, "auth": auth}))
    assert len(aws.world.asked("GetRoleCredentials")) == 2
    assert [one.account for one in aws.world.asked("LookupEvents")] == [DEV]


async def test_an_sso_profile_that_is_signed_in_for_another_account_later_is_refused(
    aws: LiveAws, signed_in: SignedIn
) -> None:
    account = Account.model_validate({"id": PROD, "auth": {"type": "profile", "profile": "dev"}})
    signed_in.profile(PROD)
    await look_up(aws.broker, account)
    signed_in.profile(DEV)
    aws.broker.invalidate(account)
    with pytest.raises(WrongAccount):
        await look_up(aws.broker, account)
    assert [one.account for one in aws.world.asked("LookupEvents")] == [PROD]


async def test_encrypted_keys_of_a_database_row_of_another_account_are_refused(
    aws: LiveAws, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = Fernet.generate_key().decode()
    monkeypatch.setenv("ENCRYPTION_KEY", secret)
    rows = {"prod": (PROD, aws.world.add_key(DEV)), "dev": (DEV, aws.world.add_key(DEV))}
    for alias, (account_id, key) in rows.items():
        token = SecretBox(secret).encrypt(SecretStr(key.secret), account_id)
        auth = {"type": "keys", "access_key_id": key.id, "secret_access_key_encrypted": token}
        add(AccountDatabase.at(database_url), Account.model_validate({"id": account_id, "alias": alias, "auth": auth}))
    given = {"database": {"url": database_url}, "encryption_key": secret, "lake": {"path": "no-lake"}}
    async with client_of(Settings.model_validate(given)) as client:
        wrong = await client.call_tool("lookup_events", {"target_account_id": "prod"})
        assert REFUSED in text_of(wrong)
        assert DEV not in text_of(wrong)
        assert {one.action for one in aws.world.requests} == {"GetCallerIdentity"}
        assert not (await client.call_tool("lookup_events", {"target_account_id": "dev"})).is_error
    assert [one.account for one in aws.world.asked("LookupEvents")] == [DEV]


async def test_a_credential_process_that_gives_another_accounts_keys_later_is_refused(aws: LiveAws) -> None:
    account = Account.model_validate({"id": PROD, "auth": {"type": "profile", "profile": "dev"}})
    _process(aws.world.add_key(PROD))
    await look_up(aws.broker, account)
    _process(aws.world.add_key(DEV))
    aws.broker.invalidate(account)
    with pytest.raises(WrongAccount) as refused:
        await look_up(aws.broker, account)
    assert refused.value.actual == DEV
    assert [one.account for one in aws.world.asked("LookupEvents")] == [PROD]


@pytest.mark.parametrize("write", [_static, _process, _claims_the_right_account])
async def test_a_profile_of_another_account_is_refused(aws: LiveAws, write: Callable[[Key], None]) -> None:
    write(aws.world.add_key(DEV))
    auth = {"type": "profile", "profile": "dev"}
    with pytest.raises(WrongAccount) as refused:
        await look_up(aws.broker, Account.model_validate({"id": PROD, "auth": auth}))
    assert refused.value.actual == DEV
    await look_up(aws.broker, Account.model_validate({"id": DEV, "auth": auth}))
    assert [one.account for one in aws.world.asked("LookupEvents")] == [DEV]


async def test_the_machines_own_identity_is_refused_for_another_account(aws: LiveAws, live: LiveVolcengine) -> None:
    with pytest.raises(WrongAccount):
        await look_up(aws.broker, Account.model_validate({"id": PROD, "auth": {"type": "ambient"}}))
    await look_up(aws.broker, Account.model_validate({"id": BASE, "auth": {"type": "ambient"}}))
    assert [one.account for one in aws.world.asked("LookupEvents")] == [BASE]
    ambient = {"cloud": "volcengine", "auth": {"type": "ambient"}}
    wrong, right = (Account.model_validate({"id": one, **ambient}) for one in (CN_PROD, live.base.account))
    with pytest.raises(WrongAccount):
        await live.broker.call(wrong, "", DESCRIBE_TRAILS, {})
    await live.broker.call(right, "", DESCRIBE_TRAILS, {})
    assert [one.account for one in live.world.asked("DescribeTrails")] == [live.base.account]


async def test_temporary_keys_of_another_account_are_refused(aws: LiveAws) -> None:
    session = await aws.broker.credentials(aws.role_account(DEV))
    auth = {
        "type": "keys",
        "access_key_id": session.access_key_id,
        "secret_access_key": session.secret_access_key,
        "session_token": session.session_token,
    }
    with pytest.raises(WrongAccount):
        await look_up(aws.broker, Account.model_validate({"id": PROD, "auth": auth}))
    assert not aws.world.asked("LookupEvents")


# --- asked once, and again when the credentials change


async def test_who_the_credentials_are_is_asked_once_for_all_who_wait(aws: LiveAws, live: LiveVolcengine) -> None:
    prod, cn_prod = aws.keys_account(PROD), live.keys_account(CN_PROD)
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(look_up, aws.broker, prod)
            group.start_soon(live.broker.call, cn_prod, "", DESCRIBE_TRAILS, {})
    assert len(aws.world.asked("GetCallerIdentity")) == len(live.world.asked("GetCallerIdentity")) == 1
    assert len(aws.world.asked("LookupEvents")) == len(live.world.asked("DescribeTrails")) == 20


async def test_credentials_that_change_are_asked_about_again(aws: LiveAws) -> None:
    account = Account.model_validate({"id": PROD, "auth": {"type": "profile", "profile": "dev"}})
    _static(aws.world.add_key(PROD))
    await look_up(aws.broker, account)
    aws.broker.invalidate(account)
    await look_up(aws.broker, account)
    assert len(aws.world.asked("GetCallerIdentity")) == 1, "read again, and the same"
    _static(aws.world.add_key(DEV))
    aws.broker.invalidate(account)
    with pytest.raises(WrongAccount):
        await look_up(aws.broker, account)
    assert len(aws.world.asked("GetCallerIdentity")) == 2
    assert {one.account for one in aws.world.asked("LookupEvents")} == {PROD}


# --- other partitions


@pytest.mark.parametrize(("partition", "region"), [("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")])
async def test_a_key_of_another_partition_asks_for_the_region_and_goes_to_no_other_endpoint(
    aws: LiveAws, partition: str, region: str
) -> None:
    aws.world.account(PROD).partition = partition
    auth = aws.world.add_key(PROD).auth
    with pytest.raises(CredentialsError, match="does not know the access key") as refused:
        await look_up(aws.broker, Account.model_validate({"id": PROD, "alias": "prod", "auth": auth}), region)
    assert "set its `region`" in refused.value.hint
    assert region in refused.value.hint
    assert [(one.action, one.code) for one in aws.world.requests] == [("GetCallerIdentity", "InvalidClientTokenId")]
    aws.world.requests.clear()
    for more in ({"region": region}, {"regions": [region]}):
        await look_up(AwsBroker(), Account.model_validate({"id": PROD, "auth": auth, **more}), region)
    assert {one.region for one in aws.world.requests} == {region}, "a region that is listed tells the partition"


async def test_a_key_is_sent_to_no_region_of_another_partition(aws: LiveAws) -> None:
    aws.keys_account(PROD, "prod", region="")
    async with client_of(aws.settings()) as client:
        result = await client.call_tool("lookup_events", {"region": "cn-north-1"})
    assert "no account asked has a region 'cn-north-1'" in text_of(result)
    assert not aws.world.requests


# --- where STS does not say


async def test_a_write_whose_identity_check_failed_was_not_sent_and_says_so(aws: LiveAws) -> None:
    aws.keys_account(PROD, "prod")
    aws.world.fail("500", times=-1, action="GetCallerIdentity")
    asked = {"target_account_id": "prod", "name": "audit", "s3_bucket_name": "logs-bucket"}
    async with client_of(aws.settings(allow_writes=True)) as client:
        result = await client.call_tool("create_trail", asked)
        assert "failed on sts:GetCallerIdentity" in text_of(result)
    assert "not known" not in text_of(result)
    assert not aws.world.asked("CreateTrail")
    aws.world.faults.clear()
    aws.world.fail("500", times=-1, action="CreateTrail")
    async with client_of(aws.settings(allow_writes=True)) as client:
        result = await client.call_tool("create_trail", asked)
    assert "Whether the trail was created is not known" in text_of(result)
    assert len(aws.world.asked("CreateTrail")) == 1


@pytest.mark.parametrize(
    ("kind", "error", "hint"),
    [
        ("denied", AccessDenied, "VPC endpoint"),
        ("500", CloudUnavailable, "again later"),
        ("garbage", CloudUnavailable, "again"),
        ("reset", CloudUnavailable, "network"),
    ],
)
async def test_nothing_is_asked_where_sts_does_not_say_who(
    aws: LiveAws, kind: str, error: type[CloudError], hint: str
) -> None:
    account = aws.keys_account(PROD, "prod")
    aws.world.fail(kind, times=-1, action="GetCallerIdentity")
    with pytest.raises(error) as refused:
        await look_up(aws.broker, account)
    assert "sts:GetCallerIdentity" in refused.value.text
    assert hint in refused.value.hint
    assert not aws.world.asked("LookupEvents")


async def test_nothing_is_asked_of_volcengine_where_sts_does_not_say_who(live: LiveVolcengine) -> None:
    account = live.keys_account(CN_PROD, "cn-prod")
    live.world.accounts[CN_PROD].denied.add("GetCallerIdentity")
    with pytest.raises(AccessDenied, match="sts:GetCallerIdentity"):
        await live.broker.call(account, "", DESCRIBE_TRAILS, {})
    assert not live.world.asked("DescribeTrails")


@pytest.mark.parametrize(
    "lie",
    [
        {"Arn": f"arn:aws:iam::{DEV}:user/x"},
        {"Account": ""},
        {"Account": DEV},
        {"Account": f"{PROD}0"},
        {"Arn": f"arn:aws-cn:iam::{PROD}:user/x"},
        {"Arn": "nothing"},
        {"Arn": f"arn:aws:iam::{PROD}:user/x y"},
    ],
)
async def test_an_answer_of_sts_that_contradicts_itself_is_none(aws: LiveAws, lie: dict[str, str]) -> None:
    account = aws.keys_account(PROD)
    aws.world.lies["GetCallerIdentity"] = lie
    with pytest.raises((CloudError, CredentialsError)):
        await look_up(aws.broker, account)
    assert not aws.world.asked("LookupEvents")


@pytest.mark.parametrize(
    "lie", [{"AccountId": True}, {"AccountId": "21 "}, {"AccountId": None}, {"Trn": f"trn:iam::{CN_DEV}:user/x"}]
)
async def test_an_answer_of_volcengines_sts_that_contradicts_itself_is_none(
    live: LiveVolcengine, lie: dict[str, Any]
) -> None:
    account = live.keys_account(CN_PROD)
    live.world.lies["GetCallerIdentity"] = lie
    with pytest.raises(CloudError, match="did not say whose"):
        await live.broker.call(account, "", DESCRIBE_TRAILS, {})
    assert not live.world.asked("DescribeTrails")


@pytest.mark.parametrize(
    "arn",
    [f"arn:aws:sts::{DEV}:assumed-role/Audit/x", f"arn:aws-cn:sts::{PROD}:assumed-role/Audit/x", "nothing", ""],
)
async def test_a_session_of_another_accounts_role_is_refused(aws: LiveAws, arn: str) -> None:
    account = aws.role_account(PROD, "prod")
    aws.world.lies["AssumeRole"] = {"AssumedRoleUser": {"AssumedRoleId": "x", "Arn": arn}}
    with pytest.raises(WrongAccount, match=f"another account than that of arn:aws:iam::{PROD}:role/Audit") as refused:
        await look_up(aws.broker, account)
    assert DEV not in refused.value.text
    assert not aws.world.asked("LookupEvents")


@pytest.mark.parametrize("user", [{"Trn": f"trn:sts::{CN_DEV}:assumed-role/Audit/x"}, {"Trn": ""}, None, "x"])
async def test_a_session_of_another_volcengine_accounts_role_is_refused(live: LiveVolcengine, user: Any) -> None:
    account = live.role_account(CN_PROD)
    live.world.lies["AssumeRole"] = {"AssumedRoleUser": user}
    with pytest.raises(WrongAccount):
        await live.broker.call(account, "", DESCRIBE_TRAILS, {})
    assert not live.world.asked("DescribeTrails")


async def test_an_account_number_keeps_the_zeros_that_json_numbers_lose(live: LiveVolcengine) -> None:
    account = live.keys_account("0021000001")
    await live.broker.call(account, "", DESCRIBE_TRAILS, {})
    assert len(live.world.asked("DescribeTrails")) == 1


async def test_sts_is_asked_where_the_account_is(aws: LiveAws, live: LiveVolcengine) -> None:
    account = Account.model_validate(misplaced(aws.world.add_key(PROD), PROD, region="", regions=["eu-west-1"]))
    await look_up(aws.broker, account, "eu-west-1")
    assert [one.region for one in aws.world.asked("GetCallerIdentity")] == ["eu-west-1"]
    broker = VolcengineBroker(api=VolcengineApi(live.url), environment=EnvironmentKeys())
    cn = live.keys_account(CN_PROD, region="cn-shanghai")
    await broker.call(cn, "", DESCRIBE_TRAILS, {})
    assert [one.region for one in live.world.asked("GetCallerIdentity")] == ["cn-shanghai"]
    await broker.aclose()
