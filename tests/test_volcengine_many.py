"""Many Volcengine accounts, many calls at once: every request under its own account's key, no answer mixed up."""

from __future__ import annotations

import random
from collections import Counter

import anyio

from crosstrail.models import EventQuery, Target
from listed_accounts import moment
from live_volcengine import LiveVolcengine


def _targets(live: LiveVolcengine, count: int) -> tuple[list[Target], dict[str, str]]:
    """Accounts with keys and with roles in turn, each with one event; account -> the event's id."""
    targets, events = [], {}
    for number in range(count):
        account_id = str(2_100_000_000 + number)
        add = live.role_account if number % 2 else live.keys_account
        targets.append(Target(add(account_id)))
        events[account_id] = live.world.account(account_id).log("GetUser", moment())
    return targets, events


def test_calls_in_any_order_with_sessions_ending_are_never_mixed_up(live: LiveVolcengine) -> None:
    targets, events = _targets(live, 20)
    trail, chance = live.trail(), random.Random(5)  # noqa: S311
    calls = targets * 30
    chance.shuffle(calls)
    places, given_up = anyio.CapacityLimiter(50), Counter[str]()
    live.world.delay = 0.01

    async def call(number: int, target: Target) -> None:
        async with places:
            if number == len(calls) // 2:  # once: a call whose session ends twice may give up
                assert live.world.expire_sessions() > 0
            with anyio.CancelScope() as scope:
                if number % 10 == 0:
                    scope.deadline = anyio.current_time() + chance.random() / 100
                page = await trail.lookup_events(target, EventQuery())
                assert [event.id for event in page.events] == [events[target.account.id]]
            given_up["calls"] += scope.cancelled_caught

    async def all_at_once() -> None:
        async with anyio.create_task_group() as group:
            for number, target in enumerate(calls):
                group.start_soon(call, number, target)

    anyio.run(all_at_once)
    assert given_up["calls"] > 0
    keys = {key.id: key.account for key in live.world.keys.values()}
    for request in live.world.requests:
        if request.action == "AssumeRole":
            assert request.access_key_id == live.base.id
        elif request.code != "InvalidSecretToken":
            assert keys[request.access_key_id] == request.account != live.base.account


def test_warm_accounts_need_one_request_a_call_and_one_session_each(live: LiveVolcengine) -> None:
    targets, _ = _targets(live, 10)
    trail = live.trail()

    async def ask_each() -> None:
        async with anyio.create_task_group() as group:
            for target in targets * 10:
                group.start_soon(trail.lookup_events, target, EventQuery())

    anyio.run(ask_each)
    assert Counter(request.action for request in live.world.requests) == {
        "LookupEvents": 100,
        "AssumeRole": 5,
        "GetCallerIdentity": 5,
    }
