"""What `crosstrail deploy aws` is told, before it does anything: refused in words, or printed as commands."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from conftest import CommandLine
from fakes.agentcore import ACCOUNT, REGION, wrong_request
from fakes.aws import FakeAws, Key
from live_aws import BASE
from running_server import started

ROOT = Path(__file__).parents[1]
ROLE = f"arn:aws:iam::{ACCOUNT}:role/crosstrail"
HERE = (
    "deploy",
    "aws",
    "--account",
    ACCOUNT,
    "--region",
    REGION,
    "--role-arn",
    ROLE,
    "--source",
    str(ROOT),
    "--dry-run",
)
JWT = ("--jwt-discovery-url", "https://idp.example.com/.well-known/openid-configuration", "--jwt-audience", "trails")
VPC = ("--subnet", "subnet-0123456789abcdef0", "--security-group", "sg-01234567")
REQUESTS = {
    "create-repository": "CreateRepository",
    "create-agent-runtime": "CreateAgentRuntime",
    "update-agent-runtime": "UpdateAgentRuntime",
}


def test_a_dry_run_prints_every_command_and_asks_nobody(
    crosstrail: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could be asked here: there is neither Docker nor an identity."""
    monkeypatch.setenv("PATH", "/nowhere")
    done = crosstrail(*HERE, *JWT, "--env", "ENCRYPTION_KEY=very-secret", "--profile", "the deployer")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    commands = [shlex.split(line) for line in lines if line.startswith("aws ")]
    assert ["aws", "ecr", "create-repository"] in [one[:3] for one in commands]
    assert {one[1] for one in commands} == {"sts", "ecr", "bedrock-agentcore-control"}
    asked = {one[2] for one in commands if one[1] == "bedrock-agentcore-control"}
    verbs = {f"{verb}-agent-runtime" for verb in ("create", "update", "delete", "get")}
    assert asked == verbs | {"list-agent-runtimes", "get-agent-runtime-endpoint"}
    assert all(line.count("--profile 'the deployer'") == 1 for line in lines if line.startswith("aws "))
    assert lines[0] == "docker buildx version"
    assert any(line.startswith("docker buildx build --platform linux/arm64") for line in lines)
    assert "very-secret" not in done.stdout


@pytest.mark.parametrize("arguments", [(), JWT, (*JWT, *VPC), ("--wrap", "a-server[x]>=1.2, <2", "--name", "A__b_")])
def test_the_requests_of_a_dry_run_are_ones_that_aws_takes(crosstrail: CommandLine, arguments: tuple[str, ...]) -> None:
    """By botocore's service models."""
    done = crosstrail(*HERE, *arguments)
    assert done.returncode == 0, done.stderr
    words = [shlex.split(line) for line in done.stdout.splitlines() if "--cli-input-json" in line]
    assert [one[2] for one in words] == list(REQUESTS)
    for one in words:
        request = json.loads(one[one.index("--cli-input-json") + 1])
        assert wrong_request(one[1], REQUESTS[one[2]], request) == ""


