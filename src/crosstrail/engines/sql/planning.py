"""What DuckDB's planner would do with a statement whose text is small.

Decides what is refused because planning it, which no memory limit of DuckDB's counts in full and no interrupt reaches, would
take seconds or hundreds of megabytes. It never looks at what a statement means.
"""

from __future__ import annotations

import re

from crosstrail.engines.sql.expr import Refusal

MAX_JOINED = 20
"""Relations in one FROM. Planning takes the third power of them: 0.2 s of processor time for 20, 0.7 s for 30, 2 s for 40."""
_MAX_QUERIES = 1_000
"""SELECTs that a statement becomes. Each takes 3 ms; ORDER BY over nested aliases doubles them at each level."""
_MAX_LAMBDA_WORK = 1_000_000
"""Characters in lambdas, each counted two to the power of its depth, because the planner makes both copies of a body at
every level. DuckDB 2.0 plans transform 13 deep (0.14 s of processor time, 37 MB), any_match 11 deep and reduce, which is
three DuckDB lambdas, 4 deep (0.24 s, 46 MB) within it; reduce 5 deep takes 1.3 s and 366 MB, and 6 deep not less than 1 GB."""
_ORDINARY_DEPTH = 3
"""Lambdas as deep as that do not count: what is bound to a name has them, and wide statements hold many."""
_TOKEN = re.compile(r"""\'(?:[^']|'')*'|"(?:[^"]|"")*"|\blambda [a-z0-9]+(?:, [a-z0-9]+)*:|\bSELECT\b|[()\[\],]""")


def check_planning(sql: str) -> None:
    """Raises Refusal for DuckDB SQL that its planner should not be given. The text is ours: well-formed, without comments."""
    if sql.count("lambda ") <= _ORDINARY_DEPTH and sql.count("SELECT") <= _MAX_QUERIES:
        return
    opened: list[int] = []  # of each lambda around this place, the parentheses around it
    depth = work = queries = last = 0
    for token in _TOKEN.finditer(sql):
        if len(opened) > _ORDINARY_DEPTH:
            work += (token.end() - last) << len(opened)
        last, text = token.end(), token.group()
        if text in ("(", "["):
            depth += 1
        elif text.startswith("lambda "):
            opened.append(depth)
        elif text == "SELECT":
            queries += 1
        elif text in (")", "]", ","):
            while opened and opened[-1] == depth:
                opened.pop()
            depth -= text != ","
    if work > _MAX_LAMBDA_WORK:
        raise Refusal(
            "lambdas are nested too deeply: planning doubles with each level",
            "Compute the inner ones in a WITH query, or UNNEST the array.",
        )
    if queries > _MAX_QUERIES:
        raise Refusal(
            f"the statement becomes {queries} sub-queries; {_MAX_QUERIES} are the most",
            "Compute what is nested or repeated in a WITH query, and order by whole output columns.",
        )


def check_joined(count: int) -> None:
    if count > MAX_JOINED:
        raise Refusal(f"one FROM joins at most {MAX_JOINED} tables", "Join some of them in a WITH query first.")
