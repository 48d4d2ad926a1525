"""Refresh tokens that were used: the same answer for whoever asks twice at once, and the end of a sign-in for who asks late.

Decides what a used token still gives. Clients with several windows refresh at the same moment, and one of them would lose
its sign-in; so for a short grace the answer is kept, for all workers and replicas of one storage. A token that comes back
after that was copied, or its client is confused: the tokens that came of it all end (OAuth 2.1, 4.3.1; RFC 9700, 4.14.2).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import Protocol

import anyio
from mcp.shared.auth import OAuthToken
from pydantic import BaseModel

_KNOWN_SECONDS = 7 * 86_400
"""How long a used token is recognised; after that it is one of many that do not exist."""
_LOOK_SECONDS = 0.05
_EXCHANGE_SECONDS = 60
_USED, _ANSWERS = "crosstrail-used-refresh-tokens", "crosstrail-refresh-answers"


class Store(Protocol):
    """What is shared by all workers and replicas, as py-key-value has it; entries end by themselves after `ttl` seconds."""

    async def get(self, key: str, *, collection: str | None = None) -> dict[str, object] | None: ...

    async def put(
        self, key: str, value: Mapping[str, object], *, collection: str | None = None, ttl: float | None = None
    ) -> None: ...

    async def delete(self, key: str, *, collection: str | None = None) -> bool: ...


class Use(BaseModel):
    """Of a refresh token, since its exchange ended, or began. `family` is the sign-in it belongs to; times are epochs."""

    client_id: str
    family: str
    scopes: list[str]
    expires_at: int | None
    used_at: float


class _Answer(BaseModel):
    tokens: OAuthToken
    given_at: float


class UsedRefreshTokens:
    """Written to by every exchange of a refresh token, under a digest of it."""

    def __init__(self, store: Store, *, grace: int) -> None:
        """`grace`: seconds in which a used token gets its answer again."""
        self._store = store
        self.grace = grace

    async def use_of(self, token: str) -> Use | None:
        found = await self._store.get(_digest(token), collection=_USED)
        return Use.model_validate(found) if found else None

    def is_late(self, use: Use) -> bool:
        return time.time() - use.used_at > self.grace

    async def answer(self, token: str) -> OAuthToken | None:
        """What its exchange gave a short time ago."""
        found = await self._store.get(_digest(token), collection=_ANSWERS)
        if not found:
            return None
        answer = _Answer.model_validate(found)
        passed = int(time.time() - answer.given_at)
        return answer.tokens.model_copy(update={"expires_in": max((answer.tokens.expires_in or 0) - passed, 1)})

    async def awaited(self, token: str, seconds: float) -> OAuthToken | None:
        """The answer to somebody else's exchange, which may go on still; None when there is none, it failed, or takes
        longer."""
        with anyio.move_on_after(seconds):
            while True:
                if found := await self.answer(token):
                    return found
                if await self.use_of(token) is None:
                    return None
                await anyio.sleep(_LOOK_SECONDS)
        return None

    async def begin(self, token: str, use: Use) -> None:
        await self._store.put(_digest(token), use.model_dump(), collection=_USED, ttl=_KNOWN_SECONDS)

    async def undo(self, token: str) -> None:
        """Its exchange failed, so it may be tried again."""
        await self._store.delete(_digest(token), collection=_USED)

    async def end(self, token: str, use: Use, given: OAuthToken) -> None:
        """The grace counts from here; the answer stays a little longer, for who was let in before it ended."""
        answer = _Answer(tokens=given, given_at=time.time())
        ttl = self.grace + _EXCHANGE_SECONDS
        await self._store.put(_digest(token), answer.model_dump(mode="json"), collection=_ANSWERS, ttl=ttl)
        await self.begin(token, use.model_copy(update={"used_at": time.time()}))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
