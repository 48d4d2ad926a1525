"""Buckets over moto: what opening, listing, reading and writing give, and what each refusal is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosstrail.errors import (
    CredentialsError,
    CrosstrailError,
    InvalidRequest,
    ObjectArchived,
    ObjectChanged,
    ObjectNotFound,
    ObjectTooLarge,
)
from crosstrail.settings.config import Settings
from crosstrail.workspace.buckets import opened_buckets
from moto_server import Moto


def _settings(tmp_path: Path) -> Settings:
    return Settings.model_validate({"lake": {"path": str(tmp_path)}})


def test_a_bucket_lists_and_gives_objects_with_their_metadata(moto: Moto, tmp_path: Path) -> None:
    bucket = moto.bucket(objects={f"logs/AWSLogs/{n}/x y+%41ü.gz": b"%d" % n for n in range(3)})
    moto.s3.put_object(Bucket=bucket, Key="digest", Body=b"{}", Metadata={"Signature": "abc"})
    with opened_buckets(_settings(tmp_path)) as buckets:
        found = buckets.open(f"s3://{bucket}/logs/")
        keys = [one.key for page in found.pages("logs") for one in page]
        assert keys == [f"logs/AWSLogs/{n}/x y+%41ü.gz" for n in range(3)]
        assert [one.key for page in found.pages("logs", start_after=keys[1]) for one in page] == keys[2:]
        assert found.folders("logs/AWSLogs")[0] == ["0", "1", "2"]
        assert found.get(keys[1]).data == b"1"
        digest = found.get("digest")
        assert digest.metadata == {"signature": "abc"}
        assert found.get("digest", etag=digest.info.etag).data == b"{}"
        assert found.requests.lists >= 3


def test_a_bucket_is_written_and_cleared(moto: Moto, tmp_path: Path) -> None:
    bucket = moto.bucket()
    with opened_buckets(_settings(tmp_path)) as buckets:
        found = buckets.open(f"s3://{bucket}")
        found.put("a/b", b"one", metadata={"sha256": "00"})
        with pytest.raises(ObjectChanged):
            found.put("a/b", b"two", create=True)
        assert found.get("a/b").metadata == {"sha256": "00"}
        found.delete(["a/b", "nothing"])
        with pytest.raises(ObjectNotFound):
            found.get("a/b")


def test_what_one_object_lacks_has_an_error_of_its_own(moto: Moto, tmp_path: Path) -> None:
    bucket = moto.bucket(objects={"cold": b"x", "big": b"x" * 100})
    moto.s3.put_object(Bucket=bucket, Key="cold", Body=b"x", StorageClass="GLACIER")
    with opened_buckets(_settings(tmp_path)) as buckets:
        found = buckets.open(f"s3://{bucket}")
        with pytest.raises(ObjectArchived):
            found.get("cold")
        with pytest.raises(ObjectTooLarge):
            found.get("big", max_bytes=99)
        with pytest.raises(ObjectChanged):
            found.get("big", etag='"another"')


def test_no_such_bucket_and_no_address_are_refused(moto: Moto, tmp_path: Path) -> None:
    with opened_buckets(_settings(tmp_path)) as buckets:
        with pytest.raises(InvalidRequest, match="there is no bucket nothing-here"):
            list(buckets.open("s3://nothing-here").pages())
        with pytest.raises(InvalidRequest, match="ftp://"):
            buckets.open("ftp://nothing-here/x")


def test_credentials_that_cannot_be_had_are_named_and_not_replaced(
    moto: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = moto.bucket()
    with opened_buckets(_settings(tmp_path)) as buckets:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        with pytest.raises(CredentialsError) as refused:
            list(buckets.open(f"s3://{bucket}").pages())
        assert isinstance(refused.value, CrosstrailError)
        assert refused.value.hint


@pytest.mark.parametrize(
    ("uri", "endpoint"),
    [
        ("oss://trail/x", "https://trail.s3.oss-eu-central-1.aliyuncs.com"),
        ("tos://trail/x", "https://trail.tos-s3-eu-central-1.volces.com"),
    ],
)
def test_other_clouds_are_asked_at_their_own_s3_endpoints(uri: str, endpoint: str, tmp_path: Path) -> None:
    with opened_buckets(_settings(tmp_path)) as buckets:
        place = buckets.open(uri, region="eu-central-1").place
    assert (place.endpoint, place.region, place.virtual_hosted) == (endpoint, "eu-central-1", True)
