"""A Meridian of one's own: its token endpoint and its audit log behind one address.

    with FakeMeridian() as meridian:
        client = meridian.world.add_client("team-a/prod")
        meridian.world.account("team-a/prod").log("DropTable", when)
        meridian.world.fail("expired")                                  # faults: World.refusals
        ...                                                             # endpoint: meridian.url

Every request but the one for a token must bear a token that this fake gave and that has not ended. Meridian does not exist:
this file is its manual. `GET /v1/audit` gives entries of the token's account, newest first: `from` and `to` are
milliseconds, both included, of the last 45 days; `actor` is the name of who acted; `size` at most 25; `after` goes on.
"""

from __future__ import annotations

import secrets
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from fakes import cloud
from fakes.cloud import CloudFake, Key, Recorded, Refusal
from fakes.http import Answer

HISTORY = timedelta(days=45)
_MAX_SIZE = 25
_ACTIONS = {"/v1/token": "token:Create", "/v1/whoami": "account:WhoAmI", "/v1/audit": "audit:ListEntries"}


@dataclass
class FakeAccount:
    id: str
    entries: list[dict[str, Any]] = field(default_factory=list)
    """Newest first."""

    def log(self, action: str, when: datetime, *, user: str = "alice", role: str = "", **more: Any) -> str:
        """`more` are members of the entry. Gives its id."""
        entry = {
            "entryId": str(uuid.uuid4()),
            "at": int(when.timestamp() * 1000),
            "account": self.id,
            "action": action,
            "service": "store",
            "actor": {"kind": "session" if role else "user", "name": user, **({"role": role} if role else {})},
            "address": "203.0.113.7",
            "agent": "meridian-cli/3",
            "request": str(uuid.uuid4()),
            "effect": "write",
            **more,
        }
        self.entries.append(entry)
        self.entries.sort(key=lambda one: -int(one["at"]))
        return str(entry["entryId"])


class World(cloud.World[FakeAccount, Key]):
    """Everything behind one FakeMeridian. Change it before the calls, or between them."""

    refusals = frozenset({"expired", "slow", "500", "denied"})

    def account(self, account_id: str) -> FakeAccount:
        """The account, made when it is not there."""
        return self.accounts.setdefault(account_id, FakeAccount(account_id))

    def add_client(self, account_id: str, name: str = "auditor") -> Key:
        self.account(account_id)
        made = Key("mc." + secrets.token_hex(8), secrets.token_urlsafe(30), account_id, name)
        self.keys[made.id] = made
        return made

    add_key = add_client

    def add_token(self, client: Key) -> Key:
        expires = datetime.now(UTC) + timedelta(seconds=self.session_seconds or 3600)
        token = "mt." + secrets.token_urlsafe(40)
        made = Key(client.id, "", client.account, client.identity, token=token, expires=expires)
        self.keys[token] = made
        return made


class FakeMeridian(CloudFake[World]):
    """`with FakeMeridian() as meridian:` serves meridian.world at meridian.url until the block ends."""

    def __init__(self, world: World | None = None, port: int = 0) -> None:
        super().__init__(world or World(), _answer, port)


def _answer(world: World, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
    """Every request is recorded, whatever comes of it."""
    split, request_id = urlsplit(path), uuid.uuid4().hex
    params, action = dict(parse_qsl(split.query)), _ACTIONS.get(split.path, "")
    key: Key | None = None
    code = ""
    try:
        if not action:
            raise Refusal("invalid_request", "no such path", 404)
        if action != "token:Create":
            key = _bearer(world, headers.get("authorization", ""))
        fault = world.fault(key.account if key else "", "", action)
        if fault:
            code = fault.kind
            spoilt = fault.spoils(lambda: Answer(200, _said(world, action, key, method, params, body)))
            if spoilt is not None:
                return spoilt
            raise _refusal(fault.kind)
        return Answer(200, _said(world, action, key, method, params, body), headers={"X-Request-Id": request_id})
    except Refusal as refused:
        code = refused.code
        said = {"error": {"code": refused.code, "message": refused.message}}
        return Answer(refused.status, orjson.dumps(said), headers={"X-Request-Id": request_id, **refused.headers})
    finally:
        account, key_id = (key.account, key.id) if key else ("", "")
        agent = headers.get("user-agent", "")
        world.requests.append(
            Recorded("meridian", action, account, key_id, "", params, agent, code, time.monotonic(), method)
        )


def _refusal(kind: str) -> Refusal:
    match kind:
        case "expired":
            return Refusal("token_expired", "the token has expired", 401)
        case "slow":
            return Refusal("slow_down", "too many requests", 429, {"Retry-After": "0"})
        case "denied":
            return Refusal("forbidden", "the client may not do this", 403)
    return Refusal("internal", "try again", 500)


def _bearer(world: World, header: str) -> Key:
    kind, _, token = header.partition(" ")
    key = world.keys.get(token) if kind == "Bearer" and token.startswith("mt.") else None
    if key is None:
        raise Refusal("invalid_token", "nobody gave this token", 401)
    if key.expired:
        raise _refusal("expired")
    return key


def _said(world: World, action: str, key: Key | None, method: str, params: dict[str, str], body: bytes) -> bytes:
    if key is None:
        return _token(world, method, body)
    if method != "GET":
        raise Refusal("invalid_request", "only GET", 405)
    if action == "account:WhoAmI":
        return orjson.dumps({"account": key.account, "client": key.identity})
    return _audit(world.accounts[key.account], params)


def _token(world: World, method: str, body: bytes) -> bytes:
    sent = orjson.loads(body) if method == "POST" else {}
    client = world.keys.get(sent.get("client_id", ""))
    if client is None or client.token or not secrets.compare_digest(client.secret, sent.get("client_secret", "")):
        raise Refusal("invalid_client", "there is no such client, or its secret is another", 401)
    made = world.add_token(client)
    assert made.expires
    seconds = round((made.expires - datetime.now(UTC)).total_seconds())
    return orjson.dumps({"access_token": made.token, "expires_in": seconds, "token_type": "bearer"})


def _audit(account: FakeAccount, params: dict[str, str]) -> bytes:
    if unknown := params.keys() - {"from", "to", "actor", "size", "after"}:
        raise Refusal("invalid_request", f"unknown parameters: {sorted(unknown)}")
    now = int(time.time() * 1000)
    try:
        start = max(int(params.get("from", 0)), now - int(HISTORY.total_seconds() * 1000))
        end, size, after = int(params.get("to", now)), int(params.get("size", _MAX_SIZE)), int(params.get("after", 0))
    except ValueError:
        raise Refusal("invalid_request", "from, to, size and after are numbers") from None
    if not 0 < size <= _MAX_SIZE or start > end:
        raise Refusal("invalid_request", "size is 1 to 25, and from is not after to")
    found = [
        entry
        for entry in account.entries
        if start <= entry["at"] <= end and params.get("actor") in (None, entry["actor"]["name"])
    ]
    more = {"next": str(after + size)} if after + size < len(found) else {}
    return orjson.dumps({"entries": found[after : after + size], **more})
