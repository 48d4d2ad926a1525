"""What somebody who can write a bucket does to a trail, and what it must be called: for a folder and for S3 alike."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import timedelta

from signed_trail import HOUR, START, Chain, SignedTrail, Stored, packed, signed_text, signing_key

Expected = Mapping[str, str]
"""Object key -> the verdict that it must get."""
Tamper = Callable[[SignedTrail, Chain], Expected]
"""Of one account and region."""
TAMPERINGS: dict[str, Tamper] = {}
_LATE = "late_digest"


def tampering(tamper: Tamper) -> Tamper:
    TAMPERINGS[tamper.__name__] = tamper
    return tamper


def _content(trail: SignedTrail, key: str) -> bytes:
    return gzip.decompress(trail.objects[key].body)


def _put(trail: SignedTrail, key: str, body: bytes, like: str = "") -> None:
    trail.objects[key] = Stored(body, trail.objects[like or key].metadata)


@tampering
def edit_a_log(trail: SignedTrail, chain: Chain) -> Expected:
    key = chain.logs[20]
    _put(trail, key, packed(_content(trail, key).replace(b"ListBuckets", b"ListTables!")))
    return {key: "modified"}


@tampering
def delete_a_log(trail: SignedTrail, chain: Chain) -> Expected:
    key = chain.logs[21]
    del trail.objects[key]
    return {key: "deleted"}


@tampering
def move_a_log(trail: SignedTrail, chain: Chain) -> Expected:
    key = chain.logs[22]
    moved = key.replace(key[-24:], "movedmovedmoved0.json.gz")
    trail.objects[moved] = trail.objects.pop(key)
    return {key: "moved", moved: "unlisted"}


@tampering
def truncate_a_log(trail: SignedTrail, chain: Chain) -> Expected:
    key = chain.logs[23]
    _put(trail, key, trail.objects[key].body[:-60])
    return {key: "modified"}


@tampering
def cut_the_checksum_off_a_log(trail: SignedTrail, chain: Chain) -> Expected:
    key = chain.logs[23]
    _put(trail, key, trail.objects[key].body[:-8])
    return {key: "modified"}


@tampering
def empty_a_log(trail: SignedTrail, chain: Chain) -> Expected:
    key = chain.logs[23]
    _put(trail, key, b"")
    return {key: "modified"}


@tampering
def swap_two_logs(trail: SignedTrail, chain: Chain) -> Expected:
    first, second = chain.logs[24:26]
    trail.objects[first], trail.objects[second] = trail.objects[second], trail.objects[first]
    return {first: "moved", second: "moved"}


@tampering
def append_a_gzip_member_to_a_log(trail: SignedTrail, chain: Chain) -> Expected:
    key = chain.logs[26]
    _put(trail, key, trail.objects[key].body + packed({"Records": [{"eventName": "Forged"}]}))
    return {key: "appended"}


@tampering
def append_a_byte_to_a_log(trail: SignedTrail, chain: Chain) -> Expected:
    key = chain.logs[26]
    _put(trail, key, trail.objects[key].body + b"\0")
    return {key: "appended"}


@tampering
def insert_a_log(trail: SignedTrail, chain: Chain) -> Expected:
    key = chain.logs[30]
    inserted = f"{key[:-24]}insertedinserted.json.gz"
    trail.objects[inserted] = trail.objects[chain.logs[3]]
    return {inserted: "unlisted"}


@tampering
def copy_a_log_of_another_account(trail: SignedTrail, chain: Chain) -> Expected:
    other = next(one for one in trail.chains.values() if one.account != chain.account and one.region == chain.region)
    inserted = f"{chain.logs[31][:-24]}copiedcopiedcopi.json.gz"
    trail.objects[inserted] = trail.objects[other.logs[31]]
    return {inserted: "unlisted"}


@tampering
def edit_a_digest(trail: SignedTrail, chain: Chain) -> Expected:
    key = chain.keys[20]
    said = json.loads(_content(trail, key))
    said["logFiles"][0]["hashValue"] = "0" * 64
    _put(trail, key, packed(said))
    return {key: "modified"}


@tampering
def edit_the_newest_digest(trail: SignedTrail, chain: Chain) -> Expected:
    key = chain.keys[-1]
    said = json.loads(_content(trail, key))
    said["logFiles"].pop()
    _put(trail, key, packed(said))
    return {key: "modified"}


@tampering
def delete_a_digest(trail: SignedTrail, chain: Chain) -> Expected:
    key = chain.keys[20]
    del trail.objects[key]
    return {key: "deleted"}


@tampering
def delete_two_digests_in_a_row(trail: SignedTrail, chain: Chain) -> Expected:
    keys = chain.keys[20:22]
    for key in keys:
        del trail.objects[key]
    return dict.fromkeys(keys, "deleted")


@tampering
def delete_the_oldest_digest(trail: SignedTrail, chain: Chain) -> Expected:
    key = chain.keys[0]
    del trail.objects[key]
    return {key: "deleted"}


@tampering
def delete_the_newest_digest(trail: SignedTrail, chain: Chain) -> Expected:
    key = chain.keys[-1]
    del trail.objects[key]
    return {key: "missing"}


@tampering
def move_a_digest(trail: SignedTrail, chain: Chain) -> Expected:
    key = chain.keys[20]
    moved = chain.key(START + 21 * HOUR + timedelta(minutes=7))
    trail.objects[moved] = trail.objects.pop(key)
    return {key: "deleted", moved: "moved"}


@tampering
def truncate_a_digest(trail: SignedTrail, chain: Chain) -> Expected:
    key = chain.keys[20]
    _put(trail, key, trail.objects[key].body[:-60])
    return {key: "modified"}


@tampering
def swap_two_digests(trail: SignedTrail, chain: Chain) -> Expected:
    first, second = chain.keys[20:22]
    trail.objects[first], trail.objects[second] = trail.objects[second], trail.objects[first]
    return {first: "moved", second: "moved"}


@tampering
def append_a_gzip_member_to_a_digest(trail: SignedTrail, chain: Chain) -> Expected:
    key = chain.keys[20]
    _put(trail, key, trail.objects[key].body + packed({}))
    return {key: "appended"}


@tampering
def replay_an_old_digest(trail: SignedTrail, chain: Chain) -> Expected:
    key = chain.keys[20]
    trail.objects[key] = trail.objects[chain.keys[10]]
    return {key: "moved"}


@tampering
def sign_a_digest_with_another_key(trail: SignedTrail, chain: Chain) -> Expected:
    """A whole digest, signed anew under the fingerprint of CloudTrail's key, with its signature wherever it stands."""
    key, after = chain.keys[20:22]
    said = json.loads(_content(trail, key))
    said["logFiles"].pop()
    content = json.dumps(said).encode()
    signature = signing_key("forger").sign(signed_text(said, content))
    trail.objects[key] = Stored(packed(content), {**trail.objects[key].metadata, "signature": signature})
    newer = json.loads(_content(trail, after))
    newer |= {
        "previousDigestSignature": signature, "previousDigestHashValue": hashlib.sha256(content).hexdigest()
    }  # fmt: skip
    _put(trail, after, packed(newer))
    return {key: "forged", after: "modified"}


