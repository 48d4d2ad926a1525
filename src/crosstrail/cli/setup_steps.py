"""What `crosstrail init` does, step by step: look, ask the person, ask the clouds, write, answer.

Decides what is asked of a person, and that nobody is asked without a terminal. What is found out is in setup/.
"""

from __future__ import annotations

import difflib
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import anyio
import click

from crosstrail.cli.cells import wrapped
from crosstrail.cli.private_file import check_free, write_private
from crosstrail.cli.setup_answer import first_answer, line, next_commands
from crosstrail.cli.statuses import DONE, PARTLY
from crosstrail.cli.translation import translated
from crosstrail.cli.words import ask, confirm, out, out_document, say
from crosstrail.clouds.found_identities import FoundIdentity
from crosstrail.errors import ConfigError, CrosstrailError, InvalidRequest
from crosstrail.models import Account
from crosstrail.settings.config import Settings, load_settings, resolved
from crosstrail.settings.environment import environment
from crosstrail.setup.config_text import config_text
from crosstrail.setup.identities import chosen, distinct, find, planned, resolve
from crosstrail.setup.organization import organization_of, trails_of
from crosstrail.setup.plan import PlannedAccount, PlannedOrganization, Resolved, SetupPlan
from crosstrail.text import visible
from crosstrail.workspace.workspace import Workspace

_FILE_WIDTH = 118


@dataclass(frozen=True, slots=True)
class SetupOptions:
    """What the command line said; what it left open is asked for on a terminal."""

    profiles: tuple[str, ...]
    instance_role: bool
    organization_role: str
    external_id: str
    logs: tuple[Path, ...]
    lake: str
    config: Path
    yes: bool

    @property
    def asks(self) -> bool:
        return not self.yes and sys.stdin.isatty() and sys.stderr.isatty()


def set_up(wanted: SetupOptions, *, overwrite: bool, dry_run: bool) -> int:
    """The exit status. Raises CrosstrailError."""
    path = wanted.config
    if not dry_run and path.exists() and not overwrite:
        raise InvalidRequest(
            "there is a configuration already",
            hint="Add --overwrite to replace it, which shows what changes; --dry-run prints a new one.",
        ).about(str(path))
    plan, problems = _plan(wanted)
    today = datetime.now(UTC).date()
    text = config_text(plan, today, comment)
    settings = _checked(text, path)
    accounts = anyio.run(_accounts_of, settings)
    if accounts:
        trails, untold = anyio.run(trails_of, settings, accounts)
        plan, problems = replace(plan, trails=trails), [*problems, *untold]
        text = config_text(plan, today, comment)
    if dry_run:
        out_document(text.rstrip("\n"))
        return DONE
    if not _written(path, text, asks=wanted.asks):
        return DONE
    answered = _collected(plan, path) if plan.logs else True
    unlisted = anyio.run(_unlisted, load_settings(str(path)), plan)
    if unlisted:
        plan = replace(plan, accounts=(*plan.accounts, *unlisted))
        write_private(path, config_text(plan, today, comment).encode(), overwrite=True)
    settings = load_settings(str(path))
    answered = first_answer(settings, path, live=bool(accounts)) and answered
    next_commands(plan, path)
    return DONE if answered and not problems else PARTLY


def comment(text: str, indent: str = "") -> str:
    """Sentences as lines of a comment in the file, in the language of who made it."""
    said = " ".join(translated(text).split())
    return "".join(f"{line}\n" for line in wrapped(said, _FILE_WIDTH, first=f"{indent}# ", rest=f"{indent}# "))


def _plan(wanted: SetupOptions) -> tuple[SetupPlan, list[str]]:
    """What the file is to say, and what did not answer. Raises ConfigError where nothing is found."""
    settings = resolved(Settings, {}, "the environment")
    say("Looking for identities on this machine...")
    found, problems = find(environment(), instance_role=wanted.instance_role)
    for problem in problems:
        say(f"warning: {problem}")
    identities = _chosen(found, wanted)
    logs = wanted.logs or _asked_logs(wanted, found=bool(identities))
    if not identities and not logs:
        raise ConfigError("this machine has no identity of a cloud that crosstrail finds", hint=_NOTHING)
    whose = anyio.run(resolve, settings, identities)
    accounts = distinct([planned(one, settings.encryption_key) for one in whose])
    for account in accounts:
        _tell(account)
    organization = _organization(settings, wanted, whose)
    if organization and organization.role_name:  # it lists them; in two places they would be two accounts
        accounts = tuple(one for one in accounts if (one.cloud, one.id) not in organization.members)
    lake = wanted.lake or _asked_lake(wanted, needed=bool(logs))
    failed = [*problems, *(one.problem for one in accounts if one.problem)]
    return SetupPlan(accounts, organization, (), tuple(str(one.absolute()) for one in logs), lake), failed


_NOTHING = (
    "AWS: sign in (aws sso login, aws configure) or set AWS_PROFILE. Volcengine: set VOLCENGINE_ACCESS_KEY and VOLCENGINE_SECRET_KEY. "
    "Alibaba Cloud: set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET. On a machine with a role of its own: "
    "--instance-role. Log files alone: --logs FOLDER. To look first: crosstrail demo."
)


