"""S3, SQS, SNS, Glue, STS and IAM by moto, over HTTP in a thread of this process: a server for each worker, empty for each test.

It checks no signature and no policy: what depends on these is for tests/fakes. `moto` is the fixture (conftest.py).
"""

from __future__ import annotations

import logging
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import botocore.session
from botocore.config import Config

KEY, SECRET = "AKIAMOTO000000000001", "a-secret-of-moto"
REGION = "us-east-1"


@dataclass
class Moto:
    """`url` is what AWS_ENDPOINT_URL takes."""

    url: str

    @cached_property
    def _session(self) -> Any:
        return botocore.session.Session()

    def client(self, service: str, region: str = REGION) -> Any:
        """One of botocore's, for preparing and looking."""
        return self._session.create_client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            config=Config(s3={"addressing_style": "path"}),
        )

    @cached_property
    def s3(self) -> Any:
        return self.client("s3")

    def bucket(self, name: str = "trail-logs", objects: Mapping[str, bytes] | None = None) -> str:
        """A new bucket with these objects, by their keys."""
        self.s3.create_bucket(Bucket=name)
        for key, data in (objects or {}).items():
            self.s3.put_object(Bucket=name, Key=key, Body=data)
        return name

    def environment(self) -> dict[str, str]:
        """That makes a child process find it, and its keys as the machine's own identity."""
        return {"AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}

    def reset(self) -> None:
        request = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")  # noqa: S310 - on loopback
        with urllib.request.urlopen(request):  # noqa: S310
            pass


@contextmanager
def moto_server() -> Iterator[Moto]:
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield Moto(f"http://{host}:{port}")
    finally:
        server.stop()
