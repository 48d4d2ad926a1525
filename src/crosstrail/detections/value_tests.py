"""Values of a rule as tests on a text, in DuckDB's SQL: strings and their wildcards, numbers, networks, expressions.

Texts are compared without regard to case unless the rule says `cased`; of every alphabet, not of ASCII alone. A number is
compared as a number where the field's text is one by JSON's grammar. A network holds addresses, not texts that begin like one.
Expressions are RE2's: what RE2 has not is refused here, before it could fail every other rule of the statement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from sigma.types import (
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaType,
    SpecialChars,
)

from crosstrail.detections.address_sql import bound, in_network
from crosstrail.lake.reader import connect, quoted

Test = Callable[[str], str]
"""Writes the condition on a text, which is given as SQL."""
_FEW = 3
_FLAT = 100
_LARGEST_EXACT = 2**53
_COMPARISONS = {"LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="}
_SURELY_TAKEN = re.compile(r"(?!.*(?:\(\?|[*+?]\+))[\w .:/@,=+*?|()^$-]*", re.ASCII)
"""Expressions that need not be tried: their letters mean the same to Python, which has parsed them, and to RE2."""
_SIMPLE = re.compile(r"[\w .:/@,=+*^$-]*", re.ASCII)
_NEEDED = re.compile(r"[\w:/@,=-]{3,}(?=[.$]|$)", re.ASCII)
_PYTHON_ALONE = re.compile(r"\{,\d|\\[uUNZ]|\(\?[aLux]|\[\[:")
"""What Python reads otherwise than RE2, or not at all."""


class NotCompiled(ValueError):
    """Why a rule cannot be used."""


def joined(conditions: Sequence[str], word: str) -> str:
    """AND or OR of any number of conditions, at a bounded depth: DuckDB refuses an expression 1,000 deep."""
    parts = [f"({one})" for one in conditions]
    while len(parts) > _FLAT:
        parts = [f"({f' {word} '.join(parts[at : at + _FLAT])})" for at in range(0, len(parts), _FLAT)]
    return f" {word} ".join(parts)


def any_of(values: Sequence[SigmaType]) -> Test:
    """That a text fits one of the values. Long lists are lists in SQL too, not chains of OR."""
    strings = [one for one in values if isinstance(one, SigmaString) and not isinstance(one, SigmaCasedString)]
    others = [one_of(one) for one in values if one not in _identities(strings)]
    tests = [*_strings(strings), *others]
    return tests[0] if len(tests) == 1 else lambda text: joined([test(text) for test in tests], "OR")


class _identities:  # noqa: N801
    """Membership by identity: values of Sigma compare by content and refuse to be compared with other kinds."""

    def __init__(self, values: Iterable[SigmaType]) -> None:
        self._ids = {id(one) for one in values}

    def __contains__(self, value: SigmaType) -> bool:
        return id(value) in self._ids


def one_of(value: SigmaType) -> Test:
    """That a text fits this value. Raises NotCompiled."""
    if isinstance(value, SigmaCasedString):
        return _cased(value)
    if isinstance(value, SigmaString):
        return _strings([value])[0]
    if isinstance(value, SigmaBool):
        return lambda text: f"lower({text}) = '{'true' if value.boolean else 'false'}'"
    if isinstance(value, SigmaCompareExpression):
        sign, than = _COMPARISONS[value.op.name], number(value.number)
        return lambda text: f"sigma_number({text}) {sign} {than}"
    if isinstance(value, SigmaNumber):
        return _equal_number(value)
    if isinstance(value, SigmaCIDRExpression):
        return lambda text: in_network(text, value.network)
    if isinstance(value, SigmaRegularExpression):
        return _expression(value)
    raise NotCompiled(f"values of the kind {type(value).__name__} are not supported")


def number(value: SigmaNumber) -> str:
    return repr(value.number) if isinstance(value.number, int) else f"CAST({value.number!r} AS DOUBLE)"


def _equal_number(value: SigmaNumber) -> Test:
    if isinstance(value.number, int) and abs(value.number) > _LARGEST_EXACT:
        return lambda text: f"{text} = '{value.number}'"
    return lambda text: f"sigma_number({text}) = {number(value)}"


def _strings(values: Iterable[SigmaString]) -> list[Test]:
    """Tests on texts in lower case, those of a kind together."""
    kinds: dict[str, dict[str, None]] = {"": {}, "starts_with": {}, "ends_with": {}, "contains": {}, "LIKE": {}}
    exists = False
    for value in values:
        kind, text = _kind(value)
        if kind == "any":
            exists = True
        else:
            kinds[kind][text] = None
    tests = [_lowered(kind, list(texts)) for kind, texts in kinds.items() if texts]
    return [*tests, lambda text: f"{text} IS NOT NULL"] if exists else tests


def _lowered(kind: str, texts: Sequence[str]) -> Test:
    lower = [f"lower({text_sql(text)})" for text in texts]
    if not kind:
        one = f"= {lower[0]}" if len(lower) == 1 else f"IN ({', '.join(lower)})"
        return lambda text: f"lower({text}) {one}"
    if len(lower) <= _FEW:
        return lambda text: joined([_fits(kind, f"lower({text})", value) for value in lower], "OR")
    listed = f"len(list_filter([{', '.join(lower)}], lambda pattern: {_fits(kind, 'low', 'pattern')})) > 0"
    return lambda text: bound(f"lower({text})", "low", listed)


def _fits(kind: str, text: str, value: str) -> str:
    return rf"{text} LIKE {value} ESCAPE '\'" if kind == "LIKE" else f"{kind}({text}, {value})"


def _kind(value: SigmaString) -> tuple[str, str]:
    """How the value is compared, and the text to compare with: a pattern for LIKE, else the text between wildcards."""
    parts = [one for one in value.s if one != ""]
    if any(not isinstance(one, str | SpecialChars) for one in parts):
        raise NotCompiled("placeholders (`expand`) have no values here")
    plain = "".join(one for one in parts if isinstance(one, str))
    shape = "".join(
        "t" if isinstance(one, str) else "*" if one == SpecialChars.WILDCARD_MULTI else "?" for one in parts
    )
    shape = re.sub(r"\*+", "*", re.sub("t+", "t", shape))
    kind = {"": "", "t": "", "*": "any", "t*": "starts_with", "*t": "ends_with", "*t*": "contains"}.get(shape, "LIKE")
    return kind, _pattern(value) if kind == "LIKE" else plain


def _pattern(value: SigmaString) -> str:
    return value.convert(escape_char="\\", wildcard_multi="%", wildcard_single="_", add_escaped="\\")


def _cased(value: SigmaCasedString) -> Test:
    kind, plain = _kind(value)
    sql = text_sql(plain)
    if kind == "any":
        return lambda text: f"{text} IS NOT NULL"
    return lambda text: f"{text} = {sql}" if not kind else _fits(kind, text, sql)


def text_sql(text: str) -> str:
    """A text as SQL. DuckDB's parser ends at a NUL."""
    parts = text.split("\0")
    return quoted(text) if len(parts) == 1 else "(" + " || chr(0) || ".join(map(quoted, parts)) + ")"


