"""The made-up organisation's Alibaba Cloud account: events as ActionTrail writes them, ordinary days and the incident's share.

Global services (RAM, STS) log in the account's one region here, as they do where a trail's home region is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import orjson

from crosstrail.demo.actors import HZ
from crosstrail.demo.apis import Json
from crosstrail.demo.incident import INTRUDER_ADDRESS, clock
from crosstrail.demo.ordinary_days import OrdinaryCall, Worker, ordinary_calls
from crosstrail.demo.word_lists import hexadecimal, random_uuid
from crosstrail.timerange import iso

REGION = "cn-hangzhou"
_CONSOLE = "ecs.console.aliyun.com"
"""The user agent of calls that the console makes for a person: they carry no access key."""
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class _Service:
    """How one service writes to the trail."""

    name: str
    version: str
    host: str
    denied: str = "Forbidden.RAM"


_SERVICES = {
    "actiontrail": _Service("Actiontrail", "2020-07-06", f"actiontrail.{REGION}.aliyuncs.com", "NoPermission"),
    "cs": _Service("CS", "2015-12-15", f"cs.{REGION}.aliyuncs.com"),
    "ecs": _Service("Ecs", "2014-05-26", f"ecs.{REGION}.aliyuncs.com"),
    "oss": _Service("Oss", "2019-05-17", f"oss-{REGION}.aliyuncs.com", "AccessDenied"),
    "ram": _Service("Ram", "2015-05-01", "ram.aliyuncs.com", "NoPermission"),
    "rds": _Service("Rds", "2014-08-15", "rds.aliyuncs.com"),
    "sts": _Service("Sts", "2015-04-01", f"sts.{REGION}.aliyuncs.com", "NoPermission"),
    "vpc": _Service("Vpc", "2016-04-28", f"vpc.{REGION}.aliyuncs.com"),
}
_RESOURCES = {
    "ecs:StartInstance": ("ACS::ECS::Instance", "InstanceId", "i-bp1"),
    "ecs:StopInstance": ("ACS::ECS::Instance", "InstanceId", "i-bp1"),
    "ecs:AuthorizeSecurityGroup": ("ACS::ECS::SecurityGroup", "SecurityGroupId", "sg-bp1"),
    "oss:GetBucketAcl": ("ACS::OSS::Bucket", "BucketName", "example-"),
    "rds:DescribeDBInstanceAttribute": ("ACS::RDS::DBInstance", "DBInstanceId", "rm-bp1"),
    "cs:DescribeClusterDetail": ("ACS::ACK::Cluster", "ClusterId", "c"),
}
"""Calls that name a resource -> its type, the parameter that names it, how its id begins."""
_CI = Worker(
    "ci-deploy",
    "198.51.100.24",
    "AlibabaCloud (linux; amd64) Golang/1.24.9 Core/0.01 TeaDSL/1",
    1.8,
    (1, 11),
    {"sts:GetCallerIdentity": 1, "cs:DescribeClustersV1": 2, "cs:DescribeClusterDetail": 3, "ecs:DescribeInstances": 2},
)
_WORKERS = (
    _CI,
    Worker(
        "ops-2",
        "192.0.2.202",
        _CONSOLE,
        2,
        (1, 10),
        {"ecs:DescribeInstances": 6, "ecs:DescribeSecurityGroups": 3, "vpc:DescribeVpcs": 2, "ecs:StartInstance": 1, "ecs:StopInstance": 1, "ecs:AuthorizeSecurityGroup": 1, "ram:ListUsers": 1},
    ),
    Worker(
        "inventory/nightly",
        "198.51.100.210",
        "AlibabaCloud (Linux; x86_64) Python/3.13.9 Core/0.4.6 TeaDSL/1",
        2,
        (16, 22),
        {"ecs:DescribeInstances": 4, "vpc:DescribeVpcs": 2, "oss:ListBuckets": 2, "oss:GetBucketAcl": 4, "rds:DescribeDBInstances": 2, "rds:DescribeDBInstanceAttribute": 3},
        denied=0.02,
        is_role=True,
    ),
)  # fmt: skip
_NIGHT = (
    # time, call, denied
    ("03:11:26", "sts:GetCallerIdentity", False),
    ("03:11:58", "ram:ListUsers", True),
    ("03:12:40", "ecs:DescribeInstances", False),
    ("03:13:15", "oss:ListBuckets", True),
    ("03:14:07", "actiontrail:DescribeTrails", True),
    ("03:15:33", "ram:CreateAccessKey", True),
)


def ordinary_traffic(count: int) -> Iterator[Json]:
    """Every event of so many ordinary days."""
    return map(_event, ordinary_calls("alibaba", _WORKERS, count))


def incident() -> tuple[Json, ...]:
    """The same address with the CI user's key of this account, which leaked from the same place."""
    rng = Random("alibaba/incident")
    intruder = Worker(_CI.name, INTRUDER_ADDRESS, "Aliyun-CLI/3.1.4", 0, (0, 0), {})
    return tuple(_event(OrdinaryCall(rng, intruder, name, clock(when), denied)) for when, name, denied in _NIGHT)


