"""The values that cross module borders: frozen, checked where they come from outside, free of I/O.

Nothing here knows a cloud's API, a database or MCP.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self
from urllib.parse import quote, unquote

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    SerializeAsAny,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from crosstrail.account_auth import Auth
from crosstrail.account_forms import account_form, parsed_auth
from crosstrail.coverage import NONE_READ, NOTHING_PROVED, Days, Proofs, Verified
from crosstrail.errors import InvalidRequest
from crosstrail.store_ids import store_id
from crosstrail.timerange import TimeRange
from crosstrail.vocabulary import words

DEFAULT_CLOUD = "aws"
"""Of an account whose entry names none, as configurations of before other clouds have it."""
_Archived = Annotated[str, Field(min_length=1, max_length=128)]
AccountKey = tuple[str, str]
"""(cloud, account id): what identifies an account everywhere; an id alone may exist in two clouds."""


def _parsed_auth(value: object, info: ValidationInfo) -> Auth | None:
    return None if value is None else parsed_auth(info.data.get("cloud", DEFAULT_CLOUD), value)


class Account(BaseModel):
    """One account of one cloud, as it is listed in the configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: str = Field(max_length=128, description="The cloud's own account id, as the cloud writes it.")
    alias: str = Field("", pattern=r"^([A-Za-z][A-Za-z0-9_.-]{0,62})?$", description="A name people use for it.")
    cloud: str = Field(DEFAULT_CLOUD, description="Whose account it is: the name of an installed cloud.")
    region: str = Field("", description="The region asked when a call names none.")
    regions: tuple[str, ...] = Field((), description="The regions that `all` stands for.")
    tags: Mapping[str, str] = Field(default_factory=dict, description="Free labels, shown in lists of accounts.")
    archive: str = Field(
        "",
        description="A folder, a file or a bucket (s3://bucket/prefix) of its logs: the account is known by these alone.",
    )
    accounts: tuple[_Archived, ...] = Field((), description="Others whose events the archive may bring; * for all.")
    default: bool = Field(False, description="Whether it is asked when a call names no account; one of each cloud.")
    auth: Annotated[SerializeAsAny[Auth] | None, PlainValidator(_parsed_auth)] = Field(
        None, description="How its credentials are had; none for an account of the lake alone."
    )

    @model_validator(mode="after")
    def _id_is_of_its_cloud(self) -> Self:
        form = account_form(self.cloud)
        if not form.is_id(self.id):
            kind = PydanticCustomError("account_id", "{form}", {"form": form.id_form})
            details = InitErrorDetails(type=kind, loc=("id",), input=None)
            raise ValidationError.from_exception_data("Account", [details], hide_input=True)
        return self

    @model_validator(mode="after")
    def _credentials_are_its_own(self) -> Self:
        """Another account's role would answer with another account's events under this one's name."""
        if self.auth and self.auth.account_id not in ("", self.id):
            named = self.auth.named_by
            raise ValueError(
                f"auth.{named} is a role of another account" if named else "these keys are of another account"
            )
        return self

    def __hash__(self) -> int:
        """By key alone: the tags have no hash."""
        return hash(self.key)

    @property
    def key(self) -> AccountKey:
        return (self.cloud, self.id)

    @property
    def name(self) -> str:
        """The alias, or the id of an account without one."""
        return self.alias or self.id

    @property
    def store_id(self) -> str:
        """The UUID under which SQL may name this account's events; the same on every machine."""
        return store_id(self.cloud, self.id)


def is_region(name: str) -> bool:
    """Whether this can be the name of a region, whoever has it."""
    return bool(re.fullmatch(r"[a-z0-9-]{2,40}", name, re.ASCII))


@dataclass(frozen=True, slots=True)
class Target:
    """One account and one region; an empty region is every region an archive holds."""

    account: Account
    region: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    type: str
    name: str


