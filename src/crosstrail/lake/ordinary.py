"""Records of the most frequent form to rows, many at once: decoded straight into the types of the lake's columns.

Decides which records those are: all fields are columns', with values of their types, an event source that only one cloud
writes, a time, an id and an account. Of everything else it gives nothing, and records.py reads it, whose rows of the same
records are the same, in several times the time. What is asked of a record is asked of all of them at once, because a call
for each costs more than its work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import repeat

from msgspec import MsgspecError
from msgspec.structs import asdict

from crosstrail.account_forms import AccountForm
from crosstrail.clouds.shape import OrdinaryForm, RecordForm, account_of
from crosstrail.lake.record_forms import micros_of, record_forms, unstated_owner
from crosstrail.lake.rows import Row
from crosstrail.lake.typed_records import TypedRecord, caller_of, ordinary_decoder, set_entries

_decoded = ordinary_decoder()


@dataclass(frozen=True, slots=True, eq=False)
class _Form:
    cloud: str
    records: RecordForm
    ordinary: OrdinaryForm
    accounts: AccountForm

    def owner(self, recipient: str | None, caller: str | None) -> str:
        return account_of({"recipientAccountId": recipient, "userIdentity": {"accountId": caller}}, self.accounts)


def ordinary_rows(
    raws: Sequence[bytes], name: str, hint: str, account: str, as_written: Callable[[bytes], bytes]
) -> Sequence[Row]:
    """The rows of these records, of which none has space around it; none where one of them may be anything else.

    `name`, `hint` and `account` say whose a record is that does not say so. `as_written`: a record's text as it stood; asked
    in their order, and only where all records have rows.
    """
    try:
        records = [_decoded(raw) for raw in raws]
        sources = [record.eventSource or "" for record in records]
        forms = set(map(_form_of, set(sources)))
        form = forms.pop()
        ids = [record.eventID or "" for record in records]
        if not form or forms or not all(ids):
            return ()
        micros = [micros_of(record.eventTime) for record in records]
        resources = [
            form.ordinary.resources(record.requestParameters, source, _mappings(record))
            for record, source in zip(records, sources, strict=True)
        ]
        set_entries(records, shallow=True)
    except (MsgspecError, ValueError, RecursionError):
        return ()
    owners = _owners(form, records, lambda: unstated_owner(form.records, form.accounts, hint, name, account))
    if not all(owners):
        return ()
    principals, usernames = zip(*[caller_of(record.userIdentity) for record in records], strict=True)
    texts = [as_written(bytes(raw)) for raw in raws]
    clouds, names = repeat(form.cloud), repeat(name)
    return list(map(Row, clouds, owners, micros, ids, records, texts, resources, usernames, principals, names))


def _owners(form: _Form, records: Sequence[TypedRecord], unstated: Callable[[], str]) -> list[str]:
    recipients = [record.recipientAccountId for record in records]
    stated = {recipient: form.owner(recipient, None) for recipient in set(recipients)}
    if all(stated.values()):
        return [stated[recipient] for recipient in recipients]
    callers = [record.userIdentity.accountId if record.userIdentity else None for record in records]
    return [form.owner(recipient, caller) or unstated() for recipient, caller in zip(recipients, callers, strict=True)]


def _mappings(record: TypedRecord) -> list[object] | None:
    return [one and asdict(one) for one in record.resources] if record.resources else None


@cache
def _forms() -> tuple[_Form, ...]:
    return tuple(
        _Form(cloud, records, records.ordinary, accounts)
        for cloud, records, accounts in record_forms()
        if records.ordinary
    )


@lru_cache(maxsize=1_000)
def _form_of(source: str) -> _Form | None:
    """Of the cloud that alone has this event source."""
    return next((form for form in _forms() if form.ordinary.is_source(source)), None)
