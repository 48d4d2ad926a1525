"""The made-up organisation's accounts, its calendar, and the cast of its AWS accounts: cast.yaml, read into frozen values.

Who there is and how often they act belongs here; what a session logs is traffic.py's, and the incident is incident.py's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from importlib.resources import files
from random import Random

import yaml
from pydantic import TypeAdapter

from crosstrail.demo.word_lists import iam_id
from crosstrail.json_values import Json, text

PROD, DEV, AUDIT = "111122223333", "444455556666", "123456789012"
CN, HZ = "2100000001", "1100000000000001"
"""In Volcengine and in Alibaba Cloud."""
_BY_ALIAS = {"prod": PROD, "dev": DEV, "audit": AUDIT}
LAST_DAY, DAYS = date(2026, 11, 19), 30
INCIDENT_DAY = date(2026, 11, 17)
CI_USER = "deploy-bot"
LEAKED_KEY, REPLACEMENT_KEY = (iam_id(Random(f"{CI_USER}/{age}"), "AKIA") for age in ("leaked", "replacement"))


class Entry(StrEnum):
    """How an actor comes by credentials, and so what is logged when its session begins."""

    KEY = "key"
    """An IAM user's long-lived key: nothing is logged."""
    CONSOLE = "console"
    """An IAM user with a password and MFA."""
    SERVICE = "service"
    """AWS assumes the role for the service `via`; an actor without an address is used by that service itself."""
    WORKLOAD = "workload"
    """A pod or a build with a web identity."""
    SINGLE_SIGN_ON = "single_sign_on"
    """A person through IAM Identity Center, with the permission set `via`."""
    OTHER_ACCOUNT = "other_account"
    """A role of the account `via` assumes a role here: logged in both accounts."""
    AWS_ITSELF = "aws_itself"
    """No credentials: the service `via` calls as itself."""


@dataclass(frozen=True, slots=True)
class Actor:
    """One principal in one account; the fields are explained in cast.yaml."""

    name: str
    account: str
    entry: Entry
    routine: Mapping[str, int]
    sessions: float
    calls: tuple[int, int]
    hours: tuple[float, float] = (0, 24)
    weekend: float = 1.0
    pause: tuple[float, float] = (0.4, 9)
    via: str = ""
    agent: str = ""
    addresses: tuple[str, ...] = ()
    regions: tuple[str, ...] = ("us-east-1",)
    denied: float = 0.0
    throttled: float = 0.0
    words: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The long-lived key of an IAM user. The CI user's was replaced on the morning after the incident."""
        return LEAKED_KEY if self.name == CI_USER else ""


@cache
def cast() -> tuple[Actor, ...]:
    book = _book()
    return tuple(_actor(entry, book) for entry in book.actors)


def agent(name: str) -> str:
    """The user agent called so in cast.yaml."""
    return _book().agents[name]


def days(count: int) -> Iterator[date]:
    """The last so many."""
    return (LAST_DAY - timedelta(days=age) for age in reversed(range(count)))


def at(day: date, seconds: float) -> datetime:
    """That many seconds into the day, in UTC: whole, as CloudTrail's times are, and never after the day's end."""
    return datetime.combine(day, time(), UTC) + timedelta(seconds=min(int(seconds), 86_399))


@dataclass(frozen=True, slots=True)
class _Book:
    """What cast.yaml says; an actor names its account, routine and agent."""

    agents: Mapping[str, str]
    routines: Mapping[str, Mapping[str, int]]
    actors: tuple[Json, ...]


@cache
def _book() -> _Book:
    return TypeAdapter(_Book).validate_python(
        yaml.safe_load(files(__package__).joinpath("cast.yaml").read_text("utf-8"))
    )


def _actor(entry: Json, book: _Book) -> Actor:
    via = text(entry.get("via"))
    return _as_actor().validate_python(
        {
            **entry,
            "account": _BY_ALIAS[text(entry["account"])],
            "via": _BY_ALIAS.get(via, via),
            "routine": book.routines[text(entry["routine"])],
            "agent": book.agents.get(text(entry.get("agent")), ""),
        }
    )


@cache
def _as_actor() -> TypeAdapter[Actor]:
    return TypeAdapter(Actor)
