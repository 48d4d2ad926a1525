"""What can be said of settings that are valid, without asking a cloud: what they name that is not there, and what cannot work.

Decides which of that crosstrail refuses when it starts (an error) and what it takes although it will not do what it says (a warning).
It opens no connection, and no message holds a secret. Files are file_review.py's matter, who may use what access_review.py's.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from crosstrail.account_auth import KeysAuth
from crosstrail.accounts.secrets import SecretBox
from crosstrail.errors import CrosstrailError
from crosstrail.settings.replaced_settings import REPLACED
from crosstrail.settings.server_settings import conflicts
from crosstrail.settings.setting_faults import SettingProblem
from crosstrail.settings.settings import Settings, options
from crosstrail.settings.settings_file import CONFIG_VARIABLE
from crosstrail.workspace.access_review import access_findings
from crosstrail.workspace.file_review import file_findings
from crosstrail.workspace.settings_check import ReadSettings, SettingFinding, Severity

_OURS = "CROSSTRAIL_"


def review(read: ReadSettings, environ: Mapping[str, str], now: datetime) -> list[SettingFinding]:
    """Of what could be read: all that is wrong beside what reading it found, in the order of the file."""
    settings = read.settings
    found = [*read.findings, *_unknown_variables(environ)]
    if settings:
        found += file_findings(read, settings)
        found += access_findings(read, settings)
        found += [read.finding(*each) for each in _serving(read, settings)]
        found += [read.finding(each, Severity.ERROR) for each in _unreadable_secrets(settings)]
        found += [read.finding(each) for each in _without_effect(settings, now)]
    return sorted(dict.fromkeys(found), key=_position)


def _position(one: SettingFinding) -> tuple[int, int, int]:
    """In the order of the file; what has no place in it comes last."""
    return (0, one.place.line, one.place.column) if one.place else (1, 0, 0)


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[SettingFinding]:
    known = {name for each in options() for name in each.env.split(", ")} | {CONFIG_VARIABLE}
    known |= {each.variable for each in REPLACED.values()}
    for name in sorted(environ):
        if name.startswith(_OURS) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]}?" if near else ""
            yield SettingFinding(name, None, Severity.WARNING, "", "no setting has this variable", hint)


def _serving(read: ReadSettings, settings: Settings) -> Iterator[tuple[SettingProblem, Severity]]:
    """What `crosstrail serve` would refuse; where the file leaves HTTP to the command line, as it would with that."""
    serve, severity = settings.serve, Severity.ERROR
    if serve.transport == "stdio":
        if serve.auth == "none":
            return
        serve, severity = serve.model_copy(update={"transport": "http"}), Severity.WARNING
        yield (
            _problem(
                "serve.auth",
                "nobody signs in over stdio, and serve.transport is not set",
                hint="Set serve.transport: http, or start with --transport http.",
            ),
            severity,
        )
    doubtful = any(one.setting.startswith("access") for one in read.findings)
    for each in conflicts(serve, settings.jwt, settings.oauth, rules=settings.access):
        if not (doubtful and "access" in f"{each.setting} {each.error}"):
            yield _problem(each.setting, str(each.error), hint=each.error.hint), severity


def _unreadable_secrets(settings: Settings) -> Iterator[SettingProblem]:
    """Tokens of accounts that no key of encryption_key opens."""
    keys = settings.encryption_key.get_secret_value()
    for number, account in enumerate(settings.accounts):
        token = account.auth.secret_access_key_encrypted if isinstance(account.auth, KeysAuth) else None
        if token is None:
            continue
        try:
            SecretBox(keys).decrypt(token.get_secret_value(), account.id)
        except CrosstrailError as error:
            yield _problem(f"accounts.{number}.auth.secret_access_key_encrypted", str(error), hint=error.hint)


def _without_effect(settings: Settings, now: datetime) -> Iterator[SettingProblem]:
    """What is set, and means nothing beside what else is set."""
    serve, database = settings.serve, settings.database
    if database.secret_name and database.url.get_secret_value():
        yield _problem(
            "database.secret_name", "database.url goes before it, so it is not read", hint="Remove one of the two."
        )
    if serve.auth != "jwt" and settings.jwt.model_fields_set:
        yield _problem("jwt", "tokens are not accepted, because serve.auth is not jwt", hint="Set serve.auth: jwt.")
    if serve.auth != "oauth" and settings.oauth.client_id:
        yield _problem("oauth", "nobody signs in, because serve.auth is not oauth", hint="Set serve.auth: oauth.")
    if settings.access and serve.auth == "none" and serve.transport != "stdio":
        yield _problem(
            "access",
            "nobody who calls over HTTP has a name, so no access rule matches, and nobody may use anything",
            hint="Set serve.auth to jwt or oauth, or remove the rules.",
        )
    today = now.astimezone(UTC).date()
    for number, one in enumerate(settings.detect.suppressions):
        if one.has_expired(today):
            yield _problem(
                f"detect.suppressions.{number}.until",
                f"this day has passed on {one.until}: what it held back is shown again",
                hint="Write a later day, or remove the suppression.",
            )


def _problem(setting: str, problem: str, *, hint: str) -> SettingProblem:
    return SettingProblem(tuple(setting.split(".")), problem, hint=hint)
