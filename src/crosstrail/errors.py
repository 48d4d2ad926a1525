"""Every exception that crosstrail raises on purpose.

CrosstrailError            message for the reader; .hint says what to do next
├─ ConfigError             a setting is wrong: names it, its source and the nearest valid name
├─ AccountError
│   ├─ AccountNotFound     absent or not allowed: both read the same, so nobody can probe
│   ├─ AccountsUnavailable a place that lists accounts does not answer
│   └─ CredentialsError    no usable credentials for the account
│       ├─ SecretUnreadable    a stored secret cannot be decrypted, or belongs to another account
│       ├─ WrongAccount        the credentials work, and are another account's
│       ├─ AssumeRoleDenied    the role refuses the base identity; names the role
│       └─ CredentialsExpired  the hint names the command that renews them
├─ InvalidRequest          the caller can put it right
│   ├─ BadTimeRange
│   ├─ SqlRejected         .line and .column, both counted from 1
│   ├─ UnsupportedByCloud  this cloud or this account cannot answer that
│   └─ StalePageToken      broken, or made for another query
├─ LimitReached            this caller asks too much: .retry_after in seconds
├─ RecordUnavailable       the call cannot be recorded, and must be
├─ CloudError              the cloud was asked and did not answer: .code .request_id .account .region
│   ├─ AccessDenied
│   ├─ Throttled           .retry_after: seconds, None when the cloud did not say
│   ├─ CloudUnavailable    unreachable, broken off, or failing on its side
│   └─ ObjectUnavailable   one object of a bucket cannot be had, and others can: .reason
│       ├─ ObjectNotFound
│       ├─ ObjectArchived  in a storage class that must be restored first
│       ├─ ObjectChanged   it is no longer what was listed
│       └─ ObjectTooLarge
├─ LakeError
│   ├─ CorruptLogFile      .path, and .position: a byte offset or a record index
│   └─ LakeBusy
├─ DeliveryFailed          a webhook did not take what was sent to it; nothing is lost
├─ WrappedServerError      a wrapped MCP server did not start, did not answer or died
└─ QueryError
    ├─ QueryFailed
    ├─ QueryTimedOut       .query_id: still running, ask again with it
    └─ QueryCancelled

A message never holds a secret, SQL text or the value of an event: those reach logs and models unfenced. Nor does it hold a
path or an address of the operator's: that is its .where, which the command line and the log show and callers do not see.
"""

from __future__ import annotations

from typing import Self, TypeVar

E = TypeVar("E", bound="CrosstrailError")


class CrosstrailError(Exception):
    """`str()` is the message alone; `.hint`, when not empty, is one sentence on what to do next."""

    where: str = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def about(self, where: str) -> Self:
        """The same error, with the operator's own path or address that it is about."""
        self.where = where
        return self

    @property
    def text(self) -> str:
        """Message and hint as one line for a reader."""
        return self._line(str(self).rstrip())

    @property
    def operators_text(self) -> str:
        """The same with where it is, for who runs crosstrail."""
        return self._line(f"{str(self).rstrip()}{f' ({self.where})' * bool(self.where)}")

    def _line(self, message: str) -> str:
        if not self.hint:
            return message
        end = "" if message.endswith((".", "?", "!")) else "."
        return f"{message}{end} {self.hint}"


def own(error: E) -> E:
    """A copy to change for one caller: what was kept, or awaited by many, is the same object for all of them, notes included."""
    copied = type(error).__new__(type(error), *error.args)
    copied.__dict__.update(error.__dict__)
    copied.__notes__ = list(getattr(error, "__notes__", ()))
    return copied


def with_hint(error: E, hint: str) -> E:
    """A copy with another hint."""
    copied = own(error)
    copied.hint = hint.strip()
    return copied


class ConfigError(CrosstrailError):
    """A setting is missing, unknown or malformed."""


class AccountError(CrosstrailError):
    """An account cannot be used."""


class AccountNotFound(AccountError):
    """No such account for this caller."""


class AccountsUnavailable(AccountError):
    """A database or an organization that lists accounts cannot be read now; the same request may work later."""


