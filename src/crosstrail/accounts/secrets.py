"""Stored secrets: what an account's secret key looks like at rest.

A secret is kept as a Fernet token. Tokens written here also hold the id of the account they were written for, so that a
token copied into another account's row opens nothing; tokens that hold the secret key alone, as earlier tools stored
them, are read as they stand. A plain text never reaches a message, a repr or a traceback.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import SecretStr

from crosstrail.errors import ConfigError, SecretUnreadable

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

VARIABLE = "ENCRYPTION_KEY"
_MAKE_ONE = (
    "Make a key with: python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())' "
    f"and set {VARIABLE} to it; to rotate, put the new key before the old ones, separated by commas."
)
_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")  # Fernet itself lets text after the padding pass: two keys and a blank between
_BOUND = "crosstrail"
_SEPARATOR = "\0"  # no cloud's secret key holds one, so a bound text cannot be mistaken for a bare secret


class SecretBox:
    """Opens and closes stored secrets with the keys of ENCRYPTION_KEY."""

    def __init__(self, keys: str) -> None:
        """`keys`: Fernet keys, comma-separated; the first encrypts, all decrypt. Raises ConfigError."""
        self._fernet = _fernet(keys)

    def encrypt(self, secret: SecretStr, account_id: str) -> str:
        """A token that only this account can use."""
        text = _SEPARATOR.join((_BOUND, account_id, secret.get_secret_value()))
        return self._fernet.encrypt(text.encode()).decode("ascii")

    def decrypt(self, token: str, account_id: str) -> SecretStr:
        """Raises SecretUnreadable: no key opens the token, or it was written for another account."""
        from cryptography.fernet import InvalidToken

        try:
            text = self._fernet.decrypt(token.strip()).decode()
        except (InvalidToken, UnicodeError, ValueError):
            raise SecretUnreadable(
                f"the stored secret of account {account_id} cannot be decrypted",
                hint=f"Add the key it was encrypted with to {VARIABLE}, or store the secret again.",
            ) from None
        marker, separator, bound = text.partition(_SEPARATOR)
        if not separator:
            return SecretStr(text)
        owner, separator, secret = bound.partition(_SEPARATOR)
        if marker != _BOUND or not separator or owner != account_id:
            raise SecretUnreadable(
                f"the stored secret of account {account_id} was encrypted for another account",
                hint="Store this account's own secret: crosstrail accounts encrypt.",
            )
        return SecretStr(secret)

    def rotate(self, token: str, account_id: str) -> str:
        """The same secret under the first key, bound to its account. Raises SecretUnreadable."""
        return self.encrypt(self.decrypt(token, account_id), account_id)


def _fernet(keys: str) -> MultiFernet:
    from cryptography.fernet import Fernet, MultiFernet

    parts = [part.strip() for part in keys.split(",") if part.strip()]
    if not parts:
        raise ConfigError(f"{VARIABLE} is not set, and an encrypted secret needs it", hint=_MAKE_ONE)
    for number, part in enumerate(parts, 1):
        if not _KEY.fullmatch(part):
            raise ConfigError(f"key {number} of {len(parts)} in {VARIABLE} is not a Fernet key", hint=_MAKE_ONE)
    return MultiFernet([Fernet(part) for part in parts])
