"""The least policy of a principal's events: which actions and resources, what is left out, and how it stays within IAM's size."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import preloaded
from crosstrail.detections.iam_actions import NO_PERMISSION, PREFIXES, actions_of
from crosstrail.detections.iam_policy import MAX_POLICY, _documents, size
from crosstrail.detections.iam_resources import CallPlace, resources_of
from lake_workspace import NOON, PROD, collect, record, write_logs

PLACE = CallPlace(PROD, "eu-west-1", "aws")
KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.parametrize(
    ("source", "name", "actions"),
    [
        ("iam", "CreateUser", "iam:CreateUser"),
        ("monitoring", "PutMetricAlarm", "cloudwatch:PutMetricAlarm"),
        ("email", "SendEmail", "ses:SendEmail"),
        ("s3", "ListBuckets", "s3:ListAllMyBuckets"),
        ("s3", "HeadObject", "s3:GetObject"),
        ("s3", "CopyObject", "s3:PutObject s3:GetObject"),
        ("s3", "DeleteBucketEncryption", "s3:PutEncryptionConfiguration"),
        ("lambda", "GetFunction20150331v2", "lambda:GetFunction"),
        ("lambda", "Invoke", "lambda:InvokeFunction"),
        ("cloudfront", "CreateDistribution2020_05_31", "cloudfront:CreateDistribution"),
        ("apigateway", "GetRestApis", "apigateway:GET"),
        ("apigateway", "UpdateStage", "apigateway:PATCH"),
        ("kms", "ReEncrypt", "kms:ReEncryptFrom kms:ReEncryptTo"),
        ("bedrock", "ConverseStream", "bedrock:InvokeModelWithResponseStream"),
        ("sts", "GetCallerIdentity", ""),
        ("signin", "ConsoleLogin", ""),
        ("iam", 'Create"User', ""),
        ("evil\n.x", "CreateUser", ""),
    ],
)
def test_an_event_stands_for_these_actions(source: str, name: str, actions: str) -> None:
    assert " ".join(actions_of(f"{source}.amazonaws.com", name)) == actions


@pytest.mark.parametrize(
    ("action", "named", "parameters", "resources"),
    [
        ("s3:GetObject", ["arn:aws:s3:::logs/a/b.gz", "arn:aws:s3:::logs"], {}, ["arn:aws:s3:::logs/a/*"]),
        ("s3:ListBucket", ["arn:aws:s3:::logs/a/b.gz", "arn:aws:s3:::logs"], {}, ["arn:aws:s3:::logs"]),
        ("s3:PutObject", [], {"bucketName": "logs"}, ["arn:aws:s3:::logs/*"]),
        ("s3:ListAllMyBuckets", [], {}, ["*"]),
        ("sts:AssumeRole", [], {"roleArn": f"arn:aws:iam::{PROD}:role/a"}, [f"arn:aws:iam::{PROD}:role/a"]),
        ("iam:AttachUserPolicy", [], {"userName": "al", "policyArn": "arn:aws:iam::aws:policy/X"},
         [f"arn:aws:iam::{PROD}:user/al", f"arn:aws:iam::{PROD}:user/*/al"]),
        ("kms:Decrypt", [], {"keyId": KEY}, [f"arn:aws:kms:eu-west-1:{PROD}:key/{KEY}"]),
        ("kms:Decrypt", [], {"keyId": "alias/main"}, ["*"]),
        ("sqs:SendMessage", [], {"queueUrl": f"https://sqs.eu-west-1.amazonaws.com/{PROD}/jobs"}, [f"arn:aws:sqs:eu-west-1:{PROD}:jobs"]),
        ("secretsmanager:GetSecretValue", [], {"secretId": "db"}, [f"arn:aws:secretsmanager:eu-west-1:{PROD}:secret:db-??????"]),
        ("dynamodb:GetItem", ["arn:aws:s3:::logs"], {"tableName": "*"}, ["*"]),
        ("kms:ListAliases", [], {"keyId": KEY}, ["*"]),
    ],
)  # fmt: skip
def test_a_resource_that_can_be_told_is_named(
    action: str, named: list[str], parameters: dict[str, str], resources: list[str]
) -> None:
    assert list(resources_of(action, tuple(named), parameters, PLACE)) == resources


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policy")

    def made(number: int, source: str, name: str, **more: Any) -> dict[str, Any]:
        identity = {
            "type": "AssumedRole",
            "arn": f"arn:aws:sts::{PROD}:assumed-role/ci/build-{number}",
            "accountId": PROD,
            "accessKeyId": f"ASIACI{number:010d}",
        }
        common = {
            "eventSource": f"{source}.amazonaws.com",
            "eventName": name,
            "userIdentity": identity,
            "requestParameters": None,
        }
        return record(PROD, number, NOON + timedelta(seconds=number), **{**common, **more})

    objects = [
        {"ARN": "arn:aws:s3:::web/site/a.html", "type": "AWS::S3::Object"},
        {"ARN": "arn:aws:s3:::web", "type": "AWS::S3::Bucket"},
    ]
    write_logs(
        folder / "logs",
        [
            made(1, "s3", "PutObject", resources=objects, managementEvent=False, eventCategory="Data"),
            made(2, "lambda", "UpdateFunctionCode20150331v2", requestParameters={"functionName": "f"}, errorCode="ResourceNotFoundException"),
            made(3, "iam", "CreateUser", errorCode="AccessDenied", requestParameters={"userName": "eve"}),
            made(4, "sts", "GetCallerIdentity"),
            made(5, "lambda", "CreateFunction20150331", readOnly=False, requestParameters={"functionName": "g", "role": f"arn:aws:iam::{PROD}:role/run"}),
            made(6, "signin", "ConsoleLogin", eventType="AwsConsoleSignIn"),
            made(7, "ec2", "Describe\x1b[31mInstances"),
            record(PROD, 8, NOON),
        ],
    )  # fmt: skip
    collect(folder / "logs", folder / "lake")
    return folder / "lake"


def asked(lake: Path, *args: str) -> Any:
    return preloaded.run("iam-policy", "--lake", lake, "--since", "2026-11-01", *args)


def test_the_policy_is_on_stdout_and_what_it_cannot_know_on_stderr(lake: Path) -> None:
    done = asked(lake, "--principal", f"arn:aws:iam::{PROD}:role/ci")
    assert done.returncode == 0, done.stderr
    policy = json.loads(done.stdout)
    assert policy["Version"] == "2012-10-17"
    allowed = {
        (action, resource) for one in policy["Statement"] for action in one["Action"] for resource in one["Resource"]
    }
    function = f"arn:aws:lambda:us-east-1:{PROD}:function"
    assert allowed == {
        ("s3:PutObject", "arn:aws:s3:::web/site/*"),
        ("lambda:UpdateFunctionCode", f"{function}:f"),
        ("lambda:CreateFunction", f"{function}:g"),
    }
    assert "Denied, and left out: iam:CreateUser (1)." in done.stderr
    assert f"iam:PassRole has to be added: arn:aws:iam::{PROD}:role/run" in done.stderr
    assert "1 of these" in done.stderr
    assert "\x1b" not in done.stderr
    assert "no events before" in done.stderr


def test_everything_said_is_in_the_json_too(lake: Path) -> None:
    done = asked(lake, "--principal", "role/ci", "--format", "json")
    found = json.loads(done.stdout)
    assert found["denied"] == {"iam:CreateUser": 1}
    assert found["events"] == 7
    assert any("PassRole" in note for note in found["notes"])
    policy = lake.parent / "policy.json"
    written = asked(lake, "--principal", "role/ci", "-o", str(policy))
    assert (written.stdout, json.loads(policy.read_text())["Version"]) == ("", "2012-10-17")
    assert f"Written to {policy}." in written.stderr
    assert asked(lake, "--principal", "role/nobody", "-o", f"{policy}.none").returncode == 1
    assert not Path(f"{policy}.none").exists()
    nothing = asked(lake, "--principal", "role/nobody")
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert "nothing can be said" in nothing.stderr
    refused = asked(lake, "--principal", "arn:aws:s3:::web")
    assert refused.returncode == 1
    assert "a policy is of a user" in refused.stderr


def test_a_policy_never_grows_beyond_what_iam_takes() -> None:
    tables = {f"arn:aws:dynamodb:us-east-1:{PROD}:table/table-{number}" for number in range(500)}
    documents, merged = _documents({"dynamodb:GetItem": tables, "dynamodb:ListTables": {"*"}})
    assert len(documents) == 1
    assert "pattern" in merged
    assert f"arn:aws:dynamodb:us-east-1:{PROD}:table/*" in json.dumps(documents)
    many = {
        f"service{number}:DoSomethingOfALongName{number}": {f"arn:aws:service{number}:::thing/x"}
        for number in range(400)
    }
    documents, _ = _documents(many)
    assert len(documents) > 1
    assert all(size(one) <= MAX_POLICY for one in documents)
    listed = {action for one in documents for statement in one["Statement"] for action in statement["Action"]}  # type: ignore[attr-defined]
    assert listed == set(many)


def test_the_tables_have_the_form_of_iam() -> None:
    assert all(re.fullmatch(r"[a-z0-9-]+", prefix) for prefix in PREFIXES.values())
    assert all(re.fullmatch(r"[a-z0-9-]+:[A-Za-z]+", action) for action in NO_PERMISSION)
