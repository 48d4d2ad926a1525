"""How credentials of an account are had, as a configuration writes it: the forms that every cloud shares.

A cloud adds forms of its own (a role, a profile) as subclasses, in its package. Nothing here has a credential's value but
masked, and nothing here asks anybody.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator


class Auth(BaseModel):
    """One way to have credentials. A subclass has a literal `type`, one of each name for a cloud."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: str
    named_by: ClassVar[str] = ""
    """The field that tells this form from another cloud's of the same `type`; empty where clouds share it."""
    has_caller_sessions: ClassVar[bool] = False
    """Whether each caller gets a session of its own, which bears the caller's name."""

    @property
    def account_id(self) -> str:
        """The account that this form names by itself, as a role does; empty where only the cloud can tell."""
        return ""


class KeysAuth(Auth):
    """An access key of the account, whose secret stands encrypted in the file, or for trying things out in plain text.

    Its secret is masked wherever this is shown; only accounts/ opens it.
    """

    type: Literal["keys"] = "keys"
    access_key_id: str = Field(pattern=r"^[A-Za-z0-9_.]+$", description="The key's id, as the cloud shows it.")
    secret_access_key: SecretStr | None = Field(None, min_length=1, description="In plain text: for trying things out.")
    secret_access_key_encrypted: SecretStr | None = Field(
        None, min_length=1, description="As `crosstrail accounts encrypt` prints it."
    )
    session_token: SecretStr | None = Field(None, min_length=1, description="Of temporary keys.")

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if (self.secret_access_key is None) == (self.secret_access_key_encrypted is None):
            raise ValueError("give one of secret_access_key_encrypted and secret_access_key")
        return self


class RequestKeys(KeysAuth):
    """Keys that the caller sent along with the present request: in no configuration, and kept by nobody after it.

    `owner` is the account that STS said they are of. Nobody asks again: an account that is another one cannot have them.
    """

    owner: str

    @property
    def account_id(self) -> str:
        return self.owner


class AmbientAuth(Auth):
    """Whatever identity the machine has: environment, default profile, container or instance role."""

    type: Literal["ambient"] = "ambient"