@dataclass(frozen=True, slots=True)
class Event:
    """One audit event in the words that all clouds share. Every text is hostile: whoever is in the log chose it."""

    cloud: str
    account: str
    region: str
    id: str
    time: datetime
    name: str
    source: str
    username: str = ""
    """What LookupEvents calls Username: the user's name, or the session's name of an assumed role."""
    principal: str = ""
    """For reading: `user/deploy-bot`, `assumed-role/Audit/alice`, `root`, a service's host name."""
    access_key_id: str = ""
    source_ip: str = ""
    error_code: str = ""
    errors: tuple[str, ...] = ()
    """What names its failure: its error code, `Failure` of a sign-in, which has none, its error message. Empty: it succeeded."""
    read_only: bool | None = None
    resources: tuple[Resource, ...] = ()
    record: Mapping[str, object] | None = field(default=None, repr=False)
    """The whole event as its cloud wrote it; None unless the query asked for it."""
    text: str = field(default="", repr=False)
    """The record's own JSON, where its cloud or its log file has that apart and the query asked for records."""
    source_object: str = ""
    verified: bool | None = None
    """The log file that the record was read from, and whether that passed validation; of a lake's events with `record` alone."""
    other_versions: int = 0  # contents that came under its id too; only a lake knows

    @property
    def error(self) -> str:
        """For reading: the error code; of a failure without one, its other words."""
        return self.error_code or ": ".join(self.errors)

    @property
    def caller(self) -> str:
        """What tells principals apart: `deploy-bot`, `Audit/alice`, `root`, a service's host name."""
        kind, _, name = self.principal.partition("/")
        if kind == "assumed-role" and name:
            return name
        short = name.rpartition("/")[2]  # no two users of an account have one, whatever their paths
        return short if kind == "user" and short and short != "root" else self.principal or self.username

    @property
    def identity(self) -> str:
        """What tells two events apart, over all clouds."""
        return f"{self.cloud}/{self.account}/{self.region}/{self.id}"


class AttributeKey(StrEnum):
    """The attributes that LookupEvents can filter by, in AWS's spelling."""

    EVENT_ID = "EventId"
    EVENT_NAME = "EventName"
    READ_ONLY = "ReadOnly"
    USERNAME = "Username"
    RESOURCE_TYPE = "ResourceType"
    RESOURCE_NAME = "ResourceName"
    EVENT_SOURCE = "EventSource"
    ACCESS_KEY_ID = "AccessKeyId"


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition of a lookup; filters.py has the keys and what their values mean."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Position:
    """Where a newest-first listing stands: everything newer than `time` was given, and at `time` the events in `seen`.

    It needs no upstream page token, so one position continues any number of targets, after a restart and on any replica.
    `seen` holds Event.identity of the events already given that happened exactly at `time`.
    """

    time: datetime
    seen: frozenset[str]


@dataclass(frozen=True, slots=True)
class EventQuery:
    """What to look up in one target, newest first: events that meet every one of `filters`.

    `limit` is a most, not a promise: see EventPage.more.
    """

    span: TimeRange = TimeRange()
    filters: tuple[Filter, ...] = ()
    limit: int = 50
    before: Position | None = None
    with_record: bool = False
    fill: bool = False
    """Go on through the cloud's pages until the limit is reached: for who wants everything, in as few requests as that takes."""


@dataclass(frozen=True, slots=True)
class EventPage:
    """Newest first. With `more`, events as old as the last one or older may exist, and no newer ones are missing."""

    events: tuple[Event, ...]
    more: bool = False
    held: TimeRange | None = None
    """What the trail has of this target at all, where it knows: no listing can cover more. None: it does not know."""
    days: Days = ()
    """Which days hold events of the account, where the trail is a lake's."""
    proofs: Proofs = NOTHING_PROVED
    """What is known of those days beside their events, where the trail is a lake's."""
    back_to: datetime | None = None
    """How far back a page with `more` has looked, where that is further than its last event: everything newer was seen."""
    examined: int = 0
    """Events that were read one by one, because the cloud could not pick those that meet every filter."""
    verified: Verified = NONE_READ
    """Of the events in the data files that were read for it, where the trail is a lake's."""
    collected: tuple[TimeRange, ...] = ()
    """Of a live account: the spans that a lake answered for, newest first; it had collected them without a gap."""
    proved: tuple[TimeRange, ...] = ()
    """Others that a lake answered for: digests of a trail prove that it holds all of the trail."""


