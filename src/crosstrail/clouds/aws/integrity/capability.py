"""CloudTrail's digests as the capability `Integrity` of clouds/integrity.py, and its public keys asked online."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from crosstrail.accounts.broker import AnyBroker
from crosstrail.clouds.aws.integrity.aws_format import AwsFormat
from crosstrail.clouds.aws.integrity.keys import keys_text, read_keys
from crosstrail.clouds.aws.integrity.layout import narrowed
from crosstrail.clouds.aws.integrity.proofs import proofs
from crosstrail.clouds.aws.integrity.verify import verify
from crosstrail.clouds.integrity import (
    ArchiveObjects,
    ArchiveProofs,
    AskedSpan,
    FindingFormat,
    IntegrityFinding,
    KeyFile,
    Narrowed,
    OnlineKeys,
)
from crosstrail.models import Account

_MAX_PAGES = 100


class CloudTrailIntegrity:
    """See `Integrity`."""

    format_name = "aws"

    def verify(
        self,
        objects: ArchiveObjects,
        asked: AskedSpan,
        keys: KeyFile,
        online: OnlineKeys | None,
        *,
        jobs: int,
        stop: threading.Event,
    ) -> Iterator[IntegrityFinding]:
        return verify(objects, asked, keys, online, jobs=jobs, stop=stop)

    def proofs(
        self, objects: ArchiveObjects, asked: AskedSpan, keys: KeyFile, online: OnlineKeys | None, stop: threading.Event
    ) -> ArchiveProofs:
        return proofs(objects, asked, keys, online, stop)

    def narrowed(self, prefix: str) -> Narrowed:
        return narrowed(prefix)

    def online_keys(self, broker: AnyBroker, account: Account) -> OnlineKeys:
        from crosstrail.clouds.aws.broker import AwsBroker
        from crosstrail.clouds.aws.calls import CloudTrailCalls

        assert isinstance(broker, AwsBroker)  # noqa: S101 - of this cloud
        calls, loop = CloudTrailCalls(broker), asyncio.get_running_loop()

        async def pages(region: str, start: datetime, end: datetime) -> list[Mapping[str, object]]:
            found: list[Mapping[str, object]] = []
            token: dict[str, str] = {}
            for _ in range(_MAX_PAGES):
                answer = await calls.ask(account, region, "list_public_keys", StartTime=start, EndTime=end, **token)
                found += answer.get("PublicKeyList", [])
                if not answer.get("NextToken"):
                    break
                token = {"NextToken": answer["NextToken"]}
            return found

        def ask(region: str, start: datetime, end: datetime) -> Sequence[Mapping[str, object]]:
            return asyncio.run_coroutine_threadsafe(pages(region, start, end), loop).result()

        return ask

    def read_keys(self, path: Path) -> KeyFile:
        return read_keys(path)

    def keys_text(self, keys: KeyFile) -> bytes:
        return keys_text(keys)

    def format(self, asked: AskedSpan, *, verbose: bool) -> FindingFormat:
        return AwsFormat(asked, verbose=verbose)