def test_a_secret_comes_from_the_environment_and_is_in_no_argument_list(
    crosstrail: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", "very-secret")
    done = crosstrail(*HERE, "--env", "ENCRYPTION_KEY")
    assert done.returncode == 0, done.stderr
    assert '"ENCRYPTION_KEY": "..."' in done.stdout
    assert "very-secret" not in done.stdout
    absent = crosstrail(*HERE, "--env", "NOT_HERE")
    assert (absent.returncode, "there is no such variable here" in absent.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--name", "no-dashes"), "is not an AgentCore runtime. A letter, then"),
        (("--account", "1"), "is not an AWS account. Twelve digits."),
        (("--account", "222222222222"), "is not of account 222222222222"),
        (("--region", "us east"), "is not an AWS region. Such as us-east-1."),
        (("--region", "us-east-1; ls"), "is not an AWS region"),
        (("--role-arn", "crosstrail"), "is not a role's ARN. Such as arn:aws:iam::"),
        (("--repository", "a--b"), "is not an ECR repository. Small letters and digits, with one"),
        (("--repository", "Big"), "is not an ECR repository"),
        (("--repository", "a" * 257), "is too long"),
        (("--jwt-audience", "x"), "go with --jwt-discovery-url"),
        (JWT[:2], "made for anybody would be let in"),
        (("--jwt-discovery-url", "http://idp.example.com", "--jwt-client", "x"), "is not an OpenID discovery address"),
        (("--subnet", "subnet-01234567"), "a VPC needs subnets and security groups"),
        (("--subnet", "a", *VPC), "is not a subnet"),
        (("--security-group", "a", *VPC), "is not a security group"),
        (("--env", "X"), "write NAME=VALUE"),
        (("--env", "=1"), "write NAME=VALUE"),
        (("--env", "A-B=1"), "is not an environment variable"),
        (("--env", f"A={'x' * 5001}"), "the value of A is too long"),
        (tuple(f"--env=A{number}=1" for number in range(51)), "there are too many variables"),
        (("--wrap", "$(touch /tmp/x)"), "is not a package. Its name in the registry"),
        (("--wrap", "-r/etc/passwd"), "is not a package"),
        (("--wrap", "a\n--index-url=x"), "is not a package"),
        (("--wrap", "a", "--wrap-command", "../../bin/sh"), "is not a program"),
        (("--wrap-command", "a"), "--wrap-command goes with --wrap"),
        (("--base-image", "--privileged"), "is not an image"),
    ],
)
def test_a_plan_that_cannot_work_is_refused(crosstrail: CommandLine, arguments: tuple[str, ...], words: str) -> None:
    done = crosstrail(*HERE, *arguments)
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert words in done.stderr


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "café", ""])
def test_a_token_that_is_none_is_refused_before_anything_is_made_and_not_repeated(
    crosstrail: CommandLine, token: str
) -> None:
    done = crosstrail(*HERE[:-1], "--bearer", token or "-", stdin="")
    assert done.returncode == 2
    assert "a token is printable ASCII" in done.stderr
    assert not token or token not in done.stderr


@pytest.mark.parametrize("wrapped", [False, True])
def test_with_the_variables_of_a_deployment_a_server_answers_for_the_account_it_runs_in(
    fake_aws: FakeAws,
    base: Key,
    crosstrail: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    wrapped: bool,
) -> None:
    """AgentCore names its role in no variable, as a machine's credentials file is in none."""
    printed = crosstrail(*HERE).stdout
    made = next(line for line in printed.splitlines() if "create-agent-runtime" in line)
    words = shlex.split(made)
    variables = json.loads(words[words.index("--cli-input-json") + 1])["environmentVariables"]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    keys = tmp_path / "credentials"
    keys.write_text(f"[default]\naws_access_key_id = {base.id}\naws_secret_access_key = {base.secret}\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(keys))
    foreign = ("--", sys.executable, "-S", str(ROOT / "tests" / "wrapped" / "plain.py")) if wrapped else ()
    command = (
        sys.executable,
        "-m",
        "crosstrail",
        "wrap" if wrapped else "serve",
        "--transport",
        "http",
        "--host",
        "0.0.0.0",
    )
    of_the_image = {"CROSSTRAIL_BEHIND_PROXY": "true", "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    with started((*command, "--port", "0", *foreign), {**variables, **of_the_image}) as server:
        url = f"{server.url.replace('0.0.0.0', '127.0.0.1')}/mcp"
        accounts = () if wrapped else ("--accounts", BASE)
        done = crosstrail("check", "--json", *accounts, url)
    found = {one["check"]: one["state"] for one in json.loads(done.stdout)["checks"]}
    assert found["accounts reachable"] == ("-" if wrapped else "pass"), done.stdout
    assert found["many accounts (target_account_id)"] == "pass"
    assert found["/ping"] == "pass"
