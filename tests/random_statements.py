"""Statements over the lake, drawn by a seed from a grammar: groups, windows, joins, UNNEST, set operations, sub-queries, WITH.

Each has one right answer: rows are compared without their order, unless the statement ends with one that is total.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from random import Random

from random_expressions import KINDS, MAPS, TEXTS, Expressions

_KEY = "eventid, account"
_KEYS = list(TEXTS)


def statements(count: int, seed: int = 11) -> Iterator[str]:
    """All different; the same for the same seed; the first of many are those of few."""
    drawn: set[str] = set()
    for number in itertools.count():
        if len(drawn) == count:
            return
        made = _Statement(Random(f"{seed}/{number}")).text()  # noqa: S311 - the same statements every time
        if made not in drawn:
            drawn.add(made)
            yield made


class _Statement:
    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._row = Expressions(rng)

    def text(self) -> str:
        shapes = (
            self._rows, self._groups, self._groups, self._windows, self._unnested, self._joined, self._set_operation, self._with, self._nested,
            self._literals, self._literals, self._rollup, self._distinct,
        )  # fmt: skip
        return self._rng.choice(shapes)()

    def _where(self, likely: float = 0.6) -> str:
        return f" WHERE {self._row.condition(self._rng.randrange(3))}" if self._rng.random() < likely else ""

    def _rows(self) -> str:
        columns = ", ".join(self._named(self._row.any(2)) for _ in range(self._rng.randrange(1, 4)))
        return f"SELECT {columns} FROM events{self._where()} ORDER BY {_KEY} LIMIT {self._rng.randrange(1, 60)}"

    def _named(self, sql: str) -> str:
        return f"{sql} AS c{self._rng.randrange(1000)}" if self._rng.random() < 0.3 else sql

    def _aggregate(self) -> str:
        row, pick = self._row, self._rng.choice
        text, number, time = row.of("text", 1), row.of("bigint", 1), row.of("timestamp", 1)
        return pick([
            "count(*)", f"count({text})", f"count(DISTINCT {text})", f"sum({number})", f"avg({number})", f"min({text})", f"max({text})", f"min({time})", f"max({time})",
            f"count_if({row.condition(1)})", f"count(*) FILTER (WHERE {row.condition(1)})", f"bool_and({row.condition(1)})", f"bool_or({row.condition(0)})",
            f"max_by({text}, ({_KEY}))" if self._rng.random() < 0.1 else "max_by(eventname, eventid || account)", f"min_by({text}, eventid || account)",
            f"array_sort(array_agg(DISTINCT {text}))", f"slice(array_agg({text} ORDER BY {_KEY}), 1, 5)", f"cardinality(array_agg({text}))",
            f"sum({row.of('decimal', 1)})", f"listagg(DISTINCT {row.column()}, ',') WITHIN GROUP (ORDER BY {row.column()})" if self._rng.random() < 0.05 else "count(1)",
            f"count(DISTINCT {pick(MAPS)})", f"max({row.of('double', 1)})", f"cardinality(histogram({text}))", f"approx_percentile({number}, 0.5) IS NULL",
        ])  # fmt: skip

    def _groups(self) -> str:
        keys = [
            self._row.of(self._rng.choice(("text", "text", "date", "boolean", "bigint", "map")), self._rng.randrange(2))
            for _ in range(self._rng.randrange(1, 3))
        ]
        aggregates = [self._named(self._aggregate()) for _ in range(self._rng.randrange(1, 4))]
        having = " HAVING count(*) > 1" if self._rng.random() < 0.3 else ""
        by = ", ".join(str(place) for place in range(1, len(keys) + 1))
        return f"SELECT {', '.join([*keys, *aggregates])} FROM events{self._where()} GROUP BY {by}{having}"

    def _rollup(self) -> str:
        keys = self._rng.sample(("eventsource", "awsregion", "eventtype", "account", "cloud"), 2)
        form = self._rng.choice(("ROLLUP ({})", "CUBE ({})", "GROUPING SETS (({}), ())")).format(", ".join(keys))
        return f"SELECT {', '.join(keys)}, grouping({keys[0]}), {self._aggregate()} FROM events{self._where()} GROUP BY {form}"

    def _windows(self) -> str:
        pick = self._rng.choice
        order = (
            f"ORDER BY {pick(('eventtime', 'eventname DESC', 'errorcode NULLS FIRST', 'useridentity.type'))}, {_KEY}"
        )
        frame = pick(
            (
                "",
                "",
                " ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING",
                " ROWS UNBOUNDED PRECEDING",
                " ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
            )
        )
        text, number = self._row.of("text", 1), self._row.of("bigint", 1)
        over = f"OVER (PARTITION BY {pick(_KEYS)} {order}"
        called = pick([
            f"row_number() {over})", f"rank() {over})", f"ntile(3) {over})", f"lag({text}) {over})", f"lead({text}, 2, 'none') {over})", f"sum({number}) {over}{frame})",
            f"count(*) {over}{frame})", f"first_value({text}) {over}{frame})", f"last_value({text}) {over}{frame})", f"max({text}) {over}{frame})", f"cume_dist() {over})",
            f"nth_value({text}, 2) {over}{frame})", f"date_diff('second', lag(eventtime) {over}), eventtime)", f"count(*) OVER (PARTITION BY {pick(_KEYS)})",
        ])  # fmt: skip
        return f"SELECT eventid, {called} FROM events{self._where()} ORDER BY {_KEY} LIMIT 100"

    def _unnested(self) -> str:
        if self._rng.random() < 0.4:
            return f"SELECT r.type, r.accountid, count(*) FROM events CROSS JOIN UNNEST(resources) AS r(accountid, type, arn, arnprefix){self._where(0.3)} GROUP BY 1, 2"
        if self._rng.random() < 0.5:
            return f"SELECT k, count(*), max(length(v)) FROM events CROSS JOIN UNNEST({self._rng.choice(MAPS)}) AS t(k, v){self._where(0.4)} GROUP BY k"
        array = self._row.of("texts", 1)
        return f"SELECT eventid, x, n FROM events CROSS JOIN UNNEST({array}) WITH ORDINALITY AS t(x, n){self._where(0.4)} ORDER BY {_KEY}, n LIMIT 80"

    def _counted(self, key: str) -> str:
        return f"(SELECT {key} AS k, {self._aggregate()} AS n FROM events{self._where()} GROUP BY 1)"

    def _joined(self) -> str:
        join = self._rng.choice(("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"))
        key = self._rng.choice(_KEYS)
        left, right = self._counted(key), self._counted(key)
        if self._rng.random() < 0.3:
            return f"SELECT a.k, a.n, b.n FROM {left} a CROSS JOIN (SELECT {self._aggregate()} AS n FROM events) b"
        return f"SELECT a.k, b.k, a.n, b.n FROM {left} a {join} {right} b ON a.k = b.k"

    def _set_operation(self) -> str:
        kinds = [self._rng.choice(KINDS[:8]) for _ in range(self._rng.randrange(1, 3))]
        parts = [
            f"SELECT {', '.join(self._row.of(kind, 1) for kind in kinds)} FROM events{self._where(0.9)}"
            for _ in range(2)
        ]
        return self._rng.choice((" UNION ", " UNION ALL ", " INTERSECT ", " EXCEPT ")).join(parts)

    def _with(self) -> str:
        inner = f"SELECT eventid, account, eventtime, {self._row.of('text', 2)} AS t, {self._row.of('bigint', 1)} AS n FROM events{self._where()}"
        second = "SELECT t, count(*) AS c, sum(n) AS s, min(eventtime) AS first FROM a GROUP BY t"
        return f"WITH a AS ({inner}), b AS ({second}) SELECT a.eventid, b.* FROM a JOIN b ON a.t = b.t WHERE b.c > {self._rng.randrange(1, 9)}"

    def _nested(self) -> str:
        key = self._rng.choice(_KEYS)
        inner = f"SELECT {key} FROM events{self._where(1.0)}"
        condition = self._rng.choice((
            f"{key} IN ({inner})", f"{key} NOT IN ({inner} AND {key} IS NOT NULL)", f"eventtime > (SELECT min(eventtime) FROM events{self._where()})",
            f"length({key}) >= ALL ({inner.replace(f'SELECT {key}', f'SELECT length({key})')} AND {key} IS NOT NULL)",
            f"EXISTS (SELECT 1 FROM events i WHERE i.{key} = o.{key} AND i.errorcode IS NOT NULL)",
        ))  # fmt: skip
        return f"SELECT {key}, count(*), (SELECT max({key}) FROM events) FROM events o WHERE {condition} GROUP BY 1"

    def _distinct(self) -> str:
        columns = ", ".join(self._row.any(self._rng.randrange(2)) for _ in range(self._rng.randrange(1, 3)))
        return f"SELECT DISTINCT {columns} FROM events{self._where()}"

    def _literals(self) -> str:
        plain = Expressions(self._rng, row=False)
        return f"SELECT {', '.join(plain.any(3) for _ in range(self._rng.randrange(1, 4)))}"
