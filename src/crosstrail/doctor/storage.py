"""The lake's folder and the record of calls: whether they can be read and written, and how much room there is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from crosstrail.doctor.finding import DoctorFinding, failed, ok, warning
from crosstrail.errors import CrosstrailError
from crosstrail.lake import missing_libraries
from crosstrail.origin import install_hint
from crosstrail.settings.config import Settings
from crosstrail.tasks import in_daemon_thread
from crosstrail.user_folders import expanded
from crosstrail.workspace.workspace import Workspace

_LITTLE_ROOM = 2_000_000_000
_NO_FILE = ("", "off", "stderr")


async def lake(settings: Settings, *, offline: bool) -> list[DoctorFinding]:
    """Its folder, what is in it, and the room that is left."""
    if settings.lake.catalog and offline:
        return [ok("lake", "catalog", "not asked: offline")]
    return [await _opened(settings), *await in_daemon_thread(lambda: list(_room(settings.lake.folder)))]


async def _opened(settings: Settings) -> DoctorFinding:
    folder = settings.lake.folder
    if not settings.lake.exists():
        return ok("lake", "folder", f"none yet: {folder}. It is made by the first `crosstrail collect`")
    if missing_libraries():
        return warning("lake", "folder", f"{folder} is there, its libraries are not", install_hint("lake"))
    workspace = Workspace(settings)
    try:
        held = await workspace.held()
        form = await in_daemon_thread(lambda: workspace.lake.format)
    except CrosstrailError as error:
        return failed("lake", str(folder), str(error), error.hint or "See: crosstrail help lake-care")
    finally:
        await workspace.aclose()
    events = sum(one.events for one in held)
    return ok("lake", str(folder), f"{events:,} events of {len(held)} accounts, format {form}")


def _room(folder: Path) -> Iterator[DoctorFinding]:
    """Of the folder, or of that above it where it is still to be made."""
    place = next(one for one in (folder, *folder.parents) if one.exists())
    if not os.access(place, os.W_OK | os.X_OK):
        yield failed("lake", str(place), "cannot be written", "Let crosstrail's user write there, or set lake.path.")
        return
    free = shutil.disk_usage(place).free
    said = f"{free / 1e9:,.1f} GB free"
    if free < _LITTLE_ROOM:
        yield warning(
            "lake",
            "disk",
            said,
            "Make room, or set lake.path to another disk; `crosstrail lake expire` drops old events.",
        )
    else:
        yield ok("lake", "disk", said)


def record(settings: Settings) -> Iterator[DoctorFinding]:
    """Where calls are recorded."""
    to = settings.audit.to
    if to in _NO_FILE:
        yield ok("record of calls", to or "default", to or "over HTTP on stderr, over stdio nowhere")
        return
    path = expanded(to).absolute()
    place = path if path.exists() else next(one for one in path.parents if one.exists())
    if os.access(place, os.W_OK):
        yield ok("record of calls", str(path), "can be written")
    else:
        yield failed(
            "record of calls",
            str(path),
            f"{place} cannot be written",
            "Let crosstrail's user write there, or set audit.to.",
        )
