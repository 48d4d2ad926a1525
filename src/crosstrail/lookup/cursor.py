"""The page tokens of lookups, of what is asked of many targets, and of lists of accounts: opaque, self-contained, checked.

One carries the question, the exact span and the place reached, so that it is sent alone, after a restart or to another
replica. It grants nothing: selectors are resolved and authorized anew, and a token whose accounts have changed since is
refused. It holds no secret, and never an upstream page token.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crosstrail.errors import StalePageToken
from crosstrail.models import Position
from crosstrail.timerange import TimeRange
from crosstrail.vocabulary import words

_FORM = "L2"
_BLOCKS_FORM = "B1"
_ACCOUNTS_FORM = "A1"
_CHECK_CHARACTERS = 12
_MAX_CHARACTERS = 16_000
_MAX_UNPACKED_BYTES = 200_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cursor:
    """`asked`: the arguments of the first call, by name, as they were written. `targets`: a digest of what they meant then.

    `start`: targets of earlier blocks, which were asked to the end. `position`: how far the block's listing came; None
    where the block has not been asked yet.
    """

    asked: Mapping[str, str | int]
    span: TimeRange
    targets: str
    position: Position | None
    start: int = 0

    def encode(self) -> str:
        """Raises StalePageToken when too many events share one moment for a token to name those already given."""
        values = [
            dict(self.asked),
            _micros(self.span.start),
            _micros(self.span.end),
            self.targets,
            _micros(self.position.time) if self.position else None,
            sorted(self.position.seen) if self.position else [],
            self.start,
        ]
        token = _sealed(_FORM, values)
        if len(token) > _MAX_CHARACTERS:
            raise StalePageToken(
                f"{len(self.position.seen) if self.position else 0} events share one moment: more than a page token can tell apart",
                hint=f"Narrow the lookup by an attribute or one account, or use {words().sql}.",
            )
        return token

    @classmethod
    def decode(cls, token: str) -> Cursor:
        """Raises StalePageToken for anything that `encode` did not make."""
        try:
            match _opened(_FORM, token, words().lookup):
                case [dict(asked), since, until, str(targets), time, list(seen), int(start)] if (
                    type(start) is int and start >= 0
                ):
                    moment = _moment(time)
                    position = Position(moment, frozenset(_texts(seen))) if moment else None
                    return cls(_plain(asked), TimeRange(_moment(since), _moment(until)), targets, position, start)
        except (ValueError, OverflowError) as error:
            raise stale(f"this {words().next_page} is broken") from error
        raise stale(f"this {words().next_page} is broken")

    def check(self, sent: Mapping[str, str | int]) -> None:
        """`sent`: the arguments that came beside the token and say something. Raises StalePageToken when one differs."""
        _check_asked(self.asked, sent)

    def check_targets(self, digest: str) -> None:
        """Raises StalePageToken when the same words name other accounts or regions now, or the same in another order."""
        _check_targets(self.targets, digest)


@dataclass(frozen=True, slots=True)
class BlockCursor:
    """Where a tool that asks many targets goes on: `start` targets of earlier blocks were asked. The rest as in Cursor."""

    tool: str
    asked: Mapping[str, object]
    targets: str
    start: int

    def encode(self) -> str:
        return _sealed(_BLOCKS_FORM, [self.tool, dict(self.asked), self.targets, self.start])

    @classmethod
    def decode(cls, token: str, tool: str) -> BlockCursor:
        """Raises StalePageToken for anything that `encode` did not make for this tool."""
        match _opened(_BLOCKS_FORM, token, tool):
            case [str(name), dict(asked), str(targets), int(start)] if name == tool and start > 0:
                return cls(name, asked, targets, start)
        raise stale(f"this {words().next_page} is broken, or not one of {tool}")

    def check(self, sent: Mapping[str, object]) -> None:
        """As Cursor's."""
        _check_asked(self.asked, sent)

    def check_targets(self, digest: str) -> None:
        """As Cursor's."""
        _check_targets(self.targets, digest)


@dataclass(frozen=True, slots=True)
class AccountsCursor:
    """`start`: accounts of the selector's that earlier pages listed. `digest`: which accounts it named then."""

    selector: str
    start: int
    digest: str

    def encode(self) -> str:
        return _sealed(_ACCOUNTS_FORM, [self.selector, self.start, self.digest])

    @classmethod
    def decode(cls, token: str) -> AccountsCursor:
        """Raises StalePageToken for anything that `encode` did not make."""
        match _opened(_ACCOUNTS_FORM, token, words().accounts):
            case [str(selector), int(start), str(digest)] if start > 0:
                return cls(selector, start, digest)
        raise stale(f"this {words().next_page} is broken")


def _check_asked(asked: Mapping[str, object], sent: Mapping[str, object]) -> None:
    for name, value in sent.items():
        if asked.get(name) != value:
            raise StalePageToken(
                f"{words().next_page} belongs to a call with another {name}",
                hint=f"Send {words().next_page} alone to go on, or leave it out to start anew.",
            )


def _check_targets(targets: str, digest: str) -> None:
    if digest != targets:
        raise stale(f"the accounts that this {words().next_page} covers have changed")


def stale(message: str) -> StalePageToken:
    """The error of a page token that leads nowhere, with how to begin anew."""
    return StalePageToken(message, hint=f"Start again {words().first_page}.")


def _sealed(form: str, values: Sequence[object]) -> str:
    packed = urlsafe_b64encode(zlib.compress(json.dumps(values, separators=(",", ":")).encode(), 9)).decode()
    return f"{form}{_check(packed)}{packed.rstrip('=')}"


def _opened(form: str, token: str, tool: str) -> object:
    """The values. Raises StalePageToken for what `_sealed` did not make."""
    start = len(form) + _CHECK_CHARACTERS
    packed = token[start:] + "=" * (-len(token[start:]) % 4)
    if not token.startswith(form) or len(token) > _MAX_CHARACTERS or token[len(form) : start] != _check(packed):
        raise stale(f"this {words().next_page} is broken, or not one of {tool}")
    try:
        return json.loads(zlib.decompressobj().decompress(urlsafe_b64decode(packed), _MAX_UNPACKED_BYTES))
    except (NotBase64, zlib.error, ValueError, RecursionError) as error:
        raise stale(f"this {words().next_page} is broken") from error


def _check(packed: str) -> str:
    return hashlib.blake2b(packed.encode(), digest_size=_CHECK_CHARACTERS // 2, person=b"lookup").hexdigest()


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(micros: object) -> datetime | None:
    """Raises ValueError for what `_micros` did not make, OverflowError for a time that no datetime has."""
    if micros is None:
        return None
    if not isinstance(micros, int):
        raise ValueError("no time")
    return _EPOCH + timedelta(microseconds=micros)


def _texts(values: Sequence[object]) -> list[str]:
    """Raises ValueError where one is none."""
    texts = [one for one in values if isinstance(one, str)]
    if len(texts) < len(values):
        raise ValueError("no text")
    return texts


def _plain(values: Mapping[str, object]) -> dict[str, str | int]:
    """Raises ValueError where one is neither a text nor a number."""
    plain = {name: value for name, value in values.items() if isinstance(value, str | int)}
    if len(plain) < len(values):
        raise ValueError("no argument")
    return plain
