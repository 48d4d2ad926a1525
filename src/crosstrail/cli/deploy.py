"""`crosstrail deploy aws`: from a checkout to a server on Amazon Bedrock AgentCore, and again for each new version."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crosstrail.cli.command import Group
from crosstrail.cli.output import table_on_stdout
from crosstrail.cli.shared_options import bearer_option, dry_run_option
from crosstrail.cli.statuses import DONE, verdict
from crosstrail.cli.words import out, out_document
from crosstrail.errors import ConfigError

if TYPE_CHECKING:
    from crosstrail.deploy.plan import Plan


@click.group(cls=Group)
def deploy() -> None:
    """Run crosstrail, or a wrapped server, in a cloud."""


@deploy.command("aws")
@click.option("--account", required=True, metavar="ID", help="The AWS account to deploy into.")
@click.option("--region", required=True, help="Its region.")
@click.option("--role-arn", default="", metavar="ARN", help="The role the server runs as; needed to run it.")
@click.option("--name", "runtime", default="", help="AgentCore runtime (else crosstrail, or as the package of --wrap).")
@click.option("--repository", default="", help="ECR repository (else as the runtime).")
@click.option("--source", default=".", show_default=True, help="Folder with crosstrail's Dockerfile.")
@click.option("--jwt-discovery-url", default="", metavar="URL", help="OpenID discovery of who signs callers in.")
@click.option("--jwt-audience", multiple=True, help="Audience of tokens to let in. Repeatable.")
@click.option("--jwt-client", multiple=True, help="Client whose tokens to let in. Repeatable.")
@click.option("--subnet", multiple=True, help="Run in a VPC: its subnets. Repeatable.")
@click.option("--security-group", multiple=True, help="Its security groups. Repeatable.")
@click.option(
    "--env",
    "variables",
    metavar="NAME[=VALUE]",
    multiple=True,
    help="A variable of the server; NAME alone takes its value here, as secrets should be given. Repeatable.",
)
@click.option("--wrap", metavar="PACKAGE", default="", help="Serve this MCP server through `crosstrail wrap`.")
@click.option(
    "--wrap-command", metavar="NAME", default="", help="Its command, where that is not called as the package."
)
@click.option(
    "--libraries",
    type=click.Choice(["lake", "plain"]),
    default="lake",
    show_default=True,
    help="What the image has: with what a lake needs, or without.",
)
@click.option(
    "--telemetry",
    type=click.Choice(["plain", "aws"]),
    default="plain",
    show_default=True,
    help="Libraries of OpenTelemetry: its own, or those of AWS.",
)
@click.option("--base-image", default="", help="Base image by digest, for a build that can be repeated.")
@click.option("--profile", default="", help="AWS profile of the deployer.")
@click.option(
    "--wait", type=click.FloatRange(1, 3600), default=900.0, show_default=True, help="Seconds to become ready."
)
@bearer_option()
@click.option("--push-only", is_flag=True, help="Build the image and push it to ECR, and touch no runtime.")
@dry_run_option()
def aws(
    variables: tuple[str, ...], profile: str, wait: float, bearer: str, push_only: bool, dry_run: bool, **given: Any
) -> int:
    """Build the image, push it to ECR, create or update the AgentCore runtime, wait for it, check it.

    What is missing is created; a run that was broken off is completed by the same command.
    """
    from crosstrail.cli.check_server import read_token
    from crosstrail.deploy.steps import deploy as run_deployment
    from crosstrail.deploy.steps import dry_run as planned
    from crosstrail.deploy.steps import push_image

    if push_only and bearer:
        raise click.UsageError("--bearer checks a server, and --push-only starts none")
    if not push_only and not given["role_arn"]:
        raise click.UsageError("Missing option '--role-arn': the role the server runs as (not needed with --push-only)")
    plan = _plan(variables, **given)
    if dry_run:
        for line in planned(plan, profile, push_only=push_only):
            out_document(line)
        return DONE
    if not (Path(plan.source) / "Dockerfile").is_file():
        raise ConfigError(f"there is no Dockerfile in {plan.source}", hint="Name a checkout of crosstrail by --source.")
    if push_only:
        push_image(plan, out, profile=profile)
        return DONE
    token = read_token(bearer)  # before anything is made, and before another program can read stdin
    address = run_deployment(plan, out, profile=profile, wait=wait)
    out(f"MCP clients reach it at {address}")
    if not token:
        out("Not checked: that needs a token (--bearer); with AWS signatures alone only signing clients get in.")
        return DONE
    return _check(address, token, wrapped=bool(plan.wrap))


def _check(address: str, token: str, *, wrapped: bool) -> int:
    """What a wrapped server says of its own tools is shown, and no fault of the deployment's."""
    import anyio

    from crosstrail.cli.check_server import print_report
    from crosstrail.conformance.check_run import Demands, Subject, check_server

    report = anyio.run(check_server, Subject(url=address, bearer=token), Demands())
    print_report(report, table_on_stdout())
    failed = [one for one in report.findings if one.state == "fail" and not (wrapped and one.by_authors)]
    return verdict(passed=not failed)


def _plan(
    variables: tuple[str, ...],
    *,
    repository: str,
    runtime: str,
    jwt_discovery_url: str,
    jwt_audience: tuple[str, ...],
    jwt_client: tuple[str, ...],
    subnet: tuple[str, ...],
    security_group: tuple[str, ...],
    **same: str,
) -> Plan:
    from crosstrail.deploy.plan import JwtAuthorizer, Plan
    from crosstrail.settings.environment import environment

    here = environment(one for one in variables if "=" not in one)
    if wrong := [one for one in variables if one.startswith("=") or ("=" not in one and one not in here)]:
        raise click.UsageError(f"--env {wrong[0]}: there is no such variable here; write NAME=VALUE")
    if same["wrap_command"] and not same["wrap"]:
        raise click.UsageError("--wrap-command goes with --wrap")
    if not jwt_discovery_url and (jwt_audience or jwt_client):
        raise click.UsageError("--jwt-audience and --jwt-client go with --jwt-discovery-url")
    runtime = runtime or _runtime_of(same["wrap"])
    from crosstrail.clouds.aws.regions import dns_suffix

    return Plan(
        runtime=runtime,
        repository=repository or re.sub("_+", "-", runtime.lower()).strip("-"),
        started=datetime.now(UTC),
        sign_in=JwtAuthorizer(jwt_discovery_url, jwt_audience, jwt_client) if jwt_discovery_url else None,
        subnets=subnet,
        security_groups=security_group,
        environment=here | dict(one.split("=", 1) for one in variables if "=" in one),
        dns_suffix=dns_suffix(same["region"]),
        **same,
    )


def _runtime_of(package: str) -> str:
    """A wrapped server never takes the place of crosstrail's own runtime, or of another's, unless it is told to."""
    name = re.split(r"[^\w.-]", package, maxsplit=1)[0]
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:48] or "crosstrail"
