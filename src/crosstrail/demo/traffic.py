"""Thirty ordinary days in the made-up organisation's AWS accounts: the cast, played.

Every actor's day is drawn from a Random of its own, so that a change to one leaves the others' events as they were.
Nothing suspicious happens here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from random import Random

from crosstrail.demo.actors import AUDIT, CI_USER, INCIDENT_DAY, REPLACEMENT_KEY, Actor, Entry, agent, at, cast, days
from crosstrail.demo.apis import Json, apis
from crosstrail.demo.event_record import (
    Caller,
    aws_service,
    console_login,
    event,
    role_identity,
    throttled,
    user_identity,
)
from crosstrail.demo.word_lists import Words, hexadecimal, iam_id, random_uuid

_ON_BEHALF = {
    "secretsmanager:GetSecretValue": ("kms:Decrypt", "secretsmanager.amazonaws.com"),
    "ssm:GetParameter": ("kms:Decrypt", "ssm.amazonaws.com"),
    "s3:PutObject": ("kms:GenerateDataKey", "s3.amazonaws.com"),
}
"""A call -> what a service then calls on the caller's behalf, and which service."""


_FOUND = 0.75
"""The share of calls that find what they ask for, of those that may not."""


def ordinary_traffic(count: int) -> Iterator[Json]:
    """Every event, in no particular order."""
    for actor in cast():
        for day in days(count):
            yield from _working_day(actor, day)


def call(
    rng: Random,
    caller: Caller,
    name: str,
    account: str,
    region: str,
    when: datetime,
    *,
    words: dict[str, str] | None = None,
    is_denied: bool = False,
    error: tuple[str, str] | None = None,
) -> Iterator[Json]:
    """The event of one call, and of what a service calls because of it."""
    first = event(rng, caller, name, account, region, when, words=words, is_denied=is_denied, error=error)
    yield first
    if name in _ON_BEHALF and "errorCode" not in first:
        then, service = _ON_BEHALF[name]
        asked = first["requestParameters"]
        same = {"secret": asked.get("secretId", ""), "bucket": asked.get("bucketName", "")}
        same = {word: value for word, value in same.items() if value}
        yield event(rng, caller.through(service), then, account, region, when, words={**(words or {}), **same})


def assume_across(
    rng: Random, caller: Caller, origin: str, account: str, role: str, session: str, when: datetime
) -> tuple[Caller, tuple[Json, Json]]:
    """A role assumed from one account in another: who the caller then is, and the event that each account logs.

    The two events are one call: they share `sharedEventID`, and the second shows of the caller only its account and id.
    """
    key, shared_id = iam_id(rng, "ASIA"), random_uuid(rng)
    words = {"role_account": account, "role": role, "session": session, "session_key": key}
    here = event(rng, caller, "sts:AssumeRole", origin, "us-east-1", when, words=words, shared_id=shared_id)
    outsider = {"type": "AWSAccount", "principalId": caller.identity["principalId"], "accountId": origin}
    there = {**here, "userIdentity": outsider, "eventID": random_uuid(rng), "recipientAccountId": account}
    identity = role_identity(account, role, session, key, when)
    return Caller(identity, caller.source_ip, caller.user_agent), (here, there)


def signed_on(
    rng: Random, account: str, permission_set: str, person: str, source_ip: str, when: datetime
) -> tuple[Caller, Json]:
    """A person's session through IAM Identity Center, and the event that begins it."""
    role = f"AWSReservedSSO_{permission_set}_{hexadecimal(Random(f'{account}/{permission_set}'), 16)}"
    key = iam_id(rng, "ASIA")
    provider = f"arn:aws:iam::{account}:saml-provider/AWSSSO_{hexadecimal(Random(account), 16)}_DO_NOT_DELETE"
    saml = {
        "type": "SAMLUser",
        "principalId": f"{provider}:{person}",
        "userName": person,
        "identityProvider": provider,
    }
    browser = agent("browser")
    words = {"role": role, "session": person, "session_key": key, "provider": provider}
    opening = event(
        rng, Caller(saml, source_ip, browser), "sts:AssumeRoleWithSAML", account, "us-east-1", when, words=words
    )
    return Caller(role_identity(account, role, person, key, when), source_ip, browser), opening


def _working_day(actor: Actor, day: date) -> Iterator[Json]:
    rng = Random(f"{actor.account}/{actor.name}/{day}")
    mean = actor.sessions * (actor.weekend if day.weekday() >= 5 else 1)
    for _ in range(int(mean * rng.uniform(0.7, 1.3) + rng.random())):
        start, end = actor.hours
        yield from _session(rng, actor, day, rng.uniform(start, end) * 3600)


