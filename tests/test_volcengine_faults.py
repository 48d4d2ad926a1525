"""What goes wrong between crosstrail and Volcengine: every documented code, the wire, the pace, and whose keys are used."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from crosstrail.accounts.secrets import SecretBox
from crosstrail.clouds.volcengine.actions import Action
from crosstrail.clouds.volcengine.api import VolcengineApi, checked_endpoint
from crosstrail.clouds.volcengine.broker import VolcengineBroker
from crosstrail.clouds.volcengine.calls import CREATE_TRAIL, DESCRIBE_TRAILS, LOOKUP_EVENTS
from crosstrail.clouds.volcengine.credentials import EnvironmentKeys
from crosstrail.clouds.volcengine.errors import kind_of_code
from crosstrail.errors import (
    AccessDenied,
    AssumeRoleDenied,
    CloudError,
    CloudUnavailable,
    ConfigError,
    CredentialsError,
    CrosstrailError,
    InvalidRequest,
    SecretUnreadable,
    Throttled,
    UnsupportedByCloud,
)
from crosstrail.models import Account, EventQuery, NewTrail, Target
from listed_accounts import moment
from live_volcengine import CN_DEV, CN_PROD, LiveVolcengine, live_volcengine

_KINDS = {400: (InvalidRequest,), 403: (AccessDenied,), 409: (InvalidRequest,), 500: (CloudUnavailable,)}
_ACTIONS = {"LookupEvents": LOOKUP_EVENTS, "DescribeTrails": DESCRIBE_TRAILS, "CreateTrail": CREATE_TRAIL}


def _call(live: LiveVolcengine, account: Account, action: Action = DESCRIBE_TRAILS) -> None:
    anyio.run(live.broker.call, account, "", action, {})


def test_every_documented_error_of_every_action_is_mapped(live: LiveVolcengine, shared_data: Path) -> None:
    documented = json.loads((shared_data / "volc/api_facts.json").read_text())["errors"]
    account = live.keys_account(CN_PROD, "cn-prod")
    for name, errors in documented.items():
        for error in errors:
            assert kind_of_code(error["code"]) is not None, error["code"]
            live.world.fail("code", text=f"{error['code']}: {error['message']}", status=error["http"], action=name)
            with pytest.raises(_KINDS[error["http"]]) as raised:
                _call(live, account, _ACTIONS[name])
            text = str(raised.value)
            assert "account cn-prod in cn-beijing" in text
            assert f"cloud_trail:{name} ({error['code']}, request " in text
            assert error["message"] in text
            if isinstance(raised.value, CloudError):
                assert (raised.value.code, raised.value.account) == (error["code"], "cn-prod")
                assert len(raised.value.request_id) == 32


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("envelope", "AccessDenied: no", AccessDenied),
        ("envelope", "InvalidParameter.Name: no", InvalidRequest),
        ("code", "NeverHeardOf: no", InvalidRequest),
        ("code", "SiteDoesNotMatch: no", UnsupportedByCloud),
        ("code", "InvalidTimestamp: The Signature of the request is expired", CredentialsError),
        ("garbage", "", CloudUnavailable),
        ("reset", "", CloudUnavailable),
        ("half", "", CloudUnavailable),
        ("500", "", CloudUnavailable),
        ("429", "7", Throttled),
    ],
)
def test_other_faults(live: LiveVolcengine, kind: str, text: str, expected: type[CrosstrailError]) -> None:
    live.world.fail(kind, text=text, action="DescribeTrails")
    with pytest.raises(expected) as raised:
        _call(live, live.keys_account(CN_PROD))
    if isinstance(raised.value, Throttled):
        assert raised.value.retry_after == 7.0


def test_a_hanging_answer_is_given_up(live: LiveVolcengine) -> None:
    with live_volcengine(read_timeout=3) as impatient:
        account = impatient.keys_account(CN_PROD)
        impatient.world.fail("hang", action="DescribeTrails")
        with pytest.raises(CloudUnavailable, match="ReadTimeoutError"):
            _call(impatient, account)
        _call(impatient, account)


@pytest.mark.parametrize("kind", ["429", "500", "reset", "half", "garbage"])
def test_a_lookup_is_asked_again_and_loses_nothing(live: LiveVolcengine, kind: str) -> None:
    target = Target(live.keys_account(CN_PROD))
    event = live.world.accounts[CN_PROD].log("GetUser", moment())
    live.world.fail(kind, times=2, action="LookupEvents")
    page = anyio.run(live.trail().lookup_events, target, EventQuery())
    assert [one.id for one in page.events] == [event]
    assert len(live.world.asked("LookupEvents")) == 3


def test_repeats_are_bounded(live: LiveVolcengine) -> None:
    target = Target(live.keys_account(CN_PROD))
    live.world.fail("500", times=-1, action="LookupEvents")
    with pytest.raises(CloudUnavailable, match="InternalError"):
        anyio.run(live.trail().lookup_events, target, EventQuery())
    assert len(live.world.asked("LookupEvents")) == 4


def test_a_trail_is_never_created_twice(live: LiveVolcengine) -> None:
    target = Target(live.keys_account(CN_PROD))
    live.world.fail("half", action="CreateTrail")
    with pytest.raises(CloudUnavailable) as raised:
        anyio.run(live.trail().create_trail, target, NewTrail("main", "bucket1"))
    assert "the account's trails" in raised.value.hint
    assert len(live.world.asked("CreateTrail")) == 1


def test_a_role_is_assumed_by_the_environments_key_and_only_once(live: LiveVolcengine) -> None:
    one, other = live.role_account(CN_PROD), live.role_account(CN_DEV)

    async def together() -> None:
        async with anyio.create_task_group() as group:
            for account in (one, other) * 10:
                group.start_soon(live.broker.call, account, "", DESCRIBE_TRAILS, {})

    anyio.run(together)
    assumed = [request for request in live.world.requests if request.action == "AssumeRole"]
    assert [request.access_key_id for request in assumed] == [live.base.id] * 2
    asked = [request.account for request in live.world.requests if request.action == "DescribeTrails"]
    assert sorted(asked) == [CN_PROD] * 10 + [CN_DEV] * 10


def test_the_session_says_who_asked(live: LiveVolcengine) -> None:
    account = live.role_account(CN_PROD)

    async def ask() -> None:
        await live.broker.call(account, "", DESCRIBE_TRAILS, {}, who="alice@example.com")

    anyio.run(ask)
    assert live.world.requests[0].params["RoleSessionName"] == "crosstrail-alice@example.com"


def test_expired_sessions_are_renewed_once(live: LiveVolcengine) -> None:
    account = live.role_account(CN_PROD)

    async def ask_twice() -> None:
        await live.broker.call(account, "", DESCRIBE_TRAILS, {})
        assert live.world.expire_sessions() == 1
        await live.broker.call(account, "", DESCRIBE_TRAILS, {})

    anyio.run(ask_twice)
    actions = [(request.action, request.code) for request in live.world.requests]
    assert actions == [
        ("AssumeRole", ""),
        ("DescribeTrails", ""),
        ("DescribeTrails", "InvalidSecretToken"),
        ("AssumeRole", ""),
        ("DescribeTrails", ""),
    ]


def test_sessions_about_to_expire_are_not_used(live: LiveVolcengine) -> None:
    live.world.session_seconds = int(timedelta(minutes=4).total_seconds())
    account = live.role_account(CN_PROD)

    async def ask_twice() -> None:
        for _ in range(2):
            await live.broker.call(account, "", DESCRIBE_TRAILS, {})

    anyio.run(ask_twice)
    assert [request.action for request in live.world.requests].count("AssumeRole") == 2


def test_a_role_that_refuses_is_named(live: LiveVolcengine) -> None:
    account = live.role_account(CN_PROD)
    live.world.accounts[CN_PROD].roles.clear()
    with pytest.raises(AssumeRoleDenied, match=f"may not assume trn:iam::{CN_PROD}:role/Audit") as raised:
        _call(live, account)
    assert "VOLCENGINE_ACCESS_KEY" in raised.value.hint


def test_the_accounts_own_key_may_not_assume(live: LiveVolcengine) -> None:
    root = live.world.add_key("2199999999", root=True)
    account = live.role_account(CN_PROD)
    live.world.accounts[CN_PROD].roles[f"trn:iam::{CN_PROD}:role/Audit"].trusted.add(root.id)
    broker = VolcengineBroker(api=VolcengineApi(live.url), environment=EnvironmentKeys(root.id, SecretStr(root.secret)))
    with pytest.raises(AssumeRoleDenied, match="AccessDenied, request "):
        anyio.run(broker.call, account, "", DESCRIBE_TRAILS, {})
    anyio.run(broker.aclose)


def test_an_ambient_account_uses_the_environments_keys(live: LiveVolcengine) -> None:
    session = live.world.add_session(CN_PROD, f"trn:sts::{CN_PROD}:assumed-role/Audit/x", 3600)
    live.world.account(CN_PROD)
    account = Account.model_validate({"id": CN_PROD, "cloud": "volcengine", "auth": {"type": "ambient"}})
    keys = EnvironmentKeys(session.id, SecretStr(session.secret), SecretStr(session.token))
    broker = VolcengineBroker(api=VolcengineApi(live.url), environment=keys)
    anyio.run(broker.call, account, "", DESCRIBE_TRAILS, {})
    anyio.run(broker.aclose)
    assert live.world.asked("DescribeTrails")[0].account == CN_PROD
    without = VolcengineBroker(api=VolcengineApi(live.url))
    with pytest.raises(CredentialsError, match="VOLCENGINE_ACCESS_KEY and VOLCENGINE_SECRET_KEY are not set"):
        anyio.run(without.call, account, "", DESCRIBE_TRAILS, {})


def test_stored_secrets_are_bound_to_their_account(live: LiveVolcengine) -> None:
    from cryptography.fernet import Fernet

    encryption_key = Fernet.generate_key().decode()
    key = live.world.add_key(CN_PROD)
    token = SecretBox(encryption_key).encrypt(SecretStr(key.secret), CN_PROD)
    auth = {"type": "keys", "access_key_id": key.id, "secret_access_key_encrypted": token}
    broker = VolcengineBroker(SecretStr(encryption_key), api=VolcengineApi(live.url))
    mine = Account.model_validate({"id": CN_PROD, "cloud": "volcengine", "auth": auth})
    anyio.run(broker.call, mine, "", DESCRIBE_TRAILS, {})
    moved = Account.model_validate({"id": CN_DEV, "cloud": "volcengine", "auth": auth})
    with pytest.raises(SecretUnreadable):
        anyio.run(broker.call, moved, "", DESCRIBE_TRAILS, {})
    anyio.run(broker.aclose)
    assert [request.account for request in live.world.asked("DescribeTrails")] == [CN_PROD]


def test_keys_that_no_header_can_hold_are_not_repeated(live: LiveVolcengine) -> None:
    account = live.keys_account(CN_PROD)
    auth = {**live.listed[0]["auth"], "session_token": "to\r\nken-of-mine"}
    broken = Account.model_validate({"id": account.id, "cloud": "volcengine", "auth": auth})
    with pytest.raises(CredentialsError) as raised:
        _call(live, broken)
    assert "ken-of-mine" not in raised.value.text
    assert live.world.requests == []


def test_nothing_secret_is_logged_even_for_debugging(live: LiveVolcengine, caplog: pytest.LogCaptureFixture) -> None:
    account = live.role_account(CN_PROD)
    live.world.accounts[CN_PROD].log("GetUser", moment(), user="mallory")
    with caplog.at_level(logging.DEBUG):
        anyio.run(live.trail().lookup_events, Target(account), EventQuery())
    session = next(key for key in live.world.keys.values() if key.token)
    assert caplog.records, "nothing was logged, and nothing is shown by that"
    for secret in (session.secret, session.token, live.base.secret, "mallory"):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("", "https://open.volcengineapi.com"),
        ("cloud-trail.cn-beijing.volcengineapi.com", "https://cloud-trail.cn-beijing.volcengineapi.com"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
    ],
)
def test_endpoint(written: str, meant: str) -> None:
    assert checked_endpoint(written) == meant


@pytest.mark.parametrize(
    "written", ["ftp://x", "http://", "https://x/path", "http://user@x", "http://x:port", "https://x?y"]
)
def test_an_endpoint_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(ConfigError, match="VOLCENGINE_ENDPOINT"):
        checked_endpoint(written)


def test_a_proxy_is_used_where_no_proxy_does_not_forbid_it(
    live: LiveVolcengine, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = live.keys_account(CN_PROD)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    _call(live, account)  # loopback: never through a proxy
    monkeypatch.setenv("HTTP_PROXY", live.url)  # it sees whole addresses in place of paths
    broker = VolcengineBroker(api=VolcengineApi("http://volcengine.example"))
    anyio.run(broker.call, account, "", DESCRIBE_TRAILS, {})
    anyio.run(broker.aclose)
    assert [request.account for request in live.world.asked("DescribeTrails")] == [CN_PROD, CN_PROD]
    monkeypatch.setenv("no_proxy", "volcengine.example")
    broker = VolcengineBroker(api=VolcengineApi("http://volcengine.example", connect_timeout=1))
    with pytest.raises(CloudUnavailable):
        anyio.run(broker.call, account, "", DESCRIBE_TRAILS, {})
    anyio.run(broker.aclose)
    assert len(live.world.asked("DescribeTrails")) == 2


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"secret_access_key": "another"}, "SignatureDoesNotMatch"),
        ({"access_key_id": "AKLTUNKNOWN"}, "InvalidAccessKey"),
        ({"session_token": "another"}, "InvalidSecretToken"),
    ],
)
def test_keys_that_are_not_the_accounts_are_refused(live: LiveVolcengine, change: dict[str, str], code: str) -> None:
    live.keys_account(CN_PROD)
    auth = {**live.listed[0]["auth"], **change}
    account = Account.model_validate({"id": CN_PROD, "cloud": "volcengine", "auth": auth})
    with pytest.raises(CredentialsError, match=f"{code}, request ") as raised:
        _call(live, account)
    assert live.listed[0]["auth"]["secret_access_key"] not in raised.value.text
