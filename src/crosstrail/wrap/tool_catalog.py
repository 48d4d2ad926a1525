"""What the wrapped servers have, and what of it is shown: their own words, and one parameter more.

Decides names, filters and where the account is named; everything else of a tool, prompt or resource is shown as its server
wrote it. A tool that does not say it is read-only counts as one that writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from mcp.shared.uri_template import InvalidUriTemplate, UriTemplate

from crosstrail.errors import ConfigError, WrappedServerError
from crosstrail.json_values import Json, items, table
from crosstrail.models import Account, AccountKey
from crosstrail.settings.wrap_settings import WrappedServer
from crosstrail.wrap.child import Child, Hello

MAX_LISTED = 30
"""Above this many accounts their names are not in every tool's schema."""
_MAX_PAGES = 1_000
LISTS = {
    "tools": ("tools/list", "tools", "name"),
    "prompts": ("prompts/list", "prompts", "name"),
    "resources": ("resources/list", "resources", "uri"),
    "templates": ("resources/templates/list", "resourceTemplates", "uriTemplate"),
}
"""Our name -> the method that lists it, the key of its items, and the key of an item's name."""


@dataclass(frozen=True, slots=True)
class Item:
    """A tool, prompt, resource or template: what it is called by, and all that its server says of it."""

    name: str
    said: Json


@dataclass(frozen=True)
class Offer:
    """What one server has, as it said it; items of every list of LISTS."""

    server: str
    hello: Hello
    items: Mapping[str, Sequence[Item]]
    account: AccountKey | None = None
    """Whose process said so; None is one without an account."""
    of_accounts: Mapping[AccountKey, Sequence[Item]] = field(default_factory=dict)
    """The tools that it has for each account whose process was asked."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a name leads: to which server, and what it is called there."""

    server: str
    name: str
    item: Json
    only: frozenset[AccountKey] | None = None
    """The accounts that it is there for; None: all but those of `lacking`."""
    lacking: frozenset[AccountKey] = frozenset()

    def has(self, account: AccountKey) -> bool:
        """Whether it is there for this account, as far as accounts were asked."""
        return account in self.only if self.only is not None else account not in self.lacking


@dataclass(frozen=True)
class Choice:
    """The accounts a caller may name."""

    accounts: tuple[Account, ...] = ()
    default: Account | None = None
    partial: bool = False
    """Whether these are only some of them: those that something is there for."""


async def learn(server: str, child: Child, hello: Hello, seconds: float, kinds: Sequence[str] = tuple(LISTS)) -> Offer:
    """Ask a server for its lists, all or some. Raises WrappedServerError, MCPError."""
    found: dict[str, list[Item]] = {}
    for kind in kinds:
        method, key, name_key = LISTS[kind]
        found[kind] = []
        if ("resources" if kind == "templates" else kind) not in hello.capabilities:
            continue
        params: Json = {}
        for _ in range(_MAX_PAGES):
            page = await child.request(method, params, seconds)
            found[kind] += [_item(server, method, name_key, one) for one in items(page.get(key))]
            if not page.get("nextCursor"):
                break
            params = {"cursor": page["nextCursor"]}
    return Offer(server, hello, found)


def _item(server: str, method: str, name_key: str, value: object) -> Item:
    """Raises WrappedServerError where it has no name to be called by."""
    name = table(value).get(name_key)
    if not isinstance(name, str):
        raise WrappedServerError(f"{server} answers {method} with an item without {name_key}")
    return Item(name, table(value))


def offered(tool: Item, server: WrappedServer) -> bool:
    """Whether the settings let this tool through."""
    if any(fnmatchcase(tool.name, pattern) for pattern in server.deny):
        return False
    if server.allow and not any(fnmatchcase(tool.name, pattern) for pattern in server.allow):
        return False
    return not server.read_only or says_it_reads(tool.said)


def says_it_reads(tool: Json) -> bool:
    """A tool that does not say so counts as one that writes."""
    return table(tool.get("annotations")).get("readOnlyHint") is True


