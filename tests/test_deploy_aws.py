"""`crosstrail deploy aws` over the wire, against services that check every parameter, with a builder that records."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import botocore.session
import pytest

from conftest import CommandLine
from fakes.agentcore import ACCOUNT, REGION, FakeAgentCore, Runtime

ROOT = Path(__file__).parents[1]
ROLE = f"arn:aws:iam::{ACCOUNT}:role/crosstrail"
HERE = ("deploy", "aws", "--account", ACCOUNT, "--region", REGION, "--role-arn", ROLE, "--source", str(ROOT))
JWT = ("--jwt-discovery-url", "https://idp.example.com/.well-known/openid-configuration", "--jwt-audience", "trails")
DOCKER = """#!/bin/sh
printf '%s\\n' "$*" >> "$RECORDED"
[ "$1" = login ] && cat >> "$RECORDED"
[ "$1" != buildx ] || [ ! -e "$RECORDED.refuse" ]
"""


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAgentCore]:
    with FakeAgentCore() as fake:
        monkeypatch.setenv("AWS_ENDPOINT_URL", fake.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-deployer")
        yield fake


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What `docker` was called with: a program of that name that writes it down."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(DOCKER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("RECORDED", str(tmp_path / "docker.log"))
    return tmp_path / "docker.log"


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """AWS as moto plays it, in a process of its own; what is in it stays from test to test."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    variables = {**os.environ, "MOTO_ACCOUNT_ID": ACCOUNT}
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    reader = threading.Thread(target=process.stderr.read, daemon=True)  # it writes a line for each request
    try:
        assert any("Running on" in line for line in process.stderr), "moto did not start"
        reader.start()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)
        reader.join(timeout=20)
        process.stderr.close()


