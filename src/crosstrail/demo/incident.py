"""The incident: one night on which a CI user's leaked access key is used, in four accounts of three clouds.

Prod's access key looks around, is denied, makes itself a user with a key, shares a snapshot with a stranger's account,
steps into dev, whose secrets it reads, and stops the trail of prod: until the security team ends it in the morning, nothing
of prod is logged. Dev's trail goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from crosstrail.demo.actors import (
    AUDIT,
    CI_USER,
    DEV,
    INCIDENT_DAY,
    LEAKED_KEY,
    PROD,
    REPLACEMENT_KEY,
    at,
)
from crosstrail.demo.apis import Json
from crosstrail.demo.digests import Silence
from crosstrail.demo.event_record import Caller, user_identity
from crosstrail.demo.traffic import assume_across, call, signed_on
from crosstrail.demo.word_lists import hexadecimal, iam_id

INTRUDER_ADDRESS = "203.0.113.66"
FOREIGN_ACCOUNT = "999999999999"
BACKDOOR_USER = "svc-backup-sync"
INTRUDER_AGENT = (
    "aws-cli/2.27.50 md/awscrt#0.26.1 ua/2.1 os/linux#6.12.38 md/arch#x86_64 lang/python#3.13.4 cfg/retry-mode#standard"
)

_RECONNAISSANCE: tuple[tuple[str, str, str, bool], ...] = (
    # time, call, region, denied
    ("02:11:08", "sts:GetCallerIdentity", "us-east-1", False),
    ("02:11:31", "iam:GetUser", "us-east-1", False),
    ("02:11:52", "iam:ListAttachedUserPolicies", "us-east-1", False),
    ("02:12:20", "iam:ListUsers", "us-east-1", False),
    ("02:12:41", "iam:ListRoles", "us-east-1", False),
    ("02:13:05", "s3:ListBuckets", "us-east-1", False),
    ("02:13:37", "ec2:DescribeInstances", "us-east-1", False),
    ("02:13:49", "ec2:DescribeInstances", "eu-west-1", False),
    ("02:14:10", "ec2:DescribeSnapshots", "us-east-1", False),
    ("02:14:32", "ec2:DescribeVolumes", "us-east-1", False),
    ("02:15:02", "organizations:ListAccounts", "us-east-1", True),
    ("02:15:20", "secretsmanager:ListSecrets", "us-east-1", True),
    ("02:15:34", "secretsmanager:ListSecrets", "eu-west-1", True),
    ("02:15:58", "secretsmanager:GetSecretValue", "us-east-1", True),
    ("02:16:11", "secretsmanager:GetSecretValue", "us-east-1", True),
    ("02:16:40", "ssm:DescribeParameters", "us-east-1", True),
    ("02:17:03", "kms:ListKeys", "us-east-1", True),
    ("02:17:25", "guardduty:ListDetectors", "us-east-1", True),
    ("02:17:59", "cloudtrail:DescribeTrails", "us-east-1", False),
    ("02:18:21", "cloudtrail:GetTrailStatus", "us-east-1", False),
    ("02:19:06", "iam:CreateLoginProfile", "us-east-1", True),
)  # fmt: skip
_IN_DEV: tuple[tuple[str, str, str, bool], ...] = (
    ("02:44:30", "sts:GetCallerIdentity", "us-east-1", False),
    ("02:45:02", "secretsmanager:ListSecrets", "us-east-1", False),
    ("02:45:21", "secretsmanager:GetSecretValue", "us-east-1", False),
    ("02:45:33", "secretsmanager:GetSecretValue", "us-east-1", False),
    ("02:45:47", "secretsmanager:GetSecretValue", "us-east-1", False),
    ("02:47:10", "ssm:GetParametersByPath", "us-east-1", False),
    ("02:48:26", "s3:ListBuckets", "us-east-1", False),
    ("02:49:55", "iam:CreateUser", "us-east-1", True),
)  # fmt: skip
_SECRETS = ("orders/database", "checkout/payment-token", "catalog/search-key")


@dataclass(frozen=True, slots=True)
class Incident:
    """What an investigation should find, for whoever checks that it did."""

    account: str
    second_account: str
    user: str
    access_key: str
    source_ip: str
    began: datetime
    ended: datetime
    session_key: str
    """The key of the session in the second account."""
    backdoor_user: str
    backdoor_key: str
    foreign_account: str
    stop_logging_id: str
    events: tuple[Json, ...]
    """The intruder's events in the AWS accounts that were logged, in order of time."""
    response: tuple[Json, ...]
    """What the security team did the morning after, logged or not."""
    silence: Silence
    """What the intruder's StopLogging made: of that time prod has neither logs nor digests."""

    def of_key(self, key: str) -> tuple[Json, ...]:
        return tuple(event for event in self.events if event["userIdentity"].get("accessKeyId") == key)


def clock(text: str) -> datetime:
    """`HH:MM:SS` on the day of the incident."""
    hours, minutes, seconds = (int(part) for part in text.split(":"))
    return at(INCIDENT_DAY, hours * 3600 + minutes * 60 + seconds)


