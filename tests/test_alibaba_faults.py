"""What goes wrong between crosstrail and Alibaba Cloud: every kind of code, the wire, the pace, and what is told of it."""

from __future__ import annotations

import logging

import anyio
import pytest
from pydantic import SecretStr

from crosstrail import errors
from crosstrail.accounts.credentials import Credentials
from crosstrail.accounts.request_info import RequestInfo
from crosstrail.clouds.alibaba.api import ENDPOINT, AlibabaApi, checked_endpoint
from crosstrail.clouds.alibaba.calls import DESCRIBE_TRAILS
from crosstrail.clouds.alibaba.errors import kind_of_code, refused
from crosstrail.errors import (
    AccessDenied,
    CloudError,
    CloudUnavailable,
    ConfigError,
    CredentialsError,
    CredentialsExpired,
    CrosstrailError,
    InvalidRequest,
    Throttled,
    UnsupportedByCloud,
)
from crosstrail.models import Account, EventQuery, NewTrail, Target
from crosstrail.object_store_errors import OddKey
from listed_accounts import moment
from live_alibaba import HZ_PROD, LiveAlibaba, live_alibaba
from test_aws_wire import Cloud, served

pytestmark = pytest.mark.anyio
ASKED = RequestInfo("hz-prod", "cn-hangzhou", "actiontrail:LookupEvents", "Renew the keys.")
_KINDS = {
    CredentialsExpired: "InvalidSecurityToken.Expired AuthenticationFail.OIDCToken.Expired",
    CredentialsError: """InvalidAccessKeyId.NotFound InvalidAccessKeyId.Inactive Forbidden.AccessKeyDisabled
        SignatureDoesNotMatch IncompleteSignature InvalidTimeStamp.Format InvalidTimeStamp.Expired InvalidSignatureMethod
        MissingSecurityToken InvalidSecurityToken.Malformed InvalidSecurityToken.MismatchWithAccessKey MissingAccessKeyId
        AuthenticationFail.OIDCToken.Invalid""",
    AccessDenied: "NoPermission Forbidden Forbidden.RAM Forbidden.NoPermission AuthenticationFail.NoPermission",
    Throttled: "Throttling Throttling.User Throttling.Api",
    CloudUnavailable: "InternalError ServiceUnavailable UnknownError SignatureNonceUsed",
    UnsupportedByCloud: """InvalidApi.NotFound InvalidAction.NotFound InvalidProduct.NotFound InvalidRegion.NotFound
        UnsupportedHTTPMethod InvalidProtocol.NeedSsl InvalidVersion""",
    InvalidRequest: """MissingParameter InvalidParameter InvalidParameter.Format InvalidParameter.PolicyGrammar
        InvalidQueryParameter ContentLengthDoesNotMatch ContentMD5NotMatched EntityNotExist.Role MissingRoleArn
        InvalidMaxResults TrailAlreadyExistsException TrailNotFoundException""",
}
"""The public codes of all products, those of STS and those of ActionTrail."""
_CODES = [(code, kind) for kind, codes in _KINDS.items() for code in codes.split()]


@pytest.mark.parametrize(("code", "kind"), _CODES, ids=[code for code, _ in _CODES])
async def test_every_code_has_its_kind_and_is_told_with_its_request(
    alibaba: LiveAlibaba, code: str, kind: type[CrosstrailError]
) -> None:
    assert kind_of_code(code) is kind
    account = alibaba.keys_account(HZ_PROD, "hz-prod")
    alibaba.world.fail("code", text=f"{code}: why not", times=-1, action="DescribeTrails")
    with pytest.raises(kind) as raised:
        await _once(alibaba, account)
    text = str(raised.value)
    assert "account hz-prod in cn-hangzhou" in text
    assert f"({code}, request " in text
    assert "why not" in text
    if isinstance(raised.value, CloudError):
        assert (raised.value.code, raised.value.account) == (code, "hz-prod")
        assert len(raised.value.request_id) == 36


async def _once(live: LiveAlibaba, account: Account) -> None:
    """One request, without the repeats of a call."""
    credentials = await live.credentials_of(account).credentials()
    await live.api.call(
        DESCRIBE_TRAILS, {}, credentials, RequestInfo(account.name, "cn-hangzhou", str(DESCRIBE_TRAILS))
    )


