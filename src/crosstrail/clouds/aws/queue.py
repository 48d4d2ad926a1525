"""A queue of SQS, asked by botocore with the credentials of one account, or with the machine's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from crosstrail.clouds.aws.broker import AwsBroker
from crosstrail.clouds.buckets import QueueMessage
from crosstrail.json_values import items, table, text
from crosstrail.models import Account

_AT_ONCE = 10
"""Messages of one request, by SQS's limit."""
_REGION = re.compile(r"//(?:sqs\.([a-z0-9-]+)|([a-z0-9-]+)\.queue)\.", re.ASCII)


class SqsQueue:
    """A MessageQueue."""

    def __init__(self, broker: AwsBroker, url: str, account: Account | None) -> None:
        self._broker = broker
        self._url = url
        self._account = account
        found = _REGION.search(url)
        self._region = (found[1] or found[2]) if found else ""

    async def receive(self, wait_seconds: int, hidden_seconds: int) -> tuple[QueueMessage, ...]:
        answer = await self._ask(
            "receive_message",
            MaxNumberOfMessages=_AT_ONCE,
            WaitTimeSeconds=wait_seconds,
            VisibilityTimeout=hidden_seconds,
        )
        found = [table(one) for one in items(answer.get("Messages"))]
        return tuple(
            QueueMessage(text(one.get("MessageId")), text(one.get("ReceiptHandle")), text(one.get("Body")))
            for one in found
        )

    async def delete(self, messages: Sequence[QueueMessage]) -> None:
        for some in _tens(messages):
            entries = [{"Id": str(n), "ReceiptHandle": one.receipt} for n, one in enumerate(some)]
            await self._ask("delete_message_batch", Entries=entries)

    async def hide(self, messages: Sequence[QueueMessage], seconds: int) -> None:
        for some in _tens(messages):
            entries = [
                {"Id": str(n), "ReceiptHandle": one.receipt, "VisibilityTimeout": seconds} for n, one in enumerate(some)
            ]
            await self._ask("change_message_visibility_batch", Entries=entries)

    async def _ask(self, operation: str, **params: Any) -> dict[str, Any]:
        params["QueueUrl"] = self._url
        if self._account:
            return await self._broker.call(self._account, "sqs", self._region, operation, **params)
        return await self._broker.own_call("sqs", self._region, operation, **params)


def _tens(messages: Sequence[QueueMessage]) -> list[Sequence[QueueMessage]]:
    return [messages[start : start + _AT_ONCE] for start in range(0, len(messages), _AT_ONCE)]
