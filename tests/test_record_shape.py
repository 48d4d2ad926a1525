"""What a record says of its time and its caller, in every form that people's files have."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from crosstrail.clouds.shape import principal_of, time_of


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2024-05-01T08:00:00Z", "2024-05-01T08:00:00"),
        ("2024-05-01T18:00:00+10:00", "2024-05-01T08:00:00"),
        ("2024-05-01T18:00:00+1000", "2024-05-01T08:00:00"),
        ("2024-05-01 08:00:00.000", "2024-05-01T08:00:00"),
        ("2024-05-01 08:00:00.000 UTC", "2024-05-01T08:00:00"),
        ("2024-05-01T08:00:00", "2024-05-01T08:00:00"),
        ("2024-05-01T08:00:00.1234567Z", "2024-05-01T08:00:00.123456"),
        (1714550400, "2024-05-01T08:00:00"),
        (1714550400.25, "2024-05-01T08:00:00.250000"),
        (Decimal("1714550400.123456789"), "2024-05-01T08:00:00.123456"),
        (1714550400123, "2024-05-01T08:00:00.123000"),
        (1714550400123456, "2024-05-01T08:00:00.123456"),
        (1714550400123456789, "2024-05-01T08:00:00.123456"),
        ("1714550400", "2024-05-01T08:00:00"),
        ("1714550400123", "2024-05-01T08:00:00.123000"),
        (-1, "1969-12-31T23:59:59"),
    ],
)
def test_a_time_is_read_in_every_form(value: Any, moment: str) -> None:
    assert time_of(value).isoformat() == f"{moment}+00:00"


@pytest.mark.parametrize(
    "value",
    [None, True, "", "yesterday", "9" * 30, 10**25, -(10**25), 1e300, float("nan"), float("inf"), Decimal("1E+999999"), [], {},
     "0001-01-01T00:00:00+14:00"],
)  # fmt: skip
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        time_of(value)


@pytest.mark.parametrize(
    ("arn", "principal"),
    [
        ("arn:aws:iam::111122223333:user/team/alice", "user/team/alice"),
        ("arn:aws-cn:sts::111122223333:assumed-role/Audit/alice:x", "assumed-role/Audit/alice:x"),
        ("arn:aws:iam::111122223333:root", "root"),
        ("trn:iam::2100000001:user/bob", "user/bob"),
        ("acs:ram::5558349267652842:user/alice", "user/alice"),
        ("qcs::cam::uin/100000000001:roleName/Audit", "roleName/Audit"),
        ("arn:aws:iam", "user/fallback"),
        ("no arn at all: with: many: colons: in: it", "user/fallback"),
        ("", "user/fallback"),
        (7, "user/fallback"),
    ],
)
def test_a_principal_is_told_from_every_clouds_names(arn: Any, principal: str) -> None:
    assert principal_of({"arn": arn, "userName": "fallback"}) == principal
