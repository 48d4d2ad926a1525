"""Credentials of profiles and of the machine itself: sign-ins that run out and heal, and what is said meanwhile."""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import botocore.credentials
import pytest

from credential_sources import look_up, profile, write_config
from crosstrail.clouds.aws.broker import AwsBroker
from crosstrail.clouds.aws.profile_credentials import Profile
from crosstrail.errors import (
    CredentialsError,
    CredentialsExpired,
)
from crosstrail.models import Account
from fakes.aws import FakeAws, Key
from live_aws import BASE, DEV, PROD

pytestmark = pytest.mark.anyio


async def test_an_expired_sso_sign_in_names_the_command_and_heals(
    fake_aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in = Path.home() / ".aws" / "sso" / "cache"  # botocore looks up the home folder once, when it is imported
    monkeypatch.setattr(botocore.credentials.SSOProvider, "_SSO_TOKEN_CACHE_DIR", str(signed_in))
    fake_aws.world.add_role(DEV, trusts=fake_aws.world.add_key(BASE))
    start = "https://example.awsapps.com/start"
    write_config(
        f"[profile dev]\nsso_start_url = {start}\nsso_region = us-east-1\nsso_account_id = {DEV}\nsso_role_name = Audit\n"
    )
    broker, account = AwsBroker(), profile()
    hint = "Run: aws sso login --profile dev"
    with pytest.raises(CredentialsExpired, match="AWS profile dev have expired") as never_signed_in:
        await look_up(broker, account)
    assert never_signed_in.value.hint == hint

    token = signed_in / f"{hashlib.sha1(start.encode()).hexdigest()}.json"  # noqa: S324
    token.parent.mkdir(parents=True)
    tomorrow = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    token.write_text(json.dumps({"accessToken": "signed-out", "expiresAt": tomorrow}))
    broker.invalidate(account)
    with pytest.raises(CredentialsExpired) as signed_out:
        await look_up(broker, account)
    assert signed_out.value.hint == hint

    token.write_text(json.dumps({"accessToken": "signed-in", "expiresAt": tomorrow}))
    fake_aws.world.sign_ins.add("signed-in")
    broker.invalidate(account)
    await look_up(broker, account)
    assert fake_aws.world.requests[-1].account == DEV
    assert [one.code for one in fake_aws.world.asked("GetRoleCredentials")] == ["UnauthorizedException", ""]
    await broker.aclose()


async def test_credential_process_is_run_again_when_its_credentials_expire(fake_aws: FakeAws) -> None:
    script = Path.home() / "keys.py"
    write_config(f"[profile dev]\ncredential_process = {sys.executable} {script}\n")
    provider = Profile("dev", region="us-east-1")
    script.write_text("raise SystemExit('no network')")
    with pytest.raises(CredentialsError, match="AWS profile dev gives no credentials") as failed:
        await provider.credentials()
    assert "credential_process" in failed.value.hint
    for minutes, key in ((60, "AKIAFIRST"), (60, "AKIASECOND")):
        expires = datetime.now(UTC) + timedelta(minutes=minutes)
        script.write_text(f"print('''{_process_output(key, expires)}''')")
        got = await provider.credentials()
        assert (got.access_key_id, got.expires) == (key, expires)
    script.write_text(f"print('''{_process_output('AKIAOLD', datetime.now(UTC) - timedelta(minutes=1))}''')")
    with pytest.raises(CredentialsExpired, match="AWS profile dev have expired"):
        await provider.credentials()


def _process_output(key: str, expires: datetime) -> str:
    given = {"Version": 1, "AccessKeyId": key, "SecretAccessKey": "hush", "SessionToken": "token"}
    return json.dumps({**given, "Expiration": expires.isoformat()})


async def test_a_profile_that_is_absent_empty_or_of_another_account_is_refused(fake_aws: FakeAws) -> None:
    key = fake_aws.world.add_key(PROD)
    write_config(
        "[profile bare]\nregion = eu-west-1\n"
        f"[profile wrong]\naws_access_key_id = {key.id}\naws_secret_access_key = {key.secret}\naws_account_id = {PROD}\n"
    )
    broker = AwsBroker()
    for name, message in (
        ("nope", "AWS profile nope does not exist"),
        ("bare", "AWS profile bare has no AWS credentials"),
        ("wrong", f"account {DEV}: its credentials are another account's"),
    ):
        with pytest.raises(CredentialsError, match=message):
            await look_up(broker, profile(name))
    assert {one.action for one in fake_aws.world.requests} == {"GetCallerIdentity"}
    await broker.aclose()


async def test_a_named_profile_ignores_the_keys_of_the_environment(fake_aws: FakeAws, base: Key) -> None:
    key = fake_aws.world.add_key(DEV)
    write_config(f"[profile dev]\naws_access_key_id = {key.id}\naws_secret_access_key = {key.secret}\n")
    broker = AwsBroker()
    await look_up(broker, profile())
    assert {one.access_key_id for one in fake_aws.world.requests} == {key.id}
    await broker.aclose()


async def test_the_ambient_identity_is_that_of_the_environment(fake_aws: FakeAws, base: Key) -> None:
    broker = AwsBroker()
    await look_up(broker, Account.model_validate({"id": BASE, "auth": {"type": "ambient"}}))
    assert fake_aws.world.requests[-1].access_key_id == base.id
    await broker.aclose()
