"""Signatures: published vectors, and our own ones, through the signer and through the fake's, which was written apart from it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from crosstrail.accounts.credentials import Credentials
from crosstrail.clouds.alibaba.signing import canonical_query, flattened, request_headers, signed
from fakes.alibaba.signing import canonical_request, signature

_NOW = datetime(2026, 11, 25, 9, 0, 0, tzinfo=UTC)
_NONCE = "3a5b7c9d1e2f40516273849506a7b8c9"
_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def _credentials(vectors: dict[str, Any], headers: dict[str, str]) -> Credentials:
    token = headers.get("x-acs-security-token")
    return Credentials(
        vectors["access_key_id"], SecretStr(vectors["access_key_secret"]), SecretStr(token) if token else None
    )


def test_published_vectors_pass_the_signer_and_the_fake(shared_data: Path) -> None:
    published = json.loads((shared_data / "clouds/alibaba/signing_vectors.json").read_text())
    assert len(published["vectors"]) == 7
    for vector in published["vectors"]:
        given = {name.lower(): value for name, value in vector["headers"].items()}
        claimed = given.pop("authorization")
        by_signer = {
            name: value for name, value in given.items() if name not in ("x-acs-accesskey-id", "x-acs-security-token")
        }
        query = canonical_query(vector["query"])
        made = signed(vector["method"], query, by_signer, _credentials(published, given), path=vector["path"])
        assert made == given | {"authorization": claimed}, vector["name"]
        names = vector["signed_headers"].split(";")
        body = (vector["body"] or "").encode()
        canonical = canonical_request(vector["method"], f"{vector['path']}?{query}", names, given, body)
        assert canonical == vector["canonical_request"], vector["name"]
        assert claimed.endswith(f"Signature={signature(published['access_key_secret'], canonical)}"), vector["name"]


def test_headers_of_a_request_are_those_that_the_algorithm_wants() -> None:
    host = "actiontrail.cn-hangzhou.aliyuncs.com"
    headers = request_headers(host, "LookupEvents", "2020-07-06", now=_NOW, nonce=_NONCE, body=b"")
    assert headers == {
        "accept": "application/json",
        "host": host,
        "x-acs-action": "LookupEvents",
        "x-acs-content-sha256": _NOTHING,
        "x-acs-date": "2026-11-25T09:00:00Z",
        "x-acs-signature-nonce": _NONCE,
        "x-acs-version": "2020-07-06",
    }


@pytest.mark.parametrize("token", ["", "CAIS-token=="])
@pytest.mark.parametrize(
    "query",
    [
        {},
        {"LookupAttribute.1.Value": "张三 a+b/c=d~e*f&g", "B": "", "a": "~._-", "A": "%20 +"},
        {"LookupAttribute.10.Key": "x", "LookupAttribute.2.Key": "y"},
    ],
)
def test_a_request_is_signed_as_the_description_says(query: dict[str, str], token: str) -> None:
    """The fake's signature is made from the description alone; what it reads is what is sent."""
    headers = request_headers("host.test:8080", "A", "1", now=_NOW, nonce=_NONCE, body=b"")
    made = signed(
        "POST",
        canonical_query(query),
        headers,
        Credentials("LTAIX", SecretStr("secret"), SecretStr(token) if token else None),
    )
    names = sorted(name for name in made if name != "authorization")
    assert ("x-acs-security-token" in names, "x-acs-accesskey-id" in names) == (bool(token), bool(token))
    sent = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query.items())
    canonical = canonical_request("POST", f"/?{sent}", names, made, b"")
    assert made["authorization"] == (
        f"ACS3-HMAC-SHA256 Credential=LTAIX,SignedHeaders={';'.join(names)},Signature={signature('secret', canonical)}"
    )


def test_lists_and_objects_are_flattened_as_a_query_has_them() -> None:
    params = {"LookupAttribute": [{"Key": "User", "Value": "a"}, {"Key": "EventRW"}], "Is": True, "N": 1}
    assert flattened(params) == {
        "LookupAttribute.1.Key": "User",
        "LookupAttribute.1.Value": "a",
        "LookupAttribute.2.Key": "EventRW",
        "Is": "true",
        "N": "1",
    }
