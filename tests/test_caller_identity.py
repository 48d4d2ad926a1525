"""Credentials of another account than the one they are listed for: refused before anything is asked with them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml

from broker_estate import look_up
from conftest import CommandLine
from credential_sources import write_config
from crosstrail.accounts.broker import Broker
from crosstrail.accounts.volcengine_api import VolcengineApi
from crosstrail.accounts.volcengine_credentials import EnvironmentKeys
from crosstrail.clouds.volcengine_calls import DESCRIBE_TRAILS
from crosstrail.config import Settings
from crosstrail.errors import AccessDenied, CloudError, CloudUnavailable, CredentialsError, WrongAccount
from crosstrail.models import Account
from crosstrail.wrap.delivery import CredentialEndpoint, TemporaryCredentials
from fakes.aws import Key
from lake_estate import client_of, text_of
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
    async with CredentialEndpoint(TemporaryCredentials(aws.broker)) as endpoint:
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
        await live.broker.call_volcengine(wrong, "", DESCRIBE_TRAILS, {})
    await live.broker.call_volcengine(right, "", DESCRIBE_TRAILS, {})
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
            group.start_soon(live.broker.call_volcengine, cn_prod, "", DESCRIBE_TRAILS, {})
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


# --- where STS does not say


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
        await live.broker.call_volcengine(account, "", DESCRIBE_TRAILS, {})
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
        await live.broker.call_volcengine(account, "", DESCRIBE_TRAILS, {})
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
        await live.broker.call_volcengine(account, "", DESCRIBE_TRAILS, {})
    assert not live.world.asked("DescribeTrails")


async def test_an_account_number_keeps_the_zeros_that_json_numbers_lose(live: LiveVolcengine) -> None:
    account = live.keys_account("0021000001")
    await live.broker.call_volcengine(account, "", DESCRIBE_TRAILS, {})
    assert len(live.world.asked("DescribeTrails")) == 1


async def test_sts_is_asked_where_the_account_is(aws: LiveAws, live: LiveVolcengine) -> None:
    account = Account.model_validate(misplaced(aws.world.add_key(PROD), PROD, region="", regions=["eu-west-1"]))
    await look_up(aws.broker, account, "eu-west-1")
    assert [one.region for one in aws.world.asked("GetCallerIdentity")] == ["eu-west-1"]
    broker = Broker(volcengine=VolcengineApi(live.url), volcengine_keys=EnvironmentKeys())
    cn = live.keys_account(CN_PROD, region="cn-shanghai")
    await broker.call_volcengine(cn, "", DESCRIBE_TRAILS, {})
    assert [one.region for one in live.world.asked("GetCallerIdentity")] == ["cn-shanghai"]
    await broker.aclose()