class CredentialsError(AccountError):
    """The account is known and no usable credentials for it can be had."""


class SecretUnreadable(CredentialsError):
    """A stored secret that no key opens, or that was stored for another account."""


class WrongAccount(CredentialsError):
    """Credentials of another account than the one they are listed for. `actual` is for the operator: no text names it."""

    def __init__(self, message: str, *, actual: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.actual = actual


class AssumeRoleDenied(CredentialsError):
    """STS refused to let the base identity assume the account's role."""


class CredentialsExpired(CredentialsError):
    """Credentials that only somebody else can renew; the hint names how."""


class InvalidRequest(CrosstrailError):
    """The request itself cannot be answered."""


class BadTimeRange(InvalidRequest):
    """A time that cannot be read, or a range that ends before it starts."""


class SqlRejected(InvalidRequest):
    """The statement is refused before any engine sees it."""

    excerpt: tuple[str, ...] = ()
    """Lines of the statement with the place marked, for the terminal of who wrote it; no log and no caller sees them."""

    def __init__(self, message: str, *, line: int = 0, column: int = 0, hint: str = "") -> None:
        place = f"line {line} column {column}: " if line else ""
        super().__init__(f"{place}{message}", hint=hint)
        self.line = line
        self.column = column


class UnsupportedByCloud(InvalidRequest):
    """The cloud, or the kind of account, has no answer to this request."""


class StalePageToken(InvalidRequest):
    """A page token that is broken or belongs to another query."""


class LimitReached(CrosstrailError):
    """A limit of ours for each caller; the same request works after `retry_after` seconds."""

    def __init__(self, message: str, *, retry_after: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class RecordUnavailable(CrosstrailError):
    """No call may go unrecorded, and lines of the record cannot be written now."""


class CloudError(CrosstrailError):
    """A cloud's answer, or the lack of one. `code` is the cloud's own word, or the kind of connection fault."""

    def __init__(
        self, message: str, *, code: str = "", request_id: str = "", account: str = "", region: str = "", hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.request_id = request_id
        self.account = account
        self.region = region


class AccessDenied(CloudError):
    """The credentials are valid and may not do this."""


class Throttled(CloudError):
    """Too many requests, still so after the retries."""

    retry_after: float | None = None


class CloudUnavailable(CloudError):
    """The cloud cannot be reached, broke off, or failed on its side; the same request may work later.

    `nothing_sent`: it failed before the request itself went out, as when credentials for it were asked for.
    """

    nothing_sent: bool = False


class ObjectUnavailable(CloudError):
    """One object cannot be had. `reason` says why in a few words, without its name."""

    reason: str = "cannot be had"


class ObjectNotFound(ObjectUnavailable):
    reason = "is not there"


class ObjectArchived(ObjectUnavailable):
    reason = "is archived: restore it first (S3 Glacier)"


class ObjectChanged(ObjectUnavailable):
    reason = "changed while it was read"


class ObjectTooLarge(ObjectUnavailable):
    reason = "is larger than allowed"


class LakeError(CrosstrailError):
    """The lake cannot be read or written."""


class CorruptLogFile(LakeError):
    """A log file, or one record of it, cannot be read."""

    def __init__(self, path: str, position: str, reason: str) -> None:
        super().__init__(f"{path}: {reason} at {position}")
        self.path = path
        self.position = position
        self.reason = reason


class LakeBusy(LakeError):
    """Another process kept winning the race to commit."""


class DeliveryFailed(CrosstrailError):
    """A webhook did not take what was sent to it; whoever sends keeps it."""


class WrappedServerError(CrosstrailError):
    """A wrapped server's process failed; the message ends with the last lines it wrote to stderr."""


class QueryError(CrosstrailError):
    """A query was accepted and did not finish well."""


class QueryFailed(QueryError):
    """The engine reported an error."""


class QueryTimedOut(QueryError):
    """The wait is over; the query goes on unless the engine stopped it."""

    def __init__(self, message: str, *, query_id: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.query_id = query_id


class QueryCancelled(QueryError):
    """Somebody cancelled the query."""
