"""What a wrapped server gets to know of credentials: its own account's, temporary, and nobody else's."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import anyio
import anyio.to_thread
import pytest
from pydantic import SecretStr

from crosstrail.accounts.credentials import Expiring
from crosstrail.clouds.aws.cloud import AWS
from crosstrail.clouds.volcengine.api import VolcengineApi
from crosstrail.clouds.volcengine.broker import VolcengineBroker
from crosstrail.clouds.volcengine.credentials import EnvironmentKeys
from crosstrail.errors import UnsupportedByCloud
from crosstrail.models import Account
from crosstrail.settings.wrap_settings import WrappedServer
from crosstrail.wrap import delivery, loopback
from crosstrail.wrap.delivery import CredentialEndpoint, TemporaryCredentials
from crosstrail.wrap.loopback import LoopbackRequest, LoopbackResponse, LoopbackServer
from fakes.volcengine import FakeVolcengine
from lake_workspace import text_of
from running_server import PATIENCE
from wrap_workspace import WrapWorkspace
from wrapped.plain import EARLY

pytestmark = pytest.mark.anyio


async def get(url: str, *, method: str = "GET", **headers: str) -> tuple[int, dict[str, Any]]:
    """What another program on this machine gets."""

    def ask() -> tuple[int, dict[str, Any]]:
        request = urllib.request.Request(url, headers=headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    return await anyio.to_thread.run_sync(ask)


async def test_the_endpoint_answers_the_right_token_alone(workspace: WrapWorkspace) -> None:
    prod, dev = (await workspace.registry()).accounts
    async with CredentialEndpoint(TemporaryCredentials(lambda _: workspace.broker)) as endpoint:
        of_prod, of_dev = endpoint.grant(prod, ""), endpoint.grant(dev, "")
        token, other = of_prod.token.get_secret_value(), of_dev.token.get_secret_value()
        status, given = await get(of_prod.uri, Authorization=token)
        assert status == 200
        assert workspace.world.keys[given["AccessKeyId"]].account == prod.id
        for uri, headers in (
            (of_prod.uri, {}),
            (of_prod.uri, {"Authorization": ""}),
            (of_prod.uri, {"Authorization": token[:-1]}),
            (of_prod.uri, {"Authorization": f"Bearer {token}"}),
            (of_prod.uri, {"Authorization": other}),
            (of_dev.uri, {"Authorization": token}),
            (f"{of_prod.uri}0", {"Authorization": token}),
            (f"{of_prod.uri.rpartition('/')[0]}/", {"Authorization": token}),
        ):
            status, refused = await get(uri, **headers)
            assert (status, set(refused)) == (403, {"code", "message"}), uri
        assert (await get(of_prod.uri, method="POST", Authorization=token))[0] == 403
        endpoint.revoke(of_prod)
        assert (await get(of_prod.uri, Authorization=token))[0] == 403
        assert (await get(of_dev.uri, Authorization=other))[0] == 200


async def test_the_endpoint_is_on_loopback_alone_and_ends_with_its_block(workspace: WrapWorkspace) -> None:
    (prod, _) = (await workspace.registry()).accounts
    async with CredentialEndpoint(TemporaryCredentials(lambda _: workspace.broker)) as endpoint:
        grant = endpoint.grant(prod, "")
        port = int(grant.uri.split(":")[2].split("/")[0])
        assert grant.uri.startswith("http://127.0.0.1:")
        with open("/proc/net/tcp") as table:  # noqa: ASYNC230
            listening = [line.split()[1] for line in table if line.split()[3] == "0A"]
        assert [address for address in listening if address.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]
    with pytest.raises(urllib.error.URLError):
        await get(grant.uri, Authorization=grant.token.get_secret_value())


async def test_what_is_being_answered_ends_with_the_endpoint() -> None:
    begun, ended = anyio.Event(), anyio.Event()

    async def answer(request: LoopbackRequest) -> LoopbackResponse:
        begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()
        raise AssertionError

    async with LoopbackServer(answer) as server:
        client = await anyio.connect_tcp("127.0.0.1", server.port)
        await client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with anyio.fail_after(PATIENCE):
            await begun.wait()
    assert ended.is_set()
    await client.aclose()


async def test_nonsense_does_not_stop_the_endpoint(workspace: WrapWorkspace) -> None:
    (prod, _) = (await workspace.registry()).accounts
    async with CredentialEndpoint(TemporaryCredentials(lambda _: workspace.broker)) as endpoint:
        grant = endpoint.grant(prod, "")
        port = int(grant.uri.split(":")[2].split("/")[0])
        token = grant.token.get_secret_value()
        twice = f"GET /credentials/1 HTTP/1.1\r\nHost: x\r\nAuthorization: x\r\nAuthorization: {token}\r\n\r\n"
        for nonsense, status in (
            (b"\r\n\r\n", b"400"),
            (b"GET\r\n\r\n", b"400"),
            (b"GET /credentials/\xb2 HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
            (b"GET /credentials/9999999999999999 HTTP/1.1\r\nHost: x\r\n\r\n", b"403"),
            (b"HEAD /credentials/1 HTTP/1.1\r\nHost: x\r\n\r\n", b"403"),
            (twice.encode(), b"403"),
            (b"x" * 20_000, b"431"),
            (b"\x00\xff\r\n\r\n", b"400"),
        ):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(nonsense)
                try:
                    assert (await stream.receive()).startswith(b"HTTP/1.1 " + status), nonsense
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    assert len(nonsense) > 8_192, "only what is too long is left without an answer"
        assert (await get(grant.uri, Authorization=token))[0] == 200


async def test_connections_without_a_request_keep_nobody_out(
    workspace: WrapWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (prod, _) = (await workspace.registry()).accounts
    async with (
        CredentialEndpoint(TemporaryCredentials(lambda _: workspace.broker)) as endpoint,
        AsyncExitStack() as open_,
    ):
        grant = endpoint.grant(prod, "")
        port = int(grant.uri.split(":")[2].split("/")[0])
        silent = [
            await open_.enter_async_context(await anyio.connect_tcp("127.0.0.1", port))
            for _ in range(3 * loopback.MAX_WAITING)
        ]
        assert (await get(grant.uri, Authorization=grant.token.get_secret_value()))[0] == 200
        with anyio.fail_after(5):  # less than a head may take
            for stream in silent[: 2 * loopback.MAX_WAITING]:
                with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                    await stream.receive()
        monkeypatch.setattr(loopback, "_HEAD_SECONDS", 0.1)
        async with await anyio.connect_tcp("127.0.0.1", port) as slow:
            await slow.send(b"GET /credentials/1 HTTP/1.1\r\nHost")
            with anyio.fail_after(60), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await slow.receive()


class Withholding:
    """A broker that gives one account no credentials until it may."""

    def __init__(self, workspace: WrapWorkspace, account: Account) -> None:
        self.may = anyio.Event()
        self._workspace = workspace
        self._account = account

    async def temporary(self, account: Account, who: str) -> Expiring:
        if account == self._account:
            await self.may.wait()
        credentials: Expiring = await self._workspace.broker.temporary(account, who)
        return credentials


async def test_many_requests_of_one_child_are_bounded_and_delay_no_other(workspace: WrapWorkspace) -> None:
    prod, dev = (await workspace.registry()).accounts
    broker: Any = Withholding(workspace, prod)
    async with CredentialEndpoint(TemporaryCredentials(lambda _: broker)) as endpoint, AsyncExitStack() as open_:
        of_prod, of_dev = endpoint.grant(prod, ""), endpoint.grant(dev, "")
        port, path = of_prod.uri.removeprefix("http://127.0.0.1:").split("/", 1)
        head = f"GET /{path} HTTP/1.1\r\nHost: x\r\nAuthorization: {of_prod.token.get_secret_value()}\r\n\r\n"
        streams = []
        for _ in range(delivery.MAX_AT_ONCE + 1):
            streams.append(await open_.enter_async_context(await anyio.connect_tcp("127.0.0.1", int(port))))
            await streams[-1].send(head.encode())
        with anyio.fail_after(60):
            assert (await streams.pop().receive()).startswith(b"HTTP/1.1 429")
            assert (await get(of_dev.uri, Authorization=of_dev.token.get_secret_value()))[0] == 200
            broker.may.set()
            for stream in streams:
                assert (await stream.receive()).startswith(b"HTTP/1.1 200")


async def test_no_long_lived_key_and_none_of_our_variables_reach_a_server(
    workspace: WrapWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = workspace.world.keys[str(workspace.listed[1]["auth"]["access_key_id"])]
    monkeypatch.setenv("CROSSTRAIL_SECRET_THING", "ours")
    monkeypatch.setenv("AWS_PROFILE_OF_OURS", "ours")
    monkeypatch.setenv("WANTED", "passed")
    servers = {"plain": workspace.plain(pass_env=["WANTED"])}
    async with workspace.client(servers) as client:
        found = json.loads(text_of(await client.call_tool("environment", {"target_account_id": "dev"})))
        assert text_of(await client.call_tool("whoami", {"target_account_id": "dev"})) == key.account
    signed = workspace.world.asked("GetCallerIdentity")[-1]
    assert signed.access_key_id != key.id, "a session's key, not the long-lived one"
    everything = json.dumps(found)
    assert key.secret not in everything
    assert key.id not in everything
    assert workspace.base.id not in everything
    assert "ours" not in found.values()
    assert found["WANTED"] == "passed"
    assert {name for name in found if name.startswith("AWS_")} == {
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_PROFILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
    }
    assert found["AWS_REGION"] == "eu-west-1"


async def test_a_server_cannot_fetch_anothers_credentials(workspace: WrapWorkspace) -> None:
    async with workspace.client() as client:
        found = {}
        for name in ("prod", "dev"):
            text = text_of(await client.call_tool("environment", {"target_account_id": name}))
            environment = json.loads(text)
            found[name] = {
                "url": environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
                "token": environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"],
            }
        for asker in ("prod", "dev"):
            mine, other = found[asker], found["dev" if asker == "prod" else "prod"]
            for url, token, status in (
                (mine["url"], mine["token"], "200"),
                (other["url"], mine["token"], "403"),
                (mine["url"], other["token"], "403"),
            ):
                fetched = await client.call_tool("fetch", {"target_account_id": asker, "url": url, "token": token})
                assert text_of(fetched) == status


async def test_two_accounts_share_no_folder(workspace: WrapWorkspace) -> None:
    async with workspace.client() as client:
        notes = [
            text_of(await client.call_tool("note", {"target_account_id": name, "text": f"{name} "}))
            for name in ("prod", "dev", "prod", "dev")
        ]
    assert notes == ["", "", "prod ", "dev "]


async def test_credentials_that_expire_are_renewed_in_the_same_process(workspace: WrapWorkspace) -> None:
    workspace.world.session_seconds = 30
    async with workspace.client() as client:
        assert text_of(await client.call_tool("whoami", {"target_account_id": "prod"})) == workspace.id_of("prod")
        first = workspace.world.asked("GetCallerIdentity")[-1].access_key_id
        workspace.world.session_seconds = None
        expired = workspace.world.keys[first].expires
        assert expired is not None
        with anyio.fail_after(60):
            while datetime.now(UTC) <= expired - EARLY:
                await client.call_tool("echo", {"target_account_id": "prod", "text": "x" * 10_000})
        assert text_of(await client.call_tool("whoami", {"target_account_id": "prod"})) == workspace.id_of("prod")
    keys = {one.access_key_id for one in workspace.world.asked("GetCallerIdentity")}
    assert len(keys) == 2
    assert not [one for one in workspace.world.requests if one.code]


async def test_credentials_that_cannot_be_had_are_told_in_the_answer(workspace: WrapWorkspace) -> None:
    next(iter(workspace.world.accounts[workspace.id_of("prod")].roles.values())).trusted.clear()
    async with workspace.client() as client:
        refused = await client.call_tool("whoami", {"target_account_id": "prod"})
        assert refused.is_error
        assert text_of(refused).startswith("may not assume arn:aws:iam::100000000001:role/Audit")
        assert text_of(await client.call_tool("whoami", {"target_account_id": "dev"})) == workspace.id_of("dev")


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN"])
def test_an_identity_for_all_accounts_is_refused(name: str) -> None:
    for given in ({"env": {name: "x"}}, {"pass_env": [name]}):
        with pytest.raises(ValueError, match=f"{name} is not passed on"):
            WrappedServer.model_validate({"command": ["x"], **given})


async def test_botocore_finds_and_renews_what_is_delivered(workspace: WrapWorkspace) -> None:
    """The SDK of most wrapped servers, unconfigured, in a process of its own."""
    program = (
        "import botocore.session; s = botocore.session.Session(); print(s.create_client('sts').get_caller_identity()['Account'],"
        " s.get_credentials().method)"
    )
    (_, dev) = (await workspace.registry()).accounts
    async with CredentialEndpoint(TemporaryCredentials(lambda _: workspace.broker)) as endpoint:
        grant = endpoint.grant(dev, "")
        environment = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": grant.uri,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": grant.token.get_secret_value(),
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL": workspace.url,
        }
        done = await anyio.run_process([sys.executable, "-c", program], env=environment, stderr=subprocess.STDOUT)
    assert done.stdout.decode().split() == [dev.id, "container-role"]


async def test_volcengine_servers_get_temporary_keys_and_a_new_process_before_they_end(
    workspace: WrapWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeVolcengine() as volcengine:
        base = volcengine.world.add_key("2199999999")
        role = volcengine.world.add_role("2100000001", trusts=base)
        api = VolcengineApi(volcengine.url, read_timeout=5.0)
        keys = EnvironmentKeys(base.id, SecretStr(base.secret))
        broker = VolcengineBroker(api=api, environment=keys)
        workspace.listed[:] = [
            {"id": "2100000001", "alias": "cn", "cloud": "volcengine", "auth": role.auth},
            {"id": "2199999999", "alias": "long", "cloud": "volcengine", "auth": base.auth},
        ]
        Account.model_validate(workspace.listed[0])
        async with workspace.client(broker=broker) as client:

            async def environment() -> dict[str, str]:
                text = text_of(await client.call_tool("environment", {"target_account_id": "cn"}))
                found: dict[str, str] = json.loads(text)
                return found

            first, again = await environment(), await environment()
            assert first == again
            assert volcengine.world.keys[first["VOLCENGINE_ACCESS_KEY"]].account == "2100000001"
            assert first["VOLCENGINE_SESSION_TOKEN"] == first["VOLCENGINE_ACCESS_SESSION_TOKEN"] != ""
            assert not [name for name in first if name.startswith("AWS_CONTAINER")]
            broker.invalidate(Account.model_validate(workspace.listed[0]))  # as when they are about to end
            renewed = await environment()
            assert renewed["VOLCENGINE_ACCESS_KEY"] != first["VOLCENGINE_ACCESS_KEY"]
            refused = await client.call_tool("environment", {"target_account_id": "long"})
            assert refused.is_error
            assert "long-lived key alone" in text_of(refused)
        await broker.aclose()


async def test_a_cloud_that_can_give_a_process_no_credentials_is_refused(
    workspace: WrapWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process without its account's identity would have whatever it finds on the machine."""
    monkeypatch.setattr(delivery, "cloud_of", lambda _: replace(AWS, endpoint_variables=None))
    temporary = TemporaryCredentials(lambda _: workspace.broker)
    prod = Account.model_validate(workspace.listed[0])
    with pytest.raises(UnsupportedByCloud, match="cannot be given credentials of AWS"):
        await temporary.variables(prod, "", "us-east-1", None)