def _session(rng: Random, actor: Actor, day: date, clock: float) -> Iterator[Json]:
    """One session: what its beginning logs, then its calls."""
    region = rng.choice(actor.regions)
    caller, opening = _enter(rng, actor, at(day, clock), region)
    yield from opening
    for name in rng.choices(list(actor.routine), list(actor.routine.values()), k=rng.randint(*actor.calls)):
        clock += rng.uniform(*actor.pause)
        fate = rng.random()
        error = throttled(apis()[name]) if actor.denied <= fate < actor.denied + actor.throttled else None
        error = apis()[name].absent if fate > _FOUND else error
        yield from call(
            rng,
            caller,
            name,
            actor.account,
            region,
            at(day, clock),
            words=dict(actor.words),
            is_denied=fate < actor.denied,
            error=error,
        )


def _enter(rng: Random, actor: Actor, when: datetime, region: str) -> tuple[Caller, list[Json]]:
    """Who the actor is in this session, and what its beginning logs."""
    address = rng.choice(actor.addresses) if actor.addresses else actor.via
    match actor.entry:
        case Entry.AWS_ITSELF:
            return aws_service(actor.via), []
        case Entry.KEY:
            key = REPLACEMENT_KEY if actor.name == CI_USER and when.date() >= INCIDENT_DAY else actor.key
            return Caller(user_identity(actor.account, actor.name, key), address, actor.agent), []
        case Entry.CONSOLE:
            return _through_console(rng, actor, address, when)
        case Entry.SINGLE_SIGN_ON:
            caller, opening = signed_on(rng, actor.account, actor.via, actor.name, address, when)
            return caller, [opening]
        case Entry.OTHER_ACCOUNT:
            home = role_identity(
                AUDIT, f"{actor.name}Home", "runner", iam_id(rng, "ASIA"), when - timedelta(minutes=20)
            )
            caller, both = assume_across(
                rng, Caller(home, address, actor.agent), actor.via, actor.account, actor.name, "runner", when
            )
            return caller, list(both)
        case Entry.WORKLOAD | Entry.SERVICE:
            return _assumed(rng, actor, address, when, region)


def _through_console(rng: Random, actor: Actor, address: str, when: datetime) -> tuple[Caller, list[Json]]:
    """Now and then the first try fails."""
    tries = [False, True] if rng.random() < 0.15 else [True]
    logins = [
        console_login(
            rng, actor.account, actor.name, address, actor.agent, when - timedelta(seconds=20 * later), good=good
        )
        for later, good in enumerate(reversed(tries))
    ]
    identity = user_identity(actor.account, actor.name, iam_id(rng, "ASIA"))
    identity["sessionContext"] = {
        "attributes": {"creationDate": logins[0]["eventTime"], "mfaAuthenticated": "true"},
    }
    return Caller(identity, address, actor.agent), logins


def _assumed(rng: Random, actor: Actor, address: str, when: datetime, region: str) -> tuple[Caller, list[Json]]:
    """A role that AWS assumes for a service, or a web identity for itself."""
    key, session = iam_id(rng, "ASIA"), _session_name(rng, actor, region)
    caller = Caller(role_identity(actor.account, actor.name, session, key, when), address, actor.agent)
    if actor.entry is Entry.WORKLOAD:
        provider = f"arn:aws:iam::{actor.account}:oidc-provider/oidc.eks.{region}.amazonaws.com/id/{hexadecimal(Random(actor.account), 32).upper()}"
        identity = {
            "type": "WebIdentityUser",
            "principalId": f"{provider}:sts.amazonaws.com:system:serviceaccount:main:{actor.name}",
            "userName": f"system:serviceaccount:main:{actor.name}",
            "identityProvider": provider,
        }
        opener, how = Caller(identity, address, actor.agent), "sts:AssumeRoleWithWebIdentity"
    else:
        opener, how = aws_service(actor.via), "sts:AssumeRole"
        if not actor.addresses:
            caller = caller.through(actor.via)
        elif actor.via == "ec2.amazonaws.com":
            caller.identity["sessionContext"]["ec2RoleDelivery"] = "2.0"
    words = {"role": actor.name, "session": session, "session_key": key, "cluster": "main"}
    shared_id = random_uuid(rng) if opener.is_service else ""
    return caller, [event(rng, opener, how, actor.account, region, when, words=words, shared_id=shared_id)]


def _session_name(rng: Random, actor: Actor, region: str) -> str:
    """As each service names the sessions of its roles: an instance's id, a function's name."""
    match actor.via:
        case "ec2.amazonaws.com":
            return Words(rng, {"account": actor.account, "region": region})["instance"]
        case "lambda.amazonaws.com":
            return actor.name
    return f"{actor.name}-{hexadecimal(rng, 8)}"