def _expression(value: SigmaRegularExpression) -> Test:
    """The longest text that a simple expression cannot do without is looked for first: that takes a tenth of the time.
    Raises NotCompiled."""
    pattern = value.escape(escape_escape_char=False)
    if reason := _refused(pattern):
        raise NotCompiled(f"the expression {pattern[:100]!r} is not supported: {reason}")
    sql = quoted(pattern)
    needed = _NEEDED.findall(pattern) if _SIMPLE.fullmatch(pattern) else []
    if not needed:
        return lambda text: f"regexp_matches({text}, {sql})"
    longest = quoted(max(needed, key=len))
    return lambda text: f"(contains({text}, {longest}) AND regexp_matches({text}, {sql}))"


@lru_cache(maxsize=1_000)
def _refused(pattern: str) -> str:
    """Why RE2 does not take it; empty where it does."""
    if _SURELY_TAKEN.fullmatch(pattern):
        return ""
    import duckdb

    if "\0" in pattern:
        return "it holds a NUL"
    if found := _PYTHON_ALONE.search(pattern):
        return f"{found[0]} means something else, or nothing, in RE2"
    with connect((), table=False) as connection:
        try:
            connection.execute(f"SELECT regexp_matches('', {quoted(pattern)})")
        except duckdb.Error as error:
            return str(error).splitlines()[0].rpartition("Error: ")[2]
    return ""