def _chosen(found: Sequence[FoundIdentity], wanted: SetupOptions) -> tuple[FoundIdentity, ...]:
    if wanted.profiles or not wanted.asks or len(found) < 2:
        return chosen(found, wanted.profiles)
    width = max(len(one.name) for one in found)
    for number, one in enumerate(found, 1):
        account = f", account {one.account_id}" if one.account_id else ""
        line(f"{number:>3}  {one.name:<{width}}  ", f"{one.origin}{account}")
    answer = ask("Which of them? Numbers or names, parted by commas", default="all")
    if answer.strip() in ("all", "*"):
        return tuple(found)
    parts = [part.strip() for part in answer.split(",") if part.strip()]
    names = [found[int(part) - 1].name if part.isdecimal() and 0 < int(part) <= len(found) else part for part in parts]
    return chosen(found, names)


def _asked_logs(wanted: SetupOptions, *, found: bool) -> tuple[Path, ...]:
    if not wanted.asks:
        return ()
    question = "A folder with log files that you have already (Enter for none)"
    while answer := ask(question).strip():
        path = Path(answer).expanduser()
        if path.exists():
            return (path,)
        say(f"There is no {path}.")
    return ()


def _asked_lake(wanted: SetupOptions, *, needed: bool) -> str:
    usual = "./lake" if needed else ""
    if not wanted.asks or not needed:
        return usual
    return ask("Where to keep what is collected", default=usual)


def _tell(account: PlannedAccount) -> None:
    state = "failed" if account.problem else "ok"
    line(f"  {state:<6}  ", f"{account.alias}  {account.id or '-'}  {account.remark}")
    if account.problem:
        line(" " * 10, account.problem)


def _organization(settings: Settings, wanted: SetupOptions, whose: Sequence[Resolved]) -> PlannedOrganization | None:
    """Of the first identity that answered. Raises CrosstrailError where a role is named and accounts cannot be listed."""
    answering = [one.identity for one in whose if not one.problem and one.identity.keys is None]
    if not answering:
        return None
    profile = answering[0].auth.get("profile", "")
    role, external_id = wanted.organization_role, wanted.external_id
    try:
        found = anyio.run(organization_of, settings, role, external_id, profile)
    except CrosstrailError:
        if role:
            raise
        return None  # most identities may not list accounts
    if len(found.members) < 2 and not role:
        return None
    line("  ok      ", f"{answering[0].name} lists the {len(found.members)} accounts of its AWS organization")
    if wanted.asks and not role:
        question = "A role that all of them have, to answer for all of them (Enter for none)"
        role = ask(question).strip()
        if role and not external_id:
            question = "The external id that it asks for (Enter for none)"
            external_id = ask(question).strip()
    return replace(found, role_name=role, external_id=external_id)


def _checked(text: str, path: Path) -> Settings:
    """The settings of that text, which is not in its place yet. Raises ConfigError."""
    with tempfile.TemporaryDirectory(prefix="crosstrail-") as folder:
        draft = Path(folder, path.name)
        draft.write_text(text, "utf-8")
        return load_settings(str(draft))


async def _accounts_of(settings: Settings) -> tuple[Account, ...]:
    """Those that can be asked now."""
    workspace = Workspace(settings)
    try:
        listed = await workspace.listed()
    except CrosstrailError:
        return ()
    finally:
        await workspace.aclose()
    for warning in listed.warnings:
        say(f"warning: {warning}")
    return tuple(one for one in listed.registry.accounts if one.auth)


async def _unlisted(settings: Settings, plan: SetupPlan) -> tuple[PlannedAccount, ...]:
    """Accounts whose events the logs brought, beside accounts that are listed: these alone would be answered for."""
    if not plan.logs or not any(one.id for one in plan.accounts):
        return ()
    workspace = Workspace(settings)
    try:
        listed = {one.key for one in (await workspace.listed()).registry.accounts}
        held = await workspace.held()
    finally:
        await workspace.aclose()
    return tuple(
        PlannedAccount(one.cloud, one.account, "", "", {}, "Its events are in logs", archive=plan.logs[0])
        for one in held
        if (one.cloud, one.account) not in listed
    )


def _written(path: Path, text: str, *, asks: bool) -> bool:
    """Whether the file says that now. Raises InvalidRequest, OSError."""
    before = path.read_text("utf-8", errors="replace") if path.is_file() else None
    check_free(path, overwrite=True)
    if before is not None:
        named = difflib.unified_diff(before.splitlines(), text.splitlines(), str(path), "new", lineterm="", n=1)
        for changed in named:
            click.echo(visible(changed), err=True)
        if asks and not confirm("Replace it?"):
            say("Nothing was written.")
            return False
    write_private(path, text.encode(), overwrite=True)
    out(f"Wrote {path.absolute()}.")
    return True


def _collected(plan: SetupPlan, path: Path) -> bool:
    from crosstrail.cli import crosstrail

    out("Reading the logs:")
    status: object = crosstrail.main(
        ["collect", *plan.logs, "--config", str(path)], "crosstrail", standalone_mode=False
    )
    return status == DONE
