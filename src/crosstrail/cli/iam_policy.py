"""`crosstrail iam-policy`: the least policy that a principal's events need.

The policy goes to stdout, what it cannot know to stderr, so that a pipe holds the policy alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from crosstrail.cli import with_settings
from crosstrail.cli.command import Command
from crosstrail.cli.output import CommandOutput, with_document
from crosstrail.cli.progress import progress_line
from crosstrail.cli.shared_options import account_option, since_option, until_option

if TYPE_CHECKING:
    from crosstrail.answers.iam_policy import PolicyAnswer
    from crosstrail.settings.config import Settings


@click.command(name="iam-policy", cls=Command)
@click.option("--principal", required=True, help="ARN of a user, a role or a session; user/NAME, role/NAME.")
@account_option()
@since_option("90d")
@until_option()
@with_document("policy", "json")
@with_settings
def iam_policy(settings: Settings, principal: str, account: str, since: str, until: str, output: CommandOutput) -> int:
    """Write the least IAM policy that a principal's recorded events need.

    Denied calls are left out and named, and so is what events cannot tell. A policy larger than IAM takes gets patterns of resources,
    then becomes several. --format json: the policies and everything said of them.

    Exit status 1: there is no event to make one of; 3: some account could not be asked, or not for all of the time.
    """
    import anyio

    from crosstrail.cli.statuses import DONE, FAILED, PARTLY
    from crosstrail.cli.words import say

    with progress_line("Reading events"):
        found = anyio.run(_asked, settings, principal, account, since, until)
    if output.form == "json":
        output.json_document(found.data())
    else:
        for document in found.policy.documents:
            output.json_document(document)
        for line in (*found.notes, *found.observed.coverage):
            say(line)
    if not found.policy.events:
        return FAILED
    return DONE if found.observed.complete else PARTLY


async def _asked(settings: Settings, principal: str, account: str, since: str, until: str) -> PolicyAnswer:
    from crosstrail.answers.iam_policy import least_policy
    from crosstrail.workspace.scoped import ScopedWorkspace
    from crosstrail.workspace.workspace import Workspace

    workspace = Workspace(settings)
    try:
        return await least_policy(ScopedWorkspace(workspace), principal, account, since, until)
    finally:
        await workspace.aclose()
