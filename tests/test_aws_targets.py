"""Which regions of which accounts a call asks, and what the environment says about them."""

from __future__ import annotations

import pytest

from crosstrail.errors import CrosstrailError, InvalidRequest
from crosstrail.lookup.targets import choose
from crosstrail.models import Account
from crosstrail.settings.config import load_settings

pytestmark = pytest.mark.anyio
KEYS = {"type": "keys", "access_key_id": "AKIA", "secret_access_key": "s"}
PROD = Account.model_validate(
    {"id": "111111111111", "alias": "prod", "auth": KEYS, "regions": ["eu-west-1", "us-west-2"]}
)
DEV = Account.model_validate({"id": "222222222222", "alias": "dev", "auth": KEYS})
OLD = Account(id="333333333333", alias="old", archive="logs")


async def home(account: Account) -> str:
    return account.regions[0] if account.regions else "us-east-1"


async def unopened(account: Account) -> CrosstrailError:
    return CrosstrailError("nothing is asked here")


async def names(accounts: tuple[Account, ...], region: str, most: int = 1000) -> list[str]:
    chosen = await choose(accounts, region, home, lambda account: account.auth is None, unopened, most=most)
    return [f"{target.account.alias} {target.region}".strip() for target in chosen.targets]


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("", ["prod eu-west-1", "dev us-east-1", "old"]),
        ("us-east-2", ["prod us-east-2", "dev us-east-2", "old us-east-2"]),
        (
            " EU-west-1, us-east-1,eu-west-1",
            [f"{a} {r}" for a in ("prod", "dev", "old") for r in ("eu-west-1", "us-east-1")],
        ),
        ("me-south-1", ["prod me-south-1", "dev me-south-1", "old me-south-1"]),
    ],
)
async def test_regions_by_name(region: str, expected: list[str]) -> None:
    assert await names((PROD, DEV, OLD), region) == expected


async def test_all_is_the_accounts_own_list_or_what_every_account_has() -> None:
    found = await names((PROD, DEV, OLD), "all")
    assert found[:2] == ["prod eu-west-1", "prod us-west-2"]
    assert len(found) == 2 + 17 + 1
    assert found[-1] == "old"
    assert "dev me-south-1" not in found
    assert await names((PROD, DEV, OLD), "*") == found


async def test_a_glob_chooses_among_those() -> None:
    assert await names((PROD, DEV), "eu-*,us-east-1") == [
        "prod eu-west-1",
        "prod us-east-1",
        *(f"dev {name}" for name in ("eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "us-east-1")),
    ]
    with pytest.raises(InvalidRequest, match="no region matches"):
        await names((PROD,), "ap-*")


@pytest.mark.parametrize("region", ["example.com", "us east 1", "a/b", "../x", "x" * 60, "é"])
async def test_what_is_no_region_is_refused(region: str) -> None:
    with pytest.raises(InvalidRequest, match="is no region"):
        await names((PROD,), region)


async def test_targets_beyond_the_bound_are_counted() -> None:
    chosen = await choose((PROD, DEV), "all", home, lambda account: account.auth is None, unopened, most=3)
    assert [target.region for target in chosen.targets] == ["eu-west-1", "us-west-2", "us-east-1"]
    assert (chosen.left, chosen.total) == (16, 19)


def test_the_environment_names_the_region() -> None:
    assert load_settings(environ={"AWS_DEFAULT_REGION": "eu-west-1"}).region == "eu-west-1"
    assert load_settings(environ={"AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "eu-west-1"}).region == "us-west-2"


def test_an_identity_in_the_environment_is_noticed() -> None:
    assert not load_settings(environ={}).ambient
    assert load_settings(environ={"AWS_PROFILE": "dev"}).ambient
    assert not load_settings(environ={"AWS_PROFILE": "dev", "CROSSTRAIL_AMBIENT": "false"}).ambient
