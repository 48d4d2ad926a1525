"""A Volcengine of one's own: CloudTrail and STS behind one address.

    with FakeVolcengine() as volcengine:
        prod = volcengine.world.account("2100000001")
        key = volcengine.world.add_key(prod.id)
        prod.log("StopLogging", when)                 # events, trails, roles, keys: see world.py
        volcengine.world.fail("429", times=2)         # faults: see faults.py
        ...                                           # VOLCENGINE_ENDPOINT=volcengine.url
        assert volcengine.world.requests[0].account == "2100000001"

Every request's HMAC-SHA256 signature is recomputed (signing.py) and every request is recorded with the account whose key
signed it. `PYTHONPATH=tests python -m fakes.volcengine --help` runs it as a process of its own.
"""

from __future__ import annotations

from fakes.cloud import CloudFake, Recorded

from .dispatch import answer
from .world import FakeAccount, Key, Role, World

__all__ = ["FakeAccount", "FakeVolcengine", "Key", "Recorded", "Role", "World"]


class FakeVolcengine(CloudFake[World]):
    """`with FakeVolcengine() as volcengine:` serves volcengine.world at volcengine.url until the block ends."""

    def __init__(self, world: World | None = None, port: int = 0) -> None:
        super().__init__(world or World(), answer, port)
