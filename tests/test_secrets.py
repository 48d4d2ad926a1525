"""Stored secrets: who may open which token, and that nothing shows a plain text."""

from __future__ import annotations

import pickle
import traceback

import pytest
from cryptography.fernet import Fernet
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from crosstrail.account_auth import KeysAuth
from crosstrail.accounts.secrets import SecretBox
from crosstrail.errors import ConfigError, SecretUnreadable
from crosstrail.models import Account

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))
PROD, DEV = "111111111111", "222222222222"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYplaintext0"


def opened(box: SecretBox, token: str, account: str = PROD) -> str:
    return box.decrypt(token, account).get_secret_value()


def test_a_secret_comes_back_for_its_own_account_only() -> None:
    box = SecretBox(OLD)
    token = box.encrypt(SecretStr(SECRET), PROD)
    assert opened(box, token) == SECRET
    with pytest.raises(SecretUnreadable, match=f"{DEV} was encrypted for another account"):
        box.decrypt(token, DEV)


def test_a_token_that_holds_the_secret_alone_opens() -> None:
    token = Fernet(OLD.encode()).encrypt(SECRET.encode()).decode()
    assert opened(SecretBox(OLD), token) == opened(SecretBox(OLD), f" {token}\n") == SECRET


def test_rotation_takes_the_first_key_and_binds_what_was_free() -> None:
    free = Fernet(OLD.encode()).encrypt(SECRET.encode()).decode()
    rotated = SecretBox(f"{NEW}, {OLD},").rotate(free, PROD)
    assert opened(SecretBox(NEW), rotated) == SECRET
    with pytest.raises(SecretUnreadable):
        SecretBox(OLD).decrypt(rotated, PROD)
    with pytest.raises(SecretUnreadable, match="another account"):
        SecretBox(NEW).decrypt(rotated, DEV)
    with pytest.raises(SecretUnreadable, match="another account"):
        SecretBox(NEW).rotate(rotated, DEV)


@pytest.mark.parametrize("token", ["", "gAAAA", "é", SECRET, "gAAAAA" + "A" * 114, "\0"])
def test_what_no_key_opens_is_refused_with_the_way_out(token: str) -> None:
    with pytest.raises(SecretUnreadable, match=f"account {PROD} cannot be decrypted") as refusal:
        SecretBox(f"{OLD},{NEW}").decrypt(token, PROD)
    assert "ENCRYPTION_KEY" in refusal.value.hint
    assert token == "" or token not in refusal.value.text


@pytest.mark.parametrize(
    "keys",
    ["", " , ", "short", f"{OLD},été", OLD[:-2], f"{OLD} {NEW}"],
    ids=["none", "commas", "short", "one not ASCII", "two letters missing", "two without a comma"],
)
def test_missing_or_malformed_keys_say_how_to_make_one(keys: str) -> None:
    with pytest.raises(ConfigError, match="ENCRYPTION_KEY") as refusal:
        SecretBox(keys)
    assert "generate_key" in refusal.value.hint
    assert OLD not in refusal.value.text


@settings(max_examples=50)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_any_secret_survives(secret: str) -> None:
    box = SecretBox(NEW)
    assert opened(box, box.encrypt(SecretStr(secret), PROD)) == secret
    assert opened(box, Fernet(NEW.encode()).encrypt(secret.encode()).decode()) == secret


def test_no_error_shows_a_secret_or_a_key() -> None:
    box = SecretBox(OLD)
    token = SecretBox(OTHER).encrypt(SecretStr(SECRET), PROD)
    foreign = box.encrypt(SecretStr(SECRET), DEV)
    for bad in (token, foreign):
        with pytest.raises(SecretUnreadable) as refusal:
            box.decrypt(bad, PROD)
        error = refusal.value
        shown = "".join(traceback.format_exception(error)) + repr(error) + error.text + repr(box)
        assert not [text for text in (SECRET, OLD, OTHER, bad) if text in shown]


def test_an_account_never_shows_or_dumps_its_secrets() -> None:
    auth = {"type": "keys", "access_key_id": "AKIAPROD", "secret_access_key": SECRET, "session_token": "tok" + SECRET}
    account = Account.model_validate({"id": PROD, "auth": auth})
    assert isinstance(account.auth, KeysAuth)
    assert account.auth.secret_access_key == SecretStr(SECRET)
    shown = [repr(account), str(account), account.model_dump_json(), str(account.model_dump()), str(vars(account))]
    assert not [text for text in shown if SECRET in text]
    assert pickle.loads(pickle.dumps(account)) == account  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    "auth",
    [
        {"type": "keys", "access_key_id": "AKIAPROD"},
        {
            "type": "keys",
            "access_key_id": "AKIAPROD",
            "secret_access_key": SECRET,
            "secret_access_key_encrypted": SECRET,
        },
        {"type": "keys", "access_key_id": "AKIAPROD", "secret_access_key": [SECRET]},
        {"type": "keys", "access_key_id": "AKIAPROD", "secret_acess_key": SECRET},
        {"type": "key", "access_key_id": "AKIAPROD", "secret_access_key": SECRET},
        {"type": "role", "role_arn": f"arn:aws:iam::{DEV}:role/Audit", "external_id": SECRET},
    ],
)
def test_a_wrong_auth_is_refused_without_showing_it(auth: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refusal:
        Account.model_validate({"id": PROD, "auth": auth})
    assert SECRET not in str(refusal.value)
