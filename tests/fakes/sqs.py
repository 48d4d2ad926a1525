"""A standard queue of SQS of one's own, as quick with thousands of messages as with ten: in no order, and now and then a message twice.

with FakeSqs() as sqs:
    sqs.send("a body")
    ...                       # AWS_ENDPOINT_URL_SQS=sqs.url, any queue URL
    assert sqs.left == 0
"""

from __future__ import annotations

import itertools
import json
import random
import threading
import time
from dataclasses import dataclass
from hashlib import md5
from typing import Any

from fakes.http import Answer, HttpFake

_AT_ONCE = 10
_TWICE = 0.02
"""Of the messages: those that are given although they are hidden."""


@dataclass
class _Message:
    body: str
    visible_at: float = 0.0


class FakeSqs:
    """`batches`: how many requests there were, by their operation."""

    def __init__(self) -> None:
        self._messages: dict[str, _Message] = {}
        self._of_receipt: dict[str, str] = {}
        self._order = random.Random(1)  # noqa: S311 - the same order every time
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self.batches: dict[str, int] = {}

    def __enter__(self) -> FakeSqs:
        self._http = HttpFake(self._respond)
        self._http.__enter__()
        return self

    def __exit__(self, *about: Any) -> None:
        self._http.__exit__(*about)

    @property
    def url(self) -> str:
        return self._http.url

    @property
    def left(self) -> int:
        return len(self._messages)

    def send(self, body: str) -> None:
        with self._lock:
            self._messages[f"m{next(self._numbers)}"] = _Message(body)

    def _respond(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        operation = headers["x-amz-target"].partition(".")[2]
        params = json.loads(body)
        with self._lock:
            self.batches[operation] = self.batches.get(operation, 0) + 1
            answer = getattr(self, f"_{operation}")(params)
        return Answer(200, json.dumps(answer).encode(), "application/x-amz-json-1.0")

    def _ReceiveMessage(self, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - as it is called there
        now = time.monotonic()
        visible = [id_ for id_, one in self._messages.items() if one.visible_at <= now]
        given = self._order.sample(visible, min(_AT_ONCE, params["MaxNumberOfMessages"], len(visible)))
        if given and len(given) < len(self._messages) and self._order.random() < _TWICE * _AT_ONCE:
            given[-1] = self._order.choice([id_ for id_ in self._messages if id_ not in given])
        return {"Messages": [self._given(id_, now + params["VisibilityTimeout"]) for id_ in given]}

    def _given(self, id_: str, until: float) -> dict[str, str]:
        message = self._messages[id_]
        receipt = f"r{next(self._numbers)}"
        self._of_receipt[receipt] = id_
        message.visible_at = until
        digest = md5(message.body.encode(), usedforsecurity=False).hexdigest()
        return {"MessageId": id_, "ReceiptHandle": receipt, "Body": message.body, "MD5OfBody": digest}

    def _DeleteMessageBatch(self, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        for one in params["Entries"]:
            self._messages.pop(self._of_receipt[one["ReceiptHandle"]], None)
        return {"Successful": [{"Id": one["Id"]} for one in params["Entries"]], "Failed": []}

    def _ChangeMessageVisibilityBatch(self, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        for one in params["Entries"]:
            if message := self._messages.get(self._of_receipt[one["ReceiptHandle"]]):
                message.visible_at = time.monotonic() + one["VisibilityTimeout"]
        return {"Successful": [{"Id": one["Id"]} for one in params["Entries"]], "Failed": []}
