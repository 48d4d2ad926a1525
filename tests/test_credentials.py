"""Credentials: where they come from, whose they are, how long they are kept, what is said when there are none."""

from __future__ import annotations

import re
import traceback
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import anyio.to_thread
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from credential_sources import look_up, profile, role, write_config
from crosstrail.accounts.credentials import Cached, Credentials, session_name
from crosstrail.clouds.aws.broker import AwsBroker
from crosstrail.clouds.aws.credentials import CLOUDTRAIL_READS
from crosstrail.errors import (
    AccessDenied,
    AssumeRoleDenied,
    CloudUnavailable,
    CredentialsError,
    CredentialsExpired,
    CrosstrailError,
)
from fakes.aws import FakeAws, Key
from live_aws import BASE, DEV, PROD

pytestmark = pytest.mark.anyio


# --- what credentials are


def test_credentials_show_no_secret_and_are_never_empty() -> None:
    shown = repr(Credentials("AKIAPROD", SecretStr("hush"), SecretStr("token-text")))
    assert "AKIAPROD" in shown
    assert not [secret for secret in ("hush", "token-text") if secret in shown]
    for key, secret in (("", "hush"), ("AKIAPROD", "")):
        with pytest.raises(CredentialsError, match="empty"):
            Credentials(key, SecretStr(secret))


# --- Cached


class Source:
    """A provider that counts, waits to be let go, and fails when told to."""

    remediation = "Sign in again."

    def __init__(self, lasts: timedelta | None = timedelta(hours=1)) -> None:
        self.now = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
        self.clock = 100.0
        self.asked = 0
        self.failure: CrosstrailError | None = None
        self.lasts = lasts
        self.gate = anyio.Event()
        self.gate.set()

    def cached(self) -> Cached[Credentials]:
        return Cached(self, now=lambda: self.now, monotonic=lambda: self.clock)

    async def credentials(self) -> Credentials:
        self.asked += 1
        number = self.asked
        await self.gate.wait()
        if self.failure:
            raise self.failure
        return Credentials(f"AKIA{number}", SecretStr("hush"), None, self.now + self.lasts if self.lasts else None)