@dataclass
class Catalog:
    """All servers' offers under names that are unique."""

    parameter: str
    tools: dict[str, Route] = field(default_factory=dict)
    prompts: dict[str, Route] = field(default_factory=dict)
    resources: dict[str, Route] = field(default_factory=dict)
    templates: dict[str, Route] = field(default_factory=dict)

    @classmethod
    def of(cls, offers: Iterable[Offer], servers: Mapping[str, WrappedServer], parameter: str) -> Catalog:
        """Raises ConfigError when a tool has a parameter of that name already, when two names are the same, or when
        the settings let no tool of a server through."""
        found = list(offers)
        catalog = cls(parameter)
        catalog.tools = _named([route for offer in found for route in _let_through(offer, servers[offer.server])])
        catalog.prompts = _named([Route(o.server, one.name, one.said) for o in found for one in o.items["prompts"]])
        for offer in found:  # a URI cannot be renamed: of two servers with the same one, the first is asked
            for kind, routes in (("resources", catalog.resources), ("templates", catalog.templates)):
                for one in offer.items[kind]:
                    routes.setdefault(one.name, Route(offer.server, one.name, one.said))
        for name, route in catalog.tools.items():
            if parameter in table(table(route.item.get("inputSchema")).get("properties")):
                raise ConfigError(
                    f"the tool {name} of {route.server} has a parameter {parameter} itself",
                    hint="Choose another name with --parameter (wrap.parameter).",
                )
        return catalog

    def reads(self, tool: str) -> bool:
        """Whether the tool of this shown name says that it changes nothing."""
        return tool in self.tools and says_it_reads(self.tools[tool].item)

    def shown_tools(self, choice: Choice) -> list[Json]:
        """Every tool with the account as its first parameter."""
        shown: list[Json] = []
        for name, route, there in self._shown(self.tools, choice):
            schema = dict(table(route.item.get("inputSchema"))) or {"type": "object"}
            schema["properties"] = {self.parameter: _account_schema(there), **table(schema.get("properties"))}
            if there.default is None:
                schema["required"] = [self.parameter, *items(schema.get("required"))]
            shown.append({**route.item, "name": name, "inputSchema": schema})
        return shown

    def _shown(self, routes: Mapping[str, Route], choice: Choice) -> Iterator[tuple[str, Route, Choice]]:
        """What is there for one of these accounts at least, and for which of them."""
        for name, route in routes.items():
            if not choice.accounts or (route.only is None and not route.lacking):
                yield name, route, choice
                continue
            accounts = tuple(one for one in choice.accounts if route.has(one.key))
            if accounts:
                default = choice.default if choice.default in accounts else None
                yield name, route, Choice(accounts, default, partial=len(accounts) < len(choice.accounts))

    def shown_prompts(self, choice: Choice) -> list[Json]:
        """Every prompt with the account as its first argument."""
        argument = {
            "name": self.parameter,
            "description": _describe(choice),
            "required": choice.default is None,
        }
        return [
            {**route.item, "name": name, "arguments": [argument, *items(route.item.get("arguments"))]}
            for name, route in self.prompts.items()
        ]

    def shown_resources(self) -> list[Json]:
        return [route.item for route in self.resources.values()]

    def shown_templates(self) -> list[Json]:
        """Every template with the account as one more value of its query."""
        return [{**route.item, "uriTemplate": self.with_account(uri)} for uri, route in self.templates.items()]

    def with_account(self, template: str) -> str:
        """`logs://{group}` -> `logs://{group}{?target_account_id}`."""
        return f"{template}{{{'&' if '{?' in template or '?' in template else '?'}{self.parameter}}}"

    def split_uri(self, uri: str) -> tuple[str, str]:
        """A URI without the account in it, and the account; an empty one when it names none."""
        for sign in "?&":
            plain, found, account = uri.rpartition(f"{sign}{self.parameter}=")
            if found and "&" not in account:
                return plain, account
        return uri, ""

    def resource_server(self, uri: str) -> str:
        """The server that has this URI; empty when none says so."""
        if uri in self.resources:
            return self.resources[uri].server
        return next((route.server for name, route in self.templates.items() if _matches(name, uri)), "")


def _of_all_accounts(offer: Offer) -> Iterator[tuple[Item, frozenset[AccountKey] | None, frozenset[AccountKey]]]:
    """Each tool once, as its first account has it, with `only` and `lacking` of its Route."""
    names = {account: {tool.name for tool in tools} for account, tools in offer.of_accounts.items()}
    seen = set()
    for tool in offer.items["tools"]:
        seen.add(tool.name)
        yield tool, None, frozenset(account for account, known in names.items() if tool.name not in known)
    for tools in offer.of_accounts.values():
        for tool in tools:
            if tool.name not in seen:
                seen.add(tool.name)
                yield tool, frozenset(account for account, known in names.items() if tool.name in known), frozenset()


def _let_through(offer: Offer, server: WrappedServer) -> list[Route]:
    """Raises ConfigError when the settings leave nothing of a server that has tools."""
    tools = offer.items["tools"]
    routes = [
        Route(offer.server, tool.name, tool.said, only, lacking)
        for tool, only, lacking in _of_all_accounts(offer)
        if offered(tool, server)
    ]
    if tools and not routes:
        silent = server.read_only and not any(says_it_reads(tool.said) for tool in tools)
        raise ConfigError(
            f"none of the {len(tools)} tools of {offer.server} is let through",
            hint="None says that it is read-only: leave --read-only out and name tools with --allow."
            if silent
            else "Check --read-only, --allow and --deny.",
        )
    return routes


def _matches(template: str, uri: str) -> bool:
    try:
        return UriTemplate.parse(template).match(uri) is not None
    except InvalidUriTemplate:
        return False


def _named(routes: Sequence[Route]) -> dict[str, Route]:
    """By name; by `server_name` where several servers have one of that name."""
    count = Counter(route.name for route in routes)
    named: dict[str, Route] = {}
    for route in routes:
        name = route.name if count[route.name] == 1 else f"{route.server}_{route.name}"
        if name in named:
            raise ConfigError(
                f"{route.server} and {named[name].server} both have {name}", hint="Rename one of the servers in `wrap`."
            )
        named[name] = route
    return named


def _account_schema(choice: Choice) -> Json:
    schema: dict[str, object] = {"type": "string", "description": _describe(choice)}
    if 0 < len(choice.accounts) <= MAX_LISTED:
        schema["enum"] = [account.name for account in choice.accounts]
    if choice.default:
        schema["default"] = choice.default.name
    return schema


def _describe(choice: Choice) -> str:
    kinds = "The account to use, by alias or id." + " Others do not have this tool." * choice.partial
    return f"{kinds} Default: {choice.default.name}." if choice.default else kinds
