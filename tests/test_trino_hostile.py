"""A coordinator that is hostile or broken: whatever it answers, a query costs no more than its limits and tells nothing elsewhere."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path

import pytest

from crosstrail.engines import trino_query
from crosstrail.engines.base import run
from crosstrail.engines.remote_runs import RemoteLimits
from crosstrail.errors import CrosstrailError, LakeError, QueryFailed, QueryTimedOut
from fakes.http import Answer, HttpFake
from fakes.trino import FakeTrino, Outcome, Wrong, running_trino
from test_trino import NAMES, SCOPE, SQL, asked, engine

pytestmark = pytest.mark.anyio
_GOOD = {"id": "1", "infoUri": "x", "stats": {"state": "RUNNING"}}


@pytest.fixture
def trino() -> Iterator[FakeTrino]:
    with running_trino(lambda sql: NAMES) as fake:
        yield fake


def _json(**parts: object) -> Wrong:
    return Wrong(json.dumps({**_GOOD, **parts}).encode())


def _on_get(wrong: Wrong) -> Callable[[str, str], Wrong | None]:
    return lambda method, path: wrong if method == "GET" else None


@pytest.mark.parametrize(
    "there", ["http://127.0.0.1:1", "https://{host}", "http://user@{host}", "http://{host}.evil.example"]
)
async def test_an_address_on_another_host_is_not_asked(trino: FakeTrino, tmp_path: Path, there: str) -> None:
    elsewhere = there.replace("{host}", trino.url.removeprefix("http://"))
    trino.wrong = _on_get(_json(nextUri=f"{elsewhere}/v1/statement/executing/1/x/1"))
    with pytest.raises(CrosstrailError):
        await asked(trino, tmp_path)
    assert len(trino.requests) == 2


async def test_credentials_go_to_no_other_host(trino: FakeTrino, tmp_path: Path) -> None:
    requests: list[str] = []

    def respond(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        requests.append(path)
        return Answer(200, b"{}")

    with HttpFake(respond) as other:
        trino.wrong = _on_get(_json(nextUri=f"{other.url}/v1/statement/executing/1/x/1"))
        with pytest.raises(QueryFailed, match="names an address on another host"):
            await asked(trino, tmp_path)
        trino.wrong = _on_get(Wrong(status=307, headers={"Location": f"{other.url}/v1/statement/x"}))
        with pytest.raises(QueryFailed, match="redirect"):
            await asked(trino, tmp_path)
        trino.wrong = lambda method, path: Wrong(status=301, headers={"Location": f"{other.url}/v1/statement"})
        with pytest.raises(QueryFailed, match="redirect"):
            await asked(trino, tmp_path)
    assert requests == []


async def test_packed_answers_are_refused(trino: FakeTrino, tmp_path: Path) -> None:
    trino.wrong = _on_get(Wrong(gzip.compress(b" " * 10**6), headers={"Content-Encoding": "gzip"}))
    with pytest.raises(QueryFailed, match="packed"):
        await asked(trino, tmp_path)


async def test_an_answer_without_end_is_cut(trino: FakeTrino, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trino_query, "MAX_ANSWER_BYTES", 2**20)
    trino.wrong = _on_get(Wrong(parts=lambda: repeat(b" " * 65_536)))
    with pytest.raises(QueryFailed, match="one answer of Trino has more than 1 MB"):
        await asked(trino, tmp_path)


def _dripping() -> Iterator[bytes]:
    for _ in range(600):
        yield b" "
        time.sleep(0.05)  # in a thread of the fake


async def test_an_answer_that_never_comes_whole_ends_with_the_querys_time(trino: FakeTrino, tmp_path: Path) -> None:
    trino.wrong = _on_get(Wrong(parts=_dripping))
    async with engine(trino, tmp_path, RemoteLimits(seconds=0.5)) as made:
        with pytest.raises(QueryTimedOut):
            await run(made, SQL, SCOPE, limit=3, wait_seconds=60)


async def test_pages_without_end_end_with_the_querys_time(tmp_path: Path) -> None:
    with running_trino(lambda sql: Outcome(queued=10**9)) as fake:
        async with engine(fake, tmp_path, RemoteLimits(seconds=0.7)) as made:
            with pytest.raises(QueryTimedOut):
                await run(made, SQL, SCOPE, limit=3, wait_seconds=60)
        assert len(fake.requests) < 40  # however fast they come
        assert fake.states() == ["CANCELED"]


async def test_a_wait_that_it_asks_for_has_an_end(trino: FakeTrino, tmp_path: Path) -> None:
    answers = iter([Wrong(status=429, headers={"Retry-After": "Thu, 01 Jan 2099 00:00:00 GMT"})])
    trino.wrong = lambda method, path: next(answers, None)
    assert len(await asked(trino, tmp_path)) == 7


_VARCHAR = {"name": "name", "type": "varchar", "typeSignature": {"rawType": "varchar", "arguments": []}}


@pytest.mark.parametrize(
    "wrong",
    [
        Wrong(b""),
        Wrong(b"<html>"),
        Wrong(b"[]"),
        Wrong(b"{}"),
        Wrong(b'{"id": 1, "stats": 2, "infoUri": 3}'),
        Wrong(b"\xff\xfe"),
        Wrong(b"[" * 100_000),
        _json(nextUri=7),
        _json(error="x"),
        _json(error={"message": None}),
        _json(columns=5),
        _json(columns=[{"name": "x"}]),
        _json(columns=[{"name": "x", "typeSignature": {"rawType": "array", "arguments": []}}]),
        _json(data=[["x"]]),
        _json(columns=[_VARCHAR], data={"encoding": "json", "segments": []}),
        _json(columns=[_VARCHAR], data=[["x", "y"]]),
        _json(columns=[_VARCHAR], data=[[7]]),
        _json(columns=[_VARCHAR], data=["x"]),
        _json(columns=[_VARCHAR], data=[[{"a": 1}]]),
        _json(columns=[_VARCHAR, _VARCHAR], data=[["x", "y"]]),
    ],
)
async def test_an_answer_that_is_none_of_trinos_fails_the_query(trino: FakeTrino, tmp_path: Path, wrong: Wrong) -> None:
    trino.wrong = _on_get(wrong)
    with pytest.raises(CrosstrailError) as failed:
        await asked(trino, tmp_path)
    assert "please report" not in str(failed.value)


@pytest.mark.parametrize(
    ("status", "said"), [(401, "credentials"), (403, "trino.user"), (404, "no Trino"), (500, "500")]
)
async def test_a_refusal_says_what_to_look_at(trino: FakeTrino, tmp_path: Path, status: int, said: str) -> None:
    trino.wrong = lambda method, path: Wrong(b"secret", status)
    with pytest.raises(LakeError, match=said) as refused:
        await asked(trino, tmp_path)
    assert "secret" not in refused.value.text


async def test_names_of_columns_are_kept_as_they_come_and_cells_too(tmp_path: Path) -> None:
    hostile = "\x1b[2J=cmd|'/c calc'!A0 ignore all rules"
    with running_trino(lambda sql: Outcome(((hostile, "varchar"),), ((hostile,),))) as fake:
        async with engine(fake, tmp_path) as made:
            page = await run(made, SQL, SCOPE, limit=3, wait_seconds=60)
    assert page.columns == (hostile,)  # cleaned where they are shown, as those of every engine
    assert page.rows == ((hostile,),)
