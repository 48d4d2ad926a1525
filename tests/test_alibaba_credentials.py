"""Whose credentials an Alibaba Cloud account gets: keys, the environment's identity, roles, tokens of identity providers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import SecretStr, ValidationError

from crosstrail.accounts.credentials import Credentials
from crosstrail.accounts.request_info import RequestInfo
from crosstrail.call_context import acting_for
from crosstrail.clouds.alibaba.accounts import AlibabaRoleAuth, owner_of
from crosstrail.clouds.alibaba.calls import DESCRIBE_TRAILS
from crosstrail.clouds.alibaba.credentials import account_of_credentials, environment_identity
from crosstrail.clouds.alibaba.settings import AlibabaSettings
from crosstrail.errors import (
    AccessDenied,
    AssumeRoleDenied,
    CloudError,
    CredentialsError,
    CredentialsExpired,
    WrongAccount,
)
from crosstrail.models import Account, EventQuery, NewTrail, Target
from fakes.cloud import Recorded
from listed_accounts import moment
from live_alibaba import BASE, HZ_DEV, HZ_PROD, LiveAlibaba

pytestmark = pytest.mark.anyio
TOKEN = "header.payload.signature"
PROVIDER = f"acs:ram::{BASE}:oidc-provider/ack"


async def _ask(live: LiveAlibaba, account: Account) -> None:
    await live.calls().ask(account, "cn-hangzhou", DESCRIBE_TRAILS, {})


def _assumed(live: LiveAlibaba) -> list[Recorded]:
    return live.world.asked("AssumeRole")


async def test_a_role_is_assumed_by_the_environments_key_and_only_once(alibaba: LiveAlibaba) -> None:
    accounts = [alibaba.role_account(HZ_PROD), alibaba.role_account(HZ_DEV)]
    async with anyio.create_task_group() as group:
        for account in accounts * 10:
            group.start_soon(_ask, alibaba, account)
    assert [request.access_key_id for request in _assumed(alibaba)] == [alibaba.base.id] * 2
    asked = [request.account for request in alibaba.world.asked("DescribeTrails")]
    assert sorted(asked) == [HZ_PROD] * 10 + [HZ_DEV] * 10


async def test_the_session_says_who_asked_in_characters_that_this_sts_takes(alibaba: LiveAlibaba) -> None:
    account = alibaba.role_account(HZ_PROD, source_identity=True)
    for who in ("alice@example.com", "bob+x=y", "李雷", "x" * 100):
        with acting_for(who):
            await _ask(alibaba, account)
    names = [request.params["RoleSessionName"] for request in _assumed(alibaba)]
    assert names[0] == "crosstrail-alice@example.com"
    assert names[1].startswith("crosstrail-bob-x-y-")
    assert len(set(names)) == 4
    assert [request.params["SourceIdentity"] for request in _assumed(alibaba)] == names


async def test_an_external_id_is_sent_and_a_wrong_one_is_denied(alibaba: LiveAlibaba) -> None:
    role = alibaba.world.add_role(HZ_PROD, trusts=alibaba.base, external_id="ext-1")
    await _ask(alibaba, alibaba.role_account(HZ_PROD, role=role))
    assert _assumed(alibaba)[0].params["ExternalId"] == "ext-1"
    other = alibaba.world.add_role(HZ_DEV, trusts=alibaba.base, external_id="ext-2")
    with pytest.raises(AssumeRoleDenied, match=f"may not assume acs:ram::{HZ_DEV}:role/Audit") as raised:
        await _ask(alibaba, alibaba.role_account(HZ_DEV, role=other, external_id="wrong"))
    assert "trust policy" in raised.value.hint
    assert "SourceIdentity" not in _assumed(alibaba)[0].params


async def test_a_session_policy_leaves_the_reads_of_the_trail_alone(alibaba: LiveAlibaba) -> None:
    narrow, wide = alibaba.role_account(HZ_PROD, session_policy=True), alibaba.role_account(HZ_DEV)
    alibaba.world.account(HZ_PROD).add_trail("main-trail")
    alibaba.world.account(HZ_PROD).log("GetUser", moment())
    trail = alibaba.trail()
    assert len((await trail.lookup_events(Target(narrow), EventQuery())).events) == 1
    assert [one.logging for one in await trail.describe_trails(Target(narrow))] == [True]
    with pytest.raises(AccessDenied):
        await trail.create_trail(Target(narrow), NewTrail("other-trail", "bucket1"))
    await trail.create_trail(Target(wide), NewTrail("other-trail", "bucket1"))
    policies = [request.params.get("Policy") for request in _assumed(alibaba)]
    assert [policy is None for policy in policies] == [False, True]


async def test_expired_sessions_are_renewed_once(alibaba: LiveAlibaba) -> None:
    account = alibaba.role_account(HZ_PROD)
    await _ask(alibaba, account)
    assert alibaba.world.expire_sessions() == 1
    await _ask(alibaba, account)
    assert [(request.action, request.code) for request in alibaba.world.requests] == [
        ("AssumeRole", ""),
        ("DescribeTrails", ""),
        ("DescribeTrails", "InvalidSecurityToken.Expired"),
        ("AssumeRole", ""),
        ("DescribeTrails", ""),
    ]


async def test_sessions_about_to_expire_are_not_used(alibaba: LiveAlibaba) -> None:
    alibaba.world.session_seconds = int(timedelta(minutes=4).total_seconds())
    account = alibaba.role_account(HZ_PROD)
    for _ in range(2):
        await _ask(alibaba, account)
    assert len(_assumed(alibaba)) == 2


async def test_what_sts_refuses_is_told(alibaba: LiveAlibaba) -> None:
    account = alibaba.role_account(HZ_PROD, duration=7200)
    with pytest.raises(CredentialsError, match=r"InvalidParameter\.DurationSeconds") as raised:
        await _ask(alibaba, account)
    assert "duration" in raised.value.hint
    alibaba.world.accounts[HZ_PROD].roles.clear()
    dev = alibaba.role_account(HZ_DEV)
    alibaba.world.accounts[HZ_DEV].roles.clear()
    with pytest.raises(CredentialsError, match=r"EntityNotExist\.Role"):
        await _ask(alibaba, dev)


async def test_the_accounts_own_key_may_not_assume(alibaba: LiveAlibaba) -> None:
    root = alibaba.world.add_key(BASE, root=True)
    role = alibaba.world.add_role(HZ_PROD, trusts=root)
    alibaba.environment = AlibabaSettings(access_key_id=root.id, access_key_secret=SecretStr(root.secret))
    with pytest.raises(AssumeRoleDenied, match="NoPermission, request "):
        await _ask(alibaba, alibaba.role_account(HZ_PROD, role=role))


@pytest.mark.parametrize(
    ("lie", "error"),
    [
        ({"AssumedRoleUser": {"Arn": f"acs:ram::{HZ_DEV}:role/Audit/x"}}, WrongAccount),
        ({"AssumedRoleUser": "x"}, WrongAccount),
        ({"Credentials": None}, CredentialsError),
        ({"Credentials": {"AccessKeyId": "STS.x", "AccessKeySecret": "", "SecurityToken": "x", "Expiration": "2099-01-01T00:00:00Z"}}, CredentialsError),
        ({"Credentials": {"AccessKeyId": "STS.x", "AccessKeySecret": "y", "SecurityToken": "x", "Expiration": "soon"}}, CredentialsError),
    ],
)  # fmt: skip
async def test_an_answer_of_sts_that_cannot_be_is_not_used(
    alibaba: LiveAlibaba, lie: dict[str, Any], error: type[Exception]
) -> None:
    alibaba.world.lies["AssumeRole"] = lie
    with pytest.raises(error):
        await _ask(alibaba, alibaba.role_account(HZ_PROD))
    assert alibaba.world.asked("DescribeTrails") == []


async def test_keys_of_another_account_are_not_used(alibaba: LiveAlibaba) -> None:
    key = alibaba.world.add_key(HZ_DEV)
    account = Account.model_validate({"id": HZ_PROD, "alias": "hz-prod", "cloud": "alibaba", "auth": key.auth})
    with pytest.raises(WrongAccount, match="hz-prod: its credentials are another account's") as raised:
        await _ask(alibaba, account)
    assert HZ_DEV not in raised.value.text
    assert [request.action for request in alibaba.world.requests] == ["GetCallerIdentity"]


@pytest.mark.parametrize(
    "lie",
    [{"AccountId": HZ_PROD}, {"AccountId": 5}, {"Arn": ""}, {"Arn": f"acs:ram::{HZ_PROD}:user/x"}, {"AccountId": "x"}],
)
async def test_who_contradicts_himself_is_nobody(alibaba: LiveAlibaba, lie: dict[str, Any]) -> None:
    alibaba.world.lies["GetCallerIdentity"] = lie
    key = alibaba.world.add_key(HZ_DEV)
    keys = Credentials(key.id, SecretStr(key.secret))
    with pytest.raises(CloudError, match="whose these credentials are"):
        await account_of_credentials(alibaba.api, keys, RequestInfo("x", "", "sts:GetCallerIdentity"))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"secret_access_key": "another"}, "SignatureDoesNotMatch"),
        ({"access_key_id": "LTAIUNKNOWN"}, "InvalidAccessKeyId.NotFound"),
        ({"session_token": "another"}, "InvalidSecurityToken.MismatchWithAccessKey"),
    ],
)
async def test_keys_that_are_not_the_accounts_are_refused(
    alibaba: LiveAlibaba, change: dict[str, str], code: str
) -> None:
    auth = {**alibaba.world.add_key(HZ_PROD).auth, **change}
    account = Account.model_validate({"id": HZ_PROD, "cloud": "alibaba", "auth": auth})
    with pytest.raises(CredentialsError, match=f"{code}, request ") as raised:
        await _ask(alibaba, account)
    assert auth["secret_access_key"] not in raised.value.text


async def test_the_environment_says_which_variables_are_missing(alibaba: LiveAlibaba) -> None:
    nothing = environment_identity(AlibabaSettings(), alibaba.api)
    with pytest.raises(
        CredentialsError, match="ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET are not"
    ):
        await nothing.credentials()
    half = environment_identity(AlibabaSettings(access_key_id="LTAIX"), alibaba.api)
    with pytest.raises(CredentialsError, match=r"^ALIBABA_CLOUD_ACCESS_KEY_SECRET is not set$"):
        await half.credentials()
    whole = AlibabaSettings(
        access_key_id="STS.x", access_key_secret=SecretStr("swordfish"), security_token=SecretStr("token")
    )
    found = await environment_identity(whole, alibaba.api).credentials()
    assert (found.access_key_id, found.session_token) == ("STS.x", SecretStr("token"))
    assert "swordfish" not in repr(whole)


def _pod(alibaba: LiveAlibaba, folder: Path, content: str = TOKEN) -> AlibabaSettings:
    """The environment of a pod whose service account may assume a role of the base account."""
    role = alibaba.world.add_role(BASE, "Pod", providers={PROVIDER})
    alibaba.world.tokens[TOKEN] = PROVIDER
    (folder / "token").write_text(content)
    return AlibabaSettings(role_arn=role.arn, oidc_provider_arn=PROVIDER, oidc_token_file=str(folder / "token"))


async def test_a_pods_token_assumes_its_role_which_assumes_the_accounts(alibaba: LiveAlibaba, tmp_path: Path) -> None:
    alibaba.environment = _pod(alibaba, tmp_path)
    pod = await environment_identity(alibaba.environment, alibaba.api).credentials()
    assert pod.expires is not None
    assert pod.access_key_id.startswith("STS.")
    assert await account_of_credentials(alibaba.api, pod, RequestInfo("x", "", "sts:GetCallerIdentity")) == BASE
    [request] = alibaba.world.asked("AssumeRoleWithOIDC")
    assert (request.account, request.access_key_id) == ("", "")  # nobody signed it
    keys = alibaba.environment.model_copy(update={"access_key_id": "LTAIX", "access_key_secret": SecretStr("y")})
    assert (await environment_identity(keys, alibaba.api).credentials()).access_key_id == "LTAIX"


@pytest.mark.parametrize("token", ["", "x" * 20_001, "wörd.wörd"])
async def test_a_file_without_a_token_is_said_to_be_that(alibaba: LiveAlibaba, tmp_path: Path, token: str) -> None:
    identity = environment_identity(_pod(alibaba, tmp_path, token), alibaba.api)
    with pytest.raises(CredentialsError, match="ALIBABA_CLOUD_OIDC_TOKEN_FILE"):
        await identity.credentials()
    (tmp_path / "token").unlink()
    with pytest.raises(CredentialsError, match="No such file"):
        await identity.credentials()
    assert alibaba.world.requests == []


async def test_a_token_that_is_not_accepted_is_told(alibaba: LiveAlibaba, tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match=r"OIDCToken\.Invalid"):
        await environment_identity(_pod(alibaba, tmp_path, "other.token"), alibaba.api).credentials()
    environment = _pod(alibaba, tmp_path)
    alibaba.world.accounts[BASE].roles[environment.role_arn].providers.clear()
    with pytest.raises(AssumeRoleDenied) as denied:
        await environment_identity(environment, alibaba.api).credentials()
    assert "identity provider" in denied.value.hint
    alibaba.world.fail("code", text="AuthenticationFail.OIDCToken.Expired: old", action="AssumeRoleWithOIDC")
    with pytest.raises(CredentialsExpired) as expired:
        await environment_identity(environment, alibaba.api).credentials()
    assert "renewed" in expired.value.hint


@pytest.mark.parametrize(
    "wrong",
    [
        {"role_arn": "arn:aws:iam::111111111111:role/A"},
        {"role_arn": "acs:ram::1:role/A"},
        {"role_arn": f"acs:ram::{HZ_PROD}:role/A B"},
        {"role_arn": f"acs:ram::{HZ_PROD}:role/A", "duration": 60},
        {"role_arn": f"acs:ram::{HZ_PROD}:role/A", "external_id": "x\n"},
        {"role_arn": f"acs:ram::{HZ_PROD}:role/A", "unknown": 1},
    ],
)
def test_a_role_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AlibabaRoleAuth.model_validate(wrong)


def test_whose_a_resource_name_is() -> None:
    assert owner_of(f"acs:ram::{HZ_PROD}:role/Audit") == HZ_PROD
    assert AlibabaRoleAuth(role_arn=f"acs:ram::{HZ_PROD}:role/Audit").account_id == HZ_PROD
    for other in ("", "acs:ecs::1:x", "arn:aws:iam::111111111111:role/A", "acs:ram::1"):
        assert owner_of(other) == ""
