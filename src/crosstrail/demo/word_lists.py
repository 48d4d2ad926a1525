"""The words that templates are filled with: names, ids and keys in the forms that AWS gives them.

Everything comes from the Random that is handed in, so the same seed gives the same words. No word is a real one: account
ids and addresses are those that documentation uses.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from random import Random
from typing import Any

_NAMES: Mapping[str, tuple[str, ...]] = {
    "bucket": tuple(f"example-{{account}}-{use}" for use in ("orders", "artifacts", "reports", "web")),
    "cluster": ("main", "batch"),
    "database": ("orders", "catalog", "identity"),
    "function": ("invoice-worker", "image-resizer", "webhook-receiver", "report-nightly"),
    "group": ("web-asg", "batch-asg"),
    "object": (
        "orders/0001.parquet",
        "orders/0002.parquet",
        "exports/summary.csv",
        "app/bundle.zip",
        "img/banner.webp",
    ),
    "parameter": ("/orders-api/feature-flags", "/checkout/endpoint", "/catalog/cache-ttl"),
    "role": ("orders-api", "invoice-worker", "web-node", "terraform"),
    "secret": ("orders/database", "checkout/payment-token", "catalog/search-key"),
    "service": ("orders-api", "checkout", "catalog", "notifier"),
    "stack": ("network", "orders-api", "checkout", "monitoring"),
    "table": ("orders", "carts", "sessions"),
    "trail": ("arn:aws:cloudtrail:us-east-1:{account}:trail/account-trail",),
    "user": ("deploy-bot", "billing-admin"),
}
_NUMBERED: Mapping[str, tuple[str, int, int]] = {
    "ami": ("ami-0", 16, 3),
    "detector": ("", 32, 1),
    "eni": ("eni-0", 16, 9),
    "instance": ("i-0", 16, 12),
    "sg": ("sg-0", 16, 7),
    "subnet": ("subnet-0", 16, 6),
    "volume": ("vol-0", 16, 14),
    "vpc": ("vpc-0", 16, 2),
}
"""Kind of resource -> (prefix, hexadecimal digits, how many of them an account has in one region)."""
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def hexadecimal(rng: Random, digits: int) -> str:
    return f"{rng.getrandbits(digits * 4):0{digits}x}"


def iam_id(rng: Random, prefix: str, letters: int = 16) -> str:
    """As IAM makes them: `AKIA` and `ASIA` for keys (16 letters follow), `AIDA` and `AROA` for principals (17)."""
    return prefix + "".join(rng.choices(_BASE32, k=letters))


def opaque(rng: Random, length: int) -> str:
    return "".join(rng.choices(_BASE64, k=length))


def random_uuid(rng: Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


class Words:
    """The words of one event: those given, else one made up and then kept, so that an event agrees with itself.

    Raises KeyError for a word nobody knows.
    """

    def __init__(self, rng: Random, given: Mapping[str, str]) -> None:
        self._rng = rng
        self._known = dict(given)

    def __getitem__(self, word: str) -> str:
        if word not in self._known:
            self._known[word] = self._make(word)
        return self._known[word]

    def fill(self, template: Any) -> Any:
        """The template with every `{word}` in its keys and texts replaced."""
        match template:
            case str():
                return template.format_map(self) if "{" in template else template
            case dict():
                return {self.fill(key): self.fill(value) for key, value in template.items()}
            case list():
                return [self.fill(item) for item in template]
        return template

    def _make(self, word: str) -> str:
        if word in _NAMES:
            return self._rng.choice(_NAMES[word]).format_map(self)
        if word in _NUMBERED:
            prefix, digits, count = _NUMBERED[word]
            return prefix + hexadecimal(self._fixed(word, count), digits)
        if word.startswith("hex"):
            return hexadecimal(self._rng, int(word[3:]))
        match word:
            case "kms_key":
                return random_uuid(self._fixed(word, 3))
            case "uuid":
                return random_uuid(self._rng)
            case "new_snapshot":
                return f"snap-0{hexadecimal(self._rng, 16)}"
            case "new_key":
                return iam_id(self._rng, "AKIA")
            case "session_key":
                return iam_id(self._rng, "ASIA")
            case "user_id":
                return iam_id(self._rng, "AIDA", 17)
            case "token":
                return opaque(self._rng, 180)
            case "version":
                return f"2026.{self._rng.randrange(10, 12)}.{self._rng.randrange(60)}"
            case "number":
                return str(self._rng.randrange(20, 180))
            case "purpose":
                return "nightly backup"
        raise KeyError(word)

    def _fixed(self, kind: str, count: int) -> Random:
        """The same few seeds for an account and region: its resources exist before and after this event."""
        return Random(f"{self['account']}/{self['region']}/{kind}/{self._rng.randrange(count)}")
