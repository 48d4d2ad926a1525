"""What a fake cloud is, whichever it is: keys and faults, what was asked of it, and how another process drives it."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import orjson

from .http import Answer, HttpFake

WIRE = frozenset({"reset", "hang", "half", "cut", "garbage", "endless"})


class Refusal(Exception):
    """How a fake says no: a code with its status and text."""

    def __init__(self, code: str, message: str, status: int = 400, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.headers = headers or {}


@dataclass
class Key:
    """An access key; a session's has a token and an expiry."""

    id: str
    secret: str
    account: str
    identity: str
    token: str = ""
    expires: datetime | None = None

    @property
    def auth(self) -> dict[str, str]:
        """How crosstrail.yaml has an account with this key."""
        return {"type": "keys", "access_key_id": self.id, "secret_access_key": self.secret}

    @property
    def expired(self) -> bool:
        return self.expires is not None and self.expires <= datetime.now(UTC)


@dataclass
class Fault:
    """Strikes the next `times` requests that match; empty matches all, a negative `times` never ends.

    `kind`, of every cloud: reset (of the connection, instead of an answer), hang (no answer ever), half (headers, half of
    the body, end of the connection), cut (half of the body and headers that agree with it, as from a careless proxy),
    garbage (status 200 and a body that is no answer), endless (the answer, and then white space without end). The others are refusals, each cloud's own: World.refusals.
    """

    kind: str
    times: int = 1
    account: str = ""
    region: str = ""
    action: str = ""
    text: str = ""
    status: int = 400
    struck: int = 0

    def strikes(self, account: str, region: str, action: str) -> bool:
        wanted = ((self.account, account), (self.region, region), (self.action, action))
        if self.times == self.struck or any(want not in ("", got) for want, got in wanted):
            return False
        self.struck += 1
        return True

    def spoils(self, answer: Callable[[], Answer]) -> Answer | None:
        """What comes instead of the answer where the fault is one of the wire; the action is done before half and cut."""
        match self.kind:
            case "reset" | "hang":
                return Answer(200, b"", wire=self.kind)
            case "garbage":
                return Answer(200, b"<html>not what you asked for", "text/html")
            case "half" | "endless":
                whole = answer()
                whole.wire = self.kind
                return whole
            case "cut":
                whole = answer()
                whole.body = whole.body[: len(whole.body) // 2]
                return whole
        return None

    def told(self, status: int) -> Refusal:
        """The refusal that `text` is, as "Code: message"."""
        code, _, message = self.text.partition(": ")
        return Refusal(code, message or "No reason given", status)


class Recorded(NamedTuple):
    """One request as it came: `account` is that of the key that signed it, empty when the signature did not hold."""

    service: str
    action: str
    account: str
    access_key_id: str
    region: str
    params: dict[str, Any]
    user_agent: str
    code: str
    """The error it was answered with, or the fault's kind; empty when it was answered well."""
    at: float
    """By time.monotonic()."""
    method: str = "POST"
    version: str = ""


AnyAccount = TypeVar("AnyAccount")
AnyKey = TypeVar("AnyKey", bound=Key)


class World(Generic[AnyAccount, AnyKey]):
    """Everything behind one fake. Change it before the calls, or between them."""

    refusals: ClassVar[frozenset[str]]
    """The kinds of faults that are this cloud's own."""

    def __init__(self) -> None:
        self.accounts: dict[str, AnyAccount] = {}
        self.keys: dict[str, AnyKey] = {}
        self.faults: list[Fault] = []
        self.requests: list[Recorded] = []
        self.delay = 0.0
        """Seconds before every answer."""
        self.session_seconds: int | None = None
        """What sessions last, whatever was asked for."""
        self.lies: dict[str, dict[str, Any]] = {}
        """Action of STS -> members of its answer that are not what they should be."""

    def fail(self, kind: str, **matching: Any) -> Fault:
        """Program a fault: see Fault."""
        if kind not in WIRE | self.refusals:
            raise ValueError(f"{kind} is none of {', '.join(sorted(WIRE | self.refusals))}")
        fault = Fault(kind, **matching)
        self.faults.append(fault)
        return fault

    def fault(self, account: str, region: str, action: str) -> Fault | None:
        """The one that strikes this request."""
        return next((one for one in self.faults if one.strikes(account, region, action)), None)

    def expire_sessions(self, account_id: str = "") -> int:
        """End every session at once, or an account's; how many."""
        ended = [key for key in self.keys.values() if key.token and account_id in ("", key.account)]
        for key in ended:
            key.expires = datetime.now(UTC) - timedelta(seconds=1)
        return len(ended)

    def asked(self, action: str = "", account: str = "") -> list[Recorded]:
        """The requests so far, of an action and an account where they are given."""
        return [one for one in self.requests if action in ("", one.action) and account in ("", one.account)]


AnyWorld = TypeVar("AnyWorld", bound=World[Any, Any])


class CloudFake(HttpFake, Generic[AnyWorld]):
    """`with` it serves its world at its url (loopback only) until the block ends."""

    world: AnyWorld

    def __init__(
        self, world: AnyWorld, answer: Callable[[AnyWorld, str, str, dict[str, str], bytes], Answer], port: int
    ) -> None:
        self.world = world

        def respond(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
            if path.startswith("/_fake/"):
                return _control(world, path, body)
            answered = answer(world, method, path, headers, body)
            answered.delay = world.delay
            return answered

        super().__init__(respond, port)


def _control(world: World[Any, Any], path: str, body: bytes) -> Answer:
    """For whoever drives the fake from another process, unsigned: /_fake/requests, /_fake/clear, /_fake/set."""
    match path:
        case "/_fake/requests":
            return Answer(200, orjson.dumps([one._asdict() for one in world.requests]))
        case "/_fake/clear":
            world.requests.clear()
        case "/_fake/set":
            for name, value in orjson.loads(body).items():
                if not isinstance(getattr(world, name, None), float):
                    return Answer(400, b"{}")
                setattr(world, name, float(value))
        case _:
            return Answer(404, b"{}")
    return Answer(200, b"{}")


@lru_cache(4096)
def signing_key(secret: str, *scope: str) -> bytes:
    """The key of a scope, derived as both clouds do, part by part."""
    key = secret.encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    return key


@lru_cache(64)
def signed_at(text: str) -> datetime | None:
    """The time in a signed header; None when it is none."""
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def claimed_key(headers: dict[str, str]) -> str:
    """The access key id that a request names, whoever signed it."""
    return headers.get("authorization", "").partition("Credential=")[2].partition("/")[0]
