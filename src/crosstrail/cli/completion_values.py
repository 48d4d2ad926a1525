"""The values that a shell completes: accounts, regions, event names, services, rules, saved queries, topics, files.

Decides where each comes from: the settings file, the lake's folder and the package, never a database, a cloud or an engine, and
never by a library that takes long to load. What a parameter takes is told by its name, so that options that mean the same complete
alike in every command.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from crosstrail.settings.completion_settings import CompletionSettings

Items = list[CompletionItem[str]]
_MAX_ITEMS = 500
_TITLE = re.compile(r"^title:[ \t]*['\"]?(.+?)['\"]?[ \t]*$", re.MULTILINE)
_MAX_RULES = 2_000
_MAX_HEAD = 2_000
"""Characters of a rule's file, in which its title stands."""


def accounts(of: CompletionSettings) -> Items:
    """Each by its alias and by its id; those of the lake where none is listed."""
    from crosstrail.lake.known_names import held_accounts

    listed = {one.id: one.alias for one in of.accounts if one.id}
    held = held_accounts(of.lake) if of.lake and not listed else []
    aliases = [CompletionItem(alias, help=id_) for id_, alias in listed.items() if alias]
    return aliases + [CompletionItem(id_, help=listed.get(id_) or None) for id_ in dict.fromkeys((*listed, *held))]


def regions(of: CompletionSettings) -> Items:
    """Those that the accounts list come first."""
    from crosstrail.cli.region_names import region_names

    own = dict.fromkeys(region for one in of.accounts for region in one.regions)
    known = region_names()
    return [CompletionItem(name, help=known.get(name)) for name in (*own, *sorted(known.keys() - own.keys()), "all")]


def event_names(of: CompletionSettings) -> Items:
    from crosstrail.lake.known_names import known_names

    return _plain(known_names(of.lake).names if of.lake else ())


def services(of: CompletionSettings) -> Items:
    from crosstrail.lake.known_names import known_names

    return _plain(known_names(of.lake).sources if of.lake else ())


def rules(of: CompletionSettings) -> Items:
    """Titles of the packaged rules and of the user's."""
    import crosstrail.detections
    from crosstrail.user_folders import config_folder

    places = [Path(crosstrail.detections.__file__).parent / "sigma_cloudtrail", *of.rules]
    if folder := config_folder():
        places.append(folder / "rules")
    files = [path for place in places for path in ([place] if place.is_file() else sorted(place.rglob("*.yml")))]
    titles = {found[1] for path in files[:_MAX_RULES] if (found := _TITLE.search(_head(path)))}
    return _plain(sorted(titles))


def queries(of: CompletionSettings) -> Items:
    """With the first line of each, which says what it is for."""
    paths = sorted(of.queries.glob("*.sql")) if of.queries else []
    return [CompletionItem(path.stem, help=_head(path).partition("\n")[0].lstrip("- ")) for path in paths]


def topics(of: CompletionSettings) -> Items:
    from crosstrail.documentation import topics as all_topics

    return _plain(all_topics())


def files(of: CompletionSettings) -> Items:
    return [CompletionItem("", type="file")]


def folders(of: CompletionSettings) -> Items:
    return [CompletionItem("", type="dir")]


def _fixed(*values: str) -> Callable[[CompletionSettings], Items]:
    return lambda of: _plain(values)


def _plain(values: Iterable[str]) -> Items:
    return [CompletionItem(value) for value in values]


def _head(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(_MAX_HEAD)


Source = Callable[["CompletionSettings"], Items]
_BY_NAME: Mapping[str, Source] = {
    "--account": accounts,
    "--accounts": accounts,
    "--bucket-account": accounts,
    "selector": accounts,
    "--region": regions,
    "--regions": regions,
    "--bucket-region": regions,
    "--name": event_names,
    "--source": services,
    "--rule": rules,
    "--saved": queries,
    "topic": topics,
    "--engine": _fixed("lake", "trino", "athena", "cloudtrail_lake"),
    "--outcome": _fixed("done", "failed", "limited", "refused", "cancelled"),
    "--read-only": _fixed("true", "false"),
    "--since": _fixed("1h", "24h", "7d", "30d"),
    "--until": _fixed("1h", "24h", "7d", "30d"),
    "--tls-cert": files,
    "--tls-key": files,
    "--rules": files,
    "paths": files,
    "files": files,
    "place": folders,
}
_BY_METAVAR: Mapping[str, Source] = {"FILE": files, "PATH": files, "FOLDER": folders, "DIR": folders}
_ELSEWHERE: Mapping[tuple[str, str], Source | None] = {
    ("deploy aws", "--name"): None,
    ("deploy aws", "--source"): folders,
    ("deploy aws", "--account"): None,
    ("accounts encrypt", "account_id"): accounts,
    ("accounts remove", "account_id"): accounts,
    ("accounts test", "account_id"): accounts,
}
"""Parameters that mean something else there, or that their name does not tell."""
LISTS = frozenset((accounts, regions))
"""What may be given several times, parted by commas."""


def source_of(command: str, param: click.Parameter) -> Source | None:
    """Where the values of a command's parameter come from; None where they are free, or its type completes them."""
    name = next((one for one in param.opts if one.startswith("--")), param.opts[0])
    if (command, name) in _ELSEWHERE:
        return _ELSEWHERE[command, name]
    if not isinstance(param.type, click.types.StringParamType):
        return None
    return _BY_NAME.get(name) or _BY_METAVAR.get(param.metavar or "")


def completed(source: Source, of: CompletionSettings, incomplete: str) -> Items:
    """Those values that go on as `incomplete` begins; what stands before its last comma stays. Letters' case is ignored."""
    before, comma, last = incomplete.rpartition(",") if source in LISTS else ("", "", incomplete)
    taken, found = set(before.split(",")), Items()
    for item in source(of):
        if item.type == "plain" and (
            not item.value.lower().startswith(last.lower()) or taken & {item.value, item.help}
        ):
            continue
        found.append(CompletionItem(f"{before}{comma}{item.value}", type=item.type, help=item.help))
        if not last:
            taken.add(item.value)  # its other name is offered once that is being written
    return found[:_MAX_ITEMS]