def _event(call: OrdinaryCall) -> Json:
    """One event: the same object in a trail's files and in LookupEvents' answers."""
    prefix, _, name = call.name.partition(":")
    service, identifier = _SERVICES[prefix], random_uuid(call.rng).upper()
    parameters, resources = {"RegionId": REGION}, {}
    if call.name in _RESOURCES:
        kind, parameter, beginning = _RESOURCES[call.name]
        parameters[parameter] = beginning + hexadecimal(Random(f"{HZ}/{kind}/{call.rng.randrange(4)}"), 16)
        resources = {"referencedResources": {kind: [parameters[parameter]]}}
    refusal = {"errorCode": service.denied, "errorMessage": f"You are not authorized to do this action. Action: {call.name}"}  # fmt: skip
    return {
        "acsRegion": REGION,
        "apiVersion": service.version,
        "eventCategory": "Management",
        "eventId": identifier,
        "eventName": name,
        "eventRW": "Read" if name.startswith(("Describe", "Get", "List")) else "Write",
        "eventSource": service.host,
        "eventTime": iso(call.when),
        "eventType": "ApiCall",
        "eventVersion": "1",
        "recipientAccountId": HZ,
        "requestId": identifier,
        "requestParameterJson": orjson.dumps(parameters).decode(),
        "requestParameters": parameters,
        "serviceName": service.name,
        "sourceIpAddress": call.worker.address,
        "userAgent": call.worker.agent,
        "userIdentity": _identity(call),
        **(refusal if call.is_denied else {}),
        **resources,
    }


def _identity(call: OrdinaryCall) -> Json:
    worker = call.worker
    number = f"{3 if worker.is_role else 2}{Random(f'alibaba/{worker.name}').randrange(10**6):017}"
    is_person = worker.agent == _CONSOLE
    attributes = {"mfaAuthenticated": "true" if is_person else "false"}
    if is_person or worker.is_role:
        attributes["creationDate"] = iso(call.when.replace(minute=0, second=0))
    return {
        "type": "assumed-role" if worker.is_role else "ram-user",
        "accountId": HZ,
        "principalId": f"{number}:{worker.name.partition('/')[2]}" if worker.is_role else number,
        "userName": worker.name.replace("/", ":"),
        **({} if is_person else {"accessKeyId": _access_key(call)}),
        "sessionContext": {"attributes": attributes},
    }


def _access_key(call: OrdinaryCall) -> str:
    """A user's is the same every day, a role's sessions get another one each day."""
    if call.worker.is_role:
        rng = Random(f"alibaba/{call.worker.name}/{call.when:%Y-%m-%d}")
        return "STS." + "".join(rng.choices(_LETTERS, k=25))
    return "LTAI5t" + "".join(Random(f"alibaba/{call.worker.name}/key").choices(_LETTERS, k=18))
