"""What asking a bucket costs: requests, bytes and money at the cloud's list price.

Money is of requests alone: reading from the bucket's own region is not charged by the byte, and what else a bill holds nobody
here can know.
"""

from __future__ import annotations

from dataclasses import dataclass

from crosstrail.clouds.buckets import RequestPrices
from crosstrail.object_store import PAGE, Requests


@dataclass(slots=True)
class BucketCost:
    """Requests and bytes that were asked or will be; `money` None where no list price is known."""

    lists: int = 0
    gets: int = 0
    bytes: int = 0
    money: float | None = None
    currency: str = ""
    source: str = ""
    """Where the price is from."""

    @classmethod
    def of(cls, requests: Requests, prices: RequestPrices | None) -> BucketCost:
        found = cls(requests.lists, requests.gets, requests.bytes)
        if prices:
            found.money = (requests.lists * prices.list_per_thousand + requests.gets * prices.get_per_thousand) / PAGE
            found.currency, found.source = prices.currency, prices.source
        return found

    @property
    def text(self) -> str:
        """`12 lists, 340 gets, 1.2 MB; USD 0.0002 at list price (...)`."""
        asked = f"{self.lists:,} lists, {self.gets:,} gets, {readable(self.bytes)}"
        if self.money is None:
            return asked
        return f"{asked}; {self.currency} {self.money:.4f} at list price ({self.source})"


def readable(size: int) -> str:
    """A number of bytes for people."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if size >= scale:
            return f"{size / scale:,.1f} {unit}"
    return f"{size} B"
