"""Whose keys they are: asked once, kept for minutes by a fingerprint, in bounded memory; and a workspace that is theirs alone."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
import anyio.lowlevel
import pytest
from pydantic import SecretStr

from crosstrail.accounts.credentials import Credentials, fingerprint
from crosstrail.answers.lookup_events import Request, look_up
from crosstrail.clouds.volcengine.api import VolcengineApi
from crosstrail.engines.base import QueryScope
from crosstrail.errors import CredentialsError, InvalidRequest, LimitReached
from crosstrail.models import Account, Target
from crosstrail.settings.config import Settings
from crosstrail.workspace.request_workspace import KeyOwners, Owner, RequestWorkspace, api_of
from crosstrail.workspace.scoped import ScopedWorkspace
from crosstrail.workspace.workspace import Workspace
from fakes.volcengine import FakeVolcengine, Key
from listed_accounts import moment
from live_volcengine import CN_DEV, CN_PROD

pytestmark = pytest.mark.anyio


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def fake() -> Iterator[FakeVolcengine]:
    with FakeVolcengine() as made:
        yield made


@asynccontextmanager
async def owners_of(fake: FakeVolcengine, clock: Clock | None = None, **more: int) -> AsyncIterator[KeyOwners]:
    api = VolcengineApi(fake.url)
    try:
        yield KeyOwners(api, deadline=10, clock=clock or Clock(), **more)
    finally:
        api.close()


def sent(key: Key) -> Credentials:
    return Credentials(key.id, SecretStr(key.secret), SecretStr(key.token) if key.token else None)


def asked(fake: FakeVolcengine) -> int:
    return sum(request.action == "GetCallerIdentity" for request in fake.world.requests)


def test_fingerprints_differ_by_every_part() -> None:
    one = Credentials("AKLT1", SecretStr("secret"), SecretStr("token"))
    others = [
        replace(one, access_key_id="AKLT2"),
        replace(one, secret_access_key=SecretStr("Secret")),
        replace(one, session_token=None),
        Credentials("AKLT1secret", SecretStr("token")),
    ]
    assert len({fingerprint(each) for each in (one, *others)}) == 5
    assert fingerprint(replace(one)) == fingerprint(one)
    assert "secret" not in fingerprint(one)


async def test_one_question_for_all_who_wait(fake: FakeVolcengine) -> None:
    key = fake.world.add_key(CN_PROD, "alice")
    fake.world.delay = 0.05
    async with owners_of(fake) as owners:
        found = await asyncio.gather(*(owners.owner(sent(key)) for _ in range(20)))
        assert set(found) == {Owner(CN_PROD, f"trn:iam::{CN_PROD}:user/alice")}
        await owners.owner(sent(key))
    assert asked(fake) == 1


async def test_who_asked_first_may_leave(fake: FakeVolcengine) -> None:
    key = fake.world.add_key(CN_PROD)
    fake.world.delay = 0.2
    async with owners_of(fake) as owners, anyio.create_task_group() as group:
        group.start_soon(owners.owner, sent(key))
        await anyio.wait_all_tasks_blocked()
        later = asyncio.create_task(owners.owner(sent(key)))
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            assert (await later).account == CN_PROD
    assert asked(fake) == 1


async def test_it_is_asked_again_after_five_minutes(fake: FakeVolcengine) -> None:
    key, clock = fake.world.add_key(CN_PROD), Clock()
    async with owners_of(fake, clock) as owners:
        await owners.owner(sent(key))
        clock.now += 299
        await owners.owner(sent(key))
        assert asked(fake) == 1
        clock.now += 2
        assert owners.known(sent(key)) is None
        await owners.owner(sent(key))
        assert asked(fake) == 2


async def test_a_failure_is_not_kept_and_not_another_callers(fake: FakeVolcengine) -> None:
    key = fake.world.add_key(CN_PROD)
    wrong = replace(sent(key), secret_access_key=SecretStr("guessed"))
    async with owners_of(fake) as owners:
        for _ in range(2):
            with pytest.raises(CredentialsError, match="SignatureDoesNotMatch"):
                await owners.owner(wrong)
        assert asked(fake) == 2
        assert (await owners.owner(sent(key))).account == CN_PROD
        with pytest.raises(CredentialsError, match="SignatureDoesNotMatch"):
            await owners.owner(wrong)


async def test_memory_is_bounded(fake: FakeVolcengine) -> None:
    keys = [fake.world.add_key(CN_PROD) for _ in range(12)]
    async with owners_of(fake, most=5) as owners:
        for key in keys:
            await owners.owner(sent(key))
        assert len(owners) == 5
        assert owners.known(sent(keys[0])) is None
        assert owners.known(sent(keys[-1]))


async def test_new_callers_at_once_are_bounded(fake: FakeVolcengine) -> None:
    """Strangers may make up keys as fast as they can write."""
    fake.world.delay = 0.2
    made_up = [Credentials(f"AKLT{number}", SecretStr("x")) for number in range(6)]
    async with owners_of(fake, max_waiting=4) as owners:
        outcomes = await asyncio.gather(*(owners.owner(one) for one in made_up), return_exceptions=True)
        assert [type(one) for one in outcomes] == [CredentialsError] * 4 + [LimitReached] * 2
        good = fake.world.add_key(CN_PROD)
        assert (await owners.owner(sent(good))).account == CN_PROD


async def test_who_was_known_does_not_wait_behind_strangers(fake: FakeVolcengine) -> None:
    known, clock = fake.world.add_key(CN_PROD), Clock()
    made_up = [Credentials(f"AKLT{number}", SecretStr("x")) for number in range(40)]
    async with owners_of(fake, clock, max_waiting=40) as owners:
        await owners.owner(sent(known))
        clock.now += 301
        fake.world.delay = 0.1
        strangers = [asyncio.create_task(owners.owner(one)) for one in made_up]
        await anyio.wait_all_tasks_blocked()
        assert (await owners.owner(sent(known))).account == CN_PROD
        waiting = sum(not one.done() for one in strangers)
        await asyncio.gather(*strangers, return_exceptions=True)
    assert waiting >= 40 - 2 * 16


async def test_the_workspace_of_request_keys_is_their_account_alone(fake: FakeVolcengine) -> None:
    key = fake.world.add_key(CN_PROD)
    settings = Settings.model_validate(
        {
            "accounts": [{"id": CN_DEV, "cloud": "volcengine", "auth": {"type": "ambient"}}],
            "volcengine": {"endpoint": fake.url, "access_key": key.id, "secret_key": key.secret},
        }
    )
    workspace = Workspace(settings)
    owners = KeyOwners(api_of(workspace), deadline=10)
    theirs = RequestWorkspace(workspace, owners, sent(key))
    [account] = (await theirs.listed()).registry.accounts
    assert account.key == ("volcengine", CN_PROD)
    assert await theirs.held() == ()
    for listed in (settings.accounts[0], Account(id=CN_PROD, cloud="volcengine", auth=settings.accounts[0].auth)):
        with pytest.raises(CredentialsError):
            await theirs.targets_of([listed], "")
    with pytest.raises(InvalidRequest, match="no lake"):
        theirs.engine("lake")
    with pytest.raises(InvalidRequest, match="no lake"):
        await theirs.engine_for("SELECT 1", QueryScope((account,), {}, ""))
    nobody = RequestWorkspace(workspace, owners, None)
    with pytest.raises(CredentialsError, match="carries no keys"):
        await nobody.listed()
    assert nobody.owner is None
    await workspace.aclose()


async def test_a_key_id_that_is_none_is_refused_in_words(fake: FakeVolcengine) -> None:
    key = fake.world.add_key(CN_PROD)
    fake.world.keys["AKLT-x-1"] = replace(key, id="AKLT-x-1")
    workspace = Workspace(Settings.model_validate({"volcengine": {"endpoint": fake.url}}))
    theirs = RequestWorkspace(
        workspace, KeyOwners(api_of(workspace), deadline=10), replace(sent(key), access_key_id="AKLT-x-1")
    )
    with pytest.raises(CredentialsError, match="AccessKeyId"):
        await theirs.listed()
    assert fake.world.requests == []
    await workspace.aclose()


async def test_no_secret_outlives_its_request(fake: FakeVolcengine) -> None:
    """Neither the broker's caches nor the ones of owners, trails or clients hold it."""
    key = fake.world.add_key(CN_PROD)
    event = fake.world.account(CN_PROD).log("GetUser", moment())
    workspace = Workspace(Settings.model_validate({"volcengine": {"endpoint": fake.url}}))
    owners = KeyOwners(api_of(workspace), deadline=10)

    async def one_request() -> None:
        theirs = RequestWorkspace(workspace, owners, sent(key))
        answer = await look_up(ScopedWorkspace(theirs), Request())
        assert event in answer.text
        assert holders(key.secret)

    await one_request()
    await anyio.lowlevel.checkpoint()
    assert owners.known(sent(key))
    assert holders(key.secret) == []
    await workspace.aclose()


def holders(secret: str) -> list[SecretStr]:
    gc.collect()
    masked = (one for one in gc.get_objects() if isinstance(one, SecretStr))
    return [one for one in masked if one.get_secret_value() == secret]


def test_a_target_of_theirs_hides_its_secret(fake: FakeVolcengine) -> None:
    from crosstrail.account_auth import RequestKeys

    auth = RequestKeys(owner=CN_PROD, access_key_id="AKLT1", secret_access_key=SecretStr("swordfish"))
    target = Target(Account(id=CN_PROD, cloud="volcengine", auth=auth))
    assert "swordfish" not in repr(target) + target.account.model_dump_json()
