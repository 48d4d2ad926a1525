"""Pacing, on a clock that jumps: when each request goes out, to the fraction of a second."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from crosstrail.clouds.ratelimit import RateLimiter
from virtual_time import VirtualLoop

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


async def gone_out(limiter: RateLimiter, requests: int, key: str = "a") -> list[float]:
    """Seconds after which each of many requests at once went out."""
    began = anyio.current_time()
    times: list[float] = []

    async def request() -> None:
        await limiter.wait(key)
        times.append(round(anyio.current_time() - began, 3))

    async with anyio.create_task_group() as group:
        for _ in range(requests):
            group.start_soon(request)
    return times


async def test_one_key_goes_at_its_rate() -> None:
    assert await gone_out(RateLimiter(2), 5) == [0, 0.5, 1, 1.5, 2]


async def test_keys_do_not_wait_for_each_other() -> None:
    limiter = RateLimiter(2)
    assert [await gone_out(limiter, 1, str(number)) for number in range(100)] == [[0]] * 100


async def test_a_burst_goes_at_once_and_only_after_a_pause_again() -> None:
    limiter = RateLimiter(10, burst=3)
    assert await gone_out(limiter, 5) == [0, 0, 0, 0.1, 0.2]
    await anyio.sleep(60)
    assert await gone_out(limiter, 4) == [0, 0, 0, 0.1]


async def test_a_refusal_halves_the_rate_and_success_brings_it_back() -> None:
    limiter = RateLimiter(2)
    await limiter.wait("a")
    limiter.throttled("a")
    assert await gone_out(limiter, 3) == [1, 2, 3]
    for _ in range(8):
        limiter.succeeded("a")
    await anyio.sleep(10)
    assert await gone_out(limiter, 3) == [0, 0.5, 1]


async def test_a_refusal_reaches_those_who_wait_already() -> None:
    limiter = RateLimiter(2)
    await limiter.wait("a")
    async with anyio.create_task_group() as group:
        group.start_soon(gone_out, limiter, 1)
        await anyio.sleep(0.1)
        limiter.throttled("a", retry_after=7)
        began = anyio.current_time()
    assert anyio.current_time() - began == pytest.approx(7)


async def test_the_slowest_rate_is_a_sixteenth() -> None:
    limiter = RateLimiter(2)
    for _ in range(20):
        limiter.throttled("a")
    first, second = await gone_out(limiter, 2)
    assert second - first == pytest.approx(8)


async def test_whoever_gives_up_waiting_leaves_no_hole() -> None:
    limiter = RateLimiter(2)
    await limiter.wait("a")
    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(limiter.wait, "a")
        await anyio.sleep(0.01)
        group.cancel_scope.cancel()
    assert await gone_out(limiter, 2) == [0.49, 0.99]
