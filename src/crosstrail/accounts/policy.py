"""Who may do what: access rules match a principal and give accounts, toolsets and writes.

Decides what one principal may use, from rules alone. Nothing is given that no rule gives. It never asks an identity
provider (server/auth does), never lists accounts, and never says whether an account that is not given exists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

from crosstrail.models import Account

Toolset = Literal["accounts", "events", "query", "trails", "export"]
TOOLSETS: tuple[Toolset, ...] = get_args(Toolset)
ANYONE = "*"
_KINDS = ("email", "login", "subject", "group", "scope", "client")
_NAME_CHARACTERS = 128


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, as whoever signed them in says. Empty fields are unknown and match no rule."""

    subject: str = ""
    email: str = ""
    """Only when its provider vouches for it."""
    login: str = ""
    groups: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    client: str = ""
    issuer: str = ""
    needs_issuer: bool = False
    """Other issuers' tokens are accepted too, which may know the same names: only rules that name an issuer match."""
    local: bool = False
    """The one person who started this process and talks to it over stdin."""

    @property
    def name(self) -> str:
        """What records and the sessions of roles call them; `anonymous` for nobody in particular."""
        known = self.email or self.login or self.subject or self.client
        return known[:_NAME_CHARACTERS] or ("local" if self.local else "anonymous")

    @property
    def key(self) -> tuple[str, str]:
        """What tells two principals apart, whatever they are called: a subject belongs to its issuer.

        No subject begins with a blank: a machine that has none is not somebody who is called as it is.
        """
        return self.issuer, self.subject or (f" {self.client}" if self.client else self.name)

    @property
    def acting(self) -> tuple[str, str]:
        """A name and a key of whoever a call is made for (call_context.py); both empty for the person at stdin."""
        return ("", "") if self.local else (self.name, " ".join(self.key))

    def values(self, kind: str) -> frozenset[str]:
        """What a rule of this kind is compared with."""
        if kind in ("group", "scope"):
            return self.groups if kind == "group" else self.scopes
        value: str = getattr(self, kind)
        return frozenset({value}) if value else frozenset()


LOCAL = Principal(local=True)
ANONYMOUS = Principal()


class AccessRule(BaseModel):
    """Whoever one of `who` matches may use the accounts that one of `accounts` names."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    who: tuple[str, ...] = Field(min_length=1, description="someone@example.com, login:, subject:, group:, scope:, *.")
    issuer: tuple[str, ...] = Field(
        (), description="Whose callers these are: `iss` of their tokens, or *. Needed where jwt has several issuers."
    )
    accounts: tuple[str, ...] = Field(min_length=1, description="Ids, aliases, globs, or *.")
    toolsets: tuple[Toolset, ...] = Field(TOOLSETS, min_length=1, description="Which tools; all when left out.")
    write: bool = Field(False, description="The tools that change something too, where the server allows writes.")

    @field_validator("who")
    @classmethod
    def _kinds_are_known(cls, who: tuple[str, ...]) -> tuple[str, ...]:
        for one in who:
            kind, colon, value = one.partition(":")
            if one == ANYONE or ("@" in one and kind not in _KINDS):
                continue
            if kind not in _KINDS or not colon or not value.strip():
                raise ValueError(
                    f"write an e-mail address, * for anyone who signed in, or one of {', '.join(_KINDS)} with a value, "
                    "such as group:secops"
                )
        return who

    @field_validator("issuer", mode="before")
    @classmethod
    def _one_or_several(cls, issuer: object) -> object:
        return (issuer,) if isinstance(issuer, str) else issuer

    @field_validator("accounts")
    @classmethod
    def _selectors_say_something(cls, accounts: tuple[str, ...]) -> tuple[str, ...]:
        if not all(one.strip() for one in accounts):
            raise ValueError("an empty selector names no account")
        return tuple(part.strip() for one in accounts for part in one.split(",") if part.strip())

    def matches(self, principal: Principal) -> bool:
        of_issuer = bool({ANYONE, principal.issuer} & set(self.issuer)) if self.issuer else not principal.needs_issuer
        return of_issuer and any(_matches(one, principal) for one in self.who)


def _matches(who: str, principal: Principal) -> bool:
    """E-mail addresses and logins are compared without case; the others are a provider's ids and exact."""
    if who == ANYONE:
        return principal != ANONYMOUS
    kind, _, value = who.partition(":")
    if kind not in _KINDS:
        kind, value = "email", who
    pattern = _pattern(value.strip(), kind in ("email", "login"))
    return any(pattern.fullmatch(one) for one in principal.values(kind))


@lru_cache(maxsize=4096)
def _pattern(text: str, any_case: bool) -> re.Pattern[str]:
    """A pattern in which only `*` is special. Case is ASCII's: elsewhere two different names may fold into one."""
    parts = (re.escape(part) for part in text.split("*"))
    return re.compile(".*".join(parts), re.IGNORECASE | re.ASCII if any_case else 0)


@dataclass(frozen=True, slots=True)
class Grant:
    """What one principal may do: every rule that matched, each with its own accounts, tools and writes."""

    rules: tuple[AccessRule, ...] = ()
    everything: bool = False

    def sees(self, account: Account, toolset: Toolset = "accounts", *, write: bool = False) -> bool:
        """Whether this account may be used by tools of this set. Any rule at all lets list_accounts name it."""
        return self.everything or any(
            _names(rule, account)
            for rule in self.rules
            if (toolset == "accounts" or toolset in rule.toolsets) and (rule.write or not write)
        )

    def allows(self, toolset: Toolset, *, write: bool = False) -> bool:
        """Whether any account may be used by tools of this set."""
        return self.everything or any(
            (toolset == "accounts" or toolset in rule.toolsets) and (rule.write or not write) for rule in self.rules
        )


EVERYTHING = Grant(everything=True)
NOTHING = Grant()


def granted(principal: Principal, rules: Iterable[AccessRule], *, otherwise: Grant = NOTHING) -> Grant:
    """What the rules give a principal. `otherwise`: where there is no rule at all."""
    if principal.local:
        return EVERYTHING
    known = tuple(rules)
    if not known:
        return otherwise
    return Grant(tuple(rule for rule in known if rule.matches(principal)))


def _names(rule: AccessRule, account: Account) -> bool:
    names = [account.id, *([account.alias] if account.alias else ())]
    return any(_pattern(selector, True).fullmatch(name) for selector in rule.accounts for name in names)
