"""`crosstrail docs`: the documentation that came with this installation, read and searched without a network."""

from __future__ import annotations

import click

from crosstrail.cli.command import Command
from crosstrail.cli.output import RowColumn, RowType, table_on_stdout
from crosstrail.cli.statuses import DONE, FAILED
from crosstrail.cli.words import say

_MAX_HITS = 20
TOPICS = RowType("docs", (RowColumn("topic", whole=True), RowColumn("title")))
HITS = RowType(
    "docs --search",
    (RowColumn("topic", whole=True), RowColumn("line", "integer", whole=True), RowColumn("section"), RowColumn("text")),
)


@click.command(cls=Command)
@click.argument("topic", required=False, default="")
@click.option("--search", metavar="WORDS", default="", help="List where these words stand, the best places first.")
@click.option("--chinese", is_flag=True, help="Show the Chinese page where there is one.")
def docs(topic: str, search: str, chinese: bool) -> int:
    """Read the documentation; without a topic, list what there is."""
    from crosstrail.cli.page_view import show_markdown
    from crosstrail.documentation import CHINESE, page
    from crosstrail.settings.language_settings import reads_chinese

    if search and topic:
        raise click.UsageError("--search looks through all pages: give it, or a topic.")
    language = CHINESE if chinese or reads_chinese() or not search.isascii() else ""
    if search:
        return _print_hits(search, language)
    if topic:
        show_markdown(page(topic, language).text)
    else:
        _print_topics(language)
    return DONE


def _print_topics(language: str) -> None:
    from crosstrail.documentation import page, topics

    with table_on_stdout().rows(TOPICS) as rows:
        rows.write_all([one, page(one, language).title] for one in topics())
    say("Read one with: crosstrail docs TOPIC. Look for words with: crosstrail docs --search WORDS")


def _print_hits(words: str, language: str) -> int:
    from crosstrail.documentation import search

    hits = search(words, language)
    if not hits:
        say("No page has these words. Fewer or other words may help; `crosstrail docs` lists all pages.")
        return FAILED
    with table_on_stdout().rows(HITS) as rows:
        rows.write_all([hit.topic, hit.line, hit.heading.replace("`", ""), hit.excerpt] for hit in hits[:_MAX_HITS])
    if len(hits) > _MAX_HITS:
        say(f"The best {_MAX_HITS} of {len(hits)} places. More words find fewer.")
    return DONE
