"""A queue as a hint, over moto: thousands of messages, repeated, out of order, unreadable, hidden while a commit takes its time and
come again; each event once, and nothing deleted before it is in the table."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest

from audit_logs import rows
from crosstrail.cli.collect_bucket import BucketCollection, BucketOptions, Noticed
from crosstrail.lake.collector import CollectionReport
from crosstrail.lake.sources.notifications import NoticedObject
from crosstrail.object_store import BucketUri
from crosstrail.settings.config import Settings
from crosstrail.workspace.bucket_access import BucketQueue
from crosstrail.workspace.buckets import opened_buckets
from fakes.sqs import FakeSqs
from lake_workspace import DEV, PROD
from moto_server import Moto
from trail_bucket import NOON, event, key, numbers, packed, put

URI = BucketUri("s3", "trail-logs")


@dataclass
class Following:
    """A collector that takes what a queue tells of; `before_commit` and `after_commit` are called around each collection."""

    sqs: Any
    url: str
    queue: BucketQueue
    noticed: Noticed
    reports: list[CollectionReport] = field(default_factory=list)
    before_commit: Callable[[], None] = lambda: None
    after_commit: Callable[[], None] = lambda: None

    @property
    def left(self) -> int:
        about = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])["Attributes"]
        return int(about["ApproximateNumberOfMessages"]) + int(about["ApproximateNumberOfMessagesNotVisible"])

    def send(self, bodies: Sequence[str]) -> None:
        for start in range(0, len(bodies), 10):
            entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[start : start + 10])]
            self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)


@contextmanager
def _following(moto: Moto, lake: Path, *, options: BucketOptions, url: str = "", **queue: Any) -> Iterator[Following]:
    sqs = moto.client("sqs")
    url = url or sqs.create_queue(QueueName="new-logs")["QueueUrl"]
    settings = Settings.model_validate({"lake": {"path": str(lake)}})
    with opened_buckets(settings) as buckets:
        collection = BucketCollection(settings, buckets, options)
        opened = replace(collection.queue(url, URI), **queue)

        def take(noticed: Sequence[NoticedObject]) -> None:
            following.before_commit()
            following.reports.append(collection.collect_noticed(URI, noticed, workers=1))
            following.after_commit()

        following = Following(sqs, url, opened, Noticed(opened, URI, take, collection.is_chosen))
        yield following


@pytest.fixture
def bucket(moto: Moto) -> Moto:
    moto.bucket(URI.bucket)
    return moto


def _told(*names: str, content: Mapping[str, bytes] = {}) -> str:
    """A message of S3's own, with the ETags of what is known to be in the objects."""
    records = []
    for name in names:
        about: dict[str, Any] = {"key": name, "size": len(content.get(name, b"x"))}
        if name in content:
            about["eTag"] = md5(content[name], usedforsecurity=False).hexdigest()
        where = {"bucket": {"name": URI.bucket}, "object": about}
        records.append({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": where})
    return json.dumps({"Records": records})


def test_1850_messages_lose_and_double_nothing_and_go_after_their_commit(
    bucket: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others took 35 of 1,850."""
    order = random.Random(7)  # noqa: S311 - the same order every time
    objects = 120
    names = [key(f"{number:04d}", NOON + timedelta(minutes=number)) for number in range(objects)]
    content = {name: packed([event(2 * number), event(2 * number + 1)]) for number, name in enumerate(names)}
    for name, data in content.items():
        bucket.s3.put_object(Bucket=URI.bucket, Key=name, Body=data)
    bodies = [_told(name, content=content) for name in names]
    bodies += [
        json.dumps({"Type": "Notification", "TopicArn": "arn:t", "Message": body}) for body in bodies
    ]  # by SNS, too
    bodies += [_told(*order.sample(names, 3), content=content) for _ in range(1_840 - len(bodies))]
    unreadable = ["no JSON {", "[]", json.dumps({"Records": [{"eventSource": "aws:sqs"}]}), "[" * 9_999, "{}"] * 2
    bodies += unreadable
    order.shuffle(bodies)
    with FakeSqs() as sqs:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", sqs.url)
        for body in bodies:
            sqs.send(body)
        left: list[tuple[int, int]] = []
        with _following(bucket, tmp_path, options=BucketOptions(), url=f"{sqs.url}/1/new-logs") as following:
            following.before_commit = lambda: left.append((sqs.left, 0))
            following.after_commit = lambda: left.append((sqs.left, len(rows(tmp_path, "eventid"))))
            while sqs.left > len(unreadable):
                following.noticed.once(0)
        assert sqs.left == len(unreadable)
    assert left[0] == (1_850, 0)
    for (before, _), (after, _) in zip(left[::2], left[1::2], strict=True):
        assert before == after  # nothing goes before its events are in the table
    assert sum(one.new for one in following.reports) == 2 * objects
    assert not any(one.known for one in following.reports)  # what was read is not read again
    assert numbers(tmp_path) == list(range(2 * objects))


def test_messages_stay_hidden_while_a_commit_takes_its_time(bucket: Moto, tmp_path: Path) -> None:
    put(bucket, URI.bucket, key("a"), [event(1)])
    with _following(bucket, tmp_path, options=BucketOptions(), hidden_seconds=30, again_seconds=0.05) as following:
        following.send([_told(key("a"))])

        def until_hidden_again() -> None:
            first = _hidden_until()
            while _hidden_until() <= first:
                pass

        following.before_commit = until_hidden_again
        following.noticed.once(0)
        assert following.left == 0
    assert numbers(tmp_path) == [1]


def test_a_message_that_comes_again_before_its_commit_doubles_nothing(bucket: Moto, tmp_path: Path) -> None:
    put(bucket, URI.bucket, key("a"), [event(1)])
    with _following(bucket, tmp_path, options=BucketOptions()) as following:
        following.send([_told(key("a"))])

        def lapse() -> None:
            following.before_commit = following.after_commit = lambda: None
            _show_all()
            following.noticed.once(0)  # whoever else follows gets it, and is done first

        following.before_commit = lapse
        following.noticed.once(0)
        assert following.left == 0
        assert len(following.reports) == 2
        following.send([_told(key("a"))])
        following.after_commit = _show_all  # then its receipt is an old one
        following.noticed.once(0)
        following.noticed.once(0)
        assert following.left == 0
    assert numbers(tmp_path) == [1]
    assert sum(one.new for one in following.reports) == 1


def test_a_collection_that_fails_leaves_its_messages(bucket: Moto, tmp_path: Path) -> None:
    put(bucket, URI.bucket, key("a"), [event(1)])
    with _following(bucket, tmp_path, options=BucketOptions()) as following:
        following.send([_told(key("a"))])

        def fail() -> None:
            raise KeyboardInterrupt

        following.before_commit = fail
        with pytest.raises(KeyboardInterrupt):
            following.noticed.once(0)
        assert following.left == 1
        following.before_commit = lambda: None
        _show_all()
        following.noticed.once(0)
        assert following.left == 0
    assert numbers(tmp_path) == [1]


def test_one_object_of_ten_that_fails_doubles_no_other(bucket: Moto, tmp_path: Path) -> None:
    names = [key(f"{number}") for number in range(10)]
    for number, name in enumerate(names):
        put(bucket, URI.bucket, name, [event(number)])
    bucket.s3.put_object(Bucket=URI.bucket, Key=names[4], Body=packed([event(4)])[:30])
    with _following(bucket, tmp_path, options=BucketOptions()) as following:
        following.send([_told(*names)])
        following.noticed.once(0)
        assert (following.left, following.reports[0].new, following.reports[0].objects_failed) == (0, 9, 1)
        put(bucket, URI.bucket, names[4], [event(4)])
        following.send([_told(*names)])
        following.noticed.once(0)
        assert (following.left, following.reports[1].new) == (0, 1)
    assert numbers(tmp_path) == list(range(10))


def test_what_is_not_chosen_stays_in_the_queue(bucket: Moto, tmp_path: Path) -> None:
    names = [
        key("a"),
        key("b", account=DEV),
        key("c", region="eu-west-1"),
        key("d", NOON - timedelta(days=40)),
        "flat/e.json.gz",
    ]
    for number, name in enumerate(names):
        put(bucket, URI.bucket, name, [event(number, DEV if DEV in name else PROD)])
    chosen = BucketOptions(account=PROD, region="us-*", since="2026-11-01")
    with _following(bucket, tmp_path, options=chosen) as following:
        following.send([_told(name) for name in names] + [_told(names[0], names[1])])
        following.noticed.once(0)
        assert following.left == 4
        assert numbers(tmp_path) == [0]
    _show_all()
    with _following(bucket, tmp_path, options=BucketOptions()) as following:
        following.noticed.once(0)
        assert following.left == 0
    assert numbers(tmp_path) == [0, 1, 2, 3, 4]


def test_a_topic_that_delivers_raw_or_tests_the_queue_is_understood(bucket: Moto, tmp_path: Path) -> None:
    """Several who want to hear of one prefix need SNS, since S3 tells one only: with raw delivery its envelope is missing."""
    put(bucket, URI.bucket, key("a"), [event(1)])
    put(bucket, URI.bucket, key("b"), [event(2)])
    sns = bucket.client("sns")
    topic = sns.create_topic(Name="new-logs")["TopicArn"]
    with _following(bucket, tmp_path, options=BucketOptions()) as following:
        arn = following.sqs.get_queue_attributes(QueueUrl=following.url, AttributeNames=["QueueArn"])
        endpoint = arn["Attributes"]["QueueArn"]
        made = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=endpoint, ReturnSubscriptionArn=True)
        test = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": URI.bucket})
        sns.publish(TopicArn=topic, Message=_told(key("a")))
        sns.publish(TopicArn=topic, Message=test)
        sns.set_subscription_attributes(
            SubscriptionArn=made["SubscriptionArn"], AttributeName="RawMessageDelivery", AttributeValue="true"
        )
        sns.publish(TopicArn=topic, Message=_told(key("b")))
        sns.publish(TopicArn=topic, Message=test)
        following.send([test])
        assert following.left == 5
        following.noticed.once(0)
        assert following.left == 0
    assert numbers(tmp_path) == [1, 2]


def _messages() -> list[Any]:
    """Of moto's queue, in this process."""
    from moto.sqs.models import sqs_backends

    [queue] = sqs_backends["123456789012"]["us-east-1"].queues.values()
    return list(queue._messages)


def _hidden_until() -> int:
    """Milliseconds since 1970."""
    return min(int(one.visible_at) for one in _messages())


def _show_all() -> None:
    """As if all that is hidden had been for too long."""
    for one in _messages():
        one.visible_at = 0
