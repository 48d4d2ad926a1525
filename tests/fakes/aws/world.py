"""What exists in the fake AWS: accounts with their logs, keys, roles, secrets; and what was asked of it."""

from __future__ import annotations

import secrets
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from fakes import cloud

from .athena import Athena
from .faults import REFUSALS

HOME = "us-east-1"


@dataclass
class Key(cloud.Key):
    """A session has perhaps only the actions that its session policy leaves."""

    only: frozenset[str] | None = None


@dataclass
class Role:
    """`trusted`: access key ids that may assume it; of sessions, too."""

    arn: str
    external_id: str = ""
    trusted: set[str] = field(default_factory=set)
    longest: int = 3600

    @property
    def auth(self) -> dict[str, str]:
        """How crosstrail.yaml has an account with this role."""
        return {"type": "role", "role_arn": self.arn, "external_id": self.external_id}


@dataclass(frozen=True)
class LoggedEvent:
    time: float
    id: str
    category: str
    attributes: dict[str, tuple[str, ...]]
    encoded: bytes
    """The item of LookupEvents as JSON, made once: 50 of them an answer would cost more than everything else."""


@dataclass
class Query:
    id: str
    statement: str
    store: str
    states: list[str]
    """What the next asks will see; the last one stays."""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()
    error: str = ""
    began: float = field(default_factory=time.time)

    def step(self) -> str:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]


@dataclass
class FakeAccount:
    id: str
    name: str = ""
    status: str = "ACTIVE"
    partition: str = "aws"
    """Its keys are known in the regions of this partition alone."""
    roles: dict[str, Role] = field(default_factory=dict)
    events: dict[str, list[LoggedEvent]] = field(default_factory=dict)
    """Region -> events, newest first."""
    trails: dict[str, dict[str, Any]] = field(default_factory=dict)
    trail_status: dict[str, dict[str, Any]] = field(default_factory=dict)
    stores: dict[str, dict[str, Any]] = field(default_factory=dict)
    queries: dict[str, Query] = field(default_factory=dict)
    outcome: Query = field(
        default_factory=lambda: Query("", "", "", ["QUEUED", "RUNNING", "FINISHED"], ("n",), (("1",),))
    )
    """What every query started here comes to."""
    athena: Athena = field(default_factory=Athena)
    disabled_regions: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)
    """Actions, such as `cloudtrail:LookupEvents`, that no identity of this account may do."""
    refused_buckets: set[str] = field(default_factory=set)
    """Buckets whose policy does not let CloudTrail write."""
    public_keys: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    lookups: dict[str, list[float]] = field(default_factory=dict)
    """Region -> when LookupEvents was answered in the last second."""

    def log(
        self,
        name: str,
        when: datetime,
        *,
        region: str = HOME,
        source: str = "cloudtrail.amazonaws.com",
        username: str = "alice",
        access_key_id: str = "AKIAIOSFODNN7EXAMPLE",
        read_only: bool = False,
        resources: tuple[tuple[str, str], ...] = (),
        category: str = "Management",
        record: dict[str, Any] | None = None,
    ) -> str:
        """Add an event; gives its id. `record` replaces members of the CloudTrail record, its id too."""
        event_id = (record or {}).get("eventID") or str(uuid.uuid4())
        whole = {
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "IAMUser",
                "arn": f"arn:aws:iam::{self.id}:user/{username}",
                "accountId": self.id,
                "accessKeyId": access_key_id,
                "userName": username,
            },
            "eventTime": f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "eventSource": source,
            "eventName": name,
            "awsRegion": region,
            "sourceIPAddress": "203.0.113.7",
            "userAgent": "aws-cli/2.31",
            "requestParameters": {"name": "org"},
            "eventID": event_id,
            "readOnly": read_only,
            "eventType": "AwsApiCall",
            "managementEvent": category == "Management",
            "recipientAccountId": self.id,
            "eventCategory": category,
            **(record or {}),
        }
        seconds = float(int(when.timestamp()))
        item = {
            "EventId": event_id,
            "EventName": name,
            "ReadOnly": str(read_only).lower(),
            "AccessKeyId": access_key_id,
            "EventTime": seconds,
            "EventSource": source,
            "Username": username,
            "Resources": [{"ResourceType": kind, "ResourceName": what} for kind, what in resources],
            "CloudTrailEvent": orjson.dumps(whole).decode(),
        }
        attributes: dict[str, tuple[str, ...]] = {
            key: (str(item[key]),) for key in ("EventId", "EventName", "ReadOnly", "AccessKeyId", "EventSource")
        }
        attributes |= {
            "Username": (username,),
            "ResourceType": tuple(kind for kind, _ in resources),
            "ResourceName": tuple(what for _, what in resources),
        }
        logged = self.events.setdefault(region, [])
        logged.append(LoggedEvent(seconds, event_id, category, attributes, orjson.dumps(item)))
        if len(logged) > 1 and logged[-2].time < seconds:
            logged.sort(key=lambda event: -event.time)
        return event_id

    def add_trail(self, name: str, *, region: str = HOME, logging: bool = True, **more: Any) -> str:
        """Gives the trail's ARN; `more` are members of the API's Trail."""
        arn = f"arn:aws:cloudtrail:{region}:{self.id}:trail/{name}"
        self.trails[arn] = {
            "Name": name,
            "S3BucketName": f"logs-{self.id}",
            "IncludeGlobalServiceEvents": True,
            "IsMultiRegionTrail": False,
            "HomeRegion": region,
            "TrailARN": arn,
            "LogFileValidationEnabled": False,
            "HasCustomEventSelectors": False,
            "HasInsightSelectors": False,
            "IsOrganizationTrail": False,
            **more,
        }
        self.trail_status[arn] = {"IsLogging": logging, "LatestDeliveryTime": time.time() - 300}
        return arn

    def add_store(self, name: str, *, region: str = HOME, **more: Any) -> str:
        """Gives the event data store's ARN; `more` are members of the API's EventDataStore."""
        arn = f"arn:aws:cloudtrail:{region}:{self.id}:eventdatastore/{uuid.uuid4()}"
        self.stores[arn] = {
            "EventDataStoreArn": arn,
            "Name": name,
            "Status": "ENABLED",
            "MultiRegionEnabled": True,
            "OrganizationEnabled": False,
            "RetentionPeriod": 365,
            "TerminationProtectionEnabled": True,
            "CreatedTimestamp": time.time() - 86400,
            "UpdatedTimestamp": time.time() - 86400,
            **more,
        }
        return arn


