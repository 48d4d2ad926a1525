"""`crosstrail docs`: the documentation that came with this installation, read and searched without a network."""

from __future__ import annotations

import click

from crosstrail.cli.command import Command
from crosstrail.cli.output import CommandOutput, RowColumn, RowType, with_output
from crosstrail.cli.statuses import DONE, FAILED
from crosstrail.cli.words import say

_MAX_HITS = 20
_TOPIC = RowColumn("topic", whole=True, about="The page, as `crosstrail docs` takes it.")
TOPICS = RowType("docs", (_TOPIC, RowColumn("title", about="Its title.")))
HITS = RowType(
    "docs --search",
    (
        _TOPIC,
        RowColumn("line", "integer", whole=True, about="The line of its Markdown, counted from 1."),
        RowColumn("section", about="The heading that it stands below."),
        RowColumn("text", readable=40, about="The line, around the words."),
    ),
)


@click.command(cls=Command)
@click.argument("topic", required=False, default="")
@click.option("--search", metavar="WORDS", default="", help="List where these words stand, the best places first.")
@click.option("--chinese", is_flag=True, help="Show the Chinese page where there is one.")
@with_output(None)
def docs(topic: str, search: str, chinese: bool, output: CommandOutput) -> int:
    """Read the documentation; without a topic, list what there is."""
    from crosstrail.cli.page_view import show_markdown
    from crosstrail.documentation import CHINESE, page
    from crosstrail.settings.language_settings import reads_chinese

    if search and topic:
        raise click.UsageError("--search looks through all pages: give it, or a topic.")
    if topic and (output.form != "table" or output.destination.path or output.names):
        raise click.UsageError("A page is Markdown: --format, -o and --columns are for lists of topics and of places.")
    language = CHINESE if chinese or reads_chinese() or not search.isascii() else ""
    if search:
        return _print_hits(search, language, output)
    if topic:
        show_markdown(page(topic, language).text)
    else:
        _print_topics(language, output)
    return DONE


def _print_topics(language: str, output: CommandOutput) -> None:
    from crosstrail.documentation import page, topics

    with output.rows(TOPICS) as rows:
        rows.write_all([one, page(one, language).title] for one in topics())
    say("Read one with: crosstrail docs TOPIC. Look for words with: crosstrail docs --search WORDS")


def _print_hits(words: str, language: str, output: CommandOutput) -> int:
    from crosstrail.documentation import search

    hits = search(words, language)
    if not hits:
        say("No page has these words. Fewer or other words may help; `crosstrail docs` lists all pages.")
        return FAILED
    most = _MAX_HITS if output.on_terminal else len(hits)
    with output.rows(HITS) as rows:
        rows.write_all([hit.topic, hit.line, hit.heading.replace("`", ""), hit.excerpt] for hit in hits[:most])
    if len(hits) > most:
        say(f"The best {_MAX_HITS} of {len(hits)} places. More words find fewer.")
    return DONE
