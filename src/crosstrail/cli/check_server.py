"""`crosstrail check`: whether an MCP server works as a deployment for many accounts must; ours and anybody's."""

from __future__ import annotations

import re
import shutil
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from crosstrail.cli.cells import wrapped
from crosstrail.cli.command import Command
from crosstrail.cli.output import Cell, CommandOutput, Meaning, RowColumn, RowType, with_output
from crosstrail.cli.shared_options import bearer_option
from crosstrail.cli.statuses import verdict
from crosstrail.cli.translation import translated
from crosstrail.text import clean, visible

if TYPE_CHECKING:
    from crosstrail.conformance.findings import Report

_DETAIL = 200


def _meaning(value: Cell) -> Meaning | None:
    return Meaning.FAILED if value == "fail" else None


CHECKS = RowType(
    "check",
    (
        RowColumn("check", about="What was checked."),
        RowColumn("result", whole=True, meaning=_meaning, about="pass, fail, or - where there was nothing to check."),
        RowColumn("detail", about="What was found."),
        RowColumn("fix", wide=True, about="What to do about a failure."),
        RowColumn("whose", wide=True, about="Whose it is to mend: the server's, or its package's."),
    ),
)


@click.command(cls=Command)
@click.argument("target", nargs=-1, type=click.UNPROCESSED, metavar="URL | -- COMMAND...")
@bearer_option()
@click.option(
    "--accounts", metavar="NAMES", default="", help="Accounts to reach: ids, aliases, globs, comma-separated."
)
@click.option("--expect", metavar="TOOLS", default="", help="Tools it must have, comma-separated (else crosstrail's).")
@click.option(
    "--parameter", default="target_account_id", show_default=True, help="The parameter that names the account."
)
@click.option(
    "--within", type=click.FloatRange(0.1, 600), default=30.0, show_default=True, help="Seconds to answer in."
)
@click.option(
    "--ping", "only_ping", is_flag=True, help="Ask only /ping, of the server that the settings here describe."
)
@click.option("--call", metavar="TOOL=JSON", default="", help="Try with this call, whatever the tool says of itself.")
@with_output(CHECKS, json_flag="json")
def check(
    target: tuple[str, ...],
    bearer: str,
    accounts: str,
    expect: str,
    parameter: str,
    within: float,
    only_ping: bool,
    call: str,
    output: CommandOutput,
) -> int:
    """Check an MCP server over HTTP, or one that COMMAND starts.

    crosstrail check https://trails.example.com/mcp --bearer - --accounts prod,dev

    crosstrail check -- crosstrail serve

    Tries both generations of the protocol, its tools, sessions, health and sign-in, and calls no tool unless accounts are
    named, or a call. What the authors of a foreign server's package wrote is told apart from what serves it. Exit status 1: some check failed.
    """
    import anyio

    from crosstrail.settings.environment import environment

    if only_ping:
        if target:
            raise click.UsageError("--ping asks the server of the settings here: leave the address out")
        return _ping(output)
    if not target:
        raise click.UsageError("name an address, or a command after --")
    from crosstrail.conformance.check_run import Demands, Subject, check_server

    if target[0].lower().startswith(("http://", "https://")):
        if len(target) > 1:
            raise click.UsageError(f"one address at a time: what is {target[1]}?")
        subject = Subject(url=_address(target[0]), bearer=read_token(bearer))
    elif bearer:
        raise click.UsageError("--bearer goes with an address; over stdio nobody signs in")
    else:
        subject = Subject(command=target, environment=environment())
    demands = Demands(_names(expect), parameter, _names(accounts), within, _call(call) if call else None)
    report = anyio.run(check_server, subject, demands)
    if output.older:
        output.json_document(report.as_json())
    else:
        print_report(report, output)
    return verdict(passed=report.passed)


def _address(given: str) -> str:
    try:
        split = urlsplit(given)
        complete = bool(split.hostname) and split.port != 0
    except ValueError:  # a port that is none, half an IPv6 address
        complete = False
    if not complete:
        raise click.UsageError("the address is none: write it like https://trails.example.com/mcp")
    return given


def read_token(bearer: str) -> str:
    """The token of an option --bearer: what follows it, or the first line of stdin. Raises click.UsageError."""
    token = sys.stdin.readline().strip() if bearer == "-" else bearer
    if bearer and not re.fullmatch(r"[!-~]+", token):
        raise click.UsageError("--bearer: a token is printable ASCII without spaces, on one line; this one is not")
    return token


def print_report(report: Report, output: CommandOutput) -> None:
    """The table on stdout; on stderr each failure whole, what to do about it, and what that makes of which server."""
    with output.rows(CHECKS) as rows:
        rows.write_all(
            [one.check, one.state, one.detail, one.fix, "package" if one.by_authors else "server"]
            for one in report.findings
        )
    failed = [one for one in report.findings if one.state == "fail"]
    if sys.stdout.isatty():
        click.echo(err=True)
    for one in failed:
        whose = " (the package's own)" if one.by_authors else ""
        _say(f"{clean(one.check)}{whose}: {clean(one.detail, _DETAIL)}")
        if one.fix:
            _say(one.fix, indent="  ")
    judged = sum(one.state != "-" for one in report.findings)
    verdict = f"{len(failed)} of {judged} checks failed" if failed else f"all {judged} checks passed"
    if theirs := sum(one.by_authors for one in failed):
        verdict += f", {theirs} of them in what its authors wrote: no deployment or wrapping changes that"
    _say(f"{clean(report.server or report.target, _DETAIL)}: {verdict}")


def _say(text: str, indent: str = "") -> None:
    """A line on stderr, broken between words where that is a terminal."""
    width = shutil.get_terminal_size().columns if sys.stderr.isatty() else sys.maxsize
    for line in wrapped(translated(visible(text)), width, first=indent, rest="  "):
        click.echo(line, err=True)


def _ping(output: CommandOutput) -> int:
    from crosstrail.conformance.ping import ping
    from crosstrail.settings.config import load_settings

    found = ping(load_settings().serve)
    passed = found.state == "pass"
    if output.older:
        output.json_line({"passed": passed, "detail": found.detail})
    elif output.form == "table":
        output.line(found.detail)
    else:
        with output.rows(CHECKS) as rows:
            rows.write(["ping", found.state, found.detail, found.fix, "server"])
    return verdict(passed=passed)


def _call(given: str) -> tuple[str, dict[str, object]]:
    """A tool and its arguments. Raises click.UsageError."""

    import orjson

    name, _, text = given.partition("=")
    try:
        arguments = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        arguments = None
    if not name.strip() or not isinstance(arguments, dict):
        raise click.UsageError("""--call is a tool and a JSON object: --call 'get_cost={"days": 1}'""")
    return name.strip(), arguments


def _names(given: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in given.split(",") if name.strip())