def incident() -> Incident:
    """The same every time."""
    rng = Random("incident")
    snapshot, backdoor_key = f"snap-0{hexadecimal(rng, 16)}", iam_id(rng, "AKIA")
    leaked = Caller(user_identity(PROD, CI_USER, LEAKED_KEY), INTRUDER_ADDRESS, INTRUDER_AGENT)
    events = [
        *_reconnaissance(rng, leaked),
        *_harm(rng, leaked, snapshot, backdoor_key),
        *_backdoor_tried(rng, backdoor_key),
    ]
    inside, both = assume_across(rng, leaked, PROD, DEV, "deployment", CI_USER, clock("02:40:12"))
    events += [*both, *_second_account(rng, inside)]
    events.sort(key=lambda event: (event["eventTime"], event["recipientAccountId"]))
    response = tuple(_response(rng, snapshot, backdoor_key))
    stopped, started = (
        next(datetime.fromisoformat(event["eventTime"]) for event in some if event["eventName"] == name)
        for some, name in ((events, "StopLogging"), (response, "StartLogging"))
    )
    silence = Silence(PROD, stopped, started)
    events = [event for event in events if not silence.has(event)]
    return Incident(
        account=PROD,
        second_account=DEV,
        user=CI_USER,
        access_key=LEAKED_KEY,
        source_ip=INTRUDER_ADDRESS,
        began=datetime.fromisoformat(events[0]["eventTime"]),
        ended=datetime.fromisoformat(events[-1]["eventTime"]),
        session_key=inside.identity["accessKeyId"],
        backdoor_user=BACKDOOR_USER,
        backdoor_key=backdoor_key,
        foreign_account=FOREIGN_ACCOUNT,
        stop_logging_id=next(event["eventID"] for event in events if event["eventName"] == "StopLogging"),
        events=tuple(events),
        response=response,
        silence=silence,
    )


def _reconnaissance(rng: Random, leaked: Caller) -> Iterator[Json]:
    for when, name, region, is_denied in _RECONNAISSANCE:
        words = {"user": "billing-admin" if "Login" in name else CI_USER, "secret": rng.choice(_SECRETS)}
        yield from call(rng, leaked, name, PROD, region, clock(when), words=words, is_denied=is_denied)


def _harm(rng: Random, leaked: Caller, snapshot: str, backdoor_key: str) -> Iterator[Json]:
    words = {
        "user": BACKDOOR_USER,
        "new_key": backdoor_key,
        "new_snapshot": snapshot,
        "foreign_account": FOREIGN_ACCOUNT,
        "change": "add",
        "purpose": "sync",
    }
    for when, name in (
        ("02:21:14", "iam:CreateUser"),
        ("02:21:47", "iam:AttachUserPolicy"),
        ("02:22:09", "iam:CreateAccessKey"),
        ("02:29:15", "ec2:CreateSnapshot"),
        ("02:36:50", "ec2:ModifySnapshotAttribute"),
        ("02:41:33", "cloudtrail:StopLogging"),
    ):
        yield from call(rng, leaked, name, PROD, "us-east-1", clock(when), words=words)


def _backdoor_tried(rng: Random, backdoor_key: str) -> Iterator[Json]:
    backdoor = Caller(user_identity(PROD, BACKDOOR_USER, backdoor_key), INTRUDER_ADDRESS, INTRUDER_AGENT)
    for when, name in (("02:24:02", "sts:GetCallerIdentity"), ("02:58:40", "iam:ListAccessKeys")):
        yield from call(rng, backdoor, name, PROD, "us-east-1", clock(when), words={"user": BACKDOOR_USER})


def _second_account(rng: Random, inside: Caller) -> Iterator[Json]:
    secrets = iter(_SECRETS)
    for when, name, region, is_denied in _IN_DEV:
        words = {"user": BACKDOOR_USER, "service": "checkout"}
        if name == "secretsmanager:GetSecretValue":
            words["secret"] = next(secrets)
        yield from call(rng, inside, name, DEV, region, clock(when), words=words, is_denied=is_denied)


def _response(rng: Random, snapshot: str, backdoor_key: str) -> Iterator[Json]:
    """An analyst sees the finding at half past eight, and closes both keys, the share and the trail's gap."""
    analyst, opening = signed_on(rng, AUDIT, "SecurityAudit", "analyst-1", "192.0.2.37", clock("08:31:12"))
    yield opening
    yield from call(rng, analyst, "guardduty:GetFindings", AUDIT, "us-east-1", clock("08:33:40"))
    responder, both = assume_across(rng, analyst, AUDIT, PROD, "IncidentResponder", "analyst-1", clock("08:39:02"))
    yield from both
    leaked = {"user": CI_USER, "new_key": LEAKED_KEY}
    backdoor = {"user": BACKDOOR_USER, "new_key": backdoor_key}
    share = {"new_snapshot": snapshot, "change": "remove", "foreign_account": FOREIGN_ACCOUNT}
    steps: tuple[tuple[str, dict[str, str]], ...] = (
        ("iam:UpdateAccessKey", leaked),
        ("iam:UpdateAccessKey", backdoor),
        ("ec2:ModifySnapshotAttribute", share),
        ("cloudtrail:StartLogging", {}),
        ("iam:DetachUserPolicy", backdoor),
        ("iam:DeleteAccessKey", backdoor),
        ("iam:DeleteUser", backdoor),
        ("iam:CreateAccessKey", {"user": CI_USER, "new_key": REPLACEMENT_KEY}),
    )
    when = clock("08:40:15")
    for name, words in steps:
        yield from call(rng, responder, name, PROD, "us-east-1", when, words=words)
        when += timedelta(seconds=rng.randrange(25, 110))
    cleaner, both = assume_across(rng, analyst, AUDIT, DEV, "IncidentResponder", "analyst-1", when)
    yield from both
    revoke = {"role": "deployment"}
    yield from call(rng, cleaner, "iam:PutRolePolicy", DEV, "us-east-1", when + timedelta(seconds=48), words=revoke)
