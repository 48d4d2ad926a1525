"""Numbers as Trino writes them and the parser does not: `1_000`, `0xFF`, `0o17`, `0b101`.

Decides which words that begin with a digit are numbers, and writes those with decimal digits alone. The parser would read
`1_000` as 1 with the name `_000`, and `0xFF` as bytes.
"""

from __future__ import annotations

import re

# As Trino's grammar (SqlBase.g4) has them: a longer run of letters and digits is one word, so no number with a name after it.
NUMBER = re.compile(
    r"""(?P<integer>[0-9](?:_?[0-9])*)(?:\.(?P<fraction>[0-9](?:_?[0-9])*)?)?(?P<rest>[A-Za-z_][A-Za-z0-9_]*)?""",
    re.ASCII | re.VERBOSE,
)
_EXPONENT = re.compile(r"[eE][+-]?[0-9]+(?![A-Za-z0-9_])", re.ASCII)
_RADIX = {
    16: re.compile(r"0[xX](?:_?[0-9A-Fa-f])+", re.ASCII),
    8: re.compile(r"0[oO](?:_?[0-7])+", re.ASCII),
    2: re.compile(r"0[bB](?:_?[01])+", re.ASCII),
}
_WORD = re.compile(r"[0-9][A-Za-z0-9_]*", re.ASCII)


class OddNumber(ValueError):
    """A word that begins with a digit and is no number."""


def number_at(sql: str, start: int) -> tuple[int, str]:
    """Where the number at `start`, a digit, ends, and how it is written in decimal digits. Raises OddNumber."""
    word = _WORD.match(sql, start)
    assert word is not None  # noqa: S101 - a digit stands there
    for base, form in _RADIX.items():
        if form.fullmatch(word.group()):
            return word.end(), str(int(word.group().replace("_", "")[2:], base))
    found = NUMBER.match(sql, start)
    assert found is not None  # noqa: S101 - a digit stands there
    end = found.end("rest") if found["rest"] else found.end()
    if found["rest"]:
        exponent = _EXPONENT.match(sql, found.start("rest"))
        if exponent is None or "_" in found.group():
            raise OddNumber
        end = exponent.end()
    return end, sql[start:end].replace("_", "")
