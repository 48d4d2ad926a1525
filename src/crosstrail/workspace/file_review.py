"""Files that settings name, and files that hold secrets: whether they are there, and who else may read them.

Decides by looking at names, kinds and modes; it reads no content. What only another machine could know is not judged: buckets, and
programs that a PATH of another user has.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from stat import S_IMODE

from pydantic import BaseModel, SecretStr

from crosstrail.errors import ConfigError
from crosstrail.settings.config import SourceKind
from crosstrail.settings.effective import effective
from crosstrail.settings.masking import MASK
from crosstrail.settings.setting_faults import SettingProblem
from crosstrail.settings.setting_fields import facts_of, shape_of
from crosstrail.settings.settings import Settings
from crosstrail.settings_group import PathKind
from crosstrail.user_folders import expanded
from crosstrail.workspace.settings_check import ReadSettings, SettingFinding, Severity

_OTHERS = 0o077
"""Of a mode: what lets others than the owner in."""
_NO_SECRETS = ("access_key_id", "access_key", "secret_access_key_encrypted")
"""Names whose values are masked, and that open nothing alone."""
_SQLITE = "sqlite:///"
_RECORD_WORDS = ("", "stderr", "off")
SettingPath = tuple[str, ...]


def file_findings(read: ReadSettings, settings: Settings) -> Iterator[SettingFinding]:
    for path, named, kind in _named_paths(settings, ()):
        if problem := _absent(path, named, kind):
            yield read.finding(problem, Severity.ERROR)
    for problem in _absent_programs(settings):
        yield read.finding(problem)
    for problem in _absent_archives(settings):
        yield read.finding(problem)
    yield from _open_files(read, settings)


def _named_paths(model: BaseModel, path: SettingPath) -> Iterator[tuple[SettingPath, str, PathKind]]:
    """(setting, path, what it must be) of every option that names one."""
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if shape_of(name, field).kind == "clouds":
            for cloud, group in value.items():
                yield from _named_paths(group, (cloud,))
        elif isinstance(value, BaseModel):
            yield from _named_paths(value, (*path, name))
        elif kind := facts_of(field).path:
            for one in value if isinstance(value, tuple) else (value,):
                yield (*path, name), str(one), kind


def _absent(path: SettingPath, named: str, kind: PathKind) -> SettingProblem | None:
    if not named:
        return None
    try:
        place = expanded(named)
    except ConfigError as error:
        return SettingProblem(path, str(error), hint=error.hint)
    there = {"file": place.is_file(), "folder": place.is_dir()}.get(kind, place.exists())
    if there:
        return None
    if kind == "file":
        return SettingProblem(path, f"there is no file {place}", hint="Correct the path, or put the file there.")
    return SettingProblem(path, f"there is no file or folder {place}", hint="Correct the path.")


def _absent_programs(settings: Settings) -> Iterator[SettingProblem]:
    for name, server in settings.wrap.servers.items():
        key, program = ("command", server.command[0]) if server.command else ("python", server.python)
        if program and which(program) is None:
            yield SettingProblem(
                ("wrap", "servers", name, key),
                f"there is no program {program}",
                hint="Install it, or write its whole path.",
            )


def _absent_archives(settings: Settings) -> Iterator[SettingProblem]:
    for number, account in enumerate(settings.accounts):
        if account.archive and "://" not in account.archive and not Path(account.archive).exists():
            yield SettingProblem(
                ("accounts", str(number), "archive"),
                f"there is no file or folder {account.archive}",
                hint="Correct the path, or mount it before `crosstrail collect`.",
            )
    if settings.audit.to not in _RECORD_WORDS and not (folder := expanded(settings.audit.to).parent).is_dir():
        yield SettingProblem(("audit", "to"), f"there is no folder {folder}", hint="Make it, with a mode of 0700.")


def _open_files(read: ReadSettings, settings: Settings) -> Iterator[SettingFinding]:
    """Files with secrets that others than their owner may read or write."""
    if os.name == "nt":
        return
    if read.file and read.given and (name := _secret_in_file(read, settings)) and (mode := _open_mode(read.file)):
        yield SettingFinding(
            str(read.file),
            None,
            Severity.WARNING,
            "",
            f"this file holds a secret ({name}), and its mode {mode:04o} lets others than you in",
            hint=f"chmod 600 {read.file}",
        )
    database = _sqlite_file(settings.database.url)
    for path, place in (
        (("serve", "tls_key"), settings.serve.tls_key),
        (("trino", "key"), settings.trino.key),
        (("database", "url"), database),
    ):
        if place and (mode := _open_mode(expanded(place))):
            yield read.finding(
                SettingProblem(
                    path,
                    f"{place} holds secrets, and its mode {mode:04o} lets others than its owner in",
                    hint=f"chmod 600 {place}",
                )
            )


def _secret_in_file(read: ReadSettings, settings: Settings) -> str:
    """The name of the first setting that the file has in plain text; empty for none."""
    shown = effective(settings, read.given, None) if read.given else ()
    return next(
        (
            one.name
            for one in shown
            if one.source is SourceKind.FILE and MASK in one.value and one.name.rpartition(".")[2] not in _NO_SECRETS
        ),
        "",
    )


def _open_mode(file: Path) -> int:
    """Its mode where others may read or write it; 0 where not, or where it is not there."""
    try:
        mode = S_IMODE(file.stat().st_mode)
    except OSError:
        return 0
    return mode if mode & _OTHERS else 0


def _sqlite_file(url: SecretStr) -> str:
    text = url.get_secret_value()
    return text.removeprefix(_SQLITE) if text.startswith(_SQLITE) else ""
