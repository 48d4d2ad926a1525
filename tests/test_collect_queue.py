"""`crosstrail collect --follow` over moto: polling, and a queue as a hint that loses and doubles nothing."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

import preloaded
from audit_logs import rows
from crosstrail.lake.sources.notifications import NoticeKind, notice_of
from lake_workspace import PROD
from moto_server import Moto
from trail_bucket import NOON, event, key, put

BUCKET = "trail-logs"


@contextmanager
def _following(lake: Path, *more: str) -> Iterator[Callable[[], dict[str, Any]]]:
    """What gives the next report; at the end SIGTERM, after which it must have left with 0."""
    process = preloaded.start(
        "collect", f"s3://{BUCKET}", "--lake", lake, "--json", "--follow", "--interval", "1", *more, stdout=True
    )
    assert process.stdout
    out = process.stdout

    def report() -> dict[str, Any]:
        line = out.readline()
        assert line, process.stderr.read() if process.stderr else ""
        found: dict[str, Any] = json.loads(line)
        return found

    try:
        yield report
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 0
    finally:
        process.kill()
        out.close()
        if process.stderr:
            process.stderr.close()


def _until(report: Callable[[], dict[str, Any]], events: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while sum(one["new"] for one in found) < events:
        found.append(report())
    return found


def test_follow_goes_on_collecting_and_ends_cleanly(moto: Moto, tmp_path: Path) -> None:
    moto.bucket(BUCKET)
    put(moto, BUCKET, key("a"), [event(1)])
    with _following(tmp_path) as report:
        _until(report, 1)
        put(moto, BUCKET, key("b", NOON - timedelta(hours=20)), [event(2)])  # late, across midnight
        _until(report, 1)
    assert len(rows(tmp_path, "eventid")) == 2


def _s3(name: str) -> dict[str, Any]:
    about = {"bucket": {"name": BUCKET}, "object": {"key": quote_plus(name), "size": 10}}
    return {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": about}]}


def _left(sqs: Any, url: str) -> int:
    about = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(about["ApproximateNumberOfMessages"]) + int(about["ApproximateNumberOfMessagesNotVisible"])


def test_messages_of_every_form_are_taken_and_deleted_and_others_stay(moto: Moto, tmp_path: Path) -> None:
    moto.bucket(BUCKET)
    sqs = moto.client("sqs")
    url = sqs.create_queue(QueueName="new-logs")["QueueUrl"]
    names = [key(f"{unique} +ü") for unique in "abcd"]
    for number, name in enumerate(names):
        put(moto, BUCKET, name, [event(number)])
    eventbridge = {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": BUCKET}, "object": {"key": names[2], "size": 10}},
    }
    wrapped = {"Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:1:t", "Message": json.dumps(_s3(names[1]))}
    cloudtrail = {**wrapped, "Message": json.dumps({"s3Bucket": BUCKET, "s3ObjectKey": [names[3]]})}
    test = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET}
    other = json.loads(json.dumps(_s3("x")).replace(BUCKET, "another-bucket"))
    taken = [_s3(names[0]), _s3(names[0]), wrapped, eventbridge, cloudtrail, test]
    with _following(tmp_path, "--queue", url, "--interval", "3600") as report:
        _until(report, 4)  # by the listing: what messages tell of is known by then, or will be asked for once more
        for body in (*taken, other, {"not": "known"}):
            sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))
        sqs.send_message(QueueUrl=url, MessageBody="no JSON {")
        put(moto, BUCKET, key("late"), [event(9)])
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(_s3(key("late"))))
        _until(report, 1)
        while _left(sqs, url) > 3:  # the foreign ones; what was taken is deleted right after its commit
            pass
        assert _left(sqs, url) == 3
    assert sorted(int(one["eventid"][-6:]) for one in rows(tmp_path, "eventid")) == [0, 1, 2, 3, 9]


@pytest.mark.parametrize(
    ("body", "kind", "keys"),
    [
        (_s3(f"AWSLogs/{PROD}/a b+c/ü"), NoticeKind.OBJECTS, [f"AWSLogs/{PROD}/a b+c/ü"]),
        ({"Event": "s3:TestEvent"}, NoticeKind.NOTHING, []),
        ({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectRemoved:Delete"}]}, NoticeKind.NOTHING, []),
        ({"Records": [{"eventSource": "aws:sns"}]}, NoticeKind.FOREIGN, []),
        ({"Records": 5}, NoticeKind.FOREIGN, []),
        ([1], NoticeKind.FOREIGN, []),
        ({"source": "aws.s3", "detail-type": "Object Created", "detail": []}, NoticeKind.NOTHING, []),
        ({"s3Bucket": "b", "s3ObjectKey": ["k", 5, "x" * 2000]}, NoticeKind.OBJECTS, ["k"]),
    ],
)
def test_what_a_message_says(body: Any, kind: NoticeKind, keys: list[str]) -> None:
    notice = notice_of(json.dumps(body))
    assert (notice.kind, [one.key for one in notice.objects]) == (kind, keys)


def test_a_message_that_is_deep_or_broken_is_foreign() -> None:
    assert notice_of("[" * 200_000).kind is NoticeKind.FOREIGN
    assert notice_of("{").kind is NoticeKind.FOREIGN
