"""Manual pages, made of the command tree: one for crosstrail and one for each command, in the macros of man(7).

Decides how they look. What they say is what the commands say of themselves: help, options, examples, exit statuses.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from crosstrail import __version__
from crosstrail.cli.command import examples_of

SECTION = "1"
_STATUSES = (
    ("0", "Everything was done."),
    ("1", "Nothing of it could be done."),
    ("2", "The command was not written as it takes it."),
    ("3", "Some of it failed, and the rest is done."),
    ("10, 13", "With --exit-code: something was found, and everything or some of it was done."),
    ("130", "It was ended by Ctrl-C."),
)
_SENTENCE = re.compile(r"(?<=\.)\s")


def man_pages(program: click.Command) -> Iterator[tuple[str, str]]:
    """The name of each page's file, and its text."""
    context = click.Context(program, info_name="crosstrail", **program.context_settings)
    yield from _below(context)


def _below(context: click.Context) -> Iterator[tuple[str, str]]:
    yield f"{_page_name(context)}.{SECTION}", _page(context)
    for name, command in _commands(context):
        yield from _below(click.Context(command, parent=context, info_name=name))


def _commands(context: click.Context) -> list[tuple[str, click.Command]]:
    group = context.command
    if not isinstance(group, click.Group):
        return []
    found = ((name, group.get_command(context, name)) for name in group.list_commands(context))
    return [(name, command) for name, command in found if command is not None and not command.hidden]


def _page_name(context: click.Context) -> str:
    return context.command_path.replace(" ", "-")


def _page(context: click.Context) -> str:
    help_text = inspect.cleandoc(context.command.help or "")
    first, *rest = _SENTENCE.split(help_text, maxsplit=1)
    name = _page_name(context)
    lines = [
        f'.TH "{_escaped(name.upper())}" "{SECTION}" "" "crosstrail {__version__}" "crosstrail"',
        ".ad l",
        ".nh",
        ".SH NAME",
        f"{_escaped(name)} \\- {_escaped(' '.join(first.split()).rstrip('.'))}",
        ".SH SYNOPSIS",
        f".B {_escaped(context.command_path)}",
        _escaped(" ".join(context.command.collect_usage_pieces(context))),
        ".SH DESCRIPTION",
        *_paragraphs(help_text if not rest else f"{first}\n\n{rest[0]}"),
        *_listed("OPTIONS", _options(context)),
        *_listed("COMMANDS", [(one, command.get_short_help_str(200)) for one, command in _commands(context)]),
        *_examples(context),
        *_listed("EXIT STATUS", _STATUSES),
        ".SH SEE ALSO",
        *_see_also(context),
    ]
    return "\n".join(lines) + "\n"


def _options(context: click.Context) -> list[tuple[str, str]]:
    records = (param.get_help_record(context) for param in context.command.get_params(context))
    return [record for record in records if record is not None]


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text):
        kept = paragraph.startswith("\b")
        yield ".PP"
        if kept:
            yield from (".nf", *map(_escaped, paragraph.splitlines()[1:]), ".fi")
        else:
            yield _escaped(" ".join(paragraph.split()))


def _listed(
    title: str, rows: Iterator[tuple[str, str]] | tuple[tuple[str, str], ...] | list[tuple[str, str]]
) -> Iterator[str]:
    """Terms in bold, and what they mean; nothing without any."""
    rows = list(rows)
    if rows:
        yield f".SH {title}"
    for term, meaning in rows:
        yield from (".TP", f"\\fB{_escaped(term)}\\fR", _escaped(" ".join(meaning.split())))


def _examples(context: click.Context) -> Iterator[str]:
    examples = examples_of(context)
    if examples:
        yield ".SH EXAMPLES"
    for example in examples:
        yield from (".PP", _escaped(example.shows), ".PP", ".RS 4", ".nf", _escaped(example.command), ".fi", ".RE")


def _see_also(context: click.Context) -> Iterator[str]:
    around = [context.parent] if context.parent else []
    pages = [_page_name(one) for one in around]
    pages += [f"{_page_name(context)}-{name}" for name, _ in _commands(context)]
    yield ", ".join(f"\\fB{_escaped(page)}\\fR({SECTION})" for page in pages)
    yield ".PP"
    yield _escaped("crosstrail docs lists the documentation; crosstrail help TOPIC shows a page of it.")


def _escaped(text: str) -> str:
    """As roff takes it for text: no request, no escape, hyphens as they can be copied, quotation marks as written."""
    for sign, written in (
        ("\\", "\\e"),
        ("-", "\\-"),
        ("'", "\\(aq"),
        ("`", "\\(ga"),
        ("^", "\\(ha"),
        ("~", "\\(ti"),
        ('"', "\\(dq"),
    ):
        text = text.replace(sign, written)
    return f"\\&{text}" if text.startswith(".") else text
