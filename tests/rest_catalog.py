"""An Iceberg REST catalog over HTTP on loopback, as the open specification has it, over PyIceberg's SQL catalog.

It takes a bearer token, or Signature Version 4 recomputed by botocore's signer, and records who asked for what. With `bucket_arn`
it is like S3 Tables: it prefixes its paths with the ARN, decides where tables are, and refuses a location.
https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml
"""

from __future__ import annotations

import http.client
import json
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from fakes.aws import World
from fakes.http import Answer, HttpFake

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, "
    r"SignedHeaders=(?P<names>[^,]+), Signature=(?P<signature>[0-9a-f]{64})"
)
_TABLE = re.compile(r"/namespaces/(?P<namespace>[^/]+)(?:/tables(?:/(?P<table>[^/]+))?)?$")


class _Refused(Exception):
    def __init__(self, status: int, kind: str) -> None:
        super().__init__(kind)
        self.status = status


@dataclass
class RestCatalog:
    """`tokens`: those that are accepted; else requests must be signed for `service` by a key of `world`."""

    folder: Path
    warehouse: str
    io: dict[str, str] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    world: World | None = None
    service: str = "s3tables"
    bucket_arn: str = ""
    refused: dict[str, int] = field(default_factory=dict)
    """Action -> the status that it is answered with: config, namespace, create, load, commit."""
    lost_answers: int = 0
    """As many commits are done and answered with 504."""
    made_in: Callable[[], str] = lambda: ""
    """The location of a new table, where the catalog decides it."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """(action, who): the token, or the access key."""

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Inside, it answers at this address."""
        with HttpFake(self._respond) as server:
            yield f"{server.url}/iceberg"

    def _respond(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        action = "unknown"
        try:
            who = self._signed(method, path, headers, body) if self.world else self._bearer(headers)
            place = path.partition("?")[0].removeprefix("/iceberg/v1")
            found = _TABLE.search(place)
            action = _action(method, place, found)
            self.asked.append((action, who))
            if action in self.refused:
                raise _Refused(self.refused[action], "ForbiddenException")
            return Answer(200, json.dumps(self._answered(action, found, json.loads(body or b"{}"))).encode())
        except _Refused as refused:
            error = {"message": f"{action} is refused", "type": str(refused), "code": refused.status}
            return Answer(refused.status, json.dumps({"error": error}).encode())

    def _bearer(self, headers: dict[str, str]) -> str:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            raise _Refused(401, "NotAuthorizedException")
        return token

    def _signed(self, method: str, path: str, headers: dict[str, str], body: bytes) -> str:
        assert self.world
        found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
        key = self.world.keys.get(found["key"]) if found else None
        if not found or not key or key.expired or key.token != headers.get("x-amz-security-token", ""):
            raise _Refused(403, "ExpiredTokenException" if key and key.expired else "UnrecognizedClientException")
        signer = SigV4Auth(Credentials(key.id, key.secret, key.token), self.service, found["region"])
        names = found["names"].split(";")
        request = AWSRequest(method, f"http://{headers['host']}{path}", {name: headers[name] for name in names}, body)
        request.context["timestamp"] = headers["x-amz-date"]
        text = signer.string_to_sign(request, signer.canonical_request(request))
        if signer.signature(text, request) != found["signature"] or found["service"] != self.service:
            raise _Refused(403, "SignatureDoesNotMatch")
        return key.account

    def _answered(self, action: str, found: re.Match[str] | None, body: dict[str, Any]) -> dict[str, Any]:
        from pyiceberg.catalog.sql import SqlCatalog
        from pyiceberg.exceptions import (
            CommitFailedException,
            NamespaceAlreadyExistsError,
            NoSuchTableError,
            TableAlreadyExistsError,
        )

        if action == "config":
            return {"defaults": {}, "overrides": {"prefix": quote(self.bucket_arn, safe="")} if self.bucket_arn else {}}
        uri = f"sqlite:///{self.folder / 'rest-catalog.sqlite'}?timeout=30"
        catalog = SqlCatalog("server", uri=uri, warehouse=self.warehouse, **self.io)
        try:
            return self._of_tables(catalog, action, found, body)
        except NoSuchTableError as error:
            raise _Refused(404, "NoSuchTableException") from error
        except (NamespaceAlreadyExistsError, TableAlreadyExistsError) as error:
            raise _Refused(409, "AlreadyExistsException") from error
        except CommitFailedException as error:
            raise _Refused(409, "CommitFailedException") from error
        finally:
            catalog.close()

    def _of_tables(
        self, catalog: Any, action: str, found: re.Match[str] | None, body: dict[str, Any]
    ) -> dict[str, Any]:
        from pyiceberg.catalog.rest import CreateTableRequest
        from pyiceberg.table import CommitTableRequest

        if action == "namespace":
            catalog.create_namespace(tuple(body["namespace"]))
            return {"namespace": body["namespace"], "properties": {}}
        assert found
        namespace = unquote(found["namespace"])
        if action == "create":
            if self.bucket_arn and body.get("location"):
                raise _Refused(400, "BadRequestException")
            asked = CreateTableRequest.model_validate({"location": None, **body})
            table = catalog.create_table(
                (namespace, asked.name),
                asked.table_schema,
                self.made_in() or asked.location,
                asked.partition_spec,
                asked.write_order,
                asked.properties,
            )
        else:
            table = catalog.load_table((namespace, unquote(found["table"])))
        if action == "commit":
            change = CommitTableRequest.model_validate({"identifier": {"namespace": [namespace], "name": "x"}, **body})
            catalog.commit_table(table, change.requirements, change.updates)
            table.refresh()
            if self.lost_answers:
                self.lost_answers -= 1
                raise _Refused(504, "ServiceFailureException")
        metadata = json.loads(table.metadata.model_dump_json())
        return {"metadata-location": table.metadata_location, "metadata": metadata, "config": {}}


def _action(method: str, place: str, found: re.Match[str] | None) -> str:
    if place == "/config":
        return "config"
    if found and found["table"]:
        return "load" if method == "GET" else "commit"
    return "create" if place.endswith("/tables") else "namespace"


def table_location() -> str:
    """As S3 Tables makes them: a bucket for each table."""
    return f"s3://{uuid.uuid4().hex}--table-s3"


@contextmanager
def table_buckets(url: str, asked: list[tuple[str, str]]) -> Iterator[str]:
    """S3 at `url` as far as S3 Tables opens it: objects are read and written, never listed nor deleted. `asked` gets
    (method, access key) of each request."""

    def respond(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        asked.append((method, headers.get("authorization", "").partition("Credential=")[2].partition("/")[0]))
        bucket, _, key = path.partition("?")[0].lstrip("/").partition("/")
        if bucket.endswith("--table-s3") and (method not in ("GET", "PUT", "HEAD") or not key):
            return Answer(405, b"<Error><Code>MethodNotAllowed</Code></Error>", "application/xml")
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        try:
            connection.request(method, path, body, headers)
            got = connection.getresponse()
            data = got.read()
            kept = {name: value for name, value in got.getheaders() if name.lower() in _PASSED}
            return Answer(got.status, data, got.getheader("content-type", ""), kept)
        finally:
            connection.close()

    with HttpFake(respond) as server:
        yield server.url


_PASSED = frozenset(("etag", "last-modified", "x-amz-request-id", "accept-ranges", "content-range"))
