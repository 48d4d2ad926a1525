"""Signatures: the published vectors through the SDK's signer, and through the fake's, which was written apart from it."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from volcenginesdkcore import signv4
from volcenginesdkcore.signv4 import SignerV4

from fakes.volcengine.signing import signature


@pytest.fixture
def vectors(shared_data: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((shared_data / "volc/signing_vectors.json").read_text())["vectors"]
    assert len(found) == 3
    return found


def _at(moment: str) -> type[datetime.datetime]:
    """A clock that stands still; the signer has no other way to be told the time."""

    class Standing(datetime.datetime):
        @classmethod
        def utcnow(cls) -> Standing:
            return cls.strptime(moment, "%Y%m%dT%H%M%SZ")

    return Standing


def test_the_vectors_pass_through_the_real_signer(
    vectors: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for vector in vectors:
        monkeypatch.setattr(signv4.datetime, "datetime", _at(vector["fixed_utc"]))
        headers = dict(vector["input_headers"])
        SignerV4.sign(
            vector["path"],
            vector["method"],
            headers,
            vector["body"],
            vector["form"],
            vector["query"],
            vector["access_key"],
            vector["secret_key"],
            vector["region"],
            vector["service"],
            vector["session_token"],
        )
        assert headers == vector["expected_headers"], vector["name"]


def test_the_fake_computes_the_same_signatures(vectors: list[dict[str, Any]]) -> None:
    for vector in vectors:
        headers = {name.lower(): value for name, value in vector["expected_headers"].items()}
        authorization = headers.pop("authorization")
        names = authorization.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        body = urlencode(vector["form"]) if vector["form"] else vector["body"]
        computed = signature(
            vector["secret_key"],
            vector["fixed_utc"][:8],
            vector["region"],
            vector["service"],
            vector["method"],
            f"{vector['path']}?{urlencode(vector['query'])}",
            names,
            headers,
            body.encode(),
        )
        assert authorization.endswith(f"Signature={computed}"), vector["name"]
