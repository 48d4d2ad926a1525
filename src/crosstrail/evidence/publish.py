"""From files that are being made to an export under its name: all of it, or nothing that could be taken for it.

Decides the order of things: the records first, the manifest last, each complete on the disk before it has its name. A killed
export leaves a folder that begins with a dot, which the next one to the same name removes. It follows no symbolic link in the
name, and replaces nothing unless told.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from crosstrail import private
from crosstrail.errors import InvalidRequest
from crosstrail.evidence.manifest import SIGNATURE_SUFFIX, SUFFIX, Role, names_of, written
from crosstrail.evidence.writer import part_name
from crosstrail.json_values import items, table, text
from crosstrail.lake.locks import is_taken, take

_LOCK = "lock"
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}


@contextmanager
def making(destination: Path, *, overwrite: bool) -> Iterator[Path]:
    """A folder beside the destination, on the same disk, to make its files in. It is gone afterwards, however this ends.

    Raises InvalidRequest for a destination that is taken, or no place for a file; OSError.
    """
    _check(destination, overwrite=overwrite)
    prefix = f".{destination.name}."
    _sweep(destination.parent, prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix, suffix=".partial", dir=destination.parent))
    try:
        private.create(folder / _LOCK)
        with take(folder / _LOCK):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(
    folder: Path,
    destination: Path,
    summary: Mapping[str, object],
    about: Mapping[str, object],
    *,
    overwrite: bool,
    sign: Callable[[bytes], bytes] | None = None,
) -> bytes:
    """The manifest's text. `summary`: what EvidenceWriter.finish gave; `about`: what else the manifest says.

    Raises InvalidRequest where the name was taken meanwhile, OSError.
    """
    names = names_of(destination.name)
    _check(destination, overwrite=overwrite)
    manifest = manifest_of(summary, about, names)
    last = [(SUFFIX, manifest)] if sign is None else [(SIGNATURE_SUFFIX, sign(manifest)), (SUFFIX, manifest)]
    places = [(folder / part_name(role), destination.with_name(name)) for role, name in names.items()]
    for suffix, content in last:
        made = folder / f"export{suffix}"
        with open(made, "xb", opener=private.opener) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        places.append((made, destination.with_name(destination.name + suffix)))
    if overwrite:
        destination.with_name(destination.name + SIGNATURE_SUFFIX).unlink(missing_ok=True)  # of what is replaced
    with ExitStack() as undo:
        for made, final in places:
            _sync(destination.parent)  # what the manifest names is there before it is
            _place(made, final, overwrite=overwrite)
            if not overwrite:
                undo.callback(final.unlink, missing_ok=True)
        undo.pop_all()
    _sync(destination.parent)
    return manifest


def manifest_of(summary: Mapping[str, object], about: Mapping[str, object], names: Mapping[Role, str]) -> bytes:
    """Its text; `names` are what the files are called."""
    files = [
        {**one, "name": names[role]}
        for one in map(table, items(summary.get("files")))
        for role in names
        if role == text(one.get("role"))
    ]
    return written({**summary, **about, "files": files})


def taken(destination: Path) -> list[Path]:
    """Every name that an export there would have."""
    return [destination.with_name(name) for name in names_of(destination.name).values()] + [
        destination.with_name(destination.name + suffix) for suffix in (SUFFIX, SIGNATURE_SUFFIX)
    ]


def _check(destination: Path, *, overwrite: bool) -> None:
    if not destination.parent.is_dir():
        raise InvalidRequest("there is no such folder to export into").about(str(destination.parent))
    for path in taken(destination):
        if path.is_symlink():
            raise InvalidRequest("a symbolic link has that name, and none is followed").about(str(path))
        if not path.exists():
            continue
        if not path.is_file():
            raise InvalidRequest("what has that name is no file").about(str(path))
        if not overwrite:
            raise InvalidRequest(
                "there is a file of that name", hint="Name another one, or add --overwrite to replace it."
            ).about(str(path))


def _place(made: Path, final: Path, *, overwrite: bool) -> None:
    """Gives a complete file its name; never over another one unless told."""
    if overwrite:
        made.replace(final)
        return
    try:
        os.link(made, final, follow_symlinks=False)
    except FileExistsError:
        raise InvalidRequest("a file of that name was made meanwhile").about(str(final)) from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        made.rename(final)  # a file system without hard links


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # not every file system does that for folders
            os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(parent: Path, prefix: str) -> None:
    """Removes what killed exports to the same name have left."""
    for path in parent.glob("*.partial"):
        if path.name.startswith(prefix) and path.is_dir() and not path.is_symlink():
            with suppress(OSError):
                if not is_taken(path / _LOCK):
                    shutil.rmtree(path, ignore_errors=True)
