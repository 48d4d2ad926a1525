"""The words of another engine's error that are safe to pass on.

Such an error may quote the value it failed on ("Cannot cast '...' to integer"), and whoever is in the log wrote that value.
Decides which words stay: those of the statement, which the reader wrote, and those that such errors are made of. Anything
else becomes `…`. It looks at single words, never at quotes, because a value may hold quotes too.
"""

from __future__ import annotations

import re

_MAX_CHARACTERS = 500
_WORD = re.compile(r"[^\W_]+")
_HIDDEN = re.compile(r"-{3,}|…(?:[^\w(),.;:]*…)+")
_KNOWN = frozenset(
    _WORD.findall("""
    a aggregate aggregates aggregation all ambiguous an and any are argument arguments array as at be been between
    bigint boolean by bytes can cannot capacity cast char clause cluster column columns compare concurrent condition
    constant contain contains convert correct could cpu data database date day decimal default denied depth did
    digits distinct divide division does double duplicate empty end entries entry error evaluated event exceed
    exceeded exceeds exhausted exist expected expecting expression external factor fail failed failure field fields
    file for format found from function functions generic greater group has have having identifier if implemented in
    inconsistent index input insufficient integer intermediate internal interval invalid is it join json key keys
    known large least left length less limit limited line list local location long malformed many map maximum memory
    mismatch mismatched missing more most multiple must name names negative nested no node non not null number
    numeric of offset on only operator or order out overflow parameter parameters parse partition per permission
    pool position positive prefix procedure query range read real reason recursive references rejected remote
    required requires resolved resource resources result results right row rows scalar scale schema seconds select
    server session set should single size smallint source stage statement store string structural subquery such
    supported syntax system table temporary text than the there this time timed timeout timestamp tinyint to token
    too total trailing transaction type types unbound unexpected unknown unsupported use used user valid value
    values varbinary varchar view was where while window with within without year zero zone
    """)
)


def safe_words(error: str, statement: str) -> str:
    """One line of at most 500 characters. Numbers of up to four digits stay: they are places and sizes."""
    known = _KNOWN | {word.lower() for word in _WORD.findall(statement)}

    def kept(word: re.Match[str]) -> str:
        text = word.group()
        return text if text.lower() in known or (text.isdigit() and len(text) <= 4) else "…"

    line = " ".join(_WORD.sub(kept, error[: 8 * _MAX_CHARACTERS]).split())
    line = "".join(sign for sign in line if sign.isalnum() or sign in " …_-'\"`.,;:()[]{}<>=+*/%!?$@#&|")
    return _HIDDEN.sub("…", line)[:_MAX_CHARACTERS]
