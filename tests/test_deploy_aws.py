"""`crosstrail deploy aws` over the wire, against services that check every parameter, with a builder that records."""

from __future__ import annotations

import json
import os
import platform
import shlex
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
from guide import blocks
from ports import free_port
from running_server import serving, write_config

ROOT = Path(__file__).parents[1]
ROLE = f"arn:aws:iam::{ACCOUNT}:role/crosstrail"
HERE = ("deploy", "aws", "--account", ACCOUNT, "--region", REGION, "--role-arn", ROLE, "--source", str(ROOT))
JWT = ("--jwt-discovery-url", "https://idp.example.com/.well-known/openid-configuration", "--jwt-audience", "trails")
DOCKER = """#!/bin/sh
printf '%s\\n' "$*" >> "$RECORDED"
[ "$1" = login ] && cat >> "$RECORDED"
[ "$1" = buildx ] && [ "$2" = build ] && cat >> "$RECORDED"
[ ! -e "$RECORDED.refuse-$2" ]
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
    port = free_port()
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
        process.wait(timeout=60)
        reader.join(timeout=60)
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
    assert login.split() == ["buildx", "version", "login", "--username", "AWS", "--password-stdin", registry]
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
        "CROSSTRAIL_ALLOWED_HOSTS": "*", "AWS_REGION": REGION, "CROSSTRAIL_NO_AUTH": "true", "CROSSTRAIL_AMBIENT": "true",
        "CROSSTRAIL_LAKE": "/data/other",
    }  # fmt: skip
    assert f"{cloud.url}/runtimes/arn%3Aaws%3Abedrock-agentcore%3A{REGION}" in done.stdout
    cloud.calls.clear()
    again = succeeds(crosstrail(*HERE, *JWT), cloud)
    assert (again.id, again.version) == (runtime.id, 2)
    assert "CreateRepository" not in cloud.calls
    assert "CreateAgentRuntime" not in cloud.calls


@pytest.mark.parametrize(
    "operation",
    ["DescribeRepositories", "CreateRepository", "PutLifecyclePolicy", "GetAuthorizationToken", "ListAgentRuntimes", "CreateAgentRuntime",
     "GetAgentRuntime", "GetAgentRuntimeEndpoint"],
)  # fmt: skip
def test_what_is_denied_in_the_middle_is_named_and_a_second_run_completes_it(
    cloud: FakeAgentCore, recorded: Path, crosstrail: CommandLine, operation: str
) -> None:
    cloud.refuse[operation] = "AccessDeniedException"
    done = crosstrail(*HERE)
    assert done.returncode == 1
    prefix = "bedrock-agentcore" if "Runtime" in operation else "ecr"
    assert f"Allow {prefix}:{operation} to the deployer" in done.stderr
    assert "then run the same command again" in done.stderr
    assert "secret-of-the-deployer" not in done.stdout + done.stderr
    cloud.refuse.clear()
    succeeds(crosstrail(*HERE), cloud)


def test_a_refused_sign_in_to_the_registry_leaves_what_a_second_run_completes(
    cloud: FakeAgentCore, recorded: Path, crosstrail: CommandLine
) -> None:
    refused = Path(f"{recorded}.refuse---username")
    refused.touch()
    done = crosstrail(*HERE)
    assert "docker could not sign in to ECR (exit status 1)" in done.stderr
    assert "buildx build" not in recorded.read_text()
    refused.unlink()
    succeeds(crosstrail(*HERE), cloud)


def test_a_refused_push_leaves_the_runtime_as_it_was(
    cloud: FakeAgentCore, recorded: Path, crosstrail: CommandLine
) -> None:
    refused = Path(f"{recorded}.refuse-build")
    refused.touch()
    done = crosstrail(*HERE)
    assert done.returncode == 1
    assert "the image was not built and pushed" in done.stderr
    assert ("--install arm64" in done.stderr) == (platform.machine() not in ("aarch64", "arm64"))
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


def test_the_version_before_is_not_taken_for_the_new_one(
    cloud: FakeAgentCore, recorded: Path, crosstrail: CommandLine
) -> None:
    """AgentCore moves the endpoint a while after the runtime is ready."""
    cloud.endpoint = ["READY", "UPDATING", "READY"]
    runtime = succeeds(crosstrail(*HERE), cloud)
    assert (runtime.live, cloud.calls.count("GetAgentRuntimeEndpoint")) == (1, 3)
    cloud.endpoint = ["READY", "UPDATE_FAILED"]
    cloud.reason = "no room"
    done = crosstrail(*HERE)
    assert done.returncode == 1
    assert "endpoint DEFAULT of runtime crosstrail is UPDATE_FAILED: no room" in done.stderr
    cloud.endpoint = ["UPDATING"]
    done = crosstrail(*HERE, "--wait", "1")
    assert "endpoint DEFAULT of runtime crosstrail is not yet at version 3, but UPDATING after 1 s" in done.stderr
    cloud.endpoint = ["READY"]
    assert succeeds(crosstrail(*HERE), cloud).live == 4


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
    done = crosstrail(*HERE, "--account", "222222222222", "--role-arn", ROLE.replace(ACCOUNT, "222222222222"))
    assert done.returncode == 1
    assert f"are of account {ACCOUNT}, and --account is 222222222222" in done.stderr
    assert cloud.calls == []


def test_a_foreign_server_is_built_beside_crosstrail_and_does_not_take_its_place(
    cloud: FakeAgentCore, recorded: Path, crosstrail: CommandLine
) -> None:
    own = succeeds(crosstrail(*HERE), cloud)
    done = crosstrail(*HERE, "--wrap", "some.bills-server[aws]==1.2")
    assert done.returncode == 0, done.stderr
    assert set(cloud.runtimes) == {"crosstrail", "some_bills_server"}
    assert set(cloud.repositories) == {"crosstrail", "some-bills-server"}
    assert cloud.runtimes["crosstrail"] is own
    assert own.version == 1
    build = recorded.read_text()
    assert "--target wrap" in build
    assert "WRAP=some.bills-server[aws]==1.2" in build
    succeeds(crosstrail(*HERE, "--wrap", "some.bills-server", "--name", "bills"), cloud, "bills")


@pytest.mark.parametrize("held", [{"images": ["theirs"]}, {"lifecycle": {"rules": ["theirs"]}}])
def test_what_others_keep_in_a_repository_is_not_put_under_our_rules(
    cloud: FakeAgentCore, recorded: Path, crosstrail: CommandLine, held: dict[str, Any]
) -> None:
    """They would delete all but the last images."""
    cloud.repositories["shared"] = dict(held)
    done = crosstrail(*HERE, "--repository", "shared")
    assert done.returncode == 0, done.stderr
    assert cloud.repositories["shared"] == held
    assert "PutLifecyclePolicy" not in cloud.calls


def test_a_denial_names_the_action_that_is_lacking(
    cloud: FakeAgentCore, recorded: Path, crosstrail: CommandLine
) -> None:
    """As for iam:PassRole, which no call of ours is called."""
    cloud.refuse["CreateAgentRuntime"] = "AccessDeniedException"
    cloud.messages["CreateAgentRuntime"] = f"User: me is not authorized to perform: iam:PassRole on resource: {ROLE}"
    done = crosstrail(*HERE)
    assert "Allow iam:PassRole to the deployer (`crosstrail help deploy` lists all)" in done.stderr
    cloud.refuse["CreateAgentRuntime"] = "ValidationException"
    cloud.messages["CreateAgentRuntime"] = "Value {KEY=very-secret} at environmentVariables is not taken"
    done = crosstrail(*HERE, "--env", "KEY=very-secret")
    assert "ValidationException Value {KEY=...} at environmentVariables is not taken. Run the same" in done.stderr


def test_a_half_deleted_runtime_is_deleted_and_made_again(
    cloud: FakeAgentCore, recorded: Path, crosstrail: CommandLine
) -> None:
    cloud.runtimes["crosstrail"] = Runtime("crosstrail-0123456789", {}, ["DELETE_FAILED"])
    assert succeeds(crosstrail(*HERE), cloud).id != "crosstrail-0123456789"


def test_who_cannot_deploy_hears_why_before_anything_is_made(
    cloud: FakeAgentCore, recorded: Path, crosstrail: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(f"{recorded}.refuse-version").touch()
    done = crosstrail(*HERE)
    assert "docker cannot build the image (exit status 1). Install Docker with buildx" in done.stderr
    Path(f"{recorded}.refuse-version").unlink()
    done = crosstrail(*HERE, "--profile", "nobody")
    assert "(ProfileNotFound). Check --profile" in done.stderr
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    done = crosstrail(*HERE)
    assert "did not answer sts:GetCallerIdentity (EndpointConnectionError). Check --region" in done.stderr
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    done = crosstrail(*HERE)
    assert "(NoCredentialsError). Sign in to AWS as the deployer, or name a --profile" in done.stderr
    monkeypatch.setenv("PATH", "/nowhere")
    done = crosstrail(*HERE)
    assert "docker does not run here (FileNotFoundError). Install Docker with buildx" in done.stderr
    assert cloud.calls == []


@pytest.mark.parametrize("wrapped", [False, True])
def test_what_was_deployed_is_checked_with_a_token_that_no_other_program_reads(
    cloud: FakeAgentCore, recorded: Path, crosstrail: CommandLine, tmp_path: Path, wrapped: bool
) -> None:
    """Through AgentCore's own address. What a wrapped server says of its tools is its authors' affair, and no failure."""
    cloud.token = "the-token-of-a-caller"
    config = write_config(tmp_path, accounts=[{"id": ACCOUNT, "alias": "prod", "default": True}])
    foreign = ("--", sys.executable, "-S", str(ROOT / "tests" / "wrapped" / "plain.py")) if wrapped else ()
    more = ("--wrap", "plain") if wrapped else ()
    with serving(config, *foreign, command="wrap" if wrapped else "serve") as server:
        cloud.serves = f"{server.url}/mcp"
        done = crosstrail(*HERE, *JWT, *more, "--bearer", "-", stdin=f"{cloud.token}\n")
        other = crosstrail(*HERE, *JWT, *more, "--bearer", "made-up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "bad token refused\tpass\tstatus 401" in done.stdout
    assert ("annotations\tfail" in done.stdout) == wrapped
    assert cloud.token not in recorded.read_text() + done.stdout + done.stderr
    assert other.returncode == 1
    assert "it answers with status 401" in other.stderr


def test_an_image_alone_is_pushed_without_a_role_or_a_runtime(
    cloud: FakeAgentCore, recorded: Path, crosstrail: CommandLine
) -> None:
    here = ("deploy", "aws", "--account", ACCOUNT, "--region", REGION, "--source", str(ROOT))
    done = crosstrail(*here, "--push-only")
    assert done.returncode == 0, done.stderr
    assert "pushed " in done.stdout
    assert "MCP clients" not in done.stdout
    assert not [name for name in cloud.calls if "Runtime" in name]
    assert "buildx build" in recorded.read_text()
    planned = crosstrail(*here, "--push-only", "--dry-run").stdout
    assert "docker buildx build" in planned
    assert "agent-runtime" not in planned
    without = crosstrail(*here)
    assert (without.returncode, "--role-arn" in without.stderr) == (2, True)
    assert crosstrail(*here, "--push-only", "--bearer", "x").returncode == 2


def test_the_policies_of_the_guide_are_ones_that_iam_takes(moto: Callable[[str], Any]) -> None:
    trust, permissions, deployer = blocks("deploy.md", "json")
    iam = moto("iam")
    iam.create_role(RoleName="crosstrail", AssumeRolePolicyDocument=trust)
    iam.put_role_policy(RoleName="crosstrail", PolicyName="run", PolicyDocument=permissions)
    iam.create_policy(PolicyName="deployer", PolicyDocument=deployer)
    assert iam.get_role(RoleName="crosstrail")["Role"]["Arn"] == ROLE


def test_the_deployers_policy_allows_all_that_is_done(
    cloud: FakeAgentCore, recorded: Path, crosstrail: CommandLine
) -> None:
    """A run that fails, one that deletes what it left, and one that finds everything."""
    statements = json.loads(blocks("deploy.md", "json")[2])["Statement"]
    actions = [one["Action"] if isinstance(one["Action"], list) else [one["Action"]] for one in statements]
    for states in (["CREATE_FAILED"], ["READY"], ["READY"]):
        cloud.next_states = states
        assert crosstrail(*HERE).returncode == (states != ["READY"])
    done = {f"{'bedrock-agentcore' if 'Runtime' in name else 'ecr'}:{name}" for name in cloud.calls}
    assert {"ecr:GetLifecyclePolicy", "bedrock-agentcore:DeleteAgentRuntime"} <= done
    assert done <= {one for some in actions for one in some}
