"""`crosstrail init`: the options, alone, so that --help loads nothing else; setup_steps.py does it."""

from __future__ import annotations

from pathlib import Path

import click

from crosstrail.cli.command import Command


@click.command(cls=Command)
@click.option(
    "--profile", "profiles", metavar="NAME", multiple=True, help="An identity that is found here, by name or glob."
)
@click.option("--instance-role", is_flag=True, help="Count the role of the machine that this runs on, too.")
@click.option(
    "--organization-role", metavar="NAME", default="", help="Role to assume in every account of the organization."
)
@click.option("--external-id", metavar="ID", default="", help="What the trust policy of that role asks for.")
@click.option(
    "--logs",
    metavar="DIR",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Log files that you have: a folder or an archive.",
)
@click.option("--lake", metavar="FOLDER", default="", help="Where to keep collected events.")
@click.option("--config", metavar="FILE", default="crosstrail.yaml", help="The file to write.", show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace a file that is there, and show what changes.")
@click.option("--force", "overwrite", is_flag=True, hidden=True)
@click.option("--dry-run", is_flag=True, help="Print the file and write nothing.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing: take what is found.")
def init(
    profiles: tuple[str, ...],
    instance_role: bool,
    organization_role: str,
    external_id: str,
    logs: tuple[Path, ...],
    lake: str,
    config: str,
    overwrite: bool,
    dry_run: bool,
    yes: bool,
) -> int:
    """Find the accounts of this machine's identities, write crosstrail.yaml, and give a first answer.

    Looked for are AWS profiles (IAM Identity Center, roles, programs, keys), keys of the environment, and those of Volcengine
    and Alibaba Cloud. Each is asked whose it is, what its organization and its trails are. On a terminal it asks what to
    take; without one, or with --yes, it takes what is found. The file holds names of profiles and roles, and no secret.

    Exit status 1: nothing was found, or the file is there already. 3: it is written, and something did not answer.
    """
    from crosstrail.cli.setup_steps import SetupOptions, set_up

    wanted = SetupOptions(profiles, instance_role, organization_role, external_id, logs, lake, Path(config), yes=yes)
    return set_up(wanted, overwrite=overwrite, dry_run=dry_run)
