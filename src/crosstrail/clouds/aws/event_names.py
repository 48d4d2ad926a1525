"""The names of AWS's actions as AWS writes them, for an answer without events: from what the installed botocore knows.

Decides which spelling somebody may have meant who wrote another case. It reads about 440 files (a second or two): call it in a thread, and
only where nothing was found. It imports none of botocore and keeps the names, about 3 MB, for the process.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

_OPERATION = re.compile(rb'"([A-Z][A-Za-z0-9_]{1,99})":\s*\{\s*"name":')
_END = b'"shapes"'
"""What follows the operations in every model: nine tenths of a file need not be unpacked."""
_CHUNK = 262_144
_MAX_NAME = 120
_OF_THE_CONSOLE = (  # noqa: SIM905 - one a word, to be read
    "CheckMfa ConsoleLogin CredentialChallenge CredentialVerification EmailUpdated EmailUpdateCompleted EmailUpdateRequested ExitRole "
    "Federate GetSigninToken Logout PasswordRecoveryCompleted PasswordRecoveryRequested PasswordUpdated RenewRole "
    "SwitchRole UserAuthentication Authenticate GetBucketPublicAccessBlock PutBucketPublicAccessBlock DeleteBucketPublicAccessBlock "
    "CreateFunction20150331 DeleteFunction20150331 UpdateFunctionCode20150331v2 UpdateFunctionConfiguration20150331v2 "
    "AddPermission20150331v2 RemovePermission20150331v2 CreateEventSourceMapping20150331 GetFunction20150331v2 "
    "ListFunctions20150331"
).split()
"""Events of signing in, and those whose names are no operation's: none of them is in a model."""


def spellings(written: str) -> tuple[str, ...]:
    """The names that differ from it in case, spaces, - and _ alone; nothing where one is written so. Reads files the first time."""
    if len(written) > _MAX_NAME:
        return ()
    found = _names().get(_bare(written), ())
    return () if written in found else found


@cache
def _names() -> dict[str, tuple[str, ...]]:
    """By their bare form; some are written in two ways by two services."""
    names: dict[str, dict[str, None]] = {}
    for name in (*_OF_THE_CONSOLE, *_operations()):
        names.setdefault(_bare(name), {})[name] = None
    return {bare: tuple(found) for bare, found in names.items()}


def _operations() -> Iterator[str]:
    for service in (files("botocore") / "data").iterdir():
        if not service.is_dir():
            continue
        newest = max((one.name for one in service.iterdir() if one.is_dir()), default="")
        yield from _of_model(service / newest)


def _of_model(folder: Traversable) -> Iterator[str]:
    packed, plain = folder / "service-2.json.gz", folder / "service-2.json"
    if not (packed.is_file() or plain.is_file()):
        return
    with packed.open("rb") if packed.is_file() else plain.open("rb") as file:
        model = gzip.GzipFile(fileobj=file) if packed.is_file() else file
        read = b""
        while (part := model.read(_CHUNK)) and _END not in read[-len(part) - len(_END) :]:
            read += part
    start = read.find(b'"operations"')
    yield from (name.decode() for name in _OPERATION.findall(read, start, _end(read, start)))


def _end(read: bytes, start: int) -> int:
    end = read.find(_END, start)
    return len(read) if end < 0 else end


def _bare(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()
