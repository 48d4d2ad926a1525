"""Options that mean the same in every command, with the same name, the same word for their value and the same help.

`default`: what holds where the option is not given, in words; empty where there is nothing to say. A command that means
something else by one of these names has its own option, and docs/cli-style.md says which may.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import click

StatusT = TypeVar("StatusT")


class Decorator(Protocol):
    def __call__(self, command: Callable[..., StatusT], /) -> Callable[..., StatusT]: ...


def account_option(default: str = "all") -> Decorator:
    help_ = "Accounts: ids, aliases, globs or a comma list; * is all."
    return click.option("--account", metavar="SELECTOR", default="", help=help_, show_default=default or False)


def region_option(default: str = "all") -> Decorator:
    help_ = "Regions: names, globs or a comma list; `all` is all."
    return click.option("--region", metavar="SELECTOR", default="", help=help_, show_default=default or False)


def since_option(default: str = "") -> Decorator:
    help_ = "From when: 24h, 7d, '1 month ago', 2026-11-20, 2026-11-20T09:00Z."
    return click.option("--since", metavar="TIME", default="", help=help_, show_default=default or False)


def until_option(default: str = "now") -> Decorator:
    help_ = "To when, in the same forms; a date is that whole day."
    return click.option("--until", metavar="TIME", default="", help=help_, show_default=default)


def dry_run_option(*names: str) -> Decorator:
    """`names`: that of its parameter, and older spellings, which stay."""
    return click.option("--dry-run", *names, is_flag=True, help="Say what would be done, and do nothing.")


def exit_code_option() -> Decorator:
    return click.option(
        "--exit-code", "exits", is_flag=True, help="Add 10 to the exit status where there are findings."
    )


def bearer_option() -> Decorator:
    help_ = "Token to sign in to the server with; - reads it from stdin."
    return click.option("--bearer", metavar="TOKEN", default="", help=help_)
