"""A mapping with a bound: what was used longest ago goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """Not locked: whoever shares one between threads holds a lock of its own."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: K) -> V | None:
        value = self._held.get(key)
        if value is not None:
            self._held.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        self._held[key] = value
        self._held.move_to_end(key)
        while len(self._held) > self._most:
            self._held.popitem(last=False)

    def pop(self, key: K) -> V | None:
        return self._held.pop(key, None)

    def values(self, matching: Callable[[K], bool] = lambda key: True) -> tuple[V, ...]:
        return tuple(value for key, value in self._held.items() if matching(key))

    def clear(self) -> None:
        self._held.clear()
