"""`crosstrail summarize`: everything one subject did.

What it can be asked, alone; the answer's words are of answers/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from crosstrail.cli import with_settings
from crosstrail.cli.command import Command
from crosstrail.cli.output import CommandOutput, with_document
from crosstrail.cli.progress import progress_line
from crosstrail.cli.shared_options import account_option, region_option, since_option, until_option

if TYPE_CHECKING:
    from crosstrail.answers.summarize import Summarized, SummaryCall
    from crosstrail.lookup.fanout import Progress
    from crosstrail.settings.config import Settings


@click.command(cls=Command)
@click.argument("subject")
@account_option()
@region_option()
@since_option("all that is held")
@until_option()
@with_document("text", "json", by_name=True)
@with_settings
def summarize(
    settings: Settings, subject: str, account: str, region: str, since: str, until: str, output: CommandOutput
) -> int:
    """Summarize everything one subject did, across accounts.

    That is when it was first and last seen, its actions and addresses, what it created, changed and deleted, what others did
    to it, and the sessions that it came from and gave out.

    SUBJECT is an ARN, an access key id, an address or a network, the name of a user, a role, a role session or a resource, or an
    event id, which stands for whoever caused that event.

    Exit status 3: some account could not be asked, or not for all of the time; 1: none could.
    """
    import anyio

    from crosstrail.answers.summarize import SummaryCall
    from crosstrail.answers.summary_text import WHOLE, body, data, head
    from crosstrail.cli.statuses import DONE, PARTLY
    from crosstrail.cli.words import say

    with progress_line("Reading events", "targets") as bar:
        found = anyio.run(_summarized, settings, SummaryCall(subject, account, since, until, region), bar.counted)
    if output.form == "json":
        output.json_document(data(found))
    else:
        for line in "\n".join([*head(found), *body(found, WHOLE)]).split("\n"):
            output.line(line)
        for line in found.observed.coverage:
            say(line)
    return DONE if found.observed.complete else PARTLY


async def _summarized(settings: Settings, call: SummaryCall, progress: Progress) -> Summarized:
    from crosstrail.answers.summarize import summarize
    from crosstrail.workspace.scoped import ScopedWorkspace
    from crosstrail.workspace.workspace import Workspace

    workspace = Workspace(settings)
    try:
        return await summarize(ScopedWorkspace(workspace), call, progress=progress)
    finally:
        await workspace.aclose()
