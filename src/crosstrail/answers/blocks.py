"""What is asked of many targets block by block: which block a call is about, and the call that asks the next one.

Decides how a page token stands for the arguments of the first call. It asks no target; each is in one block alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from crosstrail.lookup.cursor import BlockCursor, stale
from crosstrail.lookup.targets import Chosen
from crosstrail.vocabulary import words

ReadT = TypeVar("ReadT")


@dataclass(frozen=True, slots=True)
class Paged:
    """The arguments of one call of a tool over targets, by name: `asked` as they came, `usual` as they are where nobody said."""

    tool: str
    asked: Mapping[str, object]
    usual: Mapping[str, object]
    next_token: str = ""

    def text(self, name: str) -> str:
        """The argument of that name, which is a text."""
        return _read(self.asked[name], str)

    def texts(self, name: str) -> tuple[str, ...]:
        """The argument of that name, which is a list of texts."""
        return tuple(_read(one, str) for one in _read(self.asked[name], list))

    def flag(self, name: str) -> bool:
        """The argument of that name, which is true or false."""
        return _read(self.asked[name], bool)

    def opened(self) -> tuple[Paged, BlockCursor | None]:
        """The call with the arguments of the first one, and where it goes on. Raises StalePageToken.

        A token is no proof of its maker: its values have the types of the tool's own.
        """
        if not self.next_token:
            return self, None
        cursor = BlockCursor.decode(self.next_token, self.tool)
        cursor.check({name: value for name, value in self.asked.items() if value != self.usual[name]})
        if not all(name in self.usual and _alike(value, self.usual[name]) for name, value in cursor.asked.items()):
            raise stale(f"this {words().next_page} is not one of {self.tool}")
        return Paged(self.tool, {**self.usual, **cursor.asked}, self.usual, self.next_token), cursor

    def next_call(self, chosen: Chosen) -> tuple[str, str]:
        """(the token of the next block, the line that says how to ask it); both empty where there is none."""
        if not chosen.left:
            return "", ""
        said = {name: value for name, value in self.asked.items() if value != self.usual[name]}
        token = BlockCursor(self.tool, said, chosen.digest, chosen.start + len(chosen.targets)).encode()
        return token, f'Next page: {self.tool}({words().next_page}="{token}")'


async def block_of(cursor: BlockCursor | None, resolve: Callable[[int], Awaitable[Chosen]]) -> Chosen:
    """The block that the call is about. `resolve`: the targets from a place on. Raises StalePageToken, and what it raises."""
    if cursor is None:
        return await resolve(0)
    chosen = await resolve(cursor.start)
    cursor.check_targets(chosen.digest)
    if not chosen.targets:
        raise stale(f"this {words().next_page} goes on after the last account")
    return chosen


def _read(value: object, kind: type[ReadT]) -> ReadT:
    """It is of that type: `opened` lets no other through."""
    if not isinstance(value, kind):
        raise TypeError(f"an argument is of type {type(value).__name__}, not {kind.__name__}")
    return value


def _alike(value: object, usual: object) -> bool:
    if isinstance(usual, list):
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return type(value) is type(usual)