@pytest.mark.parametrize("lacking", ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"])
def test_a_session_without_a_part_is_none(lacking: str) -> None:
    """Without a token it would be a key for good, and without an end nobody would renew it."""
    whole = {
        "AccessKeyId": "ASIA1",
        "SecretAccessKey": "s3cr3t",
        "SessionToken": "t0k3n",
        "Expiration": datetime.now(UTC),
    }
    assert Credentials.given_by_sts({"Credentials": whole}).access_key_id == "ASIA1"
    with pytest.raises(CredentialsError) as refusal:
        Credentials.given_by_sts({"Credentials": {name: part for name, part in whole.items() if name != lacking}})
    assert "s3cr3t" not in refusal.value.text
    assert "t0k3n" not in refusal.value.text


async def test_credentials_are_kept_until_five_minutes_before_their_expiry() -> None:
    source = Source()
    cached = source.cached()
    assert (await cached.credentials()).access_key_id == "AKIA1"
    source.now += timedelta(minutes=54, seconds=59)
    assert (await cached.credentials()).access_key_id == "AKIA1"
    source.now += timedelta(seconds=1)
    assert (await cached.credentials()).access_key_id == "AKIA2"
    assert source.asked == 2


async def test_credentials_without_an_expiry_are_read_again_now_and_then() -> None:
    source = Source(lasts=None)
    cached = source.cached()
    for _ in range(3):
        await cached.credentials()
    source.now += timedelta(minutes=5)
    await cached.credentials()
    assert source.asked == 2


async def test_a_crowd_makes_one_request_and_survives_its_first_member() -> None:
    source = Source()
    source.gate = anyio.Event()
    cached = source.cached()
    got: list[str] = []

    async def wait() -> None:
        got.append((await cached.credentials()).access_key_id)

    async with anyio.create_task_group() as crowd:
        first = anyio.CancelScope()

        async def leave_early() -> None:
            with first:
                await wait()

        crowd.start_soon(leave_early)
        await anyio.wait_all_tasks_blocked()
        for _ in range(50):
            crowd.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        first.cancel()
        await anyio.wait_all_tasks_blocked()
        source.gate.set()
    assert got == ["AKIA1"] * 50
    assert source.asked == 1


async def test_everyone_leaving_leaves_the_answer_for_the_next() -> None:
    source = Source()
    source.gate = anyio.Event()
    cached = source.cached()
    async with anyio.create_task_group() as crowd:
        crowd.start_soon(cached.credentials)
        await anyio.wait_all_tasks_blocked()
        crowd.cancel_scope.cancel()
    source.gate.set()
    assert (await cached.credentials()).access_key_id == "AKIA1"
    assert source.asked == 1


async def test_a_failure_is_told_for_a_second_and_then_forgotten() -> None:
    source = Source()
    source.failure = CredentialsExpired("expired", hint="Sign in.")
    cached = source.cached()
    for _ in range(20):
        with pytest.raises(CredentialsExpired, match="expired"):
            await cached.credentials()
    assert source.asked == 1
    source.failure, source.clock = None, source.clock + 1
    assert (await cached.credentials()).access_key_id == "AKIA2"


async def test_of_many_who_saw_credentials_fail_one_renews() -> None:
    source = Source()
    cached = source.cached()
    stale = await cached.credentials()
    for _ in range(10):
        cached.invalidate(stale)
        assert (await cached.credentials()).access_key_id == "AKIA2"
    assert source.asked == 2


# --- AssumeRole


@given(st.text(), st.text())
def test_a_session_name_is_one_that_sts_takes_and_tells_callers_apart(one: str, other: str) -> None:
    assert re.fullmatch(r"[\w+=,.@-]{2,64}", session_name(one), re.ASCII)
    assert (session_name(one) == session_name(other)) == (one == other)


def test_a_session_name_says_who_asked() -> None:
    assert session_name("alice@example.com") == "crosstrail-alice@example.com"
    assert session_name("") == "crosstrail"


async def test_a_role_is_assumed_by_the_base_identity_in_the_name_of_who_asks(fake_aws: FakeAws, base: Key) -> None:
    fake_aws.world.add_role(PROD, trusts=base, external_id="ext-1")
    broker = AwsBroker()
    await look_up(broker, role(external_id="ext-1", duration=1800), "alice@example.com")
    assumed, looked_up = fake_aws.world.requests
    assert (assumed.action, assumed.access_key_id, assumed.code) == ("AssumeRole", base.id, "")
    assert assumed.params["RoleSessionName"] == "crosstrail-alice@example.com"
    assert (assumed.params["ExternalId"], assumed.params["DurationSeconds"]) == ("ext-1", "1800")
    assert "Policy" not in assumed.params
    assert (looked_up.account, looked_up.access_key_id[:4]) == (PROD, "ASIA")
    assert "crosstrail/" in looked_up.user_agent
    await broker.aclose()


async def test_callers_do_not_share_a_session(fake_aws: FakeAws, base: Key) -> None:
    fake_aws.world.add_role(PROD, trusts=base)
    broker = AwsBroker()
    for who in ("alice", "bob", "alice", "bob"):
        await look_up(broker, role(), who)
    names = [one.params["RoleSessionName"] for one in fake_aws.world.asked("AssumeRole")]
    assert names == ["crosstrail-alice", "crosstrail-bob"]
    signers = [one.access_key_id for one in fake_aws.world.asked("LookupEvents")]
    assert signers == signers[:2] * 2
    assert signers[0] != signers[1]
    await broker.aclose()


async def test_a_session_policy_leaves_only_the_reads(fake_aws: FakeAws, base: Key) -> None:
    fake_aws.world.add_role(PROD, trusts=base)
    broker = AwsBroker()
    narrow = role(session_policy=True)
    await look_up(broker, narrow)
    with pytest.raises(AccessDenied, match="cloudtrail:CreateTrail: no session policy allows it"):
        await broker.call(narrow, "cloudtrail", "us-east-1", "create_trail", Name="trail", S3BucketName="logs")
    await broker.aclose()


def test_every_read_of_the_session_policy_is_an_operation_and_changes_nothing() -> None:
    import botocore.session

    operations = botocore.session.Session().get_service_model("cloudtrail").operation_names
    assert set(CLOUDTRAIL_READS) <= set(operations)
    assert not [
        name for name in CLOUDTRAIL_READS if not re.match("Get|List|Describe|Lookup|StartQuery|CancelQuery", name)
    ]


@pytest.mark.parametrize(
    ("auth", "denial", "hint"),
    [
        ({}, "", "external id, set auth.external_id"),
        ({"external_id": "wrong"}, "", "external id must be the one"),
        ({}, "no identity-based policy allows the sts:AssumeRole action", "Allow sts:AssumeRole on this role"),
        ({}, "no resource-based policy allows the sts:AssumeRole action", "The role's trust policy must name"),
        (
            {},
            "with an explicit deny in a service control policy",
            "explicit deny in a service control policy: It is the org",
        ),
        (
            {},
            "no permissions boundary allows the sts:AssumeRole action",
            "no permissions boundary allows it: Whoever administers",
        ),
        ({}, "no VPC endpoint policy allows the sts:AssumeRole action", "through a VPC endpoint, whose owner"),
    ],
)
async def test_a_denied_role_says_whose_turn_it_is(
    fake_aws: FakeAws, base: Key, auth: dict[str, Any], denial: str, hint: str
) -> None:
    fake_aws.world.add_role(PROD, trusts=base, external_id="right")
    if denial:
        fake_aws.world.fail("denied", times=-1, action="AssumeRole", text=denial)
    broker = AwsBroker()
    with pytest.raises(AssumeRoleDenied, match=r"role/Audit .AccessDenied, request [0-9a-f-]{36}") as refusal:
        await look_up(broker, role(**auth))
    assert hint in refusal.value.hint
    assert base.identity in refusal.value.hint
    assert not fake_aws.world.asked("LookupEvents")
    await broker.aclose()


async def test_a_duration_longer_than_the_role_allows_is_explained(fake_aws: FakeAws, base: Key) -> None:
    fake_aws.world.add_role(PROD, trusts=base)
    broker = AwsBroker()
    with pytest.raises(CredentialsError, match="MaxSessionDuration") as refusal:
        await look_up(broker, role(duration=7200))
    assert "auth.duration" in refusal.value.hint
    await broker.aclose()


async def test_an_answer_of_sts_cut_short_shows_no_secret(fake_aws: FakeAws, base: Key) -> None:
    """botocore's own error would hold the answer as far as it came, secret access key included."""
    fake_aws.world.add_role(PROD, trusts=base)
    for kind in ("half", "cut", "garbage"):
        fault = fake_aws.world.fail(kind, times=-1, action="AssumeRole")
        broker = AwsBroker(attempts=2)
        with pytest.raises(CloudUnavailable) as refusal:
            await look_up(broker, role())
        shown = "".join(traceback.format_exception(refusal.value)) + refusal.value.text
        secrets = [text for key in fake_aws.world.keys.values() for text in (key.secret, key.token) if text]
        assert not [secret for secret in secrets if secret in shown]
        assert fault.struck == 2
        fake_aws.world.faults.clear()
        await broker.aclose()


async def test_the_base_identity_may_be_a_named_profile_and_heals(fake_aws: FakeAws) -> None:
    """Its keys are replaced in the file while we run; nothing is restarted."""
    old = fake_aws.world.add_key(BASE)
    wanted = fake_aws.world.add_role(PROD, trusts=old)
    write_config(f"[profile hub]\naws_access_key_id = {old.id}\naws_secret_access_key = {old.secret}\n")
    broker, account = AwsBroker(), role(base_profile="hub")
    await look_up(broker, account)
    old.expires = datetime.now(UTC)
    new = fake_aws.world.add_key(BASE)
    wanted.trusted.add(new.id)
    write_config(f"[profile hub]\naws_access_key_id = {new.id}\naws_secret_access_key = {new.secret}\n")
    broker.invalidate(account)
    await look_up(broker, account)
    used = [one.access_key_id for one in fake_aws.world.asked("AssumeRole") if not one.code]
    assert used == [old.id, new.id]
    await broker.aclose()


async def test_nothing_is_logged_that_opens_an_account(
    fake_aws: FakeAws, base: Key, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even at debug, where botocore would log every header and body."""
    caplog.set_level("DEBUG")
    chained = fake_aws.world.add_role(DEV, trusts=base)
    fake_aws.world.add_role(PROD, trusts=base)
    write_config(f"[profile dev]\nrole_arn = {chained.arn}\ncredential_source = Environment\n")
    broker = AwsBroker(attempts=1)
    await look_up(broker, role())
    await look_up(broker, profile())
    fake_aws.world.fail("cut", times=-1, action="AssumeRole")
    broker.invalidate(profile())
    with pytest.raises(CredentialsError):
        await look_up(broker, profile())
    secrets = [text for key in fake_aws.world.keys.values() for text in (key.secret, key.token) if text]
    assert not [secret for secret in secrets if secret in caplog.text]
    await broker.aclose()
