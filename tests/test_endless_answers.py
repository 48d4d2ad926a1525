"""Upstreams that answer without end: cut after a bound of bytes, with memory that stays flat and an error that says so."""

from __future__ import annotations

import hashlib
import json
import resource
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.credentials
import pytest

from broker_workspace import look_up
from credential_sources import write_config
from crosstrail.clouds.aws.base_identity import secret_text
from crosstrail.clouds.aws.bounds import MAX_ANSWER_BYTES
from crosstrail.clouds.aws.broker import AwsBroker
from crosstrail.clouds.aws.organizations import OrganizationAccounts
from crosstrail.errors import CloudUnavailable, CredentialsError, CrosstrailError
from crosstrail.models import Account
from fakes.aws import FakeAws, Key
from fakes.http import Answer, HttpFake
from live_aws import BASE, DEV, PROD

pytestmark = pytest.mark.anyio
_IN_SOCKETS = 16_000_000
"""What the kernel's buffers on both sides may hold beside what was read."""


@pytest.fixture(autouse=True)
def flat() -> Iterator[None]:
    """The process grows by a few answers at most, whatever was sent."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 120_000_000, f"{grown:,} bytes more"


def cut(fake: FakeAws | HttpFake, times: int = 1) -> None:
    assert 0 < fake.poured < times * (MAX_ANSWER_BYTES + _IN_SOCKETS)


async def test_sts_that_says_without_end_whose_keys_they_are(fake_aws: FakeAws, base: Key) -> None:
    fake_aws.world.fail("endless", action="GetCallerIdentity")
    account = Account.model_validate({"id": PROD, "auth": fake_aws.world.add_key(PROD).auth})
    with pytest.raises(CloudUnavailable, match="AnswerTooLong"):
        await look_up(AwsBroker(), account)
    assert len(fake_aws.world.requests) == 1, "not asked again: it would be no shorter"
    cut(fake_aws)


async def test_sts_that_gives_a_session_without_end(fake_aws: FakeAws, base: Key) -> None:
    role = fake_aws.world.add_role(PROD, trusts=base)
    fake_aws.world.fail("endless", action="AssumeRole")
    with pytest.raises(CloudUnavailable, match="AnswerTooLong"):
        await look_up(AwsBroker(), Account.model_validate({"id": PROD, "auth": role.auth}))
    cut(fake_aws)


@pytest.mark.parametrize(
    ("action", "ask"),
    [
        ("ListAccounts", lambda: OrganizationAccounts("Audit", region="us-east-1").read()),
        ("GetSecretValue", lambda: secret_text("accounts", "us-east-1")),
    ],
)
def test_what_is_asked_with_the_machines_own_identity(
    fake_aws: FakeAws, base: Key, action: str, ask: Callable[[], Any]
) -> None:
    fake_aws.world.management = BASE
    fake_aws.world.secrets["accounts"] = "postgresql://"
    fake_aws.world.fail("endless", action=action)
    with pytest.raises(CloudUnavailable, match="AnswerTooLong"):
        ask()
    cut(fake_aws)


async def test_a_sign_in_portal_without_end(fake_aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Path.home() / ".aws" / "sso" / "cache"
    monkeypatch.setattr(botocore.credentials.SSOProvider, "_SSO_TOKEN_CACHE_DIR", str(cache))
    fake_aws.world.add_role(DEV, trusts=fake_aws.world.add_key(BASE))
    fake_aws.world.sign_ins.add("signed-in")
    start = "https://example.awsapps.com/start"
    cache.mkdir(parents=True)
    tomorrow = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    token = cache / f"{hashlib.sha1(start.encode()).hexdigest()}.json"  # noqa: S324 - as botocore names it
    token.write_text(json.dumps({"accessToken": "signed-in", "expiresAt": tomorrow}))
    write_config(
        f"[profile dev]\nsso_start_url = {start}\nsso_region = us-east-1\nsso_account_id = {DEV}\nsso_role_name = Audit\n"
    )
    fake_aws.world.fail("endless", action="GetRoleCredentials")
    with pytest.raises(CrosstrailError, match="AnswerTooLong"):
        await look_up(AwsBroker(), Account.model_validate({"id": DEV, "auth": {"type": "profile", "profile": "dev"}}))
    cut(fake_aws)


@pytest.mark.parametrize("source", ["instance", "container"])
async def test_a_metadata_service_without_end(fake_aws: FakeAws, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    def respond(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        return Answer(200, b"{", wire="endless")

    for name in ("AWS_EC2_METADATA_DISABLED", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with HttpFake(respond) as metadata:
        if source == "container":
            monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{metadata.url}/keys")
        else:
            monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.url)
        with pytest.raises(CredentialsError, match="AnswerTooLong"):
            await look_up(AwsBroker(), Account.model_validate({"id": BASE, "auth": {"type": "ambient"}}))
        cut(metadata)


async def test_a_streamed_answer_within_the_bounds_is_read_whole(fake_aws: FakeAws, base: Key) -> None:
    base_account = Account.model_validate({"id": BASE, "auth": {"type": "ambient"}})
    assert await look_up(AwsBroker(), base_account) == []
