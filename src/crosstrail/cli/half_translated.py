"""Whether a line came out half in one language and half in another, which is worse than English alone.

Data in a Chinese sentence is none of it: names, paths, commands, numbers, what is quoted, and what a cloud or a system said, which
stands behind a colon. What tells prose from these are the small words that every English sentence has.
"""

from __future__ import annotations

import re

_QUOTED = re.compile(r"""`[^`]*`|"[^"]*"|(?<!\w)'[^']*'(?!\w)""")
_CODE = re.compile(r"`[^`]*`")
_CHINESE = re.compile(r"[\u2e80-\u9fff\uff00-\uffef]")
_CLAUSES = re.compile(r"(：)")
_SENTENCES = re.compile(r"。|[.?!] (?=\S)")
_RUN = re.compile(r"(?<![\w./:@-])[A-Za-z][a-z’']*(?:,? [a-z][a-z’']*)+(?![\w/@-])")
_SMALL_WORDS = frozenset(
    [
        "a",
        "all",
        "an",
        "the",
        "of",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "and",
        "or",
        "but",
        "that",
        "which",
        "who",
        "this",
        "these",
        "those",
        "to",
        "in",
        "on",
        "at",
        "by",
        "for",
        "from",
        "with",
        "without",
        "it",
        "its",
        "they",
        "them",
        "their",
        "not",
        "no",
        "does",
        "do",
        "has",
        "have",
        "had",
        "as",
        "if",
        "when",
        "where",
        "than",
        "there",
        "what",
        "so",
        "can",
        "may",
        "must",
    ]
)
_MANY_WORDS = 2


def half_translated(text: str) -> bool:
    """Whether a sentence of this line is Chinese and holds English prose, or code in backquotes was taken for words."""
    if any(_CHINESE.search(code) for code in _CODE.findall(text)):
        return True
    return any(map(_is_half, _SENTENCES.split(_QUOTED.sub("`", text))))


def _is_half(sentence: str) -> bool:
    if not _CHINESE.search(sentence):
        return False
    *before, last = _CLAUSES.split(sentence)
    return any(map(_prose, before)) or bool(_CHINESE.search(last) and _prose(last))


def _prose(text: str) -> bool:
    runs = (run[0].replace(",", "").lower().split() for run in _RUN.finditer(text))
    return any(len(words) >= _MANY_WORDS and not _SMALL_WORDS.isdisjoint(words) for words in runs)


__all__ = ["half_translated"]
