"""The made-up organisation on disk: generated and collected once, found ready ever after.

Decides where it lies, whether what lies there is whole and of this version, and that only one process makes it. It
removes nothing but what it made itself. The real collector fills the lake.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from time import monotonic

from crosstrail import __version__, private
from crosstrail.demo.actors import DAYS
from crosstrail.errors import ConfigError, LakeBusy, LakeError
from crosstrail.settings.config import Settings, load_settings
from crosstrail.settings.settings_file import FILE_NAME
from crosstrail.user_folders import cache_folder, expanded

_LOCK, _STAMP = "demo.lock", "demo.json"
_WAIT_SECONDS = 300
_MADE_FROM = (
    ("demo", (".py", ".yaml")),
    ("clouds", ("record.py", "record_text.py", "shape.py")),
    ("lake", ("schema.py", "rows.py", "table.py", "proved_spans.py", "covered_spans.py")),
)
"""The code that decides what the folder holds: packages with those in them, and the ends of their files' names."""

Progress = Callable[[str], None]
"""A few words on what is being done now."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was made. `events` is what the lake holds, `records` what the log files hold."""

    days: int
    files: int
    records: int
    events: int
    generated_seconds: float
    collected_seconds: float
    digests: int
    logs: int
    """Those that were verified and are valid: all, or none where nothing was verified."""
    gap: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """`fresh`: this call made it."""

    folder: Path
    settings: Settings
    figures: Figures
    fresh: bool

    @property
    def config(self) -> Path:
        return self.folder / FILE_NAME


def default_folder() -> Path:
    """In the user's cache: it can always be made again. Raises ConfigError without a home."""
    return cache_folder("--folder") / "demo"


def prepared(folder: Path | None = None, progress: Progress | None = None, *, days: int = DAYS) -> Prepared:
    """The organisation in `folder`, made now if it is missing, unfinished or of another version. `days`: how many it
    then gets; what is found may have another number.

    Raises ConfigError when the folder cannot be written or holds something else, LakeBusy when another process takes
    minutes to make it, LakeError when the logs could not be collected whole.
    """
    place = expanded(folder or default_folder()).resolve()
    print_ = _fingerprint(place)
    fresh = False
    if (figures := _ready(place, print_)) is None:
        with _alone(place):
            if (figures := _ready(place, print_)) is None:
                _clear(place)
                figures, fresh = _make(place, progress or (lambda _: None), days), True
                _stamp(place, print_, figures)
    # Its settings are its own: no variable of the user's environment may lead to another lake.
    return Prepared(place, load_settings(str(place / FILE_NAME), environ={}), figures, fresh)


def _make(place: Path, progress: Progress, days: int) -> Figures:
    from crosstrail.demo.archive import collect_organization
    from crosstrail.demo.organization import LOGS, generate, settings_text

    began = monotonic()
    progress("Generating log files")
    organization = generate(place, days)
    generated = monotonic()
    progress(f"Collecting {organization.records:,} records from {organization.files:,} objects, and verifying them")
    report, proved = collect_organization(place / LOGS, place / "lake")
    if report.problem_count or report.conflicting or report.new != organization.events or proved.failed:
        raise LakeError(
            f"{report.new:,} of the demo's {organization.events:,} events could be collected",
            hint=f"Remove {place} and try again; if it happens again, please report it.",
        )
    private.create(place / FILE_NAME)
    (place / FILE_NAME).write_text(settings_text(place), "utf-8")
    took = generated - began, monotonic() - generated
    return Figures(
        days, organization.files, organization.records, report.new, *took, proved.digests, proved.logs, proved.gap
    )


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """One process at a time. The lock is SQLite's: it works on every system and ends with the process that holds it."""
    try:
        private.make_root(place)
        if any(place.iterdir()) and not (place / _LOCK).exists():
            raise ConfigError(f"{place} holds something else than the demo", hint="Name an empty or a new folder.")
    except OSError as error:
        raise _unwritable(place, error.strerror) from error
    with closing(sqlite3.connect(place / _LOCK, timeout=_WAIT_SECONDS, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise _unwritable(place, error.sqlite_errorname) from error
            raise LakeBusy(f"another process is making the demo in {place}", hint="Try again later.") from error
        yield


def _unwritable(place: Path, reason: str | None) -> ConfigError:
    hint = "Name another folder: crosstrail demo --folder FOLDER."
    return ConfigError(f"the demo cannot be written to {place}: {reason or 'no reason given'}", hint=hint)


def _clear(place: Path) -> None:
    for name in ("logs", "lake"):
        shutil.rmtree(place / name, ignore_errors=True)
    for name in (_STAMP, FILE_NAME):
        (place / name).unlink(missing_ok=True)


def _ready(place: Path, print_: str) -> Figures | None:
    try:
        stamp = json.loads((place / _STAMP).read_bytes())
        return Figures(**stamp["figures"]) if stamp["fingerprint"] == print_ else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _stamp(place: Path, print_: str, figures: Figures) -> None:
    """Last, and in one step: a folder with a stamp is whole."""
    unfinished = place / f"{_STAMP}.new"
    unfinished.write_text(json.dumps({"fingerprint": print_, "figures": asdict(figures)}), "utf-8")
    unfinished.replace(place / _STAMP)


def _fingerprint(place: Path) -> str:
    """Of the place too, which what was prepared there names."""
    digest = hashlib.sha256(f"{__version__}\n{place}".encode())
    for package, ends in _MADE_FROM:
        for file in _files(files(f"crosstrail.{package}")):
            if file.name.endswith(ends):
                digest.update(file.read_bytes())
    return digest.hexdigest()


def _files(folder: Traversable) -> Iterator[Traversable]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _files(entry)
        else:
            yield entry
