"""Wrong inputs for every command: from the tree of commands, what no value of an option or an argument may be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from command_tree import Entry

NOT_RUN = frozenset({"serve", "wrap", "check", "demo", "sql", "init", "client", "deploy"})
"""Whose runs do not end, take long or write beside the folder: of these only what is refused when it is read."""
HUGE = "9" * 30
HOSTILE = "\x1b[2J\u202eno\x07such"
UNDECODABLE = b"\xff\xfe\x80".decode(errors="surrogateescape")


@dataclass(frozen=True)
class WrongInput:
    """`statuses`: those that it may end with."""

    words: tuple[str, ...]
    what: str
    statuses: tuple[int, ...] = (1, 2, 3)


def prepare(folder: Path) -> Path:
    """The files that wrong inputs name."""
    folder.mkdir()
    (folder / "binary").write_bytes(bytes(range(256)) * 8)
    (folder / "broken.yaml").write_text("accounts: [1,\n  b: {")
    (folder / "wrong.yaml").write_text("lake: 7\nacounts: []\n")
    (folder / "undecodable.yaml").write_bytes(b"\xff\xfe a: 1")
    return folder


def closed_inputs(folder: Path) -> list[WrongInput]:
    """Input that ends before anything is said, and places where nothing can be written, not even by root."""
    nowhere = "/proc/nowhere" if Path("/proc").is_dir() else str(folder / "binary" / "x")
    lines = [
        ["accounts", "encrypt", "111122223333"],
        ["accounts", "import", "-"],
        ["query", "-"],
        ["check", "http://127.0.0.1:9/mcp", "--bearer", "-"],
        ["collect", ".", "--lake", nowhere],
        ["demo", "--folder", nowhere],
        ["export", "--account", "prod", "-o", f"{nowhere}/x.jsonl"],
        ["report", "-o", f"{nowhere}/x.html"],
        ["timeline", "-o", f"{nowhere}/x.html"],
        ["lookup", "--account", "prod", "-o", f"{nowhere}/x.csv"],
        ["verify", "logs", "--save-keys", f"{nowhere}/keys.json"],
    ]
    return [WrongInput(tuple(words), f"no input, or no place to write: {' '.join(words[:2])}") for words in lines]


def wrong_inputs(entry: Entry, folder: Path) -> Iterator[WrongInput]:
    """Of one command. `folder` is what `prepare` made."""
    path = tuple(entry.path.split())
    params = entry.command.get_params(entry.context)
    options = [one for one in params if isinstance(one, click.Option) and not one.hidden]
    longest = max((name for one in options for name in one.opts), key=len)
    yield WrongInput((*path, "--no-such-option"), f"{entry.path}: an unknown option", (2,))
    yield WrongInput((*path, f"{longest}q"), f"nearly {longest}", (2,))
    if entry.is_group:
        yield WrongInput((*path, "no-such-command"), f"{entry.path}: an unknown command", (2,))
        return
    needed = {one.name: _right_value(one, folder) for one in params if one.required and isinstance(one, click.Option)}
    for option in options:
        if not option.is_flag and option.name != "help":
            others = [word for name, words in needed.items() if name != option.name for word in words]
            for value, what in _wrong_values(option, folder):
                if _is_refused(option) or path[0] not in NOT_RUN:
                    statuses = (2,) if _is_refused(option) else (0, 1, 2, 3)
                    words = (*path, option.opts[-1], value, *others)
                    yield WrongInput(words, f"{option.opts[-1]}: {what}", statuses)
    given = [word for words in needed.values() for word in words]
    for argument in params:
        if isinstance(argument, click.Argument) and path[0] not in NOT_RUN:
            for value in ("", HOSTILE, UNDECODABLE, str(folder / "absent"), str(folder / "binary"), str(folder)):
                words = (*path, *given, "--", value)
                yield WrongInput(words, f"{argument.name}: {value[-8:]!r}", (0, 1, 2, 3))


def _right_value(option: click.Option, folder: Path) -> list[str]:
    return [option.opts[-1], str(folder / "out.json") if option.name == "output" else "x"]


def _is_refused(option: click.Option) -> bool:
    """Whether a wrong value is known as such when it is read."""
    return isinstance(option.type, click.Choice | click.IntRange | click.FloatRange)


def _wrong_values(option: click.Option, folder: Path) -> list[tuple[str, str]]:
    kind, name = option.type, option.name or ""
    if isinstance(kind, click.Choice):
        return [("nonsense", "no choice")]
    if isinstance(kind, click.types.IntParamType | click.types.FloatParamType):
        huge = [(HUGE, "huge")] if isinstance(kind, click.IntRange | click.FloatRange) and kind.max is not None else []
        return [("x", "no number"), ("", "nothing"), ("-1", "negative"), *huge]
    if name == "config":
        files = ("absent", "binary", "broken.yaml", "wrong.yaml", "undecodable.yaml", ".")
        return [(str(folder / one), one) for one in files]
    if name == "lake":
        below = str(folder / "binary" / "x")
        return [(str(folder / "binary"), "a file"), (below, "below a file"), (UNDECODABLE, "no UTF-8")]
    if name in ("since", "until", "as_of"):
        return [("2026-13-45", "no date"), ("yesterdayish", "no time"), ("-5d", "negative"), (f"{HUGE}d", "huge")]
    texts = [("", "empty"), (HOSTILE, "control characters"), (UNDECODABLE, "no UTF-8")]
    if isinstance(kind, click.Path | click.File) or name in ("keys", "output", "save_keys", "rules"):
        binary = str(folder / "binary")
        return [*texts, (str(folder / "absent" / "deep"), "absent"), (str(folder), "a folder"), (binary, "binary")]
    if name in ("account", "region"):
        return [("no-such-one", "unknown"), *texts[1:]]
    return texts[1:2]
