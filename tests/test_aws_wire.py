"""How a request for CloudTrail travels: where botocore would send it, through its proxies and certificates, and no further."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import anyio
import botocore.session
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from crosstrail.clouds.aws.broker import AwsBroker
from crosstrail.errors import CloudUnavailable, CrosstrailError
from crosstrail.models import Account

pytestmark = pytest.mark.anyio
ACCOUNT = Account.model_validate(
    {
        "id": "111111111111",
        "alias": "prod",
        "auth": {"type": "keys", "access_key_id": "AKIAEXAMPLE", "secret_access_key": "secret"},
    }
)
NOTHING = b'{"Events": []}'
IDENTITY = (
    b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    b"<Arn>arn:aws:iam::111111111111:user/audit</Arn><UserId>AIDAEXAMPLE</UserId><Account>111111111111</Account>"
    b"</GetCallerIdentityResult></GetCallerIdentityResponse>"
)


class Cloud:
    """What a small HTTP server was asked; each request gets `answer`."""

    def __init__(self, answer: bytes = NOTHING, head: str = "200 OK") -> None:
        self.requests: list[str] = []
        self.came, self.gone = asyncio.Event(), asyncio.Event()
        self._answer = f"HTTP/1.1 {head}\r\nContent-Length: {len(answer)}\r\n\r\n".encode() + answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(
                    int(line.split(":")[1]) for line in head.lower().splitlines() if line.startswith("content-length")
                )
                await reader.readexactly(length)
                self.requests.append(head)
                self.came.set()
                if self._answer.startswith(b"HTTP/1.1 silence"):
                    await reader.read()
                writer.write(self._answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.gone.set()
            writer.close()


@asynccontextmanager
async def served(cloud: Cloud) -> AsyncIterator[str]:
    server = await asyncio.start_server(cloud.serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def opened(url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Coroutine[Any, Any, Any]]]:
    """Looks events up at an address; STS, which is asked first whose the keys are, has one of its own."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDTRAIL", url)
    broker = AwsBroker(asked_once=frozenset({"cloudtrail"}))

    async def look_up(**params: Any) -> Any:
        answer = await broker.call(ACCOUNT, "cloudtrail", "us-east-1", "lookup_events", **params)
        return answer["Events"]

    async with served(Cloud(IDENTITY)) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts)
        try:
            yield look_up
        finally:
            await broker.aclose()


def _asked_by_botocore(region: str) -> str:
    """Where botocore's own client sends a LookupEvents, without sending it."""
    client = botocore.session.Session().create_client(
        "cloudtrail", region, aws_access_key_id="AKIAEXAMPLE", aws_secret_access_key="secret"
    )
    sent: list[AWSPreparedRequest] = []

    def instead(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        sent.append(request)
        return AWSResponse(request.url, 200, {}, _Raw())

    client.meta.events.register("before-send.cloudtrail.LookupEvents", instead)
    client.lookup_events()
    return str(sent[0].url).rstrip("/")


class _Raw:
    def stream(self, **_: object) -> list[bytes]:
        return [NOTHING]


@pytest.mark.parametrize("variable", ["", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_ENDPOINT_URL"])
@pytest.mark.parametrize("region", ["us-east-1", "eu-south-2", "cn-north-1", "us-gov-west-1"])
def test_requests_go_where_botocore_would_send_them(
    region: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crosstrail.clouds.aws.clients import AwsClients

    if variable:
        monkeypatch.setenv(variable, "http://proxy.test:8080/aws" if variable.endswith("URL") else "true")
    clients = AwsClients(most=1, connect_timeout=1, read_timeout=1, attempts=1, connections=1)
    assert clients.endpoint("cloudtrail", region).url.rstrip("/") == _asked_by_botocore(region)


async def test_a_proxy_of_the_environment_is_used_but_for_what_it_is_not_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = Cloud()
    async with served(cloud) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.replace("//", "//someone:password@"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        async with opened("http://cloudtrail.test", monkeypatch) as look_up:
            assert await look_up() == []
        async with opened(proxy, monkeypatch) as look_up:
            assert await look_up() == []
    through, direct = cloud.requests
    assert through.startswith("POST http://cloudtrail.test/ HTTP/1.1")
    assert "Proxy-Authorization: Basic c29tZW9uZTpwYXNzd29yZA==" in through
    assert direct.startswith("POST / HTTP/1.1")
    assert "Proxy-Authorization" not in direct


async def test_a_redirect_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = Cloud()
    async with served(elsewhere) as url:
        cloud = Cloud(b"{}", f"307 Temporary Redirect\r\nLocation: {url}/")
        async with served(cloud) as first, opened(first, monkeypatch) as look_up:
            with pytest.raises(CrosstrailError, match="307"):
                await look_up()
    assert (len(cloud.requests), elsewhere.requests) == (1, [])


async def test_a_call_that_is_cancelled_lets_its_connection_go(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = Cloud(head="silence")
    async with served(cloud) as url, opened(url, monkeypatch) as look_up:
        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(look_up)
                await cloud.came.wait()
                group.cancel_scope.cancel()
            await cloud.gone.wait()


async def test_times_of_an_answer_are_aware_and_null_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"Events": [{"EventId": "1", "EventTime": 1764000000.5}, {"EventId": "2", "EventTime": None}]}
    async with served(Cloud(json.dumps(said).encode())) as url, opened(url, monkeypatch) as look_up:
        first, second = await look_up()
    assert first["EventTime"] == datetime(2025, 11, 24, 16, 0, 0, 500_000, UTC)
    assert second["EventTime"] is None


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"Events": 5}', b'{"Events": [{"EventTime": 1e300}]}'])
async def test_what_is_no_answer_is_none(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(Cloud(body)) as url, opened(url, monkeypatch) as look_up:
        with pytest.raises(CloudUnavailable, match="prod in us-east-1 did not answer"):
            await look_up()
