"""Credentials of one account, and how long they are good for.

A provider answers for one identity and never for another; it reads no environment variable itself and writes none.
`Cached` decides when to ask a provider again. Secrets stay masked until the broker hands them to a vendor's library.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, Protocol, Self, TypeVar

from pydantic import SecretStr

from crosstrail.errors import CloudUnavailable, CredentialsError, CredentialsExpired, CrosstrailError
from crosstrail.json_values import Json, table, text
from crosstrail.tasks import SingleFlight

FRESH_FOR = timedelta(minutes=5)
"""Credentials this close to their expiry are renewed; those without one are read again this often."""
OF_REQUEST_KEYS = "of this request's keys"
"""What an account is called in errors where its number is not known."""
SEND_VALID_KEYS = "Send keys that are valid in the Authorization header."
"""What renews keys that a request brought itself."""
_ERROR_KEPT_SECONDS = 1.0
_FINGERPRINT_KEY = secrets.token_bytes(32)
"""Of this process: what fingerprints are compared by tells nobody anything elsewhere."""

T = TypeVar("T")


class Expiring(Protocol):
    """Credentials of any cloud: a key pair, a bearer token, a certificate."""

    @property
    def expires(self) -> datetime | None:
        """Aware; None when the source gave no time."""

    def parts(self) -> tuple[str, ...]:
        """Everything that makes these credentials what they are, secrets included: compared, never shown."""


CredentialsT = TypeVar("CredentialsT", bound=Expiring)
Given = TypeVar("Given", bound=Expiring, covariant=True)


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key and what belongs to it; `expires` is aware, None when the source gave no time."""

    access_key_id: str
    secret_access_key: SecretStr
    session_token: SecretStr | None = None
    expires: datetime | None = None

    def __post_init__(self) -> None:
        # Left to itself a vendor's library may take an empty key for "none given" and use the ambient identity.
        if not self.access_key_id or not self.secret_access_key.get_secret_value():
            raise CredentialsError("an access key or its secret is empty", hint="Store both.")

    def parts(self) -> tuple[str, ...]:
        token = self.session_token.get_secret_value() if self.session_token else ""
        return (self.access_key_id, self.secret_access_key.get_secret_value(), token)

    @classmethod
    def given_by_sts(cls, answer: Json) -> Self:
        """Those of a session, from the answer of AssumeRole or GetSessionToken of AWS."""
        given = table(answer.get("Credentials"))
        token, expires = text(given.get("SessionToken")), given.get("Expiration")
        if not token or not isinstance(expires, datetime):
            raise CredentialsError(
                "STS gave no session token, or no time at which it ends", hint="Check what answers as STS."
            )
        secret = SecretStr(text(given.get("SecretAccessKey")))
        return cls(text(given.get("AccessKeyId")), secret, SecretStr(token), expires)


@dataclass(frozen=True, slots=True)
class BearerToken:
    """A token that is the whole credential, as clouds without request signing have it."""

    token: SecretStr
    expires: datetime | None = None

    def __post_init__(self) -> None:
        if not self.token.get_secret_value():
            raise CredentialsError("a token is empty", hint="Store it.")

    def parts(self) -> tuple[str, ...]:
        return (self.token.get_secret_value(),)


def fingerprint(credentials: Expiring) -> str:
    """The same for the same credentials, in this process alone; nothing of them can be had from it."""
    return hashlib.blake2b(json.dumps(credentials.parts()).encode(), key=_FINGERPRINT_KEY, digest_size=32).hexdigest()


class CredentialProvider(Protocol[Given]):
    """One identity's source of credentials."""

    @property
    def remediation(self) -> str:
        """What a person does when this identity's credentials have expired, as one sentence."""
        ...

    async def credentials(self) -> Given:
        """Raises CredentialsError, or CloudError when the source is a cloud that does not answer."""
        ...


class StaticKeys:
    """A listed access key. `secret` opens the stored secret when it is needed, and may raise SecretUnreadable."""

    def __init__(
        self,
        access_key_id: str,
        secret: Callable[[], SecretStr],
        session_token: SecretStr | None = None,
        *,
        remediation: str = "",
    ) -> None:
        self._access_key_id = access_key_id
        self._secret = secret
        self._session_token = session_token
        self.remediation = remediation or f"Store new keys in place of {access_key_id}."

    async def credentials(self) -> Credentials:
        return Credentials(self._access_key_id, self._secret(), self._session_token)


class Cached(Generic[CredentialsT]):
    """A provider asked once for all who wait, and again when its credentials near their expiry.

    A failure is told to everyone who asks
    within the next second, so that a crowd does not hammer a source that says no, and is then forgotten.
    """

    def __init__(
        self,
        provider: CredentialProvider[CredentialsT],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._provider = provider
        self._now = now
        self._monotonic = monotonic
        self._held: CredentialsT | None = None
        self._good_until = datetime.min.replace(tzinfo=UTC)
        self._fetching: SingleFlight[str, CredentialsT] = SingleFlight()
        self._failure: tuple[CrosstrailError, float] | None = None

    @property
    def remediation(self) -> str:
        return self._provider.remediation

    async def credentials(self) -> CredentialsT:
        if self._held and self._now() < self._good_until:
            return self._held
        if self._failure and self._monotonic() < self._failure[1]:
            raise self._failure[0].with_traceback(None)
        return await self._fetching.run("", self._fetch)

    def invalidate(self, stale: CredentialsT | None = None) -> None:
        """Forget what is held; with `stale`, only if it is still that, so that of many who saw it fail one renews."""
        if stale is None or self._held == stale:
            self._held = None
            self._failure = None

    async def _fetch(self) -> CredentialsT:
        try:
            got = await self._provider.credentials()
        except CrosstrailError as error:
            if isinstance(error, CloudUnavailable):
                error.nothing_sent = True
            self._failure = (error, self._monotonic() + _ERROR_KEPT_SECONDS)
            raise
        self._failure = None
        self._held = got
        self._good_until = got.expires - FRESH_FOR if got.expires else self._now() + FRESH_FOR
        return got


async def renewed_once(holder: Cached[CredentialsT], ask: Callable[[CredentialsT], Awaitable[T]]) -> T:
    """What `ask` gives with the holder's credentials; when these have expired meanwhile, once more with renewed ones."""
    held = await holder.credentials()
    try:
        return await ask(held)
    except CredentialsExpired:
        holder.invalidate(held)
        renewed = await holder.credentials()
        if renewed == held:
            raise
        return await ask(renewed)


def session_name(who: str, characters: str = "A-Za-z0-9_+=,.@-") -> str:
    """A RoleSessionName that says who asked, for the account's own trail: 2 to 64 of the characters that this STS takes."""
    if not who:
        return "crosstrail"
    name = "crosstrail-" + re.sub(f"[^{characters}]", "-", who)
    if name == f"crosstrail-{who}" and len(name) <= 64:
        return name
    # Two callers must not read alike because of what was cut off or replaced.
    return f"{name[:55]}-{hashlib.sha256(who.encode()).hexdigest()[:8]}"