@tampering
def delete_a_late_digest(trail: SignedTrail, chain: Chain) -> Expected:
    key = trail.backfill[0].keys[1]
    del trail.objects[key]
    return {key: "deleted"}


@tampering
def edit_a_log_of_a_late_digest(trail: SignedTrail, chain: Chain) -> Expected:
    key = trail.backfill[0].logs[1]
    _put(trail, key, packed({"Records": []}))
    return {key: "modified"}


@tampering
def edit_and_delete_and_insert_at_once(trail: SignedTrail, chain: Chain) -> Expected:
    return {
        **edit_a_log(trail, chain),
        **delete_a_log(trail, chain),
        **insert_a_log(trail, chain),
        **_delete(trail, chain.keys[40]),
    }


def _delete(trail: SignedTrail, key: str) -> Expected:
    del trail.objects[key]
    return {key: "deleted"}


def batches(trail: SignedTrail) -> list[list[tuple[Tamper, Chain]]]:
    """All of them, each in an account and region of its own, as many at once as there are: those of late digests where
    there are any."""
    chains = list(trail.chains.values())
    late = [one for name, one in TAMPERINGS.items() if _LATE in name]
    others = [one for name, one in TAMPERINGS.items() if _LATE not in name]
    found: list[list[tuple[Tamper, Chain]]] = []
    while late or others:
        first = late.pop() if late else others.pop()
        rest = [others.pop() for _ in chains[1:] if others]
        found.append(list(zip([first, *rest], chains, strict=False)))
    return found


def check_blame(tampered: SignedTrail, expected: dict[str, str], named: dict[str, str]) -> None:
    """`named`: object key -> verdict. Every object has one; what was not touched is valid, or unproved for want of a digest."""
    assert {key: one for key, one in named.items() if one not in ("valid", "uncovered")} == expected
    assert tampered.objects.keys() - named.keys() == set()