def test_every_kind_of_the_tree_that_a_cloud_can_give_is_given_by_a_code() -> None:
    """An error that is new in errors.py must be thought of here."""
    given = {kind_of_code(code) for code, _ in _CODES} | {errors.BadTimeRange, errors.CloudError}
    from_elsewhere = {
        errors.SqlRejected,
        errors.StalePageToken,
        errors.SecretUnreadable,
        errors.WrongAccount,
        errors.AssumeRoleDenied,
        errors.ObjectUnavailable,
        OddKey,
    }
    kinds: set[type[CrosstrailError]] = {errors.CloudError, errors.InvalidRequest, errors.CredentialsError}
    everything: set[type[CrosstrailError]] = set(kinds)
    for kind in kinds:
        everything |= set(kind.__subclasses__())
    assert everything - from_elsewhere <= given
    assert kind_of_code("InvalidTimeRangeException") is errors.BadTimeRange


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (401, CredentialsError),
        (403, AccessDenied),
        (404, InvalidRequest),
        (418, CloudError),
        (429, Throttled),
        (500, CloudUnavailable),
        (503, CloudUnavailable),
        (302, CloudError),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"Code": "NeverHeardOf", "Message": 7}', b"[1]", b"\xff"])
def test_a_code_of_tomorrow_goes_by_its_status(status: int, kind: type[CrosstrailError], body: bytes) -> None:
    error = refused(status, body, {}, ASKED)
    assert isinstance(error, kind)
    assert "hz-prod" in str(error)


def test_a_vendors_text_is_one_short_line_and_repeats_no_signed_request() -> None:
    canonical = "POST\n/\n\nx-acs-security-token:CAIS-secret\n"
    body = (
        b'{"Code": "SignatureDoesNotMatch", "Message": "is not matched. server string to sign is:%b", "RequestId": "1"}'
    )
    error = refused(400, body % canonical.encode().replace(b"\n", b"\\n"), {}, ASKED)
    assert "CAIS-secret" not in error.text
    assert "is not matched" in str(error)
    long = refused(400, b'{"Code": "InvalidParameter", "Message": "bad\\n\\u001b[31m%b"}' % (b"x" * 5000), {}, ASKED)
    assert len(str(long)) < 500
    assert str(long).isprintable()


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("garbage", "", CloudUnavailable),
        ("cut", "", CloudUnavailable),
        ("reset", "", CloudUnavailable),
        ("half", "", CloudUnavailable),
        ("xml", "Throttling: slow", InvalidRequest),
        ("result", "[]", CloudUnavailable),
        ("result", '{"no": "request id"}', CloudUnavailable),
        ("throttled", "7", Throttled),
    ],
)
async def test_other_faults(alibaba: LiveAlibaba, kind: str, text: str, expected: type[CrosstrailError]) -> None:
    account = alibaba.keys_account(HZ_PROD)
    alibaba.world.fail(kind, text=text, action="DescribeTrails")
    with pytest.raises(expected) as raised:
        await _once(alibaba, account)
    if isinstance(raised.value, Throttled):
        assert raised.value.retry_after == 7.0


async def test_a_hanging_answer_is_given_up() -> None:
    async with live_alibaba(read_timeout=3) as impatient:
        account = impatient.keys_account(HZ_PROD)
        await impatient.credentials_of(account).credentials()
        impatient.world.fail("hang", action="DescribeTrails")
        with pytest.raises(CloudUnavailable, match="Timeout"):
            await _once(impatient, account)


async def test_a_call_ends_at_its_deadline_and_cancelling_ends_it(alibaba: LiveAlibaba) -> None:
    account = alibaba.keys_account(HZ_PROD)
    await alibaba.credentials_of(account).credentials()
    alibaba.world.fail("hang", times=-1, action="DescribeTrails")
    with pytest.raises(CloudUnavailable, match=r"gave no answer to actiontrail:DescribeTrails in 0\.5 s"):
        await alibaba.calls(deadline=0.5).ask(account, "cn-hangzhou", DESCRIBE_TRAILS, {})
    with anyio.move_on_after(0.5) as scope:
        await alibaba.calls().ask(account, "cn-hangzhou", DESCRIBE_TRAILS, {})
    assert scope.cancelled_caught


@pytest.mark.parametrize("kind", ["throttled", "500", "reset", "half", "garbage"])
async def test_a_lookup_is_asked_again_and_loses_nothing(alibaba: LiveAlibaba, kind: str) -> None:
    target = Target(alibaba.keys_account(HZ_PROD))
    event = alibaba.world.accounts[HZ_PROD].log("GetUser", moment())
    alibaba.world.fail(kind, times=2, action="LookupEvents")
    page = await alibaba.trail().lookup_events(target, EventQuery(limit=1))
    assert [one.id for one in page.events] == [event]
    assert len(alibaba.world.asked("LookupEvents")) == 3


async def test_repeats_are_bounded(alibaba: LiveAlibaba) -> None:
    target = Target(alibaba.keys_account(HZ_PROD))
    alibaba.world.fail("500", times=-1, action="LookupEvents")
    with pytest.raises(CloudUnavailable, match="InternalError"):
        await alibaba.trail().lookup_events(target, EventQuery())
    assert len(alibaba.world.asked("LookupEvents")) == 4


