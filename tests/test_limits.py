"""What one principal may ask: the limits by a clock of the test's own, and the words of a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosstrail.accounts.policy import Principal
from crosstrail.errors import LimitReached
from crosstrail.server.limits import Limits
from crosstrail.serving import LimitSettings
from served import settings, text_of
from test_access import as_


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def limits(clock: Clock, **most: int) -> Limits:
    return Limits(LimitSettings(**most), longest_query=600, clock=clock)


def call(made: Limits, who: str = "a", *, query: bool = False) -> None:
    with made.admitted(who, query=query):
        pass


def test_calls_a_minute_come_back_as_time_passes() -> None:
    clock = Clock()
    made = limits(clock, calls_per_minute=6)
    for _ in range(6):
        call(made)
    with pytest.raises(LimitReached) as refused:
        call(made)
    assert "6 calls a minute" in str(refused.value)
    call(made, "b")
    clock.now += refused.value.retry_after - 1.6
    with pytest.raises(LimitReached):
        call(made)
    clock.now += 1.6
    call(made)
    clock.now += 3600
    for _ in range(6):
        call(made)
    with pytest.raises(LimitReached):
        call(made)


def test_calls_at_once() -> None:
    made = limits(Clock(), concurrent_calls=2)
    with made.admitted("a"), made.admitted("a"):
        with pytest.raises(LimitReached, match="2 calls at once"):
            call(made)
        call(made, "b")
    call(made)


def test_queries_at_once_count_those_that_were_left_running() -> None:
    clock = Clock()
    made = limits(clock, queries_at_once=2)
    made.query_is("a", "one", "RUNNING")
    with made.admitted("a", query=True):
        with pytest.raises(LimitReached, match="2 queries at once"):
            call(made, query=True)
        call(made)
    made.query_is("a", "two", "QUEUED")
    made.query_is("a", "two", "RUNNING")
    with pytest.raises(LimitReached) as refused:
        call(made, query=True)
    assert "cancel_query" in refused.value.hint
    assert refused.value.retry_after == 600
    call(made, "b", query=True)
    made.query_is("a", "two", "CANCELLED")
    call(made, query=True)
    made.query_is("a", "three", "RUNNING")
    clock.now += 601
    call(made, query=True)


def test_memory_is_bounded() -> None:
    made = limits(Clock())
    for number in range(12_000):
        call(made, f"p{number}")
    assert len(made._uses) == 10_000


@pytest.mark.anyio
async def test_a_caller_is_told_when_to_come_back(tmp_path: Path) -> None:
    someone = Principal(subject="1")
    rules = ({"who": ["*"], "accounts": ["*"]},)
    async with as_(someone, tmp_path, rules, limits={"calls_per_minute": 2}) as client:
        for _ in range(2):
            assert "3 accounts" in text_of(await client.call_tool("list_accounts", {}))
        late = await client.call_tool("list_accounts", {})
        unknown = await client.call_tool("no_such_tool", {})  # guessing names is no way around
    assert late.is_error
    assert text_of(late).startswith("too many calls: the limit is 2 calls a minute for each caller. Ask again in 3")
    assert text_of(unknown).startswith("too many calls")
    assert settings(tmp_path).limits.calls_per_minute == 240
