"""Page tokens: they come back as they went, and nothing else is taken for one."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosstrail.errors import StalePageToken
from crosstrail.lookup.cursor import AccountsCursor, Cursor
from crosstrail.models import Position
from crosstrail.timerange import TimeRange

NOW = datetime(2026, 11, 20, 9, 0, 0, 123456, UTC)


def cursor(seen: int = 3) -> Cursor:
    names = frozenset(
        f"aws/111111111111/us-east-1/{uuid.UUID(int=number * 7919**9 % 2**128)}" for number in range(seen)
    )
    asked: dict[str, str | int] = {"target_account_id": "*", "attribute_key": "Username", "max_results": 50}
    return Cursor(asked, TimeRange(NOW - timedelta(days=9), None), "0123456789abcdef", Position(NOW, names), 400)


def test_it_comes_back_as_it_went() -> None:
    assert Cursor.decode(cursor().encode()) == cursor()


def test_it_stays_small_and_is_refused_before_it_grows_without_end() -> None:
    assert len(cursor(50).encode()) < 4_000
    with pytest.raises(StalePageToken, match="share one moment"):
        cursor(5_000).encode()


@pytest.mark.parametrize(
    "token", ["", "x", "L1", "L1" + "0" * 12, "L1zzzz", "A" * 200_000, "L1" + "\u00e9" * 40, "null"]
)
def test_what_we_did_not_make_is_refused(token: str) -> None:
    with pytest.raises(StalePageToken):
        Cursor.decode(token)


@given(st.data())
def test_one_changed_character_is_noticed(data: st.DataObject) -> None:
    token = cursor().encode()
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("ABCxyz0189-_").filter(lambda sign: sign != token[place]))
    with pytest.raises(StalePageToken):
        Cursor.decode(token[:place] + other + token[place + 1 :])


def test_it_may_be_sent_with_its_own_arguments_but_no_others() -> None:
    cursor().check({})
    cursor().check({"attribute_key": "Username", "max_results": 50})
    with pytest.raises(StalePageToken, match="another attribute_key"):
        cursor().check({"attribute_key": "EventId"})
    with pytest.raises(StalePageToken, match="another region"):
        cursor().check({"region": "eu-west-1"})


def test_it_notices_that_its_words_name_other_accounts_now() -> None:
    cursor().check_targets("0123456789abcdef")
    with pytest.raises(StalePageToken, match="have changed"):
        cursor().check_targets("0123456789abcdee")


def test_it_may_stand_before_the_first_page_of_a_block() -> None:
    block = replace(cursor(), position=None, start=84_800)
    assert Cursor.decode(block.encode()) == block


def test_one_of_accounts_is_none_of_lookups() -> None:
    accounts = AccountsCursor("prod-*", 277, "0123456789abcdef")
    assert AccountsCursor.decode(accounts.encode()) == accounts
    for wrong in (cursor().encode(), accounts.encode()[:-1], replace(accounts, start=-5).encode(), ""):
        with pytest.raises(StalePageToken):
            AccountsCursor.decode(wrong)
    with pytest.raises(StalePageToken):
        Cursor.decode(accounts.encode())
    with pytest.raises(StalePageToken):
        Cursor.decode(replace(cursor(), start=-1).encode())
