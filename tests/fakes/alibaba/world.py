"""What exists in the fake Alibaba Cloud: accounts with their events and trails, keys, roles; and what was asked of it."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from fakes import cloud

from .faults import REFUSALS

HOME = "cn-hangzhou"


@dataclass
class Key(cloud.Key):
    """The account's own, root, may not assume roles. `allowed`: what a session policy leaves; None for everything."""

    root: bool = False
    allowed: frozenset[str] | None = None


@dataclass
class Role:
    """`trusted`: the access key ids that may assume it; `providers`: identity providers whose tokens may."""

    arn: str
    trusted: set[str] = field(default_factory=set)
    providers: set[str] = field(default_factory=set)
    external_id: str = ""
    max_seconds: int = 3600

    @property
    def auth(self) -> dict[str, str]:
        """How an account with this role is listed."""
        more = {"external_id": self.external_id} if self.external_id else {}
        return {"type": "role", "role_arn": self.arn, **more}


@dataclass(frozen=True)
class LoggedEvent:
    time: int
    id: str
    region: str
    """Empty for a global event, which every region's API shows."""
    attributes: dict[str, tuple[str, ...]]
    """By LookupAttribute key."""
    encoded: bytes
    """The event as JSON, made once."""


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
        service: str = "Ecs",
        user: str = "alice",
        role: str = "",
        access_key_id: str = "LTAIEXAMPLE",
        error_code: str = "",
        read_only: bool = False,
        resources: tuple[tuple[str, str], ...] = (),
        everywhere: bool = False,
        sensitive: bool = False,
        **more: Any,
    ) -> str:
        """Add an event; gives its id. `role`: that of the session that `user` names. `everywhere`: of a global service.
        `more` replaces fields of the event."""
        identifier = str(uuid.uuid4()).upper()
        referenced: dict[str, list[str]] = {}
        for kind, what in resources:
            referenced.setdefault(kind, []).append(what)
        event: dict[str, Any] = {
            "acsRegion": region,
            "apiVersion": "2014-05-26",
            "eventCategory": "Management",
            "eventId": identifier,
            "eventName": name,
            "eventRW": "Read" if read_only else "Write",
            "eventSource": f"{service.lower()}.{region}.aliyuncs.com",
            "eventTime": f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "eventType": "ApiCall",
            "eventVersion": "1",
            "requestId": identifier,
            "requestParameterJson": orjson.dumps({"RegionId": region}).decode(),
            "requestParameters": {"RegionId": region},
            "serviceName": service,
            "sourceIpAddress": "203.0.113.7",
            "userAgent": "AlibabaCloud CLI",
            "userIdentity": {
                "accessKeyId": access_key_id,
                "accountId": self.id,
                "principalId": "28877424437521",
                "sessionContext": {"attributes": {"mfaAuthenticated": "false"}},
                "type": "assumed-role" if role else "ram-user",
                "userName": f"{role}:{user}" if role else user,
            },
            **({"errorCode": error_code} if error_code else {}),
            **({"referencedResources": referenced} if referenced else {}),
            **more,
        }
        self.events.append(_logged(event, referenced, role, everywhere, sensitive))
        if len(self.events) > 1 and self.events[-2].time < self.events[-1].time:
            self.events.sort(key=lambda one: -one.time)
        return str(event["eventId"])

    def add_trail(self, name: str, **more: Any) -> None:
        """`more` are members of the API's trail."""
        self.trails[name] = {
            "Name": name,
            "HomeRegion": HOME,
            "TrailRegion": "All",
            "Status": "Enable",
            "EventRW": "All",
            "OssBucketName": f"logs-{self.id}",
            "OssKeyPrefix": "",
            "SlsProjectArn": "",
            "IsOrganizationTrail": False,
            "CreateTime": "2026-04-01T00:00:00Z",
            "StartLoggingTime": "2026-04-01T00:00:00Z",
            **more,
        }


def _logged(
    event: dict[str, Any], referenced: dict[str, list[str]], role: str, everywhere: bool, sensitive: bool
) -> LoggedEvent:
    identity = event["userIdentity"]
    attributes: dict[str, tuple[str, ...]] = {
        "EventId": (event["eventId"],),
        "EventName": (event["eventName"],),
        "ServiceName": (event["serviceName"],),
        "User": (identity.get("userName", ""),),
        "ResourceType": tuple(referenced),
        "ResourceName": tuple(name for names in referenced.values() for name in names),
        "EventRW": (event["eventRW"],),
        "EventAccessKeyId": (identity.get("accessKeyId", ""),),
        "SensitiveAction": (str(sensitive).lower(),),
        "SourceIpAddress": (event["sourceIpAddress"],),
        "EventType": (event["eventType"],),
        "RoleName": (role,),
    }
    second = int(datetime.fromisoformat(event["eventTime"]).timestamp())
    region = "" if everywhere else event["acsRegion"]
    return LoggedEvent(second, event["eventId"], region, attributes, orjson.dumps(event))


class World(cloud.World[FakeAccount, Key]):
    """Everything behind one FakeAlibaba. Change it before the calls, or between them."""

    refusals = REFUSALS

    def __init__(self) -> None:
        super().__init__()
        self.region = HOME
        """That of an address whose host names none."""
        self.end_inclusive = True
        """Whether LookupEvents gives events of the very second EndTime: its documentation does not say."""
        self.nonces: set[str] = set()
        self.tokens: dict[str, str] = {}
        """Token of an identity provider -> the provider's resource name."""

    def account(self, account_id: str) -> FakeAccount:
        """The account, made when it is not there."""
        return self.accounts.setdefault(account_id, FakeAccount(account_id))

    def add_key(self, account_id: str, user: str = "auditor", *, root: bool = False) -> Key:
        """A long-lived access key of a user, or of the account itself."""
        self.account(account_id)
        identity = f"acs:ram::{account_id}:{'root' if root else f'user/{user}'}"
        key = Key("LTAI" + secrets.token_hex(10), secrets.token_urlsafe(30), account_id, identity, root=root)
        self.keys[key.id] = key
        return key

    def add_session(self, account_id: str, identity: str, seconds: float, allowed: frozenset[str] | None = None) -> Key:
        """A temporary key with its security token."""
        expires = datetime.now(UTC) + timedelta(seconds=self.session_seconds or seconds)
        key_id, token = "STS." + secrets.token_hex(12), secrets.token_urlsafe(60) + "=="
        key = Key(
            key_id, secrets.token_urlsafe(30), account_id, identity, token=token, expires=expires, allowed=allowed
        )
        self.keys[key.id] = key
        return key

    def add_role(self, account_id: str, name: str = "Audit", *, trusts: Key | None = None, **more: Any) -> Role:
        role = Role(f"acs:ram::{account_id}:role/{name}", {trusts.id} if trusts else set(), **more)
        self.account(account_id).roles[role.arn] = role
        return role
