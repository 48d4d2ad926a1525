"""How long accounts stay known, and what is said while a place that lists them is away."""

from __future__ import annotations

import threading

import anyio
import anyio.to_thread
import pytest
import sqlalchemy

from crosstrail.accounts.account_import import add
from crosstrail.accounts.database import AccountDatabase
from crosstrail.accounts.database_url import parse_url
from crosstrail.accounts.directory import AccountList, Directory
from crosstrail.accounts.listing import Listing
from crosstrail.clouds.aws.accounts import RoleAuth
from crosstrail.errors import AccountsUnavailable, ConfigError
from crosstrail.models import Account
from postgres_server import PostgresServer


class Clock:
    """Seconds that pass when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Place:
    """A source in memory that can be away, and counts how often it is asked."""

    lifetime = 0.0

    def __init__(self, *ids: str, name: str = "the place") -> None:
        self.name = name
        self.ids = ids
        self.away = False
        self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()

    def read(self) -> Listing:
        self.asked += 1
        assert self.may_answer.wait(60)
        if self.away:
            raise AccountsUnavailable(f"{self.name} is away", hint="Check it.")
        return Listing(self.name, tuple(Account(id=one) for one in self.ids), (f"{self.name} has a flaw",))


def account(number: int) -> Account:
    account_id = str(number) * 12
    return Account(id=account_id, auth=RoleAuth(role_arn=f"arn:aws:iam::{account_id}:role/Audit"))


def ids(listed: AccountList) -> list[str]:
    return [one.id for one in listed.registry.accounts]


def ask(directory: Directory) -> AccountList:
    return anyio.run(directory.listed)


def test_sources_are_merged_in_their_order_with_their_warnings() -> None:
    directory = Directory(
        [Listing("crosstrail.yaml", (account(3),))], [Place("111111111111", name="a"), Place("222222222222", name="b")]
    )
    listed = ask(directory)
    assert ids(listed) == ["333333333333", "111111111111", "222222222222"]
    assert listed.left_out == ("a has a flaw", "b has a flaw")
    assert listed.warnings == ()


def test_an_account_in_two_sources_is_refused_by_its_name_and_theirs() -> None:
    fixed = Listing("crosstrail.yaml", (Account(id="111111111111", alias="prod"),))
    with pytest.raises(ConfigError) as refusal:
        ask(Directory([fixed], [Place("111111111111")]))
    assert "111111111111 is the name of two accounts" in str(refusal.value)
    assert "aws 111111111111 in crosstrail.yaml, aws 111111111111 in the place" in str(refusal.value)
    other = Listing("the file", (Account(id="222222222222", alias="PROD"),))
    with pytest.raises(ConfigError, match=r"prod is the name of two accounts .*crosstrail\.yaml.*the file"):
        ask(Directory([fixed, other], []))


def test_a_listing_is_used_for_its_time_and_then_read_again() -> None:
    clock, place = Clock(), Place("111111111111")
    directory = Directory([], [place], refresh=60, clock=clock)
    first = ask(directory)
    place.ids = ("222222222222",)
    clock.now += 59
    assert ask(directory).registry is first.registry
    clock.now += 2
    assert ids(ask(directory)) == ["222222222222"]
    assert place.asked == 2


def test_a_source_that_changes_seldom_is_asked_seldom() -> None:
    clock, place = Clock(), Place("111111111111")
    place.lifetime = 600.0
    directory = Directory([], [place], refresh=60, clock=clock)
    for _ in range(10):
        ask(directory)
        clock.now += 59
    assert place.asked == 1
    clock.now += 60
    ask(directory)
    assert place.asked == 2


def test_while_a_source_is_away_its_last_listing_stands_for_a_time() -> None:
    clock, place = Clock(), Place("111111111111")
    directory = Directory([], [place], refresh=60, keep=600, clock=clock)
    ask(directory)
    place.away = True
    clock.now += 120
    stale = ask(directory)
    assert ids(stale) == ["111111111111"]
    assert stale.warnings == ("the accounts of the place are as of 2 min ago: the place is away",)
    assert stale.left_out == ("the place has a flaw",)
    clock.now += 481
    with pytest.raises(AccountsUnavailable, match="the place is away"):
        ask(directory)
    place.away = False
    clock.now += 6
    healed = ask(directory)
    assert (healed.warnings, healed.left_out) == ((), ("the place has a flaw",))


def test_without_a_listing_the_failure_is_told_and_not_asked_for_by_a_crowd() -> None:
    clock, place = Clock(), Place("111111111111")
    place.away = True
    directory = Directory([Listing("crosstrail.yaml", (account(2),))], [place], clock=clock)
    for _ in range(3):
        with pytest.raises(AccountsUnavailable, match="the place is away") as away:
            ask(directory)
        assert away.value.hint == "Check it."
    assert place.asked == 1
    place.away = False
    clock.now += 6
    assert ids(ask(directory)) == ["222222222222", "111111111111"]


def test_many_callers_are_one_question_off_the_event_loop() -> None:
    place = Place("111111111111")
    place.may_answer.clear()
    directory = Directory([], [place])
    answers: list[AccountList] = []
    waiting_threads: list[int] = []

    async def call() -> None:
        answers.append(await directory.listed())

    async def crowd() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(call)
            await anyio.wait_all_tasks_blocked()
            waiting_threads.append(anyio.to_thread.current_default_thread_limiter().borrowed_tokens)
            place.may_answer.set()  # the loop is free to say so

    anyio.run(crowd)
    assert place.asked == 1
    assert len({id(one.registry) for one in answers}) == 1
    assert len(answers) == 50
    assert waiting_threads == [0]  # those that other work shares


def test_a_caller_that_goes_away_does_not_cost_the_others_their_answer() -> None:
    place = Place("111111111111")
    place.may_answer.clear()
    directory = Directory([], [place])

    async def story() -> AccountList:
        async with anyio.create_task_group() as group:
            group.start_soon(directory.listed)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        place.may_answer.set()
        return await directory.listed()

    assert ids(anyio.run(story)) == ["111111111111"]
    assert place.asked == 1


def test_a_source_that_hangs_is_one_that_is_away() -> None:
    clock, place = Clock(), Place("111111111111")
    directory = Directory([], [place], refresh=60, wait=2.0, clock=clock)

    async def story() -> AccountList:
        await directory.listed()
        clock.now += 61
        place.may_answer.clear()
        stale = await directory.listed()
        again = await directory.listed()
        place.may_answer.set()
        assert again.warnings == stale.warnings
        return stale

    stale = anyio.run(story)
    assert ids(stale) == ["111111111111"]
    assert "the place did not answer" in stale.warnings[0]


def test_a_database_killed_in_mid_run_and_back_again(postgres: PostgresServer) -> None:
    url = postgres.empty_url()
    database, clock = AccountDatabase.at(url), Clock()
    add(database, account(1))
    directory = Directory([], [database], refresh=60, clock=clock)
    assert ids(ask(directory)) == ["111111111111"]
    held_open = sqlalchemy.create_engine(parse_url(url)).connect()  # a connection of somebody else's does not matter
    postgres.kill()
    try:
        held_open.invalidate()
        held_open.close()
        clock.now += 61
        stale = ask(directory)
        assert ids(stale) == ["111111111111"]
        (warning,) = stale.warnings
        assert "the account database refuses connections" in warning
        assert "1 min ago" in warning
        with pytest.raises(AccountsUnavailable, match="refuses connections"):
            ask(Directory([], [database]))
    finally:
        postgres.start()
    add(database, account(2))
    clock.now += 6
    healed = ask(directory)
    assert (ids(healed), healed.warnings) == (["111111111111", "222222222222"], ())
