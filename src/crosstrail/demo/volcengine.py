"""The made-up organisation's Volcengine account: events as LookupEvents returns them, ordinary days and the incident's share.

Only what is documented of an event's form is used. How a trail's files in TOS look is not documented, so the logs of
this account are saved LookupEvents answers.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from random import Random

import orjson

from crosstrail.demo.actors import CN
from crosstrail.demo.apis import Json
from crosstrail.demo.incident import INTRUDER_ADDRESS, clock
from crosstrail.demo.ordinary_days import OrdinaryCall, Worker, ordinary_calls
from crosstrail.demo.word_lists import hexadecimal, random_uuid
from crosstrail.timerange import iso

REGION = "cn-beijing"
PAGE = 50
"""LookupEvents gives at most this many events an answer."""


_API_VERSIONS = {
    "ecs": "2020-04-01",
    "iam": "2018-01-01",
    "sts": "2018-01-01",
    "vpc": "2020-04-01",
    "vke": "2022-05-12",
}
_RESOURCES = {
    "ecs:RunInstances": "instance",
    "ecs:StopInstance": "instance",
    "kms:Decrypt": "key",
    "tos:GetBucketPolicy": "bucket",
    "iam:CreateAccessKey": "user",
}
"""Calls that name a resource -> its type."""
_CI = Worker(
    "ci-deploy",
    "198.51.100.23",
    "volcengine-go-sdk/1.1.42 (go1.24.9; linux; amd64)",
    1.8,
    (1, 11),
    {"sts:GetCallerIdentity": 1, "vke:ListClusters": 2, "vke:ListNodePools": 3, "ecs:DescribeInstances": 2},
)
_USERS = (
    _CI,
    Worker(
        "ops-1",
        "192.0.2.201",
        "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
        2,
        (1, 10),
        {"ecs:DescribeInstances": 6, "vpc:DescribeSecurityGroups": 3, "vpc:DescribeVpcs": 2, "ecs:RunInstances": 1, "ecs:StopInstance": 1, "iam:ListUsers": 1},
    ),
    Worker(
        "inventory/nightly",
        "198.51.100.210",
        "volcengine-python-sdk/3.0.22",
        2,
        (16, 22),
        {"ecs:DescribeInstances": 4, "vpc:DescribeVpcs": 2, "tos:ListBuckets": 2, "tos:GetBucketPolicy": 4, "kms:Decrypt": 3, "rds_mysql:DescribeDBInstances": 2},
        denied=0.02,
        is_role=True,
    ),
)  # fmt: skip
_NIGHT = (
    # time, call, denied
    ("03:02:10", "sts:GetCallerIdentity", False),
    ("03:02:44", "iam:ListUsers", True),
    ("03:03:31", "ecs:DescribeInstances", False),
    ("03:04:02", "tos:ListBuckets", True),
    ("03:05:18", "iam:CreateAccessKey", True),
)


def ordinary_traffic(count: int) -> Iterator[Json]:
    """Every event of so many ordinary days."""
    return map(_event, ordinary_calls("volcengine", _USERS, count))


def incident() -> tuple[Json, ...]:
    """The same address with the CI user's Volcengine key, which leaked from the same place."""
    rng = Random("volcengine/incident")
    intruder = Worker(_CI.name, INTRUDER_ADDRESS, "volc-cli/1.0.31", 0, (0, 0), {})
    return tuple(_event(OrdinaryCall(rng, intruder, name, clock(when), denied)) for when, name, denied in _NIGHT)


def answers(events: list[Json]) -> Iterator[Json]:
    """LookupEvents answers that hold these events, newest first, the last without a NextToken."""
    newest_first = sorted(events, key=lambda event: (event["EventTime"], event["EventID"]), reverse=True)
    for start in range(0, len(newest_first), PAGE):
        page = newest_first[start : start + PAGE]
        more = start + PAGE < len(newest_first)
        head = {"RequestId": page[0]["RequestID"], "Action": "LookupEvents", "Version": "2021-09-01", "Service": "cloud_trail", "Region": REGION}  # fmt: skip
        yield {
            "ResponseMetadata": head,
            "Result": {"NextToken": page[-1]["EventID"][:13] if more else "", "Trails": page},
        }


def _event(call: OrdinaryCall) -> Json:
    """One item of `Trails`."""
    rng, user, when = call.rng, call.worker, call.when
    source, _, name = call.name.partition(":")
    kind = _RESOURCES.get(call.name, "")
    resource = f"{kind[0]}-{hexadecimal(Random(f'{call.name}/{rng.randrange(4)}'), 18)}" if kind else ""
    head: Json = {
        "EventID": random_uuid(rng),
        "RequestID": when.strftime("%Y%m%d%H%M%S") + hexadecimal(rng, 24).upper(),
        "EventTime": iso(when),
        "EventSource": source,
        "EventName": name,
        "Region": REGION,
        "SourceIPAddress": user.address,
    }
    detail = {
        "EventVersion": "v1.0",
        **head,
        "EventType": "ApiCall",
        "UserIdentity": _identity(user),
        "UserAgent": user.agent,
        "RequestParameters": orjson.dumps({"ResourceId": resource} if resource else {}).decode(),
        "ResponseElements": "",
        "ApiVersion": _API_VERSIONS.get(source, "2021-03-03"),
    }
    related = {"ResourceID": resource, "ResourceType": kind, "ServiceCode": source}
    return {
        **head,
        "EventNameDisplay": name,
        "EventSourceDisplay": source,
        "UserName": user.name.rpartition("/")[2],
        "AccessKeyID": _access_key(user),
        "ErrorCode": "AccessDenied" if call.is_denied else "",
        "RelatedResources": [related] if resource else [],
        "EventDetail": orjson.dumps(detail).decode(),
    }


def _identity(user: Worker) -> Json:
    kind, trn = ("AssumedRole", f"sts::{CN}:assumed-role/") if user.is_role else ("IAMUser", f"iam::{CN}:user/")
    return {
        "AccountID": CN,
        "Type": kind,
        "PrincipalID": f"{CN}/{user.name}",
        "TRN": f"trn:{trn}{user.name}",
        "AccessKeyID": _access_key(user),
    }


def _access_key(user: Worker) -> str:
    drawn = hexadecimal(Random(f"volcengine/{user.name}"), 32).encode()
    return ("AKTP" if user.is_role else "AKLT") + base64.b64encode(drawn).decode().rstrip("=")
