"""Denials of AWS: each kind of policy is told as such, with who can change it, over MCP and on the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

import preloaded
from crosstrail.clouds.aws.denials import Denial, denial_of
from fakes.aws import FakeAws
from lake_workspace import text_of
from live_aws import PROD

pytestmark = pytest.mark.anyio
ACTION = "cloudtrail:LookupEvents"
DENIED = f"User: arn:aws:sts::{PROD}:assumed-role/Audit/me is not authorized to perform: {ACTION}"
POLICY = "arn:aws:organizations::999999999999:policy/o-example/service_control_policy/p-example"
WHO = {
    "identity-based policy": "The policies of the identity that crosstrail uses for this account must allow",
    "resource-based policy": "Whoever owns what is asked must let the identity",
    "service control policy": "It is the organization's: its management account",
    "resource control policy": "It is the organization's: its management account",
    "permissions boundary": "Whoever administers IAM in the account",
    "session policy": "leave session_policy out of the account's auth",
    "VPC endpoint policy": "The request went through a VPC endpoint, whose owner",
}


def worded(kind: str) -> list[tuple[str, str]]:
    """As AWS words it, of today and with the policy's ARN, and what is made of it."""
    article = "an" if kind[0] == "i" else "a"
    explicit, implicit = f"explicit deny in {article} {kind}", f"no {kind} allows it"
    return [
        (f"{DENIED} with an explicit deny in {article} {kind}", explicit),
        (f"{DENIED} on resource: * with an explicit deny in {article} {kind}: {POLICY}", explicit),
        (f"{DENIED} because no {kind} allows the {ACTION} action", implicit),
    ]


async def test_the_kind_of_policy_and_who_changes_it_are_told(fake_aws: FakeAws) -> None:
    listed = [{"id": PROD, "alias": "prod", "region": "us-east-1", "auth": fake_aws.world.add_key(PROD).auth}]
    write(json.dumps({"accounts": listed}))
    command = StdioServerParameters(
        command=preloaded.python(), args=["-m", "crosstrail", "serve"], env=dict(os.environ)
    )
    async with Client(command) as client:
        for kind, who in WHO.items():
            for message, reason in worded(kind):
                fake_aws.world.fail("code", action="LookupEvents", text=f"AccessDeniedException: {message}")
                said = text_of(await client.call_tool("lookup_events", {}))
                assert f"prod in us-east-1 denies {ACTION}: {reason} (AccessDeniedException" in said
                usual = kind == "identity-based policy" and reason.startswith("no")
                assert (f"Allow {ACTION} to the identity that crosstrail uses" if usual else who) in said
                assert POLICY not in said
    fake_aws.world.fail("code", action="LookupEvents", text=f"AccessDeniedException: {worded('session policy')[0][0]}")
    done = preloaded.run("lookup", "--since", "1h")
    assert (done.returncode, WHO["session policy"] in done.stderr) == (1, True), done.stderr


def write(text: str) -> None:
    Path("crosstrail.yaml").write_text(text, "utf-8")


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("", None),
        (DENIED, None),
        (f"{DENIED} with an explicit deny", None),
        (f"{DENIED} because no Invented policy allows the {ACTION} action", None),
        (f"{DENIED} with an explicit deny in the Resource-Based Policy", Denial("resource-based policy", explicit=True)),
        (f"{DENIED} because no role trust policy allows the x action", Denial("role trust policy", explicit=False)),
    ],
)  # fmt: skip
def test_what_names_no_kind_is_none(message: str, found: Denial | None) -> None:
    assert denial_of(message) == found
