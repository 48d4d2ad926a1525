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


def list_users(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> dict[str, Any]:
    name = f"user-of-{account.id}"
    user = {
        "Path": "/",
        "UserName": name,
        "UserId": "AIDAEXAMPLE",
        "Arn": f"arn:aws:iam::{account.id}:user/{name}",
        "CreateDate": "2024-01-01T00:00:00Z",
    }
    return {"Users": [user], "IsTruncated": "false"}


def list_topics(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"Topics": [{"TopicArn": f"arn:aws:sns:{region}:{account.id}:alarms"}]}


def list_queues(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"QueueUrls": [f"https://sqs.{region}.amazonaws.com/{account.id}/jobs"]}


def _state_machine(account: FakeAccount, region: str) -> dict[str, Any]:
    name = f"nightly-{account.id}"
    arn = f"arn:aws:states:{region}:{account.id}:stateMachine:{name}"
    return {"stateMachineArn": arn, "name": name, "type": "STANDARD", "creationDate": 1_700_000_000.0}


def list_state_machines(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"stateMachines": [_state_machine(account, region)]}


def describe_state_machine(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> dict[str, Any]:
    return {
        **_state_machine(account, region),
        "definition": "{}",
        "roleArn": f"arn:aws:iam::{account.id}:role/x",
        "status": "ACTIVE",
    }


def start_execution(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"executionArn": f"arn:aws:states:{region}:{account.id}:execution:one", "startDate": 1_700_000_000.0}


def describe_execution(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> dict[str, Any]:
    times = {"startDate": 1_700_000_000.0, "stopDate": 1_700_000_001.0}
    machine = _state_machine(account, region)["stateMachineArn"]
    output = f'{{"ran in": "{account.id}"}}'
    arn = params["executionArn"]
    return {**times, "executionArn": arn, "stateMachineArn": machine, "status": "SUCCEEDED", "output": output}


def list_functions(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> dict[str, Any]:
    name = f"report-{account.id}"
    arn = f"arn:aws:lambda:{region}:{account.id}:function:{name}"
    return {"Functions": [{"FunctionName": name, "FunctionArn": arn, "Description": "Reports."}]}


def invoke(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"ran in": account.id}


def list_brokers(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> dict[str, Any]:
    broker = {"brokerId": f"b-{account.id}", "brokerName": f"broker-of-{account.id}", "brokerState": "RUNNING"}
    return {"brokerSummaries": [{**broker, "deploymentMode": "SINGLE_INSTANCE", "engineType": "RABBITMQ"}]}


def list_objects(world: World, account: FakeAccount, region: str, params: dict[str, Any]) -> bytes:
    name = f"logs/of-{account.id}.json"
    about = "<LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>&quot;1&quot;</ETag><Size>7</Size>"
    listed = f"<Contents><Key>{name}</Key>{about}<StorageClass>STANDARD</StorageClass></Contents>"
    return (
        f"<ListBucketResult><KeyCount>1</KeyCount><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>".encode()
    )


COST_HANDLERS = {"GetDimensionValues": get_dimension_values}
CLOUDWATCH_HANDLERS = {"DescribeAlarms": describe_alarms}
LOGS_HANDLERS = {"DescribeLogGroups": describe_log_groups}
IAM_HANDLERS = {"ListUsers": list_users}
SNS_HANDLERS = {"ListTopics": list_topics}
SQS_HANDLERS = {"ListQueues": list_queues}
STATES_HANDLERS = {
    "ListStateMachines": list_state_machines,
    "DescribeStateMachine": describe_state_machine,
    "StartExecution": start_execution,
    "DescribeExecution": describe_execution,
}
REST_HANDLERS: dict[str, dict[str, Any]] = {
    "lambda": {
        "GET /2015-03-31/functions/?": list_functions,
        "POST /2015-03-31/functions/[^/]+/invocations": invoke,
    },
    "mq": {"GET /v1/brokers/?": list_brokers},
    "s3": {"GET /[^/]+/?": list_objects},
}
"""Service -> method and pattern of a path, which stand for the action."""
