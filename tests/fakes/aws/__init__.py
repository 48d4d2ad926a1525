"""An AWS of one's own: CloudTrail, STS, Organizations and Secrets Manager behind one address.

    with FakeAws() as aws:
        prod = aws.world.account("111111111111")
        prod.log("StopLogging", when)          # events, trails, stores, roles, keys: see world.py
        aws.world.fail("throttle", times=2)    # faults: see faults.py
        ...                                    # AWS_ENDPOINT_URL=aws.url
        assert aws.world.requests[0].account == "111111111111"

Every request's SigV4 is recomputed (sigv4.py), and every request is recorded with the account whose key signed it. The
region of a request is that of its signature. `PYTHONPATH=tests python -m fakes.aws --help` runs it as a process of its own.
"""

from __future__ import annotations

from fakes.cloud import CloudFake, Recorded

from .dispatch import answer
from .world import FakeAccount, Key, Role, World

__all__ = ["FakeAccount", "FakeAws", "Key", "Recorded", "Role", "World"]


class FakeAws(CloudFake[World]):
    """`with FakeAws() as aws:` serves aws.world at aws.url (loopback only) until the block ends."""

    def __init__(self, world: World | None = None, port: int = 0) -> None:
        super().__init__(world or World(), answer, port)
