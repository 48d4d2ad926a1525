"""The page token of a lookup: opaque, self-contained, checked.

It carries the question, the exact span and the place reached, so that it is sent alone, after a restart or to another
replica. It grants nothing: selectors are resolved and authorized anew, and a token whose accounts have changed since is
refused. It holds no secret, and never an upstream page token.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crosstrail.errors import StalePageToken
from crosstrail.models import Position, Target
from crosstrail.timerange import TimeRange

_FORM = "L1"
_CHECK_CHARACTERS = 12
_MOST_CHARACTERS = 16_000
_MOST_UNPACKED_BYTES = 200_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AGAIN = "Start again without next_token."


@dataclass(frozen=True, slots=True)
class Cursor:
    """`asked`: the arguments of the first call, by name, as they were written. `targets`: what they meant then."""

    asked: Mapping[str, str | int]
    span: TimeRange
    targets: str
    position: Position

    def encode(self) -> str:
        """Raises StalePageToken when too many events share one moment for a token to name those already given."""
        values = [
            dict(self.asked),
            _micros(self.span.start),
            _micros(self.span.end),
            self.targets,
            _micros(self.position.time),
            sorted(self.position.seen),
        ]
        packed = urlsafe_b64encode(zlib.compress(json.dumps(values, separators=(",", ":")).encode(), 9)).decode()
        token = f"{_FORM}{_check(packed)}{packed.rstrip('=')}"
        if len(token) > _MOST_CHARACTERS:
            raise StalePageToken(
                f"{len(self.position.seen)} events share one moment: more than a page token can tell apart",
                hint="Narrow the lookup by an attribute or one account, or use lake_query.",
            )
        return token

    @classmethod
    def decode(cls, token: str) -> Cursor:
        """Raises StalePageToken for anything that `encode` did not make."""
        start = len(_FORM) + _CHECK_CHARACTERS
        packed = token[start:] + "=" * (-len(token[start:]) % 4)
        if not token.startswith(_FORM) or len(token) > _MOST_CHARACTERS or token[len(_FORM) : start] != _check(packed):
            raise StalePageToken("this next_token is broken, or not one of lookup_events", hint=_AGAIN)
        try:
            unpacked = zlib.decompressobj().decompress(urlsafe_b64decode(packed), _MOST_UNPACKED_BYTES)
            asked, since, until, targets, time, seen = json.loads(unpacked)
            position = Position(_EPOCH + timedelta(microseconds=time), frozenset(seen))
            return cls(dict(asked), TimeRange(_moment(since), _moment(until)), targets, position)
        except (NotBase64, zlib.error, ValueError, TypeError, OverflowError) as error:
            raise StalePageToken("this next_token is broken", hint=_AGAIN) from error

    def check(self, sent: Mapping[str, str | int]) -> None:
        """`sent`: the arguments that came beside the token and say something. Raises StalePageToken when one differs."""
        for name, value in sent.items():
            if self.asked.get(name) != value:
                raise StalePageToken(
                    f"next_token belongs to a lookup with another {name}",
                    hint="Send next_token alone to go on, or leave it out to start the new lookup.",
                )

    def check_targets(self, targets: Iterable[Target]) -> None:
        """Raises StalePageToken when the same words name other accounts or regions now."""
        if targets_digest(targets) != self.targets:
            raise StalePageToken("the accounts that this next_token covers have changed", hint=_AGAIN)


def targets_digest(targets: Iterable[Target]) -> str:
    """The same for the same accounts and regions, in any order."""
    names = sorted(f"{target.account.cloud}/{target.account.id}/{target.region}" for target in targets)
    return hashlib.blake2b("\n".join(names).encode(), digest_size=8).hexdigest()


def _check(packed: str) -> str:
    return hashlib.blake2b(packed.encode(), digest_size=_CHECK_CHARACTERS // 2, person=b"lookup").hexdigest()


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)
