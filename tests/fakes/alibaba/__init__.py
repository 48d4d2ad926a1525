"""An Alibaba Cloud of one's own: ActionTrail and STS behind one address.

    with FakeAlibaba() as alibaba:
        key = alibaba.world.add_key("1100000000000001")
        alibaba.world.account("1100000000000001").log("StopLogging", when)     # events, trails, roles, keys: see world.py
        alibaba.world.fail("throttled", times=2)                                # faults: see faults.py
        ...                                                                     # endpoint: alibaba.url
        assert alibaba.world.requests[0].account == "1100000000000001"

Every request's ACS3-HMAC-SHA256 signature is recomputed (signing.py) and every request is recorded with the account whose key
signed it. The region is the one in the host's name, `actiontrail.REGION.anything`, as a proxy is told it; of an address without
a name it is world.region.
"""

from __future__ import annotations

from fakes.cloud import CloudFake, Recorded

from .dispatch import answer
from .world import FakeAccount, Key, Role, World

__all__ = ["FakeAccount", "FakeAlibaba", "Key", "Recorded", "Role", "World"]


class FakeAlibaba(CloudFake[World]):
    """`with FakeAlibaba() as alibaba:` serves alibaba.world at alibaba.url until the block ends."""

    def __init__(self, world: World | None = None, port: int = 0) -> None:
        super().__init__(world or World(), answer, port)