class World(cloud.World[FakeAccount, Key]):
    """Everything behind one FakeAws. Change it before the calls, or between them."""

    refusals = REFUSALS

    def __init__(self) -> None:
        super().__init__()
        self.secrets: dict[str, str] = {}
        self.sign_ins: set[str] = set()
        """Access tokens of people signed in through IAM Identity Center (SSO)."""
        self.lookup_rate = 0.0
        """LookupEvents a second for one account and region; 0 is no limit. AWS has 2."""
        self.clock_offset = timedelta(0)
        self.management = ""
        """The account that Organizations answers to."""
        self.partition = "aws"
        """The first part of its accounts' ARNs."""

    def account(self, account_id: str, name: str = "") -> FakeAccount:
        """The account, made when it is not there."""
        return self.accounts.setdefault(account_id, FakeAccount(account_id, name or f"account-{account_id}"))

    def add_key(self, account_id: str, user: str = "auditor", key_id: str = "") -> Key:
        """A long-lived access key of a user."""
        key_id = key_id or "AKIA" + secrets.token_hex(8).upper()
        arn = f"arn:{self.account(account_id).partition}:iam::{account_id}:user/{user}"
        key = Key(key_id, secrets.token_urlsafe(30), account_id, arn)
        self.keys[key.id] = key
        return key

    def add_role(self, account_id: str, name: str = "Audit", *, trusts: Key, external_id: str = "") -> Role:
        arn = f"arn:{self.account(account_id).partition}:iam::{account_id}:role/{name}"
        role = Role(arn, external_id, {trusts.id})
        self.account(account_id).roles[arn] = role
        return role