@pytest.fixture
def moto(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Clients of moto, empty at first: `moto("ecr").describe_repositories()`."""
    with urllib.request.urlopen(urllib.request.Request(f"{moto_url}/moto-api/reset", method="POST")):  # noqa: S310
        pass
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-deployer")
    made: list[Any] = []

    def client(service: str) -> Any:
        made.append(botocore.session.get_session().create_client(service, region_name=REGION))
        return made[-1]

    yield client
    for one in made:
        one.close()


@pytest.mark.parametrize("there", [False, True])
def test_a_deployment_to_moto_leaves_what_aws_would_hold(
    moto: Callable[[str], Any], recorded: Path, crosstrail: CommandLine, there: bool
) -> None:
    """moto's ECR, STS and AgentCore are others' reading of AWS's documentation. The repository may be `there` before."""
    ecr, agentcore = moto("ecr"), moto("bedrock-agentcore-control")
    if there:
        ecr.create_repository(repositoryName="crosstrail")
    done = crosstrail(*HERE, *JWT, "--env", "RUN=1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"ECR repository crosstrail {'is there' if there else 'created'}" in done.stdout
    [repository] = ecr.describe_repositories()["repositories"]
    if not there:
        assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
        assert repository["encryptionConfiguration"] == {"encryptionType": "AES256"}
    kept = json.loads(ecr.get_lifecycle_policy(repositoryName="crosstrail")["lifecyclePolicyText"])
    assert kept["rules"][0]["selection"]["countNumber"] == 20
    assert f"{ACCOUNT}-auth-token" in recorded.read_text()
    [listed] = agentcore.list_agent_runtimes()["agentRuntimes"]
    runtime = agentcore.get_agent_runtime(agentRuntimeId=listed["agentRuntimeId"])
    assert (runtime["status"], runtime["agentRuntimeVersion"], runtime["roleArn"]) == ("READY", "1", ROLE)
    assert runtime["protocolConfiguration"] == {"serverProtocol": "MCP"}
    assert runtime["authorizerConfiguration"]["customJWTAuthorizer"]["allowedAudience"] == ["trails"]
    image = runtime["agentRuntimeArtifact"]["containerConfiguration"]["containerUri"]
    assert image.startswith(f"{repository['repositoryUri'].partition('/')[0]}/crosstrail:v20")
    assert quote(runtime["agentRuntimeArn"], safe="") in done.stdout

    again = crosstrail(*HERE, *JWT, "--env", "RUN=2", "--wait", "1")
    assert "still UPDATING after 1 s" in again.stderr  # in moto an update never ends
    [listed] = agentcore.list_agent_runtimes()["agentRuntimes"]
    updated = agentcore.get_agent_runtime(agentRuntimeId=listed["agentRuntimeId"])
    assert (updated["agentRuntimeId"], updated["agentRuntimeVersion"]) == (runtime["agentRuntimeId"], "2")
    assert updated["environmentVariables"]["RUN"] == "2"


def succeeds(done: subprocess.CompletedProcess[str], cloud: FakeAgentCore, name: str = "crosstrail") -> Runtime:
    """The runtime a run left, which is ready and complete."""
    assert done.returncode == 0, done.stdout + done.stderr
    assert cloud.repositories[name]["imageScanningConfiguration"] == {"scanOnPush": True}
    assert cloud.repositories[name]["encryptionConfiguration"] == {"encryptionType": "AES256"}
    assert cloud.repositories[name]["lifecycle"]["rules"]
    assert cloud.runtimes[name].states == ["READY"]
    return cloud.runtimes[name]


def test_a_first_run_makes_everything_and_a_second_one_updates(
    cloud: FakeAgentCore, recorded: Path, crosstrail: CommandLine
) -> None:
    cloud.runtimes["another"] = Runtime("another-0123456789", {}, ["READY"])
    done = crosstrail(*HERE, *JWT, "--env", "CROSSTRAIL_LAKE=/data/other")
    runtime = succeeds(done, cloud)
    login, build = recorded.read_text().split("the-registry-password")
    registry = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
    assert login.split() == ["login", "--username", "AWS", "--password-stdin", registry]
    words = shlex.split(build)
    assert words[words.index("--platform") + 1] == "linux/arm64"
    image = runtime.request["agentRuntimeArtifact"]["containerConfiguration"]["containerUri"]
    assert [words[place + 1] for place, word in enumerate(words) if word == "--tag"] == [
        image, f"{registry}/crosstrail:latest",
    ]  # fmt: skip
    assert image.startswith(f"{registry}/crosstrail:v20")
    assert runtime.request["requestHeaderConfiguration"] == {"requestHeaderAllowlist": ["Authorization"]}
    assert runtime.request["authorizerConfiguration"]["customJWTAuthorizer"]["allowedAudience"] == ["trails"]
    assert runtime.request["environmentVariables"] == {
        "CROSSTRAIL_ALLOWED_HOSTS": "*", "AWS_REGION": REGION, "CROSSTRAIL_NO_AUTH": "true", "CROSSTRAIL_LAKE": "/data/other",
    }  # fmt: skip
    assert f"{cloud.url}/runtimes/arn%3Aaws%3Abedrock-agentcore%3A{REGION}" in done.stdout
    cloud.calls.clear()
    again = succeeds(crosstrail(*HERE, *JWT), cloud)
    assert (again.id, again.version) == (runtime.id, 2)
    assert "CreateRepository" not in cloud.calls
    assert "CreateAgentRuntime" not in cloud.calls


@pytest.mark.parametrize(
    "operation", ["CreateRepository", "PutLifecyclePolicy", "GetAuthorizationToken", "ListAgentRuntimes", "CreateAgentRuntime", "GetAgentRuntime"]
)  # fmt: skip
def test_what_is_denied_in_the_middle_is_named_and_a_second_run_completes_it(
    cloud: FakeAgentCore, recorded: Path, crosstrail: CommandLine, operation: str
) -> None:
    cloud.refuse[operation] = "AccessDeniedException"
    done = crosstrail(*HERE)
    assert done.returncode == 1
    assert operation.lower() in done.stderr.replace("_", "")
    assert "then run the same command again" in done.stderr
    assert "secret-of-the-deployer" not in done.stdout + done.stderr
    cloud.refuse.clear()
    succeeds(crosstrail(*HERE), cloud)


def test_a_refused_push_leaves_the_runtime_as_it_was(
    cloud: FakeAgentCore, recorded: Path, crosstrail: CommandLine
) -> None:
    refused = Path(f"{recorded}.refuse")
    refused.touch()
    done = crosstrail(*HERE)
    assert done.returncode == 1
    assert "the image was not built and pushed" in done.stderr
    assert cloud.runtimes == {}
    refused.unlink()
    succeeds(crosstrail(*HERE), cloud)


def test_a_runtime_that_never_became_ready_is_replaced_by_the_next_run(
    cloud: FakeAgentCore, recorded: Path, crosstrail: CommandLine
) -> None:
    cloud.next_states, cloud.reason = ["CREATING", "CREATE_FAILED"], "the container ended"
    done = crosstrail(*HERE)
    assert done.returncode == 1
    assert "runtime crosstrail is CREATE_FAILED: the container ended" in done.stderr
    failed = cloud.runtimes["crosstrail"].id
    cloud.next_states, cloud.reason = ["CREATING", "READY"], ""
    assert succeeds(crosstrail(*HERE), cloud).id != failed


def test_a_failed_update_keeps_the_runtime_and_the_next_run_updates_it(
    cloud: FakeAgentCore, recorded: Path, crosstrail: CommandLine
) -> None:
    kept = succeeds(crosstrail(*HERE), cloud).id
    cloud.next_states = ["UPDATING", "UPDATE_FAILED"]
    assert crosstrail(*HERE).returncode == 1
    cloud.next_states = ["UPDATING", "READY"]
    assert succeeds(crosstrail(*HERE), cloud).id == kept


def test_a_runtime_still_on_its_way_is_waited_for_and_no_longer_than_told(
    cloud: FakeAgentCore, recorded: Path, crosstrail: CommandLine
) -> None:
    cloud.next_states = ["CREATING"]
    done = crosstrail(*HERE, "--wait", "1")
    assert done.returncode == 1
    assert "still CREATING after 1 s" in done.stderr
    cloud.runtimes["crosstrail"].states = ["CREATING", "READY"]
    cloud.next_states = ["CREATING", "READY"]
    assert succeeds(crosstrail(*HERE), cloud).version == 2


def test_credentials_of_another_account_are_refused_before_anything_is_made(
    cloud: FakeAgentCore, recorded: Path, crosstrail: CommandLine
) -> None:
    done = crosstrail(*HERE, "--account", "222222222222")
    assert done.returncode == 1
    assert f"are of account {ACCOUNT}, and --account is 222222222222" in done.stderr
    assert cloud.calls == []


def test_a_foreign_server_is_built_beside_crosstrail(
    cloud: FakeAgentCore, recorded: Path, crosstrail: CommandLine
) -> None:
    succeeds(crosstrail(*HERE, "--wrap", "a-server==1.2", "--name", "bills", "--repository", "bills"), cloud, "bills")
    build = recorded.read_text()
    assert "--target wrap" in build
    assert "WRAP=a-server==1.2" in build


def test_a_dry_run_prints_every_command_and_asks_nobody(
    cloud: FakeAgentCore, recorded: Path, crosstrail: CommandLine
) -> None:
    done = crosstrail(*HERE, *JWT, "--env", "ENCRYPTION_KEY=very-secret", "--dry-run")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    commands = [shlex.split(line)[:3] for line in lines if line.startswith("aws ")]
    assert ["aws", "ecr", "create-repository"] in commands
    assert ["aws", "bedrock-agentcore-control", "update-agent-runtime"] in commands
    assert any(line.startswith("docker buildx build --platform linux/arm64") for line in lines)
    assert "very-secret" not in done.stdout
    assert cloud.calls == []
    assert not recorded.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--name", "no-dashes"), "no name of an AWS runtime"),
        (("--jwt-audience", "x"), "go with --jwt-discovery-url"),
        (JWT[:2], "made for anybody would be let in"),
        (("--subnet", "subnet-1"), "a VPC needs subnets and security groups"),
        (("--env", "X"), "write NAME=VALUE"),
    ],
)
def test_a_plan_that_cannot_work_is_refused(crosstrail: CommandLine, arguments: tuple[str, ...], words: str) -> None:
    done = crosstrail(*HERE, *arguments, "--dry-run")
    assert done.returncode in (1, 2)
    assert words in done.stderr
