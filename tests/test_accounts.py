"""Which accounts a selector names."""

import pytest

from crosstrail.accounts.registry import Registry
from crosstrail.errors import AccountNotFound, ConfigError, InvalidRequest
from crosstrail.models import Account
from crosstrail.store_ids import ALL_STORES_ID

PROD = Account(id="111111111111", alias="prod")
PROD_EU = Account(id="111111111112", alias="prod-eu")
DEV = Account(id="022222222222", alias="Dev")
CN = Account(id="2100000001", alias="cn-prod", cloud="volcengine")
REGISTRY = Registry([PROD, PROD_EU, DEV, CN])


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("prod", [PROD]),
        ("PROD", [PROD]),
        ("dev", [DEV]),
        ("022222222222", [DEV]),
        ("2100000001", [CN]),
        ("prod*", [PROD, PROD_EU]),
        ("*prod*", [PROD, PROD_EU, CN]),
        ("11111111111?", [PROD, PROD_EU]),
        ("cn-prod, prod ,prod", [PROD, CN]),
        ("*", [PROD, PROD_EU, DEV, CN]),
    ],
)
def test_selectors(selector: str, chosen: list[Account]) -> None:
    assert list(REGISTRY.select(selector)) == chosen


@pytest.mark.parametrize("selector", ["staging", "prod,staging", "x-*", "22222222222", "prod; drop", "111111111111x"])
def test_a_selector_that_names_nobody_is_refused_as_a_whole(selector: str) -> None:
    with pytest.raises(AccountNotFound):
        REGISTRY.select(selector)


def test_the_refusal_lists_the_accounts_and_the_nearest_name() -> None:
    with pytest.raises(AccountNotFound) as refusal:
        REGISTRY.select("prd")
    assert "Did you mean prod?" in refusal.value.hint
    assert "cn-prod (2100000001)" in refusal.value.hint


def test_without_a_selector_there_must_be_no_choice() -> None:
    with pytest.raises(InvalidRequest, match="which account"):
        REGISTRY.select(" ")
    assert Registry([DEV]).select("") == (DEV,)
    marked = DEV.model_copy(update={"default": True})
    assert Registry([PROD, marked]).select("") == (marked,)
    with pytest.raises(AccountNotFound, match="no account"):
        Registry([]).select("")


def test_names_are_unique_and_at_most_one_account_is_the_default() -> None:
    with pytest.raises(ConfigError, match="111111111111 is the name of two accounts"):
        Registry([PROD, Account(id="111111111111", cloud="volcengine")])
    with pytest.raises(ConfigError, match="prod is the name of two accounts"):
        Registry([PROD, Account(id="333333333333", alias="Prod")])
    with pytest.raises(ConfigError, match="both the default"):
        Registry([PROD.model_copy(update={"default": True}), DEV.model_copy(update={"default": True})])


def test_store_ids_are_stable_and_differ_between_clouds() -> None:
    assert (
        PROD.store_id == Account(id="111111111111", alias="renamed").store_id == "9d860981-0001-5efc-bd46-772460b825ca"
    )
    assert PROD.store_id != Account(id="111111111111", cloud="volcengine").store_id
    assert ALL_STORES_ID not in {account.store_id for account in REGISTRY.accounts}
