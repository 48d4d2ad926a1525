"""What a refused name is answered with: the place, and what the reader most likely meant."""

from __future__ import annotations

import pytest

from crosstrail.engines.base import QueryScope
from crosstrail.engines.sql.prepare import prepare
from crosstrail.errors import SqlRejected
from crosstrail.models import Account

SCOPE = QueryScope(
    (Account(id="012345678901", alias="prod", cloud="aws"), Account(id="111111111111", alias="dev", cloud="aws"))
)


def _refused(sql: str) -> SqlRejected:
    with pytest.raises(SqlRejected) as caught:
        prepare(sql, SCOPE)
    return caught.value


@pytest.mark.parametrize(
    ("sql", "column", "hint"),
    [
        ("SELECT eventnam FROM events", 8, "Did you mean eventname?"),
        ("SELECT event_time FROM events", 8, "Did you mean eventtime?"),
        ("SELECT Event_Name FROM events", 8, "Did you mean eventname?"),
        ("SELECT arn FROM events", 8, "Did you mean useridentity.arn?"),
        ("SELECT sessionissuer FROM events", 8, "Did you mean useridentity.sessioncontext.sessionissuer?"),
        ("SELECT region FROM events", 8, "Did you mean awsregion?"),
        ("SELECT source_ip FROM events", 8, "Did you mean sourceipaddress?"),
        ("SELECT e.eventnam FROM events e", 8, "Did you mean e.eventname?"),
        ("SELECT useridentity.arm FROM events", 8, "Did you mean arn?"),
        ("SELECT useridentity.user_name FROM events", 8, "Did you mean username?"),
        ("SELECT useridentity.sessionissuer.arn FROM events", 8, "Did you mean sessioncontext.sessionissuer?"),
        ("SELECT useridentity.zzzzzz FROM events", 8, "It has type, principalid,"),
        ("SELECT 1 FROM events WHERE eventname = \"ConsoleLogin\"", 40, "Texts stand in single quotes: 'ConsoleLogin'."),
        ("SELECT 1 FROM events WHERE eventsource IN (\"s3.amazonaws.com\")", 44, "quotes: 's3.amazonaws.com'."),
        ("SELECT \"eventnam\" FROM events", 8, "Did you mean eventname?"),
        ("SELECT 1 FROM events WHERE year = '2024'", 28, "filter by eventtime"),
        ("SELECT 1 FROM events WHERE month = '01' AND day = '02'", 28, "filter by eventtime"),
        ("SELECT 1 FROM events\nWHERE hour = 3", 7, "filter by eventtime"),
        ("SELECT yeer FROM (VALUES 1) AS t(year)", 8, "Did you mean year?"),
        ("SELECT regexp_lik(eventname, 'a') FROM events", 8, "Did you mean regexp_like?"),
        ("SELECT nvl(eventname, 'a') FROM events", 8, "Did you mean coalesce?"),
        ("SELECT cuont(1) FROM events", 8, "Did you mean count?"),
        ("SELECT 1 FROM prd", 15, "Did you mean prod?"),
        ("SELECT 1 FROM evnets", 15, "Did you mean events?"),
        ("SELECT qqqqqq FROM events", 8, "shows the columns"),
        ("SELECT qqqqqq(1) FROM events", 8, "See the documentation's page on SQL"),
    ],
)  # fmt: skip
def test_a_name_that_nothing_has_is_answered_with_what_was_meant(sql: str, column: int, hint: str) -> None:
    refused = _refused(sql)
    assert (refused.line, refused.column) == (1 + sql.count("\n"), column)
    assert hint in refused.hint


def test_a_hint_names_no_account_of_others() -> None:
    assert "stage" not in _refused("SELECT 1 FROM stag").text


@pytest.mark.parametrize(
    "sql", ['SELECT "{}" FROM events', 'SELECT useridentity."{}" FROM events', 'SELECT 1 FROM "{}"']
)
@pytest.mark.parametrize("name", ["x" * 9_900, "\U0001f600" * 2_000, "a\u202eb\x1b[31m"])
def test_a_long_or_hostile_name_is_not_repeated(sql: str, name: str) -> None:
    refused = _refused(sql.format(name))
    assert len(refused.text) < 400
    assert name not in refused.hint
