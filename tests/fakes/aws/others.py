"""One question each of services that wrapped servers ask: enough to see which account's key signed it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .world import FakeAccount, World


def get_dimension_values(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> dict[str, Any]:
    values = [{"Value": f"spent by {account.id}", "Attributes": {}}]
    return {"DimensionValues": values, "ReturnSize": 1, "TotalSize": 1}


def describe_alarms(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> dict[str, Any]:
    alarm = {
        "AlarmName": f"alarm of {account.id}",
        "AlarmArn": f"arn:aws:cloudwatch:{region}:{account.id}:alarm:one",
        "StateValue": "ALARM",
        "StateReason": "too many",
        "StateUpdatedTimestamp": 1_700_000_000.0,
        "MetricName": "Errors",
        "Namespace": "AWS/Lambda",
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 1.0,
        "EvaluationPeriods": 1,
        "Period": 60,
        "Statistic": "Sum",
        "Dimensions": [],
    }
    return {"MetricAlarms": [alarm], "CompositeAlarms": []}


def describe_log_groups(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> dict[str, Any]:
    name = f"/logs/of/{account.id}"
    arn = f"arn:aws:logs:{region}:{account.id}:log-group:{name}:*"
    return {"logGroups": [{"logGroupName": name, "arn": arn, "creationTime": 1_700_000_000_000, "storedBytes": 7}]}


COST_HANDLERS = {"GetDimensionValues": get_dimension_values}
CLOUDWATCH_HANDLERS = {"DescribeAlarms": describe_alarms}
LOGS_HANDLERS = {"DescribeLogGroups": describe_log_groups}
