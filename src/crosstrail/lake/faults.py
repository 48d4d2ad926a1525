"""What is wrong with a lake's files, in words: a damaged lake must never blame the statement, nor whoever sent it.

Decides which file a library's error is about and what the reader can do. It names files relative to the lake, because
callers over MCP must not learn the operator's paths, and repeats nothing that a library said: that may hold values of
events. It never changes a file.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from crosstrail.errors import CrosstrailError, LakeError
from crosstrail.lake.catalog_faults import catalog_fault

_IN_LAKE = re.compile(
    r"(?:events/(?:data|metadata)/[\w./=-]{1,300}?\.(?:parquet|avro|json)|(?:catalog|ledger|coverage)\.sqlite)(?![\w.])"
)
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
_READERS_WORDS = re.compile(
    r"parquet|magic bytes|TProtocol|thrift|ZSTD|Snappy|don't know what type|Out of buffer|decompress|dictionary|page header"
    r"|Cannot (?:open|access) file|No files found|read from file|rle|bit.?pack|utf.?8",
    re.IGNORECASE,
)
"""Of a DuckDB error that may come from reading a file, though it need not name one: such files are looked at."""
_READERS_OWN = re.compile(
    r"^\s*(?:TProtocolException|don't know what type)|: (?:Failed to read file|No magic bytes|File ')"
)
"""Of one that comes from nowhere else."""
_OF_VALUES = ("Conversion Error", "Out of Range Error")
"""How errors begin that quote a value of the statement or of an event, which may hold any words."""
_SEARCH_SECONDS = 10.0
RESTORE = "Restore the lake from a backup, or collect the logs again into a new folder."
_NO_LOCKS_HINT = "Put the lake on a local disk, or mount its file system with locks (NFS: without nolock)."


@contextmanager
def reading(what: str, known: str = "") -> Iterator[None]:
    """Inside, anything that a library raises is a LakeError about `what`. `known`: the file, when the error names none.

    For the reading of metadata, where damage may raise any exception at all.
    """
    try:
        yield
    except CrosstrailError:
        raise
    except Exception as error:
        raise fault(error, what, known) from error


def fault(error: BaseException, what: str, known: str = "") -> LakeError:
    """The error as one of ours."""
    if isinstance(error, LakeError):
        return error
    if of_catalog := catalog_fault(error):
        return of_catalog
    name = _name(error) or known
    about = f"{what} ({name})" if name else what
    reason, hint = _reason(error)
    return LakeError(f"{about} {reason}", hint=hint)


def _name(error: BaseException) -> str:
    """The file that the error is about, relative to the lake."""
    texts = [str(getattr(error, name, "") or "") for name in ("filename", "filename2")] + [str(error)[:4000]]
    for text in texts:
        if found := _IN_LAKE.search(text):
            return found[0]
    return ""


def _reason(error: BaseException) -> tuple[str, str]:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, sqlite3.Error):
            return _sqlite_reason(str(cause))
        if isinstance(cause, OSError) and (found := _os_reason(cause)):
            return found
        cause = cause.__cause__ or getattr(cause, "orig", None)
    if isinstance(error, MemoryError):
        return "does not fit into memory", "Give the process more memory."
    return "is damaged", RESTORE


def _os_reason(error: OSError) -> tuple[str, str] | None:
    text = str(error)
    if isinstance(error, FileNotFoundError) or "does not exist" in text:
        return "is missing", RESTORE
    if error.errno in (errno.EACCES, errno.EPERM) or "Permission denied" in text:
        return "may not be used by this user", "Give the user that runs crosstrail the rights on the lake's folder."
    if isinstance(error, IsADirectoryError | NotADirectoryError | FileExistsError) or "is a directory" in text.lower():
        return "is not a file of a lake", RESTORE
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "cannot be written: the disk is full", "Free some space and try again: what is committed stays."
    if error.errno == errno.EROFS:
        return "cannot be written: the file system is read-only", "Collect where it is writable; queries still work."
    if error.errno in _NO_LOCKS:
        return "cannot be locked: the file system refuses locks", _NO_LOCKS_HINT
    if error.errno == errno.EIO:
        return "cannot be read: the disk or the network share fails", "See the system's log."
    return None


def _sqlite_reason(text: str) -> tuple[str, str]:
    if "locked" in text or "locking protocol" in text:
        return (
            "stayed locked by another process",
            f"Wait for it to end, or see whether a process hangs. {_NO_LOCKS_HINT}",
        )
    if "readonly" in text:
        return "cannot be written", "Give the user that runs crosstrail the rights on the lake's folder."
    if "unable to open" in text:
        return "cannot be opened", "It must be a file that the user that runs crosstrail may read and write."
    if "full" in text:
        return "cannot be written: the disk is full", "Free some space and try again: what is committed stays."
    if "disk I/O" in text:
        return "cannot be read or locked: the disk or the file system fails", _NO_LOCKS_HINT
    return "is damaged", RESTORE


def need_locks(folder: Path) -> None:
    """Raises LakeError at once where the file system refuses locks: SQLite would wait for them until its time is over."""
    with suppress(FileNotFoundError, PermissionError, NotADirectoryError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            # A folder's: closing a descriptor of the catalog itself would drop the locks that this process has on it.
            fcntl.lockf(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                raise LakeError(
                    "the lake cannot be used: its file system refuses locks", hint=_NO_LOCKS_HINT
                ) from error
        finally:
            os.close(handle)


def data_fault(message: str, files: Iterable[str]) -> LakeError | None:
    """The damaged file behind a DuckDB error over these data files; None when the error is about something else.

    `message` is DuckDB's. Where it names no file, they are looked at one after the other, for some seconds.
    """
    if message.startswith(_OF_VALUES) or not _READERS_WORDS.search(message):
        return None
    ordered = list(files)
    named = [path for path in ordered if path in message]
    until = time.monotonic() + _SEARCH_SECONDS
    for thorough in (False, True):
        for path in named or ordered:
            if reason := damage_of(path, thorough=thorough):
                return _of_data(path, *reason)
            if time.monotonic() > until:
                break
    if not _READERS_OWN.search(message) or not ordered:
        return None
    if named:
        return _of_data(named[0], "is damaged", RESTORE)
    return LakeError("a data file of the lake is damaged", hint=RESTORE)


def _of_data(path: str, reason: str, hint: str) -> LakeError:
    found = _IN_LAKE.search(path)
    return LakeError(f"a data file of the lake ({found[0] if found else Path(path).name}) {reason}", hint=hint)


def absence(path: str, size: int) -> LakeError | None:
    """What is wrong with a data file of so many bytes, as far as that shows without reading it."""
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == size:
                return None
    except OSError as error:
        return _of_data(path, *_reason(error))
    return _of_data(path, *(damage_of(path, thorough=False) or ("is damaged", RESTORE)))


def damage_of(path: str, *, thorough: bool) -> tuple[str, str] | None:
    """What is wrong with a Parquet file: its footer, or `thorough`ly all of it."""
    import pyarrow.parquet as pq

    try:
        with open(path, "rb"), pq.ParquetFile(path, page_checksum_verification=thorough) as file:
            for _ in file.iter_batches(4096) if thorough else ():
                pass
    except MemoryError:
        return None
    except Exception as error:  # noqa: BLE001 - damage may raise anything
        return _reason(error)
    return None