async def test_a_trail_is_never_created_twice(alibaba: LiveAlibaba) -> None:
    target = Target(alibaba.keys_account(HZ_PROD))
    alibaba.world.fail("half", action="CreateTrail")
    with pytest.raises(CloudUnavailable) as raised:
        await alibaba.trail().create_trail(target, NewTrail("main-trail", "bucket1"))
    assert "the account's trails" in raised.value.hint
    assert len(alibaba.world.asked("CreateTrail")) == 1


async def test_lookups_of_an_account_share_its_pace_over_regions(alibaba: LiveAlibaba) -> None:
    """Two a second: the first goes out at once, the sixth not before two seconds have passed and a half."""
    account, trail = alibaba.keys_account(HZ_PROD), alibaba.trail(lookups_per_second=2.0)
    for region in ("cn-hangzhou", "cn-beijing"):
        alibaba.world.accounts[HZ_PROD].log("GetUser", moment(), region=region, everywhere=True)
        alibaba.world.accounts[HZ_PROD].log("GetUser", moment(), region=region, everywhere=True)
    async with anyio.create_task_group() as group:
        for region in ("cn-hangzhou", "cn-beijing") * 3:
            group.start_soon(trail.lookup_events, Target(account, region), EventQuery(limit=1))
    moments = [one.at for one in alibaba.world.asked("LookupEvents")]
    assert len(moments) == 6
    assert max(moments) - min(moments) > 1.75


@pytest.mark.parametrize("field", ["access_key_id", "session_token"])
async def test_keys_that_no_header_can_hold_are_not_repeated(alibaba: LiveAlibaba, field: str) -> None:
    values = {"access_key_id": "LTAIX", "session_token": "token"} | {field: "to\r\nken-of-mine"}
    keys = Credentials(values["access_key_id"], SecretStr("secret"), SecretStr(values["session_token"]))
    with pytest.raises(CredentialsError) as raised:
        await alibaba.api.call(DESCRIBE_TRAILS, {}, keys, ASKED)
    assert "ken-of-mine" not in raised.value.text
    assert alibaba.world.requests == []


async def test_nothing_secret_is_logged_even_for_debugging(
    alibaba: LiveAlibaba, caplog: pytest.LogCaptureFixture
) -> None:
    account = alibaba.role_account(HZ_PROD)
    alibaba.world.account(HZ_PROD).log("GetUser", moment(), user="mallory")
    with caplog.at_level(logging.DEBUG):
        await alibaba.trail().lookup_events(Target(account), EventQuery())
    session = next(key for key in alibaba.world.keys.values() if key.token)
    for secret in (session.secret, session.token, alibaba.base.secret, "mallory"):
        assert secret not in caplog.text


async def test_a_redirect_is_not_followed_and_what_is_too_long_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    keys, elsewhere = Credentials("LTAIX", SecretStr("secret")), Cloud()
    async with served(elsewhere) as url:
        cloud = Cloud(b"{}", f"307 Temporary Redirect\r\nLocation: {url}/")
        async with served(cloud) as first:
            api = AlibabaApi(first)
            with pytest.raises(CrosstrailError, match="307"):
                await api.call(DESCRIBE_TRAILS, {}, keys, ASKED)
            await api.aclose()
    assert (len(cloud.requests), elsewhere.requests) == (1, [])
    monkeypatch.setattr("crosstrail.clouds.alibaba.api._MAX_BYTES", 1000)
    async with served(Cloud(b'{"RequestId": "%b"}' % (b"x" * 2000))) as url:
        api = AlibabaApi(url)
        with pytest.raises(CloudUnavailable, match="ClientPayloadError"):
            await api.call(DESCRIBE_TRAILS, {}, keys, ASKED)
        await api.aclose()


async def test_a_proxy_is_used_where_no_proxy_does_not_forbid_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with live_alibaba(endpoint="http://alibaba.example") as live:
        account = live.keys_account(HZ_PROD)
        monkeypatch.setenv("HTTP_PROXY", live.url)
        await live.trail().describe_trails(Target(account))
        assert [one.action for one in live.world.requests] == ["GetCallerIdentity", "DescribeTrails"]
        monkeypatch.setenv("no_proxy", "alibaba.example")
        with pytest.raises(CloudUnavailable):
            await _once(live, account)
        assert len(live.world.requests) == 2


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("", ENDPOINT),
        ("actiontrail.cn-hangzhou.aliyuncs.com", "https://actiontrail.cn-hangzhou.aliyuncs.com"),
        ("https://{product}-vpc.{region}.aliyuncs.com/", "https://{product}-vpc.{region}.aliyuncs.com"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
    ],
)
def test_endpoint(written: str, meant: str) -> None:
    assert checked_endpoint(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "ftp://x",
        "http://",
        "https://x/path",
        "http://user@x",
        "http://x:port",
        "https://x?y",
        "https://{other}.x",
        "http://a b",
    ],
)
def test_an_endpoint_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(ConfigError, match="endpoint of Alibaba Cloud"):
        checked_endpoint(written)
