"""Accounts, and the rules and settings that name them, compared with each other.

Decides when that can be judged at all: where every account is known without asking anybody, from the file and a SQLite database. Where
an organization, profiles or a database server list more, a name that is unknown here may be one of theirs, and nothing is said of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crosstrail.accounts.policy import AccessRule, Grant
from crosstrail.accounts.registry import Registry
from crosstrail.errors import AccountNotFound, ConfigError, CrosstrailError
from crosstrail.models import Account
from crosstrail.settings.setting_faults import SettingProblem
from crosstrail.settings.settings import Settings
from crosstrail.workspace.account_sources import account_database
from crosstrail.workspace.settings_check import ReadSettings, SettingFinding, Severity

_SQLITE = "sqlite:"
_COMPARED = 500
"""Accounts, of which each is compared with all before it; of more, the first that is wrong is named alone."""


def access_findings(read: ReadSettings, settings: Settings) -> Iterator[SettingFinding]:
    """Errors of accounts that claim one name, and of settings that name none; warnings of rules that give nothing."""
    claims = list(_claimed_twice(settings.accounts))
    for problem in claims:
        yield read.finding(problem, Severity.ERROR)
    if claims:
        return
    doubtful = any(one.setting.startswith("accounts") for one in read.findings)
    known = None if doubtful else _all_accounts(settings)
    if not known:
        return
    accounts, rules = known
    for problem in _unknown_names(settings, Registry(accounts)):
        yield read.finding(problem, Severity.ERROR)
    for problem in _idle_rules(settings, accounts):
        yield read.finding(problem)
    if rules and not any(one.setting.startswith("access") for one in read.findings):
        for problem in _unused_accounts(settings, rules):
            yield read.finding(problem)


def _claimed_twice(accounts: Sequence[Account]) -> Iterator[SettingProblem]:
    """Accounts whose id or alias another one has, and second defaults."""
    try:
        Registry(accounts)
    except ConfigError as error:
        if len(accounts) > _COMPARED:
            yield _problem("accounts", str(error), hint=error.hint)
            return
    else:
        return
    kept: list[Account] = []
    for number, account in enumerate(accounts):
        try:
            Registry([*kept, account])
        except ConfigError as error:
            yield _problem(f"accounts.{number}", str(error), hint=error.hint)
        else:
            kept.append(account)


def _all_accounts(settings: Settings) -> tuple[Sequence[Account], Sequence[AccessRule]] | None:
    """Every account there is, and every rule; None where that is not known without asking a server."""
    database = settings.database
    elsewhere = settings.organization.role_name or settings.profiles or database.secret_name
    address = database.url.get_secret_value()
    if elsewhere or (address and not address.startswith(_SQLITE)):
        return None
    accounts, rules = list(settings.accounts), list(settings.access)
    if address:
        try:
            found = account_database(settings)
            listing = found.read() if found else None
        except CrosstrailError:  # what is said of its file stands elsewhere
            return None
        accounts += listing.accounts if listing else ()
        rules += listing.rules if listing else ()
    return (accounts, rules) if accounts else None


def _unknown_names(settings: Settings, registry: Registry) -> Iterator[SettingProblem]:
    """Settings that name an account which is not listed."""
    named = {
        "lake.account": settings.lake.account,
        "lake.bucket_account": settings.lake.bucket_account,
        "athena.account": settings.athena.account,
    }
    named |= {f"lake.aliases.{name}": account for name, account in settings.lake.aliases.items() if account != "all"}
    for setting, name in named.items():
        try:
            if name:
                registry.select(name)
        except AccountNotFound as error:
            yield _problem(setting, str(error), hint=error.hint)
    try:
        settings.lake.keeping(registry.accounts)
    except ConfigError as error:
        yield _problem("lake.account_retention", str(error), hint=error.hint)


def _idle_rules(settings: Settings, accounts: Sequence[Account]) -> Iterator[SettingProblem]:
    for number, rule in enumerate(settings.access):
        if not any(Grant((rule,)).sees(account) for account in accounts):
            yield _problem(
                f"access.{number}.accounts",
                f"this rule gives nothing: {', '.join(rule.accounts)[:80]} matches no account",
                hint="`crosstrail accounts list` shows the accounts.",
            )


def _unused_accounts(settings: Settings, rules: Sequence[AccessRule]) -> Iterator[SettingProblem]:
    grant = Grant(tuple(rules))
    for number, account in enumerate(settings.accounts):
        if not grant.sees(account):
            yield _problem(
                f"accounts.{number}",
                f"no access rule lets anybody use {account.name} over HTTP",
                hint="Name it in `accounts` of a rule, where somebody should.",
            )


def _problem(setting: str, problem: str, *, hint: str) -> SettingProblem:
    """An entry's number is one part of the name, and the name of an alias may hold dots."""
    start = "lake.aliases."
    parts = ("lake", "aliases", setting.removeprefix(start)) if setting.startswith(start) else setting.split(".")
    return SettingProblem(tuple(parts), problem, hint=hint)
