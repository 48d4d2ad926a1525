"""What exists in the fake Volcengine: accounts with their events and trails, keys, roles; and what was asked of it."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from fakes import cloud

from .faults import REFUSALS

HOME = "cn-beijing"


@dataclass
class Key(cloud.Key):
    """The account's own, root, may not assume roles; nor may a session."""

    root: bool = False


@dataclass
class Role:
    """`trusted`: the access key ids that may assume it."""

    trn: str
    trusted: set[str] = field(default_factory=set)

    @property
    def auth(self) -> dict[str, str]:
        """How crosstrail.yaml has an account with this role."""
        return {"type": "role", "role_trn": self.trn}


@dataclass(frozen=True)
class LoggedEvent:
    time: int
    id: str
    attributes: dict[str, tuple[str, ...]]
    """By LookupConditionKey."""
    encoded: bytes
    """The item of `Trails` as JSON, made once."""


@dataclass
class FakeAccount:
    id: str
    events: list[LoggedEvent] = field(default_factory=list)
    """Newest first, of all regions."""
    trails: dict[str, dict[str, Any]] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    """Actions, such as LookupEvents, that no identity of this account may do."""

    def log(
        self,
        name: str,
        when: datetime,
        *,
        region: str = HOME,
        source: str = "iam",
        user: str = "alice",
        access_key_id: str = "AKLTEXAMPLE",
        error_code: str = "",
        read_only: bool = False,
        resources: tuple[tuple[str, str], ...] = (),
        detail: dict[str, Any] | None = None,
    ) -> str:
        """Add an event; gives its id. `detail` replaces fields of EventDetail."""
        event_id, request_id = str(uuid.uuid4()), f"{when:%Y%m%d%H%M%S}{secrets.token_hex(9).upper()}"
        stamp = f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        whole = {
            "EventVersion": "v1.0",
            "EventID": event_id,
            "RequestID": request_id,
            "EventTime": stamp,
            "EventType": "ApiCall",
            "UserIdentity": {
                "AccountID": self.id,
                "Type": "User",
                "PrincipalID": f"{self.id}/{user}",
                "TRN": f"trn:iam::{self.id}:user/{user}",
                "UserName": user,
                "AccessKeyID": access_key_id,
            },
            "EventSource": source,
            "EventName": name,
            "Region": region,
            "SourceIPAddress": "203.0.113.7",
            "UserAgent": "volc-cli/1.0",
            "ErrorCode": error_code,
            "RequestParameters": "",
            "ResponseElements": "",
            "ApiVersion": "2018-01-01",
            **(detail or {}),
        }
        item = {
            **{key: whole[key] for key in ("EventID", "EventTime", "EventName", "RequestID", "SourceIPAddress")},
            "EventNameDisplay": name,
            "EventSource": source,
            "EventSourceDisplay": source,
            "UserName": user,
            "AccessKeyID": access_key_id,
            "Region": region,
            "ErrorCode": error_code,
            "RelatedResources": [
                {
                    "ServiceCode": source,
                    "IntegratedTrn": f"trn:{source}:{region}:{self.id}:{kind}/{what}",
                    "ResourceType": kind,
                    "ResourceTypeDisplay": kind,
                    "ResourceID": what,
                    "SourceType": "request",
                }
                for kind, what in resources
            ],
            "EventDetail": orjson.dumps(whole).decode(),
        }
        attributes: dict[str, tuple[str, ...]] = {
            key: (str(item[key]),)
            for key in ("EventID", "RequestID", "EventSource", "EventName", "AccessKeyID", "Region", "ErrorCode")
        }
        attributes |= {
            "ApiVersion": (str(whole["ApiVersion"]),),
            "ReadOnly": (str(read_only).lower(),),
            "IdentityType": (str(whole["UserIdentity"].get("Type", "User")),),
            "IdentityName": (user,),
            "ResourceType": tuple(kind for kind, _ in resources),
            "ResourceID": tuple(what for _, what in resources),
        }
        event_id, second = str(item["EventID"]), int(when.timestamp())
        self.events.append(LoggedEvent(second, event_id, attributes, orjson.dumps(item)))
        if len(self.events) > 1 and self.events[-2].time < second:
            self.events.sort(key=lambda event: -event.time)
        return event_id

    def add_trail(self, name: str, **more: Any) -> None:
        """`more` are members of the API's trail."""
        self.trails[name] = {
            "TrailName": name,
            "TrailRegion": HOME,
            "TrailType": 0,
            "EventRW": "All",
            "EventSources": ["iam"],
            "LoggingStatus": "Enable",
            "CreatorID": int(self.id),
            "TosBucketName": f"logs-{self.id}",
            "TosBucketRegion": HOME,
            "TosKeyPrefix": "",
            "LatestDeliveryError": "",
            "LatestDeliveryTime": "20241217T1100Z",
            "StartLoggingTime": "20241210T1000Z",
            "StopLoggingTime": "",
            "CreatedTime": "20241201T1000Z",
            "UpdatedTime": "20241201T1000Z",
            **more,
        }


class World(cloud.World[FakeAccount, Key]):
    """Everything behind one FakeVolcengine. Change it before the calls, or between them."""

    refusals = REFUSALS

    def __init__(self) -> None:
        super().__init__()
        self.end_inclusive = True
        """Whether LookupEvents gives events of the very second EndTime: its documentation does not say."""
        self.oldest_first = False
        """LookupEvents in the other order: its documentation names none."""

    def account(self, account_id: str) -> FakeAccount:
        """The account, made when it is not there."""
        return self.accounts.setdefault(account_id, FakeAccount(account_id))

    def add_key(self, account_id: str, user: str = "auditor", *, root: bool = False) -> Key:
        """A long-lived access key of a user, or of the account itself."""
        self.account(account_id)
        identity = f"trn:iam::{account_id}:{'root' if root else f'user/{user}'}"
        key = Key("AKLT" + secrets.token_hex(16), secrets.token_urlsafe(30), account_id, identity, root=root)
        self.keys[key.id] = key
        return key

    def add_session(self, account_id: str, identity: str, seconds: float) -> Key:
        """A temporary key with its session token."""
        expires = datetime.now(UTC) + timedelta(seconds=self.session_seconds or seconds)
        key_id, token = "AKTP" + secrets.token_hex(16), secrets.token_urlsafe(60)
        key = Key(key_id, secrets.token_urlsafe(30), account_id, identity, token=token, expires=expires)
        self.keys[key.id] = key
        return key

    def add_role(self, account_id: str, name: str = "Audit", *, trusts: Key) -> Role:
        role = Role(f"trn:iam::{account_id}:role/{name}", {trusts.id})
        self.account(account_id).roles[role.trn] = role
        return role