@dataclass(frozen=True, slots=True)
class Trail:
    """One trail as its cloud describes it; `logging` is None when the cloud did not say."""

    name: str
    account: str
    region: str
    destination: str = ""
    multi_region: bool | None = None
    organization: bool | None = None
    validates_files: bool | None = None
    logging: bool | None = None
    latest_delivery: datetime | None = None
    latest_error: str = ""
    kms_key: str = ""
    """That its files are encrypted with; empty where it names none."""


@dataclass(frozen=True, slots=True)
class NewTrail:
    """A trail to create; the bucket must exist already and let the cloud write to it."""

    name: str
    bucket: str
    prefix: str = ""
    multi_region: bool = True
    organization: bool = False
    validates_files: bool = True
    start_logging: bool = True


@dataclass(frozen=True, slots=True)
class EventDataStore:
    """One event data store of an account; with `error` its details could not be had and are unknown."""

    id: str
    name: str
    account: str
    region: str
    status: str = ""
    categories: tuple[str, ...] = ()
    multi_region: bool | None = None
    organization: bool | None = None
    retention_days: int | None = None
    created: datetime | None = None
    error: str = ""


class QueryState(StrEnum):
    """CloudTrail Lake's words for where a query stands; every engine uses them."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"

    @property
    def ended(self) -> bool:
        return self not in (QueryState.QUEUED, QueryState.RUNNING)


@dataclass(frozen=True, slots=True)
class QueryRef:
    """A query id that says where it runs, so that any replica can ask after it. It grants nothing by itself."""

    engine: str
    account: str
    """An account id, or `*` for a query over several accounts."""
    region: str
    native_id: str

    def __str__(self) -> str:
        account = quote(self.account, safe="*/@")  # an id may hold colons
        return f"{self.engine}:{account}:{self.region or '-'}:{self.native_id}"

    @classmethod
    def parse(cls, text: str) -> QueryRef | None:
        """None when it is not one of ours, for instance a bare native id. Raises InvalidRequest when it is malformed."""
        if ":" not in text:
            return None
        parts = text.strip().split(":", 3)
        if len(parts) != 4 or not all(parts):
            raise InvalidRequest(
                "this query id is not whole", hint=f"Send the {words().query_id} exactly as {words().sql} returned it."
            )
        return cls(parts[0], unquote(parts[1]), "" if parts[2] == "-" else parts[2], parts[3])


@dataclass(frozen=True, slots=True)
class QueryStatus:
    """Where a query stands. `rows` is None until known; `error` is for the reader, never raw event text."""

    ref: QueryRef
    state: QueryState
    rows: int | None = None
    scanned_rows: int | None = None
    seconds: float | None = None
    error: str = ""
    verified: Verified = NONE_READ
    """Of the events in the data files that it reads, where the engine is the lake's."""
    scanned_bytes: int | None = None
    percent: float | None = None
    """How far a running query is, where its engine says so."""
    cost: str = ""
    """What it cost, in words and as an estimate, where its engine is paid for."""


@dataclass(frozen=True, slots=True)
class ResultPage:
    """One page of a finished query: values as text, as CloudTrail Lake returns them, None for NULL."""

    status: QueryStatus
    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    next_token: str = ""
    types: tuple[str, ...] = ()
    """Trino's name for the type of each column, such as `array(varchar)`; empty where the engine does not say."""
